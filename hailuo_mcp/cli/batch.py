"""`hailuo-mcp batch`: many shots from one file, within a budget, resumable."""

import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import click

from hailuo_mcp.batching.checking import check_shots
from hailuo_mcp.batching.progress import Progress, known_progress
from hailuo_mcp.batching.running import AT_ONCE, Batch, Limits, Row, Stand
from hailuo_mcp.batching.shots import WrongShots, read_shots
from hailuo_mcp.cli.batch_table import PlainLines, plan_table, reason, shown_live, state_of, summary
from hailuo_mcp.cli.exits import Exit, exit_of_problem
from hailuo_mcp.cli.output import in_commands, print_json, print_problem, remarks, results
from hailuo_mcp.cli.session import interrupt_at_once, interrupt_noted, with_studio
from hailuo_mcp.errors import InvalidInput, Problem
from hailuo_mcp.media.films import Film, check_joinable, join
from hailuo_mcp.studio import Studio
from hailuo_mcp.views import error_view


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
        return with_studio(lambda studio: _batch(studio, shots, film, as_json=as_json, **options))
    except WrongShots as wrong:
        _print_findings(shots, wrong, as_json=as_json)
        return Exit.WRONG_CALL


async def _batch(
    studio: Studio,
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
    running = Batch(studio, await check_shots(studio, path, shots), limits, PlainLines())
    await running.recall(known_progress(path), retry_failed=retry_failed)
    if dry_run:
        _print_plan(studio, running, as_json=as_json)
        return Exit.DONE
    await studio.clips.check()
    remarks().print(_prospect(studio, running))
    if running.waiting and not yes:
        await _confirm(studio, running)
    interrupted = await _run(running, await anyio.to_thread.run_sync(Progress.of, path), seconds)
    joined, trouble = None, None
    if film and all(row.stand is Stand.SAVED for row in running.rows):
        try:
            joined = await join(
                [Path(row.job.video_path) for row in running.rows if row.job and row.job.video_path], film
            )
        except InvalidInput as error:
            trouble = error.problem
    _print_end(studio, running, path, film, joined, trouble, as_json=as_json)
    if interrupted:
        return Exit.INTERRUPTED
    return Exit.UNFORESEEN if trouble else _exit_of(running)


async def _confirm(studio: Studio, running: Batch) -> None:
    """Raises click.Abort, or InvalidInput where nobody is there to ask."""
    if studio.settings.in_sandbox:
        return
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"{len(running.waiting)} jobs would be submitted, and nobody is here to confirm it; nothing was sent.",
            "Add --yes, and --max-usd for a limit.",
        )
    with interrupt_at_once():
        click.confirm("Submit them?", abort=True, err=True)  # nothing else runs yet that it could hold up


async def _run(running: Batch, progress: Progress, seconds: float | None) -> bool:
    """Returns whether it was interrupted. What was submitted goes on all the same."""
    interrupted = False
    with shown_live(running), interrupt_noted() as pressed:
        async with anyio.create_task_group() as tasks:

            async def end_when_pressed() -> None:
                nonlocal interrupted
                await pressed()
                interrupted = True
                remarks().print("Stopping; submissions on their way get their answers first.")
                tasks.cancel_scope.cancel()

            tasks.start_soon(end_when_pressed)
            with anyio.move_on_after(seconds):
                await running.run(progress)
            tasks.cancel_scope.cancel()
    return interrupted


def _exit_of(running: Batch) -> Exit:
    """The first that applies: what a person must do comes before what time can."""
    stands = {row.stand for row in running.rows}
    if running.stopped:
        return exit_of_problem(running.stopped)
    if running.closed:
        return Exit.ACCOUNT
    if Stand.UNCONFIRMED in stands:
        return Exit.UNCONFIRMED
    if Stand.FAILED in stands:
        return Exit.FAILED
    if any(row.problem for row in running.rows if row.stand in (Stand.WAITING, Stand.LEFT)):
        return Exit.TROUBLE
    return Exit.DONE if stands == {Stand.SAVED} else Exit.NOT_ENDED


# --- words --------------------------------------------------------------------------------------------------------


def _estimate(rows: tuple[Row, ...]) -> tuple[float, int]:
    """What these rows will cost, and of how many of them nobody knows."""
    prices = [row.checked.estimate.estimated_cost_usd for row in rows]
    return sum(usd or 0.0 for usd in prices), sum(usd is None for usd in prices)


