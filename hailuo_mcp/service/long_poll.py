"""Calls that wait for a job: woken when the job changes in the ledger, and released when the server stops."""

import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import anyio

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import Job

log = logging.getLogger(__name__)

WAIT_SECONDS_MAX = 45
"""The longest that a call waits: hosts end calls after 60 s."""

Report = Callable[[Job], Awaitable[None]]


class Wait:
    """One waiting call, and the job as currently known."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.error: HailuoError | None = None
        """Why the gateway could not be asked the last time."""
        self.failure: HailuoError | None = None
        """Why asking it again is useless."""
        self.answered_at = anyio.current_time()
        """When the gateway last responded."""
        self.is_leader = False
        """Whether this is the call that polls the gateway for all calls that wait for the job."""
        self.changed = anyio.Event()
        """Set when there is something to check: for the leader, a change in the ledger or a new caller; for the others,
        a new state; for all, that they become the leader or that the server is about to stop."""
        self._new_state = anyio.Event()

    def update(self, job: Job) -> None:
        """Store the current job. A new state wakes the call; a terminal one is reported by the result itself."""
        if job is self.job:
            return
        if job.is_final:
            self.changed.set()
        elif job.state is not self.job.state:
            self._new_state.set()
            self.changed.set()
        self.job = job

    async def report_to(self, report: Report, every: float) -> None:
        """Report periodically and at each new state until cancelled, even during a long poll. If a report fails, the
        caller still gets the result."""
        try:
            while True:
                self._new_state = anyio.Event()
                await report(self.job)
                with anyio.move_on_after(every):
                    await self._new_state.wait()
        except Exception as error:
            log.debug("progress could not be reported: %s", type(error).__name__)


class LongPolls:
    """All waiting calls of this process, by job id. The one that has waited longest is the leader: it polls and shares
    the result, so that a thousand calls for one job cost little more than one."""

    def __init__(self) -> None:
        self._waits: dict[str, dict[Wait, None]] = {}
        """In order of arrival."""
        self._ending = anyio.Event()

    @contextmanager
    def joined(self, wait: Wait) -> Generator[None]:
        """Within the block, changes of the job wake this call."""
        job_id = wait.job.id
        waits = self._waits.setdefault(job_id, {})
        wait.is_leader = not waits
        waits[wait] = None
        try:
            yield
        finally:
            del waits[wait]
            if not waits:
                del self._waits[job_id]
            elif wait.is_leader:
                following = next(iter(waits))
                following.is_leader = True
                following.changed.set()

    def share(self, job: Job, error: HailuoError | None) -> None:
        """Share the gateway's answer, or why it could not be asked, with all calls that wait for the job."""
        now = anyio.current_time()
        for wait in self._waits.get(job.id, ()):
            wait.update(job)
            wait.error = error
            if error is None:
                wait.answered_at = now

    def fail(self, job: Job, failure: HailuoError) -> None:
        """End all waits for the job, because asking again is useless. An error with one caller's own key does not
        affect callers with other keys."""
        if not job.uses_caller_key:
            for wait in self._waits.get(job.id, ()):
                wait.failure = failure
                wait.changed.set()

    def on_change(self, job_id: str) -> None:
        """The job has changed in the ledger; an empty id stands for any job."""
        for waits in [self._waits.get(job_id, {})] if job_id else list(self._waits.values()):
            if leader := next(iter(waits), None):
                leader.changed.set()

    def end(self) -> None:
        """Let all current and later waiting calls return what is known: the server is about to stop."""
        self._ending.set()
        for waits in self._waits.values():
            for wait in waits:
                wait.changed.set()

    async def pause(self, wait: Wait, seconds: float) -> bool:
        """Wait until the time is up or there is something to check. Returns true, at once, if the server is about to
        stop."""
        if not self._ending.is_set():
            with anyio.move_on_after(seconds):
                await wait.changed.wait()
        return self._ending.is_set()
