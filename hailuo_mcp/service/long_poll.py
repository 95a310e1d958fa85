"""Calls that wait for a job: woken when the ledger learns of a change, and let go when the server stops."""

import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import anyio

from hailuo_mcp.core.job import Job

log = logging.getLogger(__name__)

WAIT_SECONDS_MAX = 45
"""The longest that a call is held: hosts end calls after 60 s."""

Report = Callable[[Job], Awaitable[None]]


class Wait:
    """One call that waits, and the job as it is known now."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.changed = anyio.Event()
        """Set when the ledger has a change of the job, or the server is about to stop."""
        self._new_state = anyio.Event()

    def update(self, job: Job) -> None:
        if job.state is not self.job.state and not job.is_final:  # the answer itself reports the end
            self._new_state.set()
        self.job = job

    async def report_to(self, report: Report, every: float) -> None:
        """Report every so many seconds and at each new state, until cancelled; also while a poll takes long. A caller
        that cannot be reached still gets the answer."""
        try:
            while True:
                self._new_state = anyio.Event()
                await report(self.job)
                with anyio.move_on_after(every):
                    await self._new_state.wait()
        except Exception as error:
            log.debug("progress could not be reported: %s", type(error).__name__)


class LongPolls:
    """All calls of this process that wait, by the id of the job that they wait for."""

    def __init__(self) -> None:
        self._waits: dict[str, set[Wait]] = {}
        self._ending = anyio.Event()

    @contextmanager
    def joined(self, wait: Wait) -> Generator[None]:
        """For the length of the block, changes of the job wake this call."""
        job_id = wait.job.id
        waits = self._waits.setdefault(job_id, set())
        waits.add(wait)
        try:
            yield
        finally:
            waits.discard(wait)
            if not waits:
                self._waits.pop(job_id, None)

    def on_change(self, job_id: str) -> None:
        """The ledger has a change of this job; an empty id stands for any job."""
        for waits in [self._waits.get(job_id, ())] if job_id else list(self._waits.values()):
            for wait in waits:
                wait.changed.set()

    def end(self) -> None:
        """Let every call that waits, now or later, answer with what is known: the server is about to stop."""
        self._ending.set()
        self.on_change("")

    async def pause(self, wait: Wait, seconds: float) -> bool:
        """Wait until this time is over or the job has changed. Returns at once, and true, where the server is about to
        stop."""
        if not self._ending.is_set():
            with anyio.move_on_after(seconds):
                await wait.changed.wait()
        return self._ending.is_set()
