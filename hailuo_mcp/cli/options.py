"""Options that several commands have."""

import math
import re
from collections.abc import Sequence
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


class Number(click.FloatRange):
    """A number that is not negative. click's own type accepts NaN, with which every comparison with a limit is
    false."""

    name = "number"

    def __init__(self, most: float | None = None) -> None:
        super().__init__(0, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


class WaitOption(click.Command):
    """A command with `--wait [SECONDS]`. By default, click would read the prompt or the request id after a bare
    `--wait` as its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _with_wait_values(args))


def _with_wait_values(args: Sequence[str]) -> list[str]:
    done: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*done, word, *rest]
        if word == "--wait":
            has_value = rest and re.fullmatch(r"\d+\.?\d*|\.\d+", rest[0], re.ASCII)
            word = f"--wait={rest.pop(0) if has_value else math.inf}"
        done.append(word)
    return done


def wait_option(help_text: str) -> Any:
    return click.option("--wait", "wait", type=Number(), metavar="[SECONDS]", help=help_text)
