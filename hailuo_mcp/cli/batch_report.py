"""What `hailuo-mcp batch` prints before it submits, and at the end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hailuo_mcp.cli.batch_table import plan_table, reason, state_of, summary
from hailuo_mcp.cli.output import in_commands, print_json, print_problem, stderr_console, stdout_console
from hailuo_mcp.core.errors import InvalidInput, Problem
from hailuo_mcp.mcp.views import error_view
from hailuo_mcp.media.concat import JoinedVideo, join
from hailuo_mcp.service.batch.rows import Row, ShotStatus
from hailuo_mcp.service.batch.runner import Batch
from hailuo_mcp.service.batch.shots import InvalidShots
from hailuo_mcp.service.session import Session


@dataclass(slots=True)
class JoinResult:
    """The joined video, or why there is none."""

    film: JoinedVideo | None = None
    problem: Problem | None = None

    async def join(self, running: Batch, target: Path) -> None:
        clips = [Path(row.job.video_path) for row in running.rows if row.job and row.job.video_path]
        stderr_console().print(f"Joining {len(clips)} clips.")
        try:
            self.film = await join(clips, target)
        except InvalidInput as error:
            self.problem = error.problem


def _estimate(rows: tuple[Row, ...]) -> tuple[float, int]:
    """What these rows will cost in US dollars, and how many of them have no known price."""
    prices = [row.checked.estimate.estimated_cost_usd for row in rows]
    return sum(usd or 0.0 for usd in prices), sum(usd is None for usd in prices)


def _cost(session: Session, rows: tuple[Row, ...]) -> str:
    usd, unknown = _estimate(rows)
    text = f"about ${usd:.2f}" + (f", and {unknown} of unknown price" if unknown else "")
    return text + (" (nothing in the sandbox)" if session.settings.in_sandbox else "")


def forecast(session: Session, running: Batch) -> str:
    sentences = [f"{summary(running)}."]
    if running.waiting:
        sentences.append(f"To submit: {len(running.waiting)}, {_cost(session, running.waiting)}.")
    if running.removed_count:
        sentences.append(f"{running.removed_count} from earlier runs are no longer in the file and are ignored.")
    return " ".join(sentences)


def print_plan(session: Session, running: Batch, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(session, running, None))
        return
    stdout_console().print(plan_table(running))
    stderr_console().print(f"{forecast(session, running)} Nothing was sent.")


def print_end(
    session: Session, running: Batch, path: Path, film: Path | None, joining: JoinResult, *, as_json: bool
) -> None:
    joined, join_problem = joining.film, joining.problem
    if as_json:
        print_json(_document(session, running, joined))
    elif joined:
        stdout_console().print(str(joined.path))
    else:
        for row in running.rows:
            if row.status is ShotStatus.SAVED and row.job:
                stdout_console().print(str(row.job.video_path))
    for row in running.rows:
        if row.status is not ShotStatus.SAVED:
            why = f": {reason(row)}" if row.problem else ""
            stderr_console().print(f"{path.name}:{row.shot.line}: {state_of(row)}{why}", style="yellow")
    if running.stopped:
        print_problem(running.stopped)
    for note in joined.notes if joined else ():
        stderr_console().print(note)
    spent = (
        "nothing was spent: the sandbox was used"
        if session.settings.in_sandbox
        else f"${running.spent_usd:.2f} in total"
    )
    stderr_console().print(f"{summary(running)}; {spent}.")
    if join_problem:
        print_problem(join_problem)
    elif film and not joined:
        stderr_console().print("No film was made: not every shot has a clip.")
    statuses = {row.status for row in running.rows}
    if ShotStatus.FAILED in statuses:
        stderr_console().print("--retry-failed submits failed shots again; they may be charged again.")
    if ShotStatus.UNCONFIRMED in statuses:
        stderr_console().print(
            "Unconfirmed shots may be charged and are never resubmitted automatically; check the gateway's website. "
            "Changing the name on its line makes such a shot a new one."
        )
    if statuses & {ShotStatus.WAITING, ShotStatus.UNDER_WAY, ShotStatus.ABANDONED, ShotStatus.SUBMITTING}:
        stderr_console().print("The same command continues from here.")


def _document(session: Session, running: Batch, joined: JoinedVideo | None) -> dict[str, Any]:
    usd, unknown = _estimate(running.waiting)
    return {
        "shots": [_shot(row) for row in running.rows],
        "to_submit": len(running.waiting),
        "to_submit_usd": round(usd, 4),
        "of_unknown_price": unknown,
        "spent_usd": round(running.spent_usd, 4),
        "stopped": running.stopped.model_dump() if running.stopped else None,
        "no_longer_in_file": running.removed_count,
        "film": str(joined.path) if joined else None,
        "film_notes": list(joined.notes) if joined else [],
        "sandbox": session.settings.in_sandbox,
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


def print_errors(path: Path, wrong: InvalidShots, *, as_json: bool) -> None:
    for one in wrong.errors:
        stderr_console().print(f"{path.name}:{one.line}: {in_commands(one.message)}", style="red")
        if one.hint:
            stderr_console().print(f"    {in_commands(one.hint)}")
    lines = f"{len(wrong.errors)} line{'s' * (len(wrong.errors) > 1)}"
    stderr_console().print(f"Nothing was sent: {lines} to correct.")
    if as_json:
        found = [{"line": one.line, "message": one.message, "hint": one.hint} for one in wrong.errors]
        print_json({"error": error_view(wrong), "lines": found})
