"""A ledger that keeps changes in memory that must not be lost but cannot be written, and writes them as soon as
possible."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, repeat

import anyio
from anyio.abc import TaskGroup

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.ledger.base import Entered, JobPage, Ledger, SubmitPolicy
from hailuo_mcp.ledger.instrumented import InstrumentedLedger

log = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds between attempts to write; the last delay is repeated."""
NOT_WRITTEN = "The job could not be recorded yet and is kept in memory; note its request_id, by which it can be polled."


@dataclass(slots=True)
class Unwritten:
    """A job as it would be in the ledger, and its unwritten changes in order."""

    job: Job
    changes: list[Callable[[Job], Job]] = field(default_factory=list[Callable[[Job], Job]])

    def add(self, change: Callable[[Job], Job]) -> Job:
        self.job = change(self.job)
        self.changes.append(change)
        return self.job


class RetryingLedger(InstrumentedLedger):
    """Wraps the ledger of any engine. A job with changes in memory is read from there."""

    def __init__(self, inner: Ledger, pauses: Sequence[float] = PAUSES) -> None:
        super().__init__(inner)
        self._pauses = pauses
        self._unwritten: dict[str, Unwritten] = {}
        self._tasks: TaskGroup | None = None

    async def listen(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        await super().listen(tasks)

    async def change_with_retry(self, job: Job, change: Callable[[Job], Job]) -> Job:
        """As `change`, for changes that must not be lost. One that cannot be written now is kept in memory and retried
        until it is written, and once more when the ledger is closed. `job` is the last written version.
        """
        if job.id in self._unwritten:
            return self._unwritten[job.id].add(change).warned(NOT_WRITTEN)
        try:
            return await super().change(job.id, change)
        except HailuoError as error:
            unwritten = self._unwritten[job.id] = Unwritten(job)
            changed = unwritten.add(change)
            log.error("%s is not recorded yet: %s It will be retried.", changed.request_id, error.problem.message)
            if self._tasks:
                self._tasks.start_soon(self._write_until_written, job.id)
            return changed.warned(NOT_WRITTEN)

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):
            for job_id, unwritten in list(self._unwritten.items()):
                if not await self._is_written(job_id):
                    log.error("%s could not be recorded; note this id", unwritten.job.request_id)
            await super().close()

    async def change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        if unwritten := self._unwritten.get(job_id):
            return unwritten.add(change)
        return await super().change(job_id, change)

    async def create_if_absent(self, job: Job, policy: SubmitPolicy, first_poll_at: datetime) -> Entered:
        entered = await super().create_if_absent(job, policy, first_poll_at)
        return replace(entered, job=self._latest(entered.job))

    async def import_job(self, job: Job, first_poll_at: datetime) -> Entered:
        entered = await super().import_job(job, first_poll_at)
        return replace(entered, job=self._latest(entered.job))

    async def get(self, job_id: str) -> Job | None:
        unwritten = self._unwritten.get(job_id)
        return unwritten.job if unwritten else await super().get(job_id)

    async def find(self, model: str, remote_id: str, tenant: str, prefer_origin: str) -> Job | None:
        for job in self._jobs():
            if (job.model, job.remote_id, job.tenant) == (model, remote_id, tenant):
                return job
        return await super().find(model, remote_id, tenant, prefer_origin)

    async def page(self, tenant: str, state: State | None, limit: int, origins: frozenset[str]) -> JobPage:
        page = await super().page(tenant, state, limit, origins)
        return replace(page, jobs=tuple(map(self._latest, page.jobs)))

    async def remote_ids(self, model: str, origin: str) -> frozenset[str]:
        in_memory = {job.remote_id for job in self._jobs() if (job.model, job.origin) == (model, origin)}
        return await super().remote_ids(model, origin) | {remote_id for remote_id in in_memory if remote_id}

    async def unconfirmed_like(self, job: Job) -> tuple[Job, ...]:
        latest = map(self._latest, await super().unconfirmed_like(job))
        return tuple(other for other in latest if other.state is State.UNCONFIRMED)

    async def lease(
        self, owner: str, now: datetime, lasting: timedelta, limit: int, origins: frozenset[str]
    ) -> tuple[Job, ...]:
        return tuple(map(self._latest, await super().lease(owner, now, lasting, limit, origins)))

    def _jobs(self) -> list[Job]:
        return [unwritten.job for unwritten in self._unwritten.values()]

    def _latest(self, job: Job) -> Job:
        unwritten = self._unwritten.get(job.id)
        return unwritten.job if unwritten else job

    async def _write_until_written(self, job_id: str) -> None:
        for pause in chain(self._pauses, repeat(self._pauses[-1])):
            await anyio.sleep(pause)
            if await self._is_written(job_id):
                return

    async def _is_written(self, job_id: str) -> bool:
        """Write this job's changes from memory. Returns whether none are left."""
        while unwritten := self._unwritten.get(job_id):
            changes = tuple(unwritten.changes)

            def apply_all(job: Job, changes: Sequence[Callable[[Job], Job]] = changes) -> Job:
                for change in changes:
                    job = change(job)
                return job

            try:
                await super().change(job_id, apply_all)
            except HailuoError as error:
                log.warning("%s is still not recorded: %s", unwritten.job.request_id, error.problem.message)
                return False
            del unwritten.changes[: len(changes)]
            if not unwritten.changes:
                del self._unwritten[job_id]
                log.warning("%s is recorded now", unwritten.job.request_id)
        return True
