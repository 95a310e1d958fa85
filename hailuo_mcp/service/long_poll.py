"""Calls that wait for a job: when it pays to ask the gateway again, and who is woken when the ledger has news."""

import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import datetime

import anyio

from hailuo_mcp.core.job import IN_PROCESS, Job, State

log = logging.getLogger(__name__)

WAIT_SECONDS_MAX = 45
"""The longest a call is held: hosts end calls after 60 s."""
FIRST_POLL_SECONDS, POLL_EVERY_SECONDS = 8.4, 3.0
POLL_SANDBOX_SECONDS, POLL_HISTORY_SECONDS = 0.5, 5.0
PUNCTUAL_SECONDS, LATE_SECONDS, POLL_LATE_SECONDS = 0.3, 6.0, 1.0
"""A job whose usual time is known is asked this much after it, and then this often for this long."""
REPORT_EVERY_SECONDS = 5.0
"""While a call waits, its caller hears of the job this often, and of a new state at once."""

Report = Callable[[Job], Awaitable[None]]


class Wait:
    """The job that a call waits for, as it is known by now."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.news = anyio.Event()
        """Set when the ledger has news of the job, or the server is about to stop."""
        self._moved = anyio.Event()

    def see(self, job: Job) -> None:
        if job.state is not self.job.state and not job.is_final:  # of its end, the answer tells
            self._moved.set()
        self.job = job

    async def tell(self, report: Report) -> None:
        """Report until cancelled, also while a poll takes long. One who cannot be told still gets the answer."""
        try:
            while True:
                self._moved = anyio.Event()
                await report(self.job)
                with anyio.move_on_after(REPORT_EVERY_SECONDS):
                    await self._moved.wait()
        except Exception as error:
            log.debug("progress could not be told: %s", type(error).__name__)


class Waits:
    """All calls of this process that wait, by the key of the job that they wait for."""

    def __init__(self) -> None:
        self._of: dict[str, set[Wait]] = {}
        self._ending = anyio.Event()

    @contextmanager
    def joined(self, wait: Wait) -> Generator[None]:
        """While this lasts, the wait hears of its job."""
        key = wait.job.id
        waits = self._of.setdefault(key, set())
        waits.add(wait)
        try:
            yield
        finally:
            waits.discard(wait)
            if not waits:
                self._of.pop(key, None)

    def hear(self, key: str) -> None:
        """The ledger has news of a job; the empty key stands for any."""
        for waits in [self._of.get(key, ())] if key else list(self._of.values()):
            for wait in waits:
                wait.news.set()

    def end(self) -> None:
        """Let every call that waits answer with what is known, now and from now on."""
        self._ending.set()
        self.hear("")

    async def pause(self, wait: Wait, seconds: float) -> bool:
        """Until this time is over, or somebody else has learned more. Returns at once, and true, where the server is
        about to stop."""
        if not self._ending.is_set():
            with anyio.move_on_after(seconds):
                await wait.news.wait()
        return self._ending.is_set()


def pace_seconds(job: Job, now: datetime) -> float:
    """To the next poll of this job while a caller waits. The sandbox in this process costs nothing to ask."""
    if job.origin == IN_PROCESS:
        return POLL_SANDBOX_SECONDS
    if job.state is State.UNCONFIRMED:
        return POLL_HISTORY_SECONDS
    return seconds_to_next_poll(job.elapsed_seconds(now), job.estimated_seconds if job.estimate_learned else None)


def seconds_to_next_poll(elapsed: float, usual: float | None) -> float:
    """When to ask again, this long after the submission. Free plans allow few requests: where the usual time is
    learned, it is asked once halfway, for a job that fails early, and again just when it should be done. Where it is
    not, no clip is done in the first moments, and later a small share of the time passed is soon enough."""
    if usual is not None:
        if elapsed < usual / 2:
            return usual / 2 - elapsed
        if elapsed < usual + PUNCTUAL_SECONDS:
            return usual + PUNCTUAL_SECONDS - elapsed
        if elapsed < usual + LATE_SECONDS:
            return POLL_LATE_SECONDS
    return max(POLL_EVERY_SECONDS, FIRST_POLL_SECONDS - elapsed, elapsed / 12)
