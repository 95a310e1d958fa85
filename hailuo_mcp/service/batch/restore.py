"""The results of a batch's earlier runs, from the ledger, and for jobs that it has lost, from the gateways."""

from collections.abc import Sequence

import anyio

from hailuo_mcp.core.errors import UnknownRequest
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.service.batch.limits import Spending
from hailuo_mcp.service.batch.progress import Link, Progress
from hailuo_mcp.service.batch.rows import Row, ShotStatus, shot_status, was_never_accepted
from hailuo_mcp.service.session import Session


async def restore(
    session: Session, progress: Progress, rows: Sequence[Row], spending: Spending, *, retry_failed: bool
) -> None:
    """Update the rows and the spending from what is known. Nothing is submitted.

    Raises:
        HailuoError: it cannot be determined now, so nothing may be submitted either.
    """
    # A job of another origin, such as the sandbox, does not count here.
    origins = frozenset(gateway.origin for gateway in session.gateways.values())
    for key in progress.keys:
        job = await session.ledger.get(key)
        if job and job.origin in origins:
            spending.update(job)
    for row in rows:
        next_attempt = await _restore_row(session, progress, row, spending, origins)
        again = row.status is ShotStatus.FAILED and (retry_failed or was_never_accepted(row))
        if row.status is ShotStatus.WAITING or again:
            row.status, row.attempt, row.job, row.problem = ShotStatus.WAITING, next_attempt, None, None


async def _restore_row(
    session: Session, progress: Progress, row: Row, spending: Spending, origins: frozenset[str]
) -> int:
    """Read a shot's latest attempt at these gateways into its row. Returns the number of the next attempt."""
    attempt, shot = 1, row.shot.identity
    while True:
        link = progress.link(shot, attempt)
        job = await session.ledger.get(link.key if link else progress.key(shot, attempt))
        if job is None and link is None:
            return attempt
        if job is None and link and link.origin in origins:
            spending.counted[link.key] = row.checked.estimate.budget_cost_usd
            row.attempt, job = attempt, await _ask_for(session, row, link)
        elif job and link and job.state is State.UNCONFIRMED:  # the answer arrived, and the ledger could not store it
            job = await session.known(link.request_id) or job
        if job and job.origin in origins:
            row.attempt, row.job, row.problem, row.status = attempt, job, job.error, shot_status(job)
            if job.state is State.COMPLETED and job.video_path and await anyio.Path(job.video_path).is_file():
                row.status = ShotStatus.SAVED
        attempt += 1


async def _ask_for(session: Session, row: Row, link: Link) -> Job | None:
    """A job that the ledger has lost, looked up by its request id."""
    try:
        return await session.status(link.request_id)
    except UnknownRequest as unknown:
        row.status, row.job = ShotStatus.FAILED, None
        message = f"It was submitted as {link.request_id}, which is no longer known."
        row.problem = unknown.problem.model_copy(update={"message": message, "charged": "unknown"})
        return None
