"""What a ledger does, whatever engine keeps it."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from anyio.abc import TaskGroup

from hailuo_mcp.core.errors import BudgetExceeded
from hailuo_mcp.core.job import Job, State

log = logging.getLogger(__name__)

OnChange = Callable[[str], None]

ANY_JOB = ""
"""The key that listeners get where any job may have changed."""
SECRET_BYTES = 32
UNUSABLE = "The server's job ledger cannot be used now."
"""What a caller on another machine is told; where it is kept is not for them."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits a day (UTC), over all jobs of one tenant at these origins; None is no limit."""

    origins: frozenset[str]
    max_jobs: int | None = None
    max_usd: float | None = None

    @property
    def limited(self) -> bool:
        return self.max_jobs is not None or self.max_usd is not None

    def check(self, job: Job, jobs_today: int, usd_today: float) -> None:
        """Raises BudgetExceeded where one more job would break a limit; says what is spent, and when it resets."""
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
    """What is checked in the same transaction that enters a job."""

    budget: Budget
    duplicate_window: timedelta
    """Zero turns the duplicate guard off."""
    force_new: bool = False


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs, newest first; `total` of all that match, `spent_usd` by report, else by estimate."""

    jobs: tuple[Job, ...]
    total: int
    spent_usd: float


class Ledger(ABC):
    """Where jobs are kept. Every method is one transaction, safe with other processes on the same ledger.

    Raises:
        InternalError: the ledger cannot be read or written.
    """

    def __init__(self) -> None:
        self.on_change: list[OnChange] = []
        """Each is called in the event loop with the key of a job that was entered or changed; that it was asked for in
        vain (`Job.polled`) is no news. The empty key means that any job may have changed. A listener raises nothing,
        and is quick. Whether news of other processes comes too, the engine says."""

    async def listen(self, tasks: TaskGroup) -> None:  # noqa: B027  not every engine can
        """Begin to hear of what other processes do, until `tasks` are cancelled. Returns at once, also where the ledger
        cannot be reached; nothing happens in an engine that hears of this process alone."""

    @abstractmethod
    async def create_if_absent(self, job: Job, guard: SubmitPolicy) -> Job:
        """Write a new job and return that very object, or the one with its key, or the earlier identical one that
        stands for it. Decided and written at once, so that of two equal calls one is entered, and the last place of a
        budget is given once.

        Raises:
            BudgetExceeded: nothing was written.
        """

    @abstractmethod
    async def import_job(self, job: Job) -> Job:
        """Write a job that was submitted elsewhere, unless its request id is known by now: then that one."""

    @abstractmethod
    async def get(self, key: str) -> Job | None:
        """The job with this key of ours."""

    @abstractmethod
    async def find(self, model: str, remote_id: str, tenant: str, prefer_origin: str) -> Job | None:
        """The job with this remote id; of several, the newest of the preferred origin."""

    @abstractmethod
    async def change(self, key: str, change: Callable[[Job], Job]) -> Job:
        """Replace a job by what `change` makes of its latest version. `change` may run more than once and does
        nothing else.
        """

    @abstractmethod
    async def page(self, tenant: str, state: State | None, limit: int, origins: frozenset[str]) -> JobPage:
        """The newest jobs; what was spent is summed over those of the given origins."""

    @abstractmethod
    async def usual_seconds(self, model: str, origin: str, duration: int | None) -> float | None:
        """The median time that recent jobs like this took; None where too few are known."""

    @abstractmethod
    async def remote_ids(self, model: str, origin: str) -> frozenset[str]:
        """The remote ids that jobs of this model have."""

    @abstractmethod
    async def unconfirmed_like(self, job: Job) -> tuple[Job, ...]:
        """The other unconfirmed jobs with the same fingerprint and origin, of any tenant: tenants may share an account
        at a gateway, so that a row of its history may be another's."""

    @abstractmethod
    async def upload(self, tenant: str, origin: str, digest: str, since: datetime) -> str | None:
        """The address of a picture that this tenant uploaded since then, by its content."""

    @abstractmethod
    async def remember_upload(self, tenant: str, origin: str, digest: str, url: str) -> None: ...

    @abstractmethod
    async def lease(
        self, owner: str, now: datetime, lasting: timedelta, limit: int, origins: frozenset[str]
    ) -> tuple[Job, ...]:
        """Take charge of jobs that are due to be looked at and nobody else is looking at, the longest due first; a
        lease ends by itself."""

    @abstractmethod
    async def release_lease(self, key: str, owner: str, until: datetime | None) -> None:
        """Give back a lease: the job is due again then, or never. Nothing happens where another has it by now."""

    @abstractmethod
    async def secret(self) -> bytes:
        """32 random bytes, made once and the same for everybody on this ledger: they sign links and addresses."""

    @abstractmethod
    async def ready(self) -> None:
        """Raises InternalError where the ledger cannot be used now; cheap, and soon."""

    @abstractmethod
    async def close(self) -> None: ...

    def _notify(self, key: str) -> None:
        for listener in self.on_change:
            try:
                listener(key)
            except Exception as error:  # a listener's fault is no reason to fail who wrote
                log.error("a listener to the ledger failed: %s", type(error).__name__)


def day_start(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def is_duplicate_of(earlier: Job, job: Job, guard: SubmitPolicy) -> bool:
    """Whether an earlier job with the same fingerprint stands for this one. A failed, expired or uncharged one never
    does; an unconfirmed one does until it is resolved, however old."""
    if guard.force_new or not guard.duplicate_window or earlier.not_charged:
        return False
    if earlier.state in (State.FAILED, State.EXPIRED):
        return False
    return earlier.state is State.UNCONFIRMED or job.created_at - earlier.created_at <= guard.duplicate_window


def is_significant_change(before: Job, after: Job) -> bool:
    """Whether a change is worth telling of."""
    unnoticed = {"polled_at": None, "polls": 0, "updated_at": before.updated_at}
    return before.model_copy(update=unnoticed) != after.model_copy(update=unnoticed)


def duration_of(job: Job) -> int | None:
    """What the job asked for, in seconds: by it, equal jobs are told from others."""
    duration = job.parameters.get("duration")
    return duration if isinstance(duration, int) else None


MIN_SAMPLES = 3
SAMPLES = 20
