"""`hailuo-mcp generate`: submit a job, and optionally wait for its clip."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from hailuo_mcp.cli.exits import Exit, exit_of_state
from hailuo_mcp.cli.follow import Watched, interrupted, view_of, wait_for_end
from hailuo_mcp.cli.options import Number, WaitOption, json_option, wait_option
from hailuo_mcp.cli.output import (
    cost_text,
    job_fields,
    print_fields,
    print_job,
    print_json,
    print_warnings,
    stderr_console,
    stdout_console,
)
from hailuo_mcp.cli.session import interrupt_at_once, interrupt_held_back, with_session
from hailuo_mcp.core.errors import NotConfirmed
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.core.parameters import CANONICAL, Canonical
from hailuo_mcp.mcp.views import JobView, dry_run_view
from hailuo_mcp.service.confirmation import VARIABLE, Purchase, agreed
from hailuo_mcp.service.session import Session

F = TypeVar("F", bound=Callable[..., Any])
ARGUMENT = "prompt"
"""The parameter that is an argument instead of an option."""


def parameter_options(command: F) -> F:
    """Add an option for each canonical parameter. Only the model's spec validates values, so that the command line and
    the tool give the same errors."""
    for name, canonical in reversed(list(CANONICAL.items())):
        if name != ARGUMENT:
            command = _option(name, canonical)(command)
    return command


def _option(name: str, canonical: Canonical) -> Callable[[F], F]:
    word = name.replace("_", "-")
    if canonical.schema["type"] == "boolean":
        return click.option(f"--{word}/--no-{word}", name, default=None, help=canonical.meaning)
    choices = canonical.schema.get("enum")
    metavar = f"[{'|'.join(choices)}]" if choices else {"integer": "NUMBER"}.get(canonical.schema["type"], "TEXT")
    several = canonical.schema["type"] == "array"
    default = () if several else None
    return click.option(f"--{word}", name, metavar=metavar, multiple=several, default=default, help=canonical.meaning)


@click.command(cls=WaitOption)
@click.argument(ARGUMENT)
@click.option("--model", metavar="MODEL", help="Default: the cheapest that accepts the arguments.")
@parameter_options
@click.option("--dry-run", is_flag=True, help="Check the call and show the request and its price; send nothing.")
@click.option("--force-new", is_flag=True, help="Submit even if an identical job is running or ended recently.")
@click.option("--max-cost-usd", type=Number(), help="Refuse a higher or unknown price.")
@click.option("--yes", is_flag=True, help="Do not ask for the confirmation that HAILUO_MCP_CONFIRM_ABOVE_USD requires.")
@wait_option("Wait for the end, at most SECONDS, then save the clip and print its path.")
@json_option
def generate(
    *,
    dry_run: bool,
    force_new: bool,
    max_cost_usd: float | None,
    yes: bool,
    wait: float | None,
    as_json: bool,
    **arguments: Any,
) -> Exit:
    """Submit a video job.

    PROMPT describes the clip. Returns within seconds with a request id, for use with `hailuo-mcp status`; with --wait,
    returns when the clip is saved.

    \b
    hailuo-mcp generate "[Push in] A red kite over the bay" --wait
    hailuo-mcp generate "She turns and smiles" --first-frame-image ~/Pictures/ada.jpg --duration 10
    """
    given = {name: value for name, value in arguments.items() if value not in (None, ())}
    if dry_run:
        result = with_session(lambda session: session.generate(given, dry_run=True, max_cost_usd=max_cost_usd))
        _print_dry_run(dry_run_view(result), as_json=as_json)
        return Exit.DONE
    watched = Watched()
    options = {"force_new": force_new, "max_cost_usd": max_cost_usd, "confirm": agreed if yes else _ask}
    try:
        return with_session(lambda session: _submit(session, given, options, wait, watched, as_json))
    except KeyboardInterrupt:
        return interrupted(watched, as_json=as_json)


async def _ask(purchase: Purchase) -> None:
    """Ask on the terminal.

    Raises:
        NotConfirmed: the user declined, or there is no terminal.
    """
    if not sys.stdin.isatty():
        raise NotConfirmed(
            f"{VARIABLE} requires confirmation of this job, but there is no terminal; nothing was sent.",
            "Add --yes.",
        )
    with interrupt_at_once():  # blocks the event loop, in which nothing else runs yet
        if not click.confirm(purchase.question, err=True):
            raise NotConfirmed("Not confirmed; nothing was sent.", "")


async def _submit(
    session: Session,
    arguments: dict[str, Any],
    options: dict[str, Any],
    wait: float | None,
    watched: Watched,
    as_json: bool,
) -> Exit:
    with interrupt_held_back():
        submitted = await session.generate(arguments, **options)
        watched.see(submitted.job)
    view = view_of(session, submitted.job, duplicate=submitted.duplicate)
    if wait is None:
        print_job(view, as_json=as_json)
        return exit_of_state(submitted.job.state, waited=False)
    if not as_json:
        print_warnings(view.warnings)
        stderr_console().print(f"{view.request_id}: {'an earlier, identical job' if view.duplicate else 'submitted'}")
    job = await wait_for_end(session, watched, wait)
    return await _finish(session, job, duplicate=submitted.duplicate, as_json=as_json)


async def _finish(session: Session, job: Job, *, duplicate: bool, as_json: bool) -> Exit:
    """The end of a wait: the clip's path on stdout, everything else on stderr."""
    if job.state is State.COMPLETED and job.has_clip and not job.video_path:
        job, _ = await session.download(job.request_id)
    view = view_of(session, job, duplicate=duplicate)
    if as_json:
        print_json(view)
    elif job.video_path:
        print_fields(
            [field for field in job_fields(view) if field[0] in ("state", "sandbox", "cost")], stderr_console()
        )
        stdout_console().print(job.video_path)
    else:
        print_fields(job_fields(view), stderr_console())
    return exit_of_state(job.state, waited=True)


def _print_dry_run(view: JobView, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    print_warnings(view.warnings)
    request = view.request or {}
    time = f"about {view.estimated_seconds:.0f} s" if view.estimated_seconds else "unknown"
    headers: Mapping[str, str] = request.get("headers") or {}
    wire = "\n".join(
        [f"{request.get('method')} {request.get('url')}", *(f"{name}: {value}" for name, value in headers.items())]
    )
    print_fields(
        [
            ("dry run", "nothing was sent"),
            ("model", view.model),
            ("price", (cost_text(view) or "unknown") + (" (nothing in the sandbox)" if view.sandbox else "")),
            ("time", time),
            ("request", wire),
            ("body", json.dumps(request.get("body"), indent=2, ensure_ascii=False)),
        ],
        stdout_console(),
    )
