"""The interface of a ledger, and the values that its methods take and return."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from anyio.abc import TaskGroup

from hailuo_mcp.core.errors import BudgetExceeded
from hailuo_mcp.core.job import Job, State

log = logging.getLogger(__name__)

ANY_JOB = ""
"""Passed to `on_change` listeners in place of a job id when any job may have changed."""


DELAY_MAX = timedelta(seconds=120)
"""The longest delay of a job's next poll, and the longest lease. A time further in the future was written before the
clock was set back."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits per UTC day over all jobs of one tenant at these origins; None means no limit."""

    origins: frozenset[str]
    max_jobs: int | None = None
    max_usd: float | None = None

    @property
    def limited(self) -> bool:
        return self.max_jobs is not None or self.max_usd is not None

    def check(self, job: Job, jobs_today: int, usd_today: float) -> None:
        """Raises BudgetExceeded if one more job would break a limit; says what is spent, and when it resets."""
        midnight = day_start(job.created_at) + timedelta(days=1)
        resets = f"It resets at {midnight:%Y-%m-%d %H:%M} UTC."
        if self.max_jobs is not None and jobs_today >= self.max_jobs:
            raise BudgetExceeded(
                f"The budget of {self.max_jobs} jobs a day is used up: {jobs_today} submitted today.",
                f"{resets} HAILUO_MCP_MAX_JOBS_PER_DAY raises it.",
            )
        if self.max_usd is not None and usd_today + job.budget_cost_usd > self.max_usd + 1e-9:
            raise BudgetExceeded(
                f"The budget of ${self.max_usd:.2f} a day does not cover this job: ${usd_today:.2f} spent today, "
                f"this one counts as ${job.budget_cost_usd:.2f}.",
                f"{resets} HAILUO_MCP_MAX_USD_PER_DAY raises it; a cheaper model may still fit.",
            )


@dataclass(frozen=True, slots=True)
class SubmitPolicy:
    """What is checked in the transaction that creates a job."""

    budget: Budget
    duplicate_window: timedelta
    """Zero turns duplicate detection off."""
    force_new: bool = False

    def find_duplicate(self, job: Job, candidates: Iterable[Job]) -> Job | None:
        """The first of the candidates, all with the fingerprint of `job`, to return instead of creating `job`."""
        if self.force_new or not self.duplicate_window:
            return None
        return next((earlier for earlier in candidates if self._is_duplicate_of(earlier, job)), None)

    def _is_duplicate_of(self, earlier: Job, job: Job) -> bool:
        """An unfinished job counts as a duplicate at any age, a completed one for some time after its end. A job that
        ended otherwise or was not charged never does."""
        if earlier.not_charged or earlier.state.ended_without_clip:
            return False
        if not earlier.state.is_terminal:
            return True
        since_end = job.created_at - (earlier.ended_at or earlier.created_at)
        # Clocks differ a little; an end time further in the future was written before the clock was set back.
        return -DELAY_MAX <= since_end <= self.duplicate_window


