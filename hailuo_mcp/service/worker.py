"""Watching jobs while nobody asks: a clip that finishes during lunch is on disk before its link dies.

Several servers on one ledger share the work by leases in the ledger: each job is watched by one of them at a time, and
taken over within a minute when that one is gone.
"""

import logging
from datetime import timedelta
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.ledger import Ledger
from hailuo_mcp.service.poller import Tracker
from hailuo_mcp.telemetry import log_context, span

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 2.0
LEASE = timedelta(seconds=50)
"""Longer than a look takes; a dead server's jobs are taken over after it."""
LOOK_SECONDS = 40.0
"""Enough for a poll with its retries and a save; a longer save goes on by itself, and is asked for again later."""
AT_ONCE = 16
WATCHED_FOR = timedelta(days=7)
"""A job that has not ended by then is no longer watched; asking for it still works."""
SAVE_AGAIN = timedelta(minutes=2)
UNHURRIED_MAX = timedelta(minutes=10)


class Watcher:
    """Follows the jobs at these origins until their clips are saved; without `save`, until nothing is left to ask."""

    def __init__(self, ledger: Ledger, tracker: Tracker, origins: frozenset[str], *, save: bool = True) -> None:
        self._ledger = ledger
        self._tracker = tracker
        self._origins = origins
        self._save = save
        self._name = uuid4().hex
        self._looking: set[str] = set()
        self._place_freed = anyio.Event()

    async def run(self, tasks: TaskGroup) -> None:
        """Watch until cancelled. Nothing that goes wrong here ends the server: it is logged, and tried again later."""
        async with anyio.create_task_group() as looks:
            while True:
                places = AT_ONCE - len(self._looking)
                due = await self._lease(places)
                for job in due:
                    if job.id not in self._looking:  # it is, where giving it back took longer than its lease
                        self._looking.add(job.id)
                        looks.start_soon(self._look, tasks, job)
                if len(due) < places:
                    await anyio.sleep(LOOK_EVERY_SECONDS)
                while len(self._looking) >= AT_ONCE:
                    self._place_freed = anyio.Event()
                    await self._place_freed.wait()

    async def _lease(self, places: int) -> tuple[Job, ...]:
        try:
            return await self._ledger.lease(self._name, utc_now(), LEASE, places, self._origins)
        except HailuoError as error:
            log.warning("watching is interrupted: %s", error.problem.message)
        except Exception as error:
            log.error("watching is interrupted: %s", type(error).__name__)
        return ()

    async def _look(self, tasks: TaskGroup, job: Job) -> None:
        try:
            with log_context(request_id=job.request_id, tenant=job.tenant), span("watch"):
                delay = await self._seen(tasks, job)
                await self._ledger.release_lease(job.id, self._name, utc_now() + delay if delay is not None else None)
        except HailuoError as error:  # its lease ends by itself
            log.warning("watching %s is interrupted: %s", job.request_id, error.problem.message)
        except Exception as error:
            log.error("watching %s is interrupted: %s", job.request_id, type(error).__name__)
        finally:
            self._looking.discard(job.id)
            self._place_freed.set()

    async def _seen(self, tasks: TaskGroup, job: Job) -> timedelta | None:
        """Look, and tell when to look again; None where there is nothing left to do."""
        try:
            with anyio.move_on_after(LOOK_SECONDS) as look:
                if self._save:
                    job = await self._tracker.follow(tasks, job)
                elif not job.is_final:
                    job = await self._tracker.refresh(tasks, job)
            if look.cancelled_caught:
                job = await self._ledger.get(job.id) or job
            return next_look(job, save=self._save)
        except HailuoError as error:
            log.info("%s is looked at again later: %s", job.request_id, error.problem.code)
            if job.state is State.COMPLETED:
                return SAVE_AGAIN
            return next_look(job, save=self._save) or SAVE_AGAIN


def next_look(job: Job, *, save: bool = True) -> timedelta | None:
    """When to look again; None where there is nothing left to see, or to save where clips are."""
    now = utc_now()
    if job.state in (State.FAILED, State.EXPIRED) or job.video_path or now - job.created_at > WATCHED_FOR:
        return None
    if job.state is State.COMPLETED:
        return SAVE_AGAIN if save or not job.is_final else None
    unhurried = min(timedelta(seconds=job.elapsed_seconds(now) / 10), UNHURRIED_MAX)
    return max(timedelta(seconds=job.patience_seconds(now)), unhurried)
