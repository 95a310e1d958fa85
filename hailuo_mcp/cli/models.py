"""`hailuo-mcp models`: the usable models, and what each of them accepts."""

from collections.abc import Mapping
from typing import Any

import click

from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.options import json_option
from hailuo_mcp.cli.output import Field, in_commands, print_fields, print_json, stderr_console, stdout_console
from hailuo_mcp.cli.session import with_session
from hailuo_mcp.core.text import describe
from hailuo_mcp.mcp import model_views, views
from hailuo_mcp.service.session import Session


@click.command()
@click.argument("model", required=False)
@json_option
def models(model: str | None, as_json: bool) -> Exit:
    """List the usable models, with prices and times; with MODEL, show the details of one.

    A model is usable if its gateway's key is set, or in the sandbox. Every rule names its source.
    """

    async def look_up(session: Session) -> tuple[views.ModelList, str]:
        catalog = session.catalog
        chosen = None if model is None else catalog.model(model)
        return model_views.model_list(catalog, session.settings.in_sandbox, chosen), catalog.how_to_get_keys()

    view, how_to_get_keys = with_session(look_up)
    if as_json:
        print_json(view)
    elif not view.models:
        stderr_console().print(f"No model is usable. {how_to_get_keys}")
    elif model is not None:
        print_fields(_details(view.models[0]), stdout_console())
    else:
        _print_summaries(view)
    return Exit.DONE


def _print_summaries(view: views.ModelList) -> None:
    rows = [(model["model"], _price(model), _time(model)) for model in view.models]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, model in zip(rows, view.models, strict=True):
        name, price, time = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        stdout_console().print(name, style="bold", end="  ")
        stdout_console().print(price, time, model["makes"], sep="  ")
        takes = [f"{name} (required)" for name in model["required"] if name != "prompt"] + model["parameters"]
        stdout_console().print(f"  takes {', '.join(takes)}", style="dim")
    width = max(len(want) for want in view.best_for)
    for want, names in model_views.best_for_lines(view):
        stdout_console().print(want.ljust(width), end="  ", style="dim")
        stdout_console().print(names)
    stderr_console().print(f"Without --model, {model_views.bare_prompt(view)}", style="dim")
    if view.sandbox:
        stderr_console().print(
            "The sandbox is used: clips are previews, not made by Hailuo, and cost nothing.", style="yellow"
        )


def _details(model: Mapping[str, Any]) -> list[Field]:
    prices = [f"${price['usd']:g}, {price['kind']} ({price['source']}, {price['as_of']})" for price in model["prices"]]
    kept = model["clip_kept_seconds"]
    fields: list[Field] = [
        ("model", model["model"], "bold"),
        ("makes", model["makes"]),
        ("gateway", f"{model['gateway']}, which calls it {model['remote_name']}"),
        ("docs", model["documentation"]),
        ("price", "\n".join(prices) or "not published"),
        ("time", _time(model).removeprefix("time ")),
        ("local files", _local_files(model["local_files"])),
        ("clip kept", f"{kept / 3600:g} h" if kept else "not documented"),
        ("takes", "\n".join(_parameter(name, model) for name in model["schema"]["properties"])),
    ]
    rules = [_rule(constraint) for constraint in model["constraints"]]
    return [*fields, ("rules", "\n".join(rules))] if rules else fields


def _local_files(ways: str | Mapping[str, str]) -> str:
    return ways if isinstance(ways, str) else "\n".join(f"{name}: {way}" for name, way in ways.items())


def _parameter(name: str, model: Mapping[str, Any]) -> str:
    schema: Mapping[str, Any] = model["schema"]["properties"][name]
    default = schema.get("default")
    shown = str(default).lower() if isinstance(default, bool) else default
    what = "required" if name in model["required"] else f"default {shown}" if shown is not None else "optional"
    return f"{name}: {describe(dict(schema))}; {what}"


def _rule(constraint: Mapping[str, str]) -> str:
    about = f"{constraint['parameter']}: " if constraint["parameter"] else ""
    return f"{in_commands(about + constraint['rule'])} [{constraint['source']}]"


def _price(model: Mapping[str, Any]) -> str:
    return "$" + _range(model["price_usd"], ".3g") if model["price_usd"] else "price not published"


def _time(model: Mapping[str, Any]) -> str:
    return _range(model["typical_seconds"], ".0f") + " s" if model["typical_seconds"] else "time unknown"


def _range(ends: list[float], form: str) -> str:
    least, most = (format(end, form) for end in ends)
    return least if least == most else f"{least}–{most}"
