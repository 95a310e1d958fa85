"""Watching jobs while nobody asks: a clip that finishes during lunch is on disk before its link dies.

Several servers on one ledger share the work by leases in the ledger: each job is watched by one of them at a time, and
taken over when that one is gone.
"""

import logging
from datetime import timedelta
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from hailuo_mcp.errors import HailuoError
from hailuo_mcp.jobs import Job, State, utc_now
from hailuo_mcp.ledger import Ledger
from hailuo_mcp.telemetry import about, span
from hailuo_mcp.tracking import Tracker

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 2.0
LEASE = timedelta(seconds=60)
"""Longer than a poll and a save take together; a dead server's jobs are taken over after it."""
AT_ONCE = 4
WATCHED_FOR = timedelta(days=7)
"""A job that has not ended by then is no longer watched; asking for it still works."""
SAVE_AGAIN = timedelta(minutes=2)
UNHURRIED_MAX = timedelta(minutes=10)


class Watcher:
    """Follows the jobs at these origins until their clips are saved."""

    def __init__(self, ledger: Ledger, tracker: Tracker, origins: frozenset[str]) -> None:
        self._ledger = ledger
        self._tracker = tracker
        self._origins = origins
        self._name = uuid4().hex

    async def run(self, tasks: TaskGroup) -> None:
        """Watch until cancelled. Nothing that goes wrong here ends the server: it is logged, and tried again later."""
        while True:
            due: tuple[Job, ...] = ()
            try:
                due = await self._ledger.lease(self._name, utc_now(), LEASE, AT_ONCE, self._origins)
                async with anyio.create_task_group() as looks:
                    for job in due:
                        looks.start_soon(self._look, tasks, job)
            except HailuoError as error:
                log.warning("watching is interrupted: %s", error.problem.message)
            except Exception as error:
                log.error("watching is interrupted: %s", type(error).__name__)
            if len(due) < AT_ONCE:
                await anyio.sleep(LOOK_EVERY_SECONDS)

    async def _look(self, tasks: TaskGroup, job: Job) -> None:
        with about(request_id=job.request_id, tenant=job.tenant), span("watch"):
            await self._look_within(tasks, job)

    async def _look_within(self, tasks: TaskGroup, job: Job) -> None:
        delay: timedelta | None = None
        try:
            with anyio.move_on_after(LEASE.total_seconds() * 0.8):  # whoever takes over finds nobody at it
                job = await self._tracker.follow(tasks, job)
            delay = next_look(job)
        except HailuoError as error:
            log.info("%s is looked at again later: %s", job.request_id, error.problem.code)
            delay = next_look(job) or SAVE_AGAIN
            if job.state is State.COMPLETED:
                delay = SAVE_AGAIN
        await self._ledger.rest(job.key, self._name, utc_now() + delay if delay is not None else None)


def next_look(job: Job) -> timedelta | None:
    """When to look again; None where there is nothing left to see or to save."""
    now = utc_now()
    if job.state in (State.FAILED, State.EXPIRED) or job.video_path or now - job.created_at > WATCHED_FOR:
        return None
    if job.state is State.COMPLETED:
        return SAVE_AGAIN
    unhurried = min(timedelta(seconds=job.elapsed_seconds(now) / 10), UNHURRIED_MAX)
    return max(timedelta(seconds=job.patience_seconds(now)), unhurried)
