"""`hailuo-mcp status`, `download`, `cancel` and `jobs`: commands for submitted jobs."""

from datetime import datetime

import click

from hailuo_mcp.cli.exits import Exit, exit_of_state
from hailuo_mcp.cli.follow import Watched, interrupted, view_of, wait_for_end
from hailuo_mcp.cli.options import WaitOption, json_option, wait_option
from hailuo_mcp.cli.output import (
    STYLES,
    command,
    print_job,
    print_json,
    print_warnings,
    stderr_console,
    stdout_console,
)
from hailuo_mcp.cli.session import with_session
from hailuo_mcp.core.job import State, utc_now
from hailuo_mcp.ledger import JobPage
from hailuo_mcp.mcp import views
from hailuo_mcp.service.session import Session

LIMIT, LIMIT_MAX = 10, 50


@click.command(cls=WaitOption)
@click.argument("request_id")
@wait_option("Wait for the end, at most SECONDS.")
@json_option
def status(request_id: str, wait: float | None, as_json: bool) -> Exit:
    """Show a job's state, and its clip once completed.

    Exit code 0: completed, or without --wait, still running; 3: failed, expired or cancelled; 4: not ended within the
    wait.

    \b
    hailuo-mcp status segmind/hailuo-02-fast/1f2e3d4c --wait
    """
    watched = Watched(request_id)

    async def ask(session: Session) -> views.JobView:
        job = await (session.status(request_id) if wait is None else wait_for_end(session, watched, wait))
        return view_of(session, job)

    try:
        view = with_session(ask)
    except KeyboardInterrupt:
        return interrupted(watched, as_json=as_json)
    print_job(view, as_json=as_json)
    return exit_of_state(State(view.state), waited=wait is not None)


@click.command()
@click.argument("request_id")
@json_option
def download(request_id: str, as_json: bool) -> Exit:
    """Save a completed job's clip, and print its path.

    Running it again prints the path of the same file.

    \b
    mpv "$(hailuo-mcp download segmind/hailuo-02-fast/1f2e3d4c)"
    """

    async def fetch(session: Session) -> views.Download:
        return await views.download(*await session.download(request_id))

    view = with_session(fetch)
    if as_json:
        print_json(view)
    else:
        stdout_console().print(view.video_path)
        stderr_console().print(f"{view.bytes / 1e6:.1f} MB, {view.media_type}", style="dim")
    return Exit.DONE


@click.command()
@click.argument("request_id")
@json_option
def cancel(request_id: str, as_json: bool) -> Exit:
    """Cancel a job that is still queued, if its gateway supports it.

    Exit code 0: cancelled, and not charged; 9: not cancelled, the job continues.

    \b
    hailuo-mcp cancel fal/hailuo-2.3/fal-ai/minimax/764cabcf
    """

    async def stop(session: Session) -> views.Cancellation:
        return views.cancellation(await session.cancel(request_id))

    view = with_session(stop)
    if as_json:
        print_json(view)
    else:
        print_warnings(view.warnings)
        stdout_console().print(f"{view.request_id}: {view.state}", style=STYLES.get(view.state))
    return Exit.DONE if view.cancelled else Exit.NOT_CANCELLED


@click.command()
@click.option(
    "--state", type=click.Choice([s.value for s in State], case_sensitive=False), help="Only jobs in this state."
)
@click.option(
    "--limit", type=click.IntRange(1, LIMIT_MAX), default=LIMIT, show_default=True, help="How many, newest first."
)
@json_option
def jobs(state: str | None, limit: int, as_json: bool) -> Exit:
    """List recent jobs, newest first; finds a lost request id.

    Times are local; with --json, they are in UTC.
    """

    async def look_up(session: Session) -> tuple[JobPage, bool]:
        return await session.jobs(State(state) if state else None, limit), session.settings.in_sandbox

    page, in_sandbox = with_session(look_up)
    view = views.job_list(page)
    if as_json:
        print_json(view)
    elif page.jobs:
        _print_jobs(page, view, in_sandbox=in_sandbox)
    elif state:
        stderr_console().print(f"No jobs have the state {state}.")
    else:
        stderr_console().print(f"No jobs yet. Submit one: {command('generate', 'A red kite over the bay')}")
    return Exit.DONE


def _print_jobs(page: JobPage, view: views.JobList, *, in_sandbox: bool) -> None:
    console = stdout_console()
    state_width = max(len(row.state) for row in view.jobs)
    id_width = max(len(row.request_id) for row in view.jobs)
    for job, row in zip(page.jobs, view.jobs, strict=True):
        console.print(f"{row.state:<{state_width}}", style=STYLES.get(row.state), end="  ")
        console.print(_when(job.created_at), style="dim", end="  ")
        console.print(f"{row.request_id:<{id_width}}", end="  ")
        console.print(" ".join(row.prompt.split()) + ("…" if len(job.prompt) > len(row.prompt) else ""), style="dim")
        if job.state is State.COMPLETED:
            place = row.video_path or f"not saved: {command('download', row.request_id)}"
            console.print(f"{'':<{state_width}}  {place}")
    spent = "nothing spent: the sandbox is used" if in_sandbox else f"${view.spent_usd:.2f} spent in total"
    stderr_console().print(f"{len(view.jobs)} of {view.total} jobs, {spent}", style="dim")


def _when(moment: datetime) -> str:
    """The local time, or the date if it is not today, in a fixed width."""
    local = moment.astimezone()
    is_today = local.date() == utc_now().astimezone().date()
    return f"{local:%H:%M:%S}" if is_today else f"{local:%b %d}".ljust(8)