def _cost(studio: Studio, rows: tuple[Row, ...]) -> str:
    usd, unknown = _estimate(rows)
    words = f"about ${usd:.2f}" + (f", and {unknown} of unknown price" if unknown else "")
    return words + (" (here: nothing, the sandbox answers)" if studio.settings.in_sandbox else "")


def _prospect(studio: Studio, running: Batch) -> str:
    left_out = (
        f" {running.forgotten} of earlier runs are no longer in the file and left alone." if running.forgotten else ""
    )
    ahead = f"To submit: {len(running.waiting)}, {_cost(studio, running.waiting)}." if running.waiting else ""
    return f"{summary(running)}. {ahead}{left_out}".strip()


def _print_plan(studio: Studio, running: Batch, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(studio, running, None))
        return
    results().print(plan_table(running))
    remarks().print(f"{_prospect(studio, running)} Nothing was sent.")


def _print_end(
    studio: Studio,
    running: Batch,
    path: Path,
    film: Path | None,
    joined: Film | None,
    trouble: Problem | None,
    *,
    as_json: bool,
) -> None:
    if as_json:
        print_json(_document(studio, running, joined))
    elif joined:
        results().print(str(joined.path))
    else:
        for row in running.rows:
            if row.stand is Stand.SAVED and row.job:
                results().print(str(row.job.video_path))
    for row in running.rows:
        if row.stand is not Stand.SAVED:
            why = f": {reason(row)}" if row.problem else ""
            remarks().print(f"{path.name}:{row.shot.line}: {state_of(row)}{why}", style="yellow")
    if running.stopped:
        print_problem(running.stopped)
    for note in joined.notes if joined else ():
        remarks().print(note)
    spent = (
        "nothing was spent: the sandbox answers" if studio.settings.in_sandbox else f"${running.spent_usd:.2f} in all"
    )
    remarks().print(f"{summary(running)}; {spent}.")
    if trouble:
        print_problem(trouble)
    elif film and not joined:
        remarks().print("No film was made: not every shot has its clip.")
    if any(row.stand is Stand.FAILED for row in running.rows):
        remarks().print("--retry-failed submits failed shots anew; they may be charged again.")
    if any(row.stand is Stand.UNCONFIRMED for row in running.rows):
        remarks().print(
            "Unconfirmed shots may be charged and are never sent again by themselves; look at the gateway's own pages. "
            "Another name on its line makes such a shot a new one."
        )
    if any(row.stand in (Stand.WAITING, Stand.UNDER_WAY, Stand.LEFT, Stand.SUBMITTING) for row in running.rows):
        remarks().print("The same command goes on from here.")


def _document(studio: Studio, running: Batch, joined: Film | None) -> dict[str, Any]:
    usd, unknown = _estimate(running.waiting)
    return {
        "shots": [_shot(row) for row in running.rows],
        "to_submit": len(running.waiting),
        "to_submit_usd": round(usd, 4),
        "of_unknown_price": unknown,
        "spent_usd": round(running.spent_usd, 4),
        "stopped": running.stopped.model_dump() if running.stopped else None,
        "no_longer_in_file": running.forgotten,
        "film": str(joined.path) if joined else None,
        "film_notes": list(joined.notes) if joined else [],
        "sandbox": studio.settings.in_sandbox,
    }


def _shot(row: Row) -> dict[str, Any]:
    return {
        "line": row.shot.line,
        "name": row.shot.name,
        "state": state_of(row),
        "attempt": row.attempt,
        "model": row.model,
        "request_id": row.job.request_id if row.job else None,
        "video_path": row.job.video_path if row.job else None,
        "estimated_cost_usd": row.checked.estimate.estimated_cost_usd,
        "cost_usd": row.job.cost_usd if row.job else None,
        "warnings": list(row.job.warnings if row.job else row.checked.estimate.warnings),
        "error": row.problem.model_dump() if row.problem else None,
    }


def _print_findings(path: Path, wrong: WrongShots, *, as_json: bool) -> None:
    for one in wrong.findings:
        remarks().print(f"{path.name}:{one.line}: {in_commands(one.message)}", style="red")
        if one.hint:
            remarks().print(f"    {in_commands(one.hint)}")
    lines = f"{len(wrong.findings)} line{'s' * (len(wrong.findings) > 1)}"
    remarks().print(f"Nothing was sent: {lines} to correct.")
    if as_json:
        found = [{"line": one.line, "message": one.message, "hint": one.hint} for one in wrong.findings]
        print_json({"error": error_view(wrong), "lines": found})
