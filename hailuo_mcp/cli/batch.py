"""`hailuo-mcp batch`: submit many shots from one file, within a budget, and resume after a stop."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import click

from hailuo_mcp.cli.batch_report import JoinResult, forecast, print_end, print_errors, print_plan
from hailuo_mcp.cli.batch_table import PlainLines, shown_live
from hailuo_mcp.cli.exits import Exit, exit_of_problem
from hailuo_mcp.cli.options import Number, json_option
from hailuo_mcp.cli.output import stderr_console
from hailuo_mcp.cli.session import interrupt_at_once, interrupt_noted, with_session
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.media.concat import check_joinable
from hailuo_mcp.service.batch.limits import AT_ONCE, Limits
from hailuo_mcp.service.batch.progress import Progress, existing_progress
from hailuo_mcp.service.batch.rows import ShotStatus
from hailuo_mcp.service.batch.runner import Batch
from hailuo_mcp.service.batch.shots import InvalidShots, read_shots
from hailuo_mcp.service.batch.validation import check_shots
from hailuo_mcp.service.session import Session


@click.command()
@click.argument("shots", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check every shot and show prices; send nothing.")
@click.option("--yes", is_flag=True, help="Submit without asking.")
@click.option("--max-usd", type=Number(), help="Spend at most this on the file, earlier runs included.")
@click.option("--max-jobs", type=click.IntRange(0), help="Submit at most this many jobs, earlier runs included.")
@click.option("--at-once", type=click.IntRange(1, 64), default=AT_ONCE, show_default=True, help="Jobs running at once.")
@click.option("--retry-failed", is_flag=True, help="Submit failed and expired shots again; they may be charged again.")
@click.option("--wait", "seconds", type=Number(), metavar="SECONDS", help="Follow for at most this long.")
@click.option(
    "--join",
    "film",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Join the clips into this MP4, once all are saved.",
)
@json_option
def batch(shots: Path, *, film: Path | None, as_json: bool, **options: Any) -> Exit:
    """Submit many shots, and save their clips.

    SHOTS is a .jsonl file with one JSON object per line, or a .csv file with the same names as columns: the parameters
    of generate, and optionally model and name. An image "last-frame:NAME" is the last frame of an earlier shot. Prints
    the clips' paths in the order of the file, or with --join the film's.

    After an interruption, the same command continues and submits nothing twice: submitted shots are recorded in
    SHOTS.progress.jsonl and in the list of jobs. Changed lines are new shots; removed ones are ignored.

    \b
    hailuo-mcp batch shots.jsonl --dry-run
    hailuo-mcp batch shots.jsonl --max-usd 5 --join film.mp4
    """
    options["limits"] = Limits(options.pop("max_usd"), options.pop("max_jobs"), options.pop("at_once"))
    try:
        return with_session(lambda session: _batch(session, shots, film, as_json=as_json, **options))
    except InvalidShots as wrong:
        print_errors(shots, wrong, as_json=as_json)
        return Exit.WRONG_CALL


async def _batch(
    session: Session,
    path: Path,
    film: Path | None,
    *,
    limits: Limits,
    dry_run: bool,
    yes: bool,
    retry_failed: bool,
    seconds: float | None,
    as_json: bool,
) -> Exit:
    if film:
        check_joinable(film)
    shots = read_shots(path)
    running = Batch(session, await check_shots(session, path, shots), limits, PlainLines())
    await running.restore(existing_progress(path), retry_failed=retry_failed)
    if dry_run:
        print_plan(session, running, as_json=as_json)
        return Exit.DONE
    await session.services.clips.check()
    stderr_console().print(forecast(session, running))
    if running.waiting and not yes:
        await _confirm(session, running)
    progress = await anyio.to_thread.run_sync(Progress.open, path)
    joining = JoinResult()

    async def work() -> None:
        with shown_live(running), anyio.move_on_after(seconds):
            await running.run(progress)
        if film and all(row.status is ShotStatus.SAVED for row in running.rows):
            await joining.join(running, film)

    interrupted = await _until_interrupted(work)
    print_end(session, running, path, film, joining, as_json=as_json)
    if interrupted:
        return Exit.INTERRUPTED
    return Exit.UNEXPECTED if joining.problem else _exit_of(running)


async def _confirm(session: Session, running: Batch) -> None:
    """Ask on the terminal. Raises click.Abort if the user declines, InvalidInput without a terminal."""
    if session.settings.in_sandbox:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"{len(running.waiting)} jobs would be submitted, with no terminal to confirm it; nothing was sent.",
            "Add --yes, and --max-usd for a limit.",
        )
    with interrupt_at_once():
        click.confirm("Submit them?", abort=True, err=True)  # blocks the event loop, in which nothing else runs yet


async def _until_interrupted(work: Callable[[], Awaitable[None]]) -> bool:
    """Returns whether Ctrl-C ended it. Submitted jobs continue in any case."""
    interrupted = False
    with interrupt_noted() as pressed:
        async with anyio.create_task_group() as tasks:

            async def end_when_pressed() -> None:
                nonlocal interrupted
                await pressed.wait()
                interrupted = True
                stderr_console().print("Stopping once submissions in flight have been answered.")
                tasks.cancel_scope.cancel()

            tasks.start_soon(end_when_pressed)
            await work()
            tasks.cancel_scope.cancel()
    return interrupted


def _exit_of(running: Batch) -> Exit:
    """The first code that applies: what needs the user's action comes before what only needs time."""
    statuses = {row.status for row in running.rows}
    if running.stopped:
        return exit_of_problem(running.stopped)
    if running.closed:
        return Exit.ACCOUNT
    if ShotStatus.UNCONFIRMED in statuses:
        return Exit.UNCONFIRMED
    if ShotStatus.FAILED in statuses:
        return Exit.FAILED
    if any(row.problem for row in running.rows if row.status in (ShotStatus.WAITING, ShotStatus.ABANDONED)):
        return Exit.TROUBLE
    return Exit.DONE if statuses == {ShotStatus.SAVED} else Exit.NOT_ENDED
