"""Calls that wait for a job: woken when the ledger learns of a change, and let go when the server stops."""

import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import anyio

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import Job

log = logging.getLogger(__name__)

WAIT_SECONDS_MAX = 45
"""The longest that a call is held: hosts end calls after 60 s."""

Report = Callable[[Job], Awaitable[None]]


class Wait:
    """One call that waits, and the job as it is known now."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.trouble: HailuoError | None = None
        """Why the gateway could not be asked the last time."""
        self.failure: HailuoError | None = None
        """Why asking it again is of no use."""
        self.answered_at = anyio.current_time()
        """When the gateway last answered."""
        self.leads = False
        """Whether this is the one call of those that wait for the job which asks the gateway."""
        self.changed = anyio.Event()
        """Set when there is something to look at: for the call that leads, a change in the ledger, or a new caller; for
        the others, a new state. For all, that they now lead, or that the server is about to stop."""
        self._new_state = anyio.Event()

    def update(self, job: Job) -> None:
        """Take what is known now. A new state wakes the call; its end is reported by the answer itself."""
        if job is self.job:
            return
        if job.is_final:
            self.changed.set()
        elif job.state is not self.job.state:
            self._new_state.set()
            self.changed.set()
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
    """All calls of this process that wait, by the id of the job that they wait for. The one that has waited longest
    leads: it asks, and what it learns is shared, so that a thousand calls for one job cost little more than one."""

    def __init__(self) -> None:
        self._waits: dict[str, dict[Wait, None]] = {}
        """In the order of their arrival."""
        self._ending = anyio.Event()

    @contextmanager
    def joined(self, wait: Wait) -> Generator[None]:
        """For the length of the block, changes of the job wake this call."""
        job_id = wait.job.id
        waits = self._waits.setdefault(job_id, {})
        wait.leads = not waits
        waits[wait] = None
        try:
            yield
        finally:
            del waits[wait]
            if not waits:
                del self._waits[job_id]
            elif wait.leads:
                following = next(iter(waits))
                following.leads = True
                following.changed.set()

    def share(self, job: Job, trouble: HailuoError | None) -> None:
        """Tell all who wait for the job what its gateway answered, or why it could not be asked."""
        now = anyio.current_time()
        for wait in self._waits.get(job.id, ()):
            wait.update(job)
            wait.trouble = trouble
            if trouble is None:
                wait.answered_at = now

    def fail(self, job: Job, failure: HailuoError) -> None:
        """End all waits for the job, since asking again is of no use. A caller's own key says nothing of the keys of
        others."""
        if not job.uses_caller_key:
            for wait in self._waits.get(job.id, ()):
                wait.failure = failure
                wait.changed.set()

    def on_change(self, job_id: str) -> None:
        """The ledger has a change of this job; an empty id stands for any job."""
        for waits in [self._waits.get(job_id, {})] if job_id else list(self._waits.values()):
            if leader := next(iter(waits), None):
                leader.changed.set()

    def end(self) -> None:
        """Let every call that waits, now or later, answer with what is known: the server is about to stop."""
        self._ending.set()
        for waits in self._waits.values():
            for wait in waits:
                wait.changed.set()

    async def pause(self, wait: Wait, seconds: float) -> bool:
        """Wait until this time is over or there is something to look at. Returns at once, and true, where the server is
        about to stop."""
        if not self._ending.is_set():
            with anyio.move_on_after(seconds):
                await wait.changed.wait()
        return self._ending.is_set()
