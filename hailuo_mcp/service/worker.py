"""The worker: follows jobs in the background, so that a clip is saved before its link expires even if no client asks.

Several servers on one ledger share the work by leases in the ledger: one server at a time has a job, and another takes
it over within a minute if that one dies.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import anyio

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.ledger import Ledger
from hailuo_mcp.service.poll_policy import PollPolicy
from hailuo_mcp.service.poller import Poller
from hailuo_mcp.telemetry import log_context, span

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How much the worker does at a time, and for how long."""

    idle_seconds: float = 2.0
    """Between two checks for due jobs."""
    lease: timedelta = timedelta(seconds=50)
    """Longer than one step takes; after it, the jobs of a dead server are taken over."""
    step_seconds: float = 40.0
    """Enough for a poll with its retries and a save; a longer save continues in the background and is checked later."""
    at_once: int = 16


class Worker:
    """Follows the jobs at these origins until their clips are saved; without `save`, until nothing is left to ask."""

    def __init__(
        self,
        ledger: Ledger,
        poller: Poller,
        origins: frozenset[str],
        policy: PollPolicy,
        *,
        save: bool = True,
        limits: WorkerLimits | None = None,
    ) -> None:
        self._ledger = ledger
        self._poller = poller
        self._origins = origins
        self._policy = policy
        self._save = save
        self._limits = limits or WorkerLimits()
        self._name = uuid4().hex
        self._active: set[str] = set()
        self._place_freed = anyio.Event()

    async def run(self) -> None:
        """Work until cancelled. No failure here ends the server: it is logged, and the job is tried again later."""
        async with anyio.create_task_group() as steps:
            while True:
                places = self._limits.at_once - len(self._active)
                due = await self._lease(places)
                for job in due:
                    if job.id not in self._active:  # it is, if releasing it took longer than its lease
                        self._active.add(job.id)
                        steps.start_soon(self._work_on, job)
                if len(due) < places:
                    await anyio.sleep(self._limits.idle_seconds)
                while len(self._active) >= self._limits.at_once:
                    self._place_freed = anyio.Event()
                    await self._place_freed.wait()

    async def _lease(self, places: int) -> tuple[Job, ...]:
        try:
            return await self._ledger.lease(self._name, utc_now(), self._limits.lease, places, self._origins)
        except HailuoError as error:
            log.warning("the worker is interrupted: %s", error.problem.message)
        except Exception as error:
            log.error("the worker is interrupted: %s", type(error).__name__)
        return ()

    async def _work_on(self, job: Job) -> None:
        try:
            with log_context(request_id=job.request_id, tenant=job.tenant), span("watch"):
                delay = await self._step(job)
                due = utc_now() + delay if delay is not None else None
                await self._ledger.release_lease(job.id, self._name, due)
        except HailuoError as error:  # its lease ends by itself
            log.warning("the worker is interrupted at %s: %s", job.request_id, error.problem.message)
        except Exception as error:
            log.error("the worker is interrupted at %s: %s", job.request_id, type(error).__name__)
        finally:
            self._active.discard(job.id)
            self._place_freed.set()

    async def _step(self, job: Job) -> timedelta | None:
        """Poll and save. Returns the delay until the job's next step; None if nothing is left to do."""
        if wait := self._just_asked(job, utc_now()):
            return wait
        try:
            with anyio.move_on_after(self._limits.step_seconds) as step:
                job = await self._poller.advance(job, save=self._save)
            if step.cancelled_caught:
                job = await self._ledger.get(job.id) or job
            return self._policy.in_background(job, utc_now(), save=self._save)
        except HailuoError as error:
            log.info("%s is polled again later: %s", job.request_id, error.problem.code)
            if job.state is State.COMPLETED:
                return self._policy.save_again
            return self._policy.in_background(job, utc_now(), save=self._save) or self._policy.save_again

    def _just_asked(self, job: Job, now: datetime) -> timedelta | None:
        """How long the last answer remains valid: a waiting caller has already polled the gateway."""
        interval = self._policy.in_background(job, now, save=self._save)
        if job.is_final or interval is None:
            return None
        age = job.since_poll(now)
        return interval - age if age < interval else None
