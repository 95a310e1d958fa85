"""`hailuo-mcp batch`: many shots from one file, within a budget, resumable."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import click

from hailuo_mcp.cli.batch_report import Made, print_end, print_findings, print_plan, prospect
from hailuo_mcp.cli.batch_table import PlainLines, shown_live
from hailuo_mcp.cli.exits import Exit, exit_of_problem
from hailuo_mcp.cli.output import stderr_console
from hailuo_mcp.cli.session import interrupt_at_once, interrupt_noted, with_session
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.media.concat import check_joinable
from hailuo_mcp.service.batch.limits import AT_ONCE, Limits
from hailuo_mcp.service.batch.progress import Progress, known_progress
from hailuo_mcp.service.batch.rows import ShotStatus
from hailuo_mcp.service.batch.runner import Batch
from hailuo_mcp.service.batch.shots import WrongShots, read_shots
from hailuo_mcp.service.batch.validation import check_shots
from hailuo_mcp.service.session import Session


@click.command()
@click.argument("shots", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check every shot and show prices; send nothing.")
@click.option("--yes", is_flag=True, help="Submit without asking.")
@click.option("--max-usd", type=click.FloatRange(0), help="Spend at most this on the file, earlier runs included.")
@click.option("--max-jobs", type=click.IntRange(0), help="Submit at most so many jobs, earlier runs included.")
@click.option("--at-once", type=click.IntRange(1, 64), default=AT_ONCE, show_default=True, help="Jobs under way.")
@click.option("--retry-failed", is_flag=True, help="Submit failed and expired shots anew; they may be charged again.")
@click.option("--wait", "seconds", type=click.FloatRange(0), metavar="SECONDS", help="Follow for at most so long.")
@click.option(
    "--join",
    "film",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Join the clips into this MP4, once all are saved.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def batch(shots: Path, *, film: Path | None, as_json: bool, **options: Any) -> Exit:
    """Submit many shots, and save their clips.

    SHOTS is a .jsonl file, one JSON object a line, or a .csv file with the same names as columns: the parameters of
    generate, and optionally model and name. A picture "last-frame:NAME" is the last frame of an earlier shot. Prints
    the clips' paths in the order of the file, or with --join the film's.

    After any stop, the same command goes on and submits nothing twice: what was submitted stands in
    SHOTS.progress.jsonl and in the list of jobs. Changed lines are new shots; removed ones are left alone.

    \b
    hailuo-mcp batch shots.jsonl --dry-run
    hailuo-mcp batch shots.jsonl --max-usd 5 --join film.mp4
    """
    options["limits"] = Limits(options.pop("max_usd"), options.pop("max_jobs"), options.pop("at_once"))
    try:
        return with_session(lambda session: _batch(session, shots, film, as_json=as_json, **options))
    except WrongShots as wrong:
        print_findings(shots, wrong, as_json=as_json)
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
    await running.restore(known_progress(path), retry_failed=retry_failed)
    if dry_run:
        print_plan(session, running, as_json=as_json)
        return Exit.DONE
    await session.clips.check()
    stderr_console().print(prospect(session, running))
    if running.waiting and not yes:
        await _confirm(session, running)
    progress = await anyio.to_thread.run_sync(Progress.of, path)
    made = Made()

    async def work() -> None:
        with shown_live(running), anyio.move_on_after(seconds):
            await running.run(progress)
        if film and all(row.status is ShotStatus.SAVED for row in running.rows):
            await made.join(running, film)

    interrupted = await _until_interrupted(work)
    print_end(session, running, path, film, made, as_json=as_json)
    if interrupted:
        return Exit.INTERRUPTED
    return Exit.UNFORESEEN if made.problem else _exit_of(running)


async def _confirm(session: Session, running: Batch) -> None:
    """Raises click.Abort, or InvalidInput where nobody is there to ask."""
    if session.settings.in_sandbox:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"{len(running.waiting)} jobs would be submitted, and nobody is here to confirm it; nothing was sent.",
            "Add --yes, and --max-usd for a limit.",
        )
    with interrupt_at_once():
        click.confirm("Submit them?", abort=True, err=True)  # nothing else runs yet that it could hold up


async def _until_interrupted(work: Callable[[], Awaitable[None]]) -> bool:
    """Returns whether Ctrl-C ended it. What was submitted goes on all the same."""
    interrupted = False
    with interrupt_noted() as pressed:
        async with anyio.create_task_group() as tasks:

            async def end_when_pressed() -> None:
                nonlocal interrupted
                await pressed()
                interrupted = True
                stderr_console().print("Stopping; submissions on their way get their answers first.")
                tasks.cancel_scope.cancel()

            tasks.start_soon(end_when_pressed)
            await work()
            tasks.cancel_scope.cancel()
    return interrupted


def _exit_of(running: Batch) -> Exit:
    """The first that applies: what a person must do comes before what time can."""
    stands = {row.status for row in running.rows}
    if running.stopped:
        return exit_of_problem(running.stopped)
    if running.closed:
        return Exit.ACCOUNT
    if ShotStatus.UNCONFIRMED in stands:
        return Exit.UNCONFIRMED
    if ShotStatus.FAILED in stands:
        return Exit.FAILED
    if any(row.problem for row in running.rows if row.status in (ShotStatus.WAITING, ShotStatus.ABANDONED)):
        return Exit.TROUBLE
    return Exit.DONE if stands == {ShotStatus.SAVED} else Exit.NOT_ENDED
