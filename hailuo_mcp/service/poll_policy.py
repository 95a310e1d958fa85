"""When it pays to ask a gateway about a job again: for a call that waits, for a caller who comes back, and for the
worker. All the figures of polling are here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hailuo_mcp.core.job import IN_PROCESS, Job, State
from hailuo_mcp.ledger import DELAY_MAX


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """Intervals in seconds. The sandbox in this process costs nothing to ask; free plans of gateways allow few
    requests."""

    early: tuple[float, ...] = (9.0, 18.0)
    """Seconds after the submission: no clip is ready this soon, but a job may have failed."""
    every: float = 2.4
    """The shortest interval after that while a call waits, where the model's usual time is not known."""
    lost: float = 5.0
    """To the next look into a history for a submission whose answer was lost."""
    sandbox: float = 0.5
    punctual: float = 0.3
    """A job whose usual time is known is asked this much after it, ..."""
    late: float = 6.0
    """... and then for this long ..."""
    every_late: float = 1.0
    """... this often."""
    come_back_min: float = 5.0
    come_back_max: float = 30.0
    come_back_unknown: float = 15.0
    """For a caller who comes back, where nothing is known of the time that is left."""
    come_back_sandbox: float = 2.0
    longest: timedelta = DELAY_MAX
    """Between two polls by the worker, or of a call that waits."""
    save_again: timedelta = timedelta(minutes=2)
    """After a clip could not be saved."""
    report_every: float = 5.0
    """While a call waits, its caller gets a report this often, and at once when the state changes."""
    linkless_for: timedelta = timedelta(minutes=15)
    """After this, callers no longer wait for the link of a completed job; until then they ask at intervals that grow.
    The worker goes on."""
    worked_on_for: timedelta = timedelta(days=7)
    """The worker leaves a job alone that has not ended by then; asking for it still works. ..."""
    polls_min: int = 500
    """... But not before it was asked for this often, which a clock that is set wrong for an hour does not bring
    about."""

    def while_waiting(self, job: Job, now: datetime) -> float:
        """Seconds to the next poll while a call waits for the job."""
        if job.origin == IN_PROCESS:
            return self.sandbox
        if job.state is State.UNCONFIRMED:
            return self.lost
        if job.lacks_link:
            return self._to_next_look_for_link(job, now)
        if now < job.created_at:  # the clock was set back: how long the job has been running is not known
            return self.come_back_unknown
        wait = self.to_next_poll(job.elapsed_seconds(now), job.estimated_seconds if job.estimate_learned else None)
        return min(wait, self.longest.total_seconds())

    def to_next_poll(self, elapsed: float, usual: float | None) -> float:
        """Seconds to the next poll, this long after the submission. A job whose usual time is known is asked once
        halfway, in case it fails early, and again just when it should be done; any other is asked at intervals that
        grow with its age."""
        if usual is not None:
            if elapsed < usual / 2:
                return usual / 2 - elapsed
            if elapsed < usual + self.punctual:
                return usual + self.punctual - elapsed
            if elapsed < usual + self.late:
                return self.every_late
        soon = next((moment for moment in self.early if elapsed < moment), None)
        return max(self.every, elapsed / 12) if soon is None else soon - elapsed

    def come_back_after(self, job: Job, now: datetime) -> float:
        """Seconds after which a caller who does not wait should ask again: half of the time that is left, and once
        that is over, a tenth of the time that has passed."""
        if job.origin == IN_PROCESS:
            return self.come_back_sandbox
        if job.lacks_link:
            return self._to_next_look_for_link(job, now)
        if job.state is State.UNCONFIRMED or not job.estimated_seconds:
            return self.come_back_unknown
        elapsed = job.elapsed_seconds(now)
        left = job.estimated_seconds - elapsed
        return min(max(left / 2, elapsed / 10, self.come_back_min), self.come_back_max)

    def link_is_given_up(self, job: Job, now: datetime) -> bool:
        """Whether a completed job has had no link for so long that none is to be expected."""
        return job.lacks_link and job.seconds_since_end(now) >= self.linkless_for.total_seconds()

    def _to_next_look_for_link(self, job: Job, now: datetime) -> float:
        wait = max(job.seconds_since_end(now) / 3, self.come_back_min)
        return min(wait, self.longest.total_seconds())

    def first_poll_at(self, job: Job) -> datetime:
        """When the worker first asks about a new job."""
        return job.created_at + timedelta(seconds=self.come_back_after(job, job.created_at))

    def in_background(self, job: Job, now: datetime, *, save: bool = True) -> timedelta | None:
        """How long the worker leaves the job alone; None where nothing is left to ask, or to save where clips are
        saved."""
        over = now - job.created_at > self.worked_on_for and job.polls >= self.polls_min
        if job.state.ended_without_clip or job.video_path or over:
            return None
        if job.lacks_link:
            return timedelta(seconds=self.come_back_after(job, now))
        if job.state is State.COMPLETED:
            return self.save_again if save or not job.is_final else None
        unhurried = min(timedelta(seconds=job.elapsed_seconds(now) / 10), self.longest)
        return max(timedelta(seconds=self.come_back_after(job, now)), unhurried)


POLICY = PollPolicy()
"""The figures used unless a test passes others."""
