"""How the commands print: results on stdout, everything else on stderr. With `--json`, stdout holds exactly one JSON
document: the same structured views that the MCP tools return."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import click
from pydantic import BaseModel
from rich.console import Console

from hailuo_mcp.core.errors import Problem
from hailuo_mcp.core.job import State
from hailuo_mcp.mcp.views import JobView

PROGRAM = "hailuo-mcp"
STYLES: Mapping[str, str] = {
    State.COMPLETED: "green",
    State.FAILED: "red",
    State.EXPIRED: "red",
    State.CANCELLED: "red",
    State.UNCONFIRMED: "yellow",
}
_LABEL_WIDTH = 9
_COMMANDS: Mapping[str, str] = {
    "generate_video": f"{PROGRAM} generate",
    "get_status": f"{PROGRAM} status",
    "list_models": f"{PROGRAM} models",
    "list_jobs": f"{PROGRAM} jobs",
    "download_video": f"{PROGRAM} download",
    "cancel_job": f"{PROGRAM} cancel",
    "wait_seconds": "--wait",
    "force_new": "--force-new",
    "dry_run": "--dry-run",
}
_TOOL_WORDS = re.compile(rf"\b(?:(C|c)all (?=\w+_))?({'|'.join(_COMMANDS)})\b")

Field = tuple[str, str] | tuple[str, str, str]
"""A label, its value, and optionally a style."""


@cache
def stdout_console() -> Console:
    return _console(stderr=False)


@cache
def stderr_console() -> Console:
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    # No wrapping: an id or a path broken over two lines cannot be copied.
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_json(document: BaseModel | Mapping[str, Any]) -> None:
    data = document.model_dump(mode="json") if isinstance(document, BaseModel) else document
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_fields(fields: Iterable[Field], console: Console) -> None:
    """Print labels and values, aligned. All lines of a multi-line value are in its column."""
    for label, value, *style in fields:
        console.print(f"{label:<{_LABEL_WIDTH}} ", style="dim", end="")
        console.print(value.replace("\n", "\n" + " " * (_LABEL_WIDTH + 1)), style=style[0] if style else None)


def print_warnings(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        stderr_console().print(f"note:  {in_commands(sentence)}", style="yellow")


def print_job(view: JobView, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    print_warnings(view.warnings)
    print_fields(job_fields(view), stdout_console())


def print_problem(problem: Problem) -> None:
    """Print what happened and how to fix it, on two lines."""
    charged = "" if problem.charged == "no" else f"; charged: {problem.charged}"
    stderr_console().print(f"error: {in_commands(problem.message)} [{problem.code}{charged}]", style="red")
    if problem.hint:
        stderr_console().print(f"hint:  {in_commands(problem.hint)}")


def in_commands(sentence: str) -> str:
    """A sentence about tools and their arguments, reworded for commands and options."""

    def translated(match: re.Match[str]) -> str:
        verb = {"C": "Run ", "c": "run "}.get(match[1] or "", "")
        return verb + _COMMANDS[match[2]]

    return _TOOL_WORDS.sub(translated, sentence)


def command(*words: str) -> str:
    """A command line that the user can copy."""
    return shlex.join([PROGRAM, *words])


def job_fields(view: JobView) -> list[Field]:
    """A job's fields for display, without its warnings."""
    fields: list[Field] = [("job", view.request_id or "none: a dry run")]
    fields.append(("state", f"{view.state}{_time_text(view)}", STYLES.get(view.state, "bold")))
    if view.duplicate:
        fields.append(("", "an earlier, identical job; nothing new was submitted"))
    if view.sandbox:
        fields.append(("sandbox", "clips are previews; set a gateway's key for real ones", "yellow"))
    elif cost := cost_text(view):
        fields.append(("cost", cost))
    if view.error:
        fields += [("error", in_commands(view.error.message), "red"), ("charged", view.error.charged)]
        fields.append(("hint", in_commands(view.error.hint)))
    if view.video_path:
        fields.append(("clip", view.video_path, "bold"))
    elif view.video_url:
        fields.append(("link", view.video_url + (f"\nuntil {view.expires_at}" if view.expires_at else "")))
    if follow := _next_command(view):
        fields.append(("next", follow))
    return fields


def _time_text(view: JobView) -> str:
    if view.state == State.COMPLETED:
        return f" after {view.elapsed_seconds:.0f} s"
    if view.poll_after_seconds is None or view.state == State.UNCONFIRMED:
        return ""
    about = f" of about {view.estimated_seconds:.0f} s" if view.estimated_seconds else ""
    return f", {view.elapsed_seconds:.0f} s{about}"


def cost_text(view: JobView) -> str:
    """The reported price, or else the estimate; empty if neither is known."""
    if view.cost_usd is not None:
        return f"${view.cost_usd:.3g}"
    return f"about ${view.estimated_cost_usd:.3g}" if view.estimated_cost_usd is not None else ""


def _next_command(view: JobView) -> str:
    if view.request_id is None or view.state in (State.FAILED, State.EXPIRED, State.CANCELLED) or view.video_path:
        return ""
    if view.state == State.COMPLETED and view.video_url:
        return command("download", view.request_id)
    return command("status", view.request_id, "--wait")
