"""When to poll a job again: for a call that waits, for a caller that comes back, and for the worker. All polling
intervals are here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hailuo_mcp.core.job import IN_PROCESS, Job, State
from hailuo_mcp.ledger import DELAY_MAX


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """Intervals in seconds. Polling the in-process sandbox costs nothing; free plans of gateways allow few requests."""

    early: tuple[float, ...] = (9.0, 18.0)
    """After the submission: no clip is ready this soon, but a job may have failed."""
    every: float = 2.4
    """The shortest interval after that while a call waits, if the model's usual time is unknown."""
    lost: float = 5.0
    """To the next search of a history for a submission whose response was lost."""
    sandbox: float = 0.5
    grace: float = 0.3
    """A job whose usual time is known is polled this much after it, ..."""
    late: float = 6.0
    """... and then for this long ..."""
    every_late: float = 1.0
    """... this often."""
    come_back_min: float = 5.0
    come_back_max: float = 30.0
    come_back_unknown: float = 15.0
    """For a caller that comes back, if the remaining time is unknown."""
    come_back_sandbox: float = 2.0
    longest: timedelta = DELAY_MAX
    """Between two polls by the worker or a waiting call."""
    save_again: timedelta = timedelta(minutes=2)
    """After a clip could not be saved."""
    report_every: float = 5.0
    """While a call waits, its caller gets a report this often, and at once when the state changes."""
    linkless_for: timedelta = timedelta(minutes=15)
    """After this, callers no longer wait for the link of a completed job; until then they poll at growing intervals.
    The worker continues."""
    polled_for: timedelta = timedelta(days=7)
    """After this, the worker no longer polls an unfinished job; get_status still does. ..."""
    polls_min: int = 500
    """... But not before this many polls, so that a clock that is wrong for an hour does not end polling."""

    def while_waiting(self, job: Job, now: datetime) -> float:
        """Seconds to the next poll while a call waits for the job."""
        if job.origin == IN_PROCESS:
            return self.sandbox
        if job.state is State.UNCONFIRMED:
            return self.lost
        if job.lacks_link:
            return self._to_next_link_check(job, now)
        if now < job.created_at:  # the clock was set back: how long the job has been running is not known
            return self.come_back_unknown
        wait = self.to_next_poll(job.elapsed_seconds(now), job.estimated_seconds if job.estimate_learned else None)
        return min(wait, self.longest.total_seconds())

    def to_next_poll(self, elapsed: float, usual: float | None) -> float:
        """Seconds to the next poll, this long after the submission. A job whose usual time is known is polled once
        halfway, in case it fails early, and again when it should be done; any other is polled at intervals that grow
        with its age."""
        if usual is not None:
            if elapsed < usual / 2:
                return usual / 2 - elapsed
            if elapsed < usual + self.grace:
                return usual + self.grace - elapsed
            if elapsed < usual + self.late:
                return self.every_late
        soon = next((moment for moment in self.early if elapsed < moment), None)
        return max(self.every, elapsed / 12) if soon is None else soon - elapsed

    def come_back_after(self, job: Job, now: datetime) -> float:
        """Seconds after which a caller that does not wait should ask again: half of the remaining time, and after that
        a tenth of the elapsed time."""
        if job.origin == IN_PROCESS:
            return self.come_back_sandbox
        if job.lacks_link:
            return self._to_next_link_check(job, now)
        if job.state is State.UNCONFIRMED or not job.estimated_seconds:
            return self.come_back_unknown
        elapsed = job.elapsed_seconds(now)
        left = job.estimated_seconds - elapsed
        return min(max(left / 2, elapsed / 10, self.come_back_min), self.come_back_max)

    def link_is_given_up(self, job: Job, now: datetime) -> bool:
        """Whether a completed job has had no link for so long that none can be expected."""
        return job.lacks_link and job.seconds_since_end(now) >= self.linkless_for.total_seconds()

    def _to_next_link_check(self, job: Job, now: datetime) -> float:
        wait = max(job.seconds_since_end(now) / 3, self.come_back_min)
        return min(wait, self.longest.total_seconds())

    def first_poll_at(self, job: Job) -> datetime:
        """When the worker first polls a new job."""
        return job.created_at + timedelta(seconds=self.come_back_after(job, job.created_at))

    def in_background(self, job: Job, now: datetime, *, save: bool = True) -> timedelta | None:
        """The time until the worker's next step for the job; None if nothing is left to ask or, if clips are saved, to
        save."""
        over = now - job.created_at > self.polled_for and job.polls >= self.polls_min
        if job.state.ended_without_clip or job.video_path or over:
            return None
        if job.lacks_link:
            return timedelta(seconds=self.come_back_after(job, now))
        if job.state is State.COMPLETED:
            return self.save_again if save or not job.is_final else None
        interval = min(timedelta(seconds=job.elapsed_seconds(now) / 10), self.longest)
        return max(timedelta(seconds=self.come_back_after(job, now)), interval)


POLICY = PollPolicy()
"""The default; tests pass others."""