@dataclass(frozen=True, slots=True)
class Entered:
    """The job in the ledger: the one passed in if `created`, else an existing one."""

    job: Job
    created: bool


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs, newest first; `total` counts all that match; `spent_usd` sums reported costs, or estimates without one."""

    jobs: tuple[Job, ...]
    total: int
    spent_usd: float


class Ledger(ABC):
    """Storage for jobs. Every method is one transaction, safe with other processes on the same ledger.

    Raises:
        InternalError: the ledger cannot be read or written.
    """

    def __init__(self) -> None:
        self.on_change: list[Callable[[str], None]] = []
        """Listeners, called in the event loop with the id of a job that was created or significantly changed
        (`is_significant_change`), or with `ANY_JOB` when it is not known which jobs changed: treat every job as
        changed. A listener must be quick and must not raise. The engine decides whether changes made by other processes
        are reported too."""

    async def listen(self, tasks: TaskGroup) -> None:  # noqa: B027  optional: not every engine supports it
        """Start reporting changes made by other processes, until `tasks` are cancelled. Returns at once, even if the
        ledger cannot be reached. Does nothing in an engine that only sees its own process."""

    @abstractmethod
    async def create_if_absent(self, job: Job, policy: SubmitPolicy, first_poll_at: datetime) -> Entered:
        """Create a job, unless one with its id or an earlier duplicate exists: then return that one. Atomic: of two
        identical calls only one creates a job, and the last of a budget is spent only once.

        Args:
            first_poll_at: when the job is first due for `lease`; a job that `uses_caller_key` is never due.

        Raises:
            BudgetExceeded, or InternalError for an identical job that cannot be read: nothing was written.
        """

    @abstractmethod
    async def import_job(self, job: Job, first_poll_at: datetime) -> Entered:
        """Add a job that was submitted elsewhere, unless its request id is known: then the known job is returned."""

    @abstractmethod
    async def get(self, job_id: str) -> Job | None:
        """The job with this id."""

    @abstractmethod
    async def find(self, model: str, remote_id: str, tenant: str, prefer_origin: str) -> Job | None:
        """The job with this remote id; if there are several, the newest of the preferred origin."""

    @abstractmethod
    async def change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        """Replace a job with the result of `change` on its latest version. `change` may be called more than once, so it
        must have no side effects. A change that is not significant (`is_significant_change`) may be lost in a power
        failure.
        """

    @abstractmethod
    async def page(self, tenant: str, state: State | None, limit: int, origins: frozenset[str]) -> JobPage:
        """The newest jobs; `spent_usd` covers the tenant's jobs in any state at the given origins."""

    @abstractmethod
    async def spent_since(self, tenant: str, since: datetime, origins: frozenset[str]) -> tuple[int, float]:
        """How many jobs a budget counts for the tenant since then, and their cost in US dollars."""

    @abstractmethod
    async def usual_seconds(self, model: str, origin: str, duration: int | None) -> float | None:
        """The median time that recent jobs like this took; None if too few are known."""

    @abstractmethod
    async def remote_ids(self, model: str, origin: str) -> frozenset[str]:
        """The remote ids of all jobs of this model."""

    @abstractmethod
    async def unconfirmed_like(self, job: Job) -> tuple[Job, ...]:
        """The other unconfirmed jobs with the same fingerprint and origin, of any tenant: tenants may share an account
        at a gateway, so a row of its history may belong to another tenant."""

    @abstractmethod
    async def upload(self, tenant: str, origin: str, digest: str, since: datetime) -> str | None:
        """The URL of an image that this tenant has uploaded since then, by the digest of its content."""

    @abstractmethod
    async def remember_upload(self, tenant: str, origin: str, digest: str, url: str) -> None: ...

    @abstractmethod
    async def lease(
        self, owner: str, now: datetime, lasting: timedelta, limit: int, origins: frozenset[str]
    ) -> tuple[Job, ...]:
        """Lease jobs that are due to be polled and that no one else has leased, the longest overdue first. A lease
        expires by itself. Jobs due later than `DELAY_MAX` from now become due, at the latest for the next call.
        """

    @abstractmethod
    async def release_lease(self, job_id: str, owner: str, until: datetime | None) -> None:
        """Release a lease; the job is due again at `until`, at most `DELAY_MAX` from now, or never. Does nothing if
        another owner has the lease."""

    @abstractmethod
    async def secret(self) -> bytes:
        """32 random bytes, generated once and shared by all processes on this ledger; they sign links."""

    @abstractmethod
    async def ready(self) -> None:
        """Raises InternalError if the ledger cannot be used now; cheap and quick."""

    @abstractmethod
    async def close(self) -> None: ...

    def _notify(self, job_id: str) -> None:
        for listener in self.on_change:
            try:
                listener(job_id)
            except Exception as error:  # a broken listener must not fail the call that wrote
                log.error("a listener of the ledger failed: %s", type(error).__name__)


def day_start(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def is_significant_change(before: Job, after: Job) -> bool:
    """Whether anything changed besides when and how often the gateway was polled."""
    ignored = {"polled_at": None, "polls": 0, "updated_at": None}
    return (vars(before) | ignored, before.model_extra) != (vars(after) | ignored, after.model_extra)
