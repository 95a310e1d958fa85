"""The status of each shot of a batch."""

from dataclasses import dataclass
from enum import StrEnum

from hailuo_mcp.core.errors import AccountError, GatewayTrouble, ModelRetired, Problem
from hailuo_mcp.core.job import Job
from hailuo_mcp.service.batch.shots import Shot
from hailuo_mcp.service.batch.validation import CheckedShot

ACCOUNT = frozenset(kind.code for kind in AccountError.__subclasses__() if kind is not ModelRetired)
TRANSIENT = frozenset(kind.code for kind in GatewayTrouble.__subclasses__())


class ShotStatus(StrEnum):
    """A shot's status. The values are shown to users."""

    WAITING = "waiting"
    """Not submitted."""
    BLOCKED = "blocked"
    """Not submitted, because the shot that it continues has no clip."""
    SUBMITTING = "submitting"
    UNDER_WAY = "under way"
    SAVED = "saved"
    FAILED = "failed"
    """Failed, expired or refused; only `--retry-failed` makes another attempt."""
    UNCONFIRMED = "unconfirmed"
    """It may exist and be charged; it is never sent again."""
    ABANDONED = "left"
    """It could not be followed to its end in this run; the job continues."""


WITHOUT_CLIP = frozenset({ShotStatus.BLOCKED, ShotStatus.FAILED, ShotStatus.UNCONFIRMED, ShotStatus.ABANDONED})
"""A shot with one of these will have no clip in this run."""


@dataclass(slots=True)
class Row:
    """One shot of a batch, and what is known of it."""

    checked: CheckedShot
    status: ShotStatus = ShotStatus.WAITING
    attempt: int = 1
    """The number of `job`'s attempt, or else of the next one."""
    job: Job | None = None
    problem: Problem | None = None

    @property
    def shot(self) -> Shot:
        return self.checked.shot

    @property
    def model(self) -> str:
        return self.job.model if self.job else self.checked.estimate.model

    @property
    def usd(self) -> float | None:
        """The shot's cost: reported, or else estimated; None if unknown."""
        if self.job is None or self.job.not_charged:
            return self.checked.estimate.estimated_cost_usd
        return self.job.estimated_cost_usd if self.job.cost_usd is None else self.job.cost_usd


def shot_status(job: Job) -> ShotStatus:
    """The status of a shot with this job, before its clip is saved."""
    return ShotStatus.FAILED if job.state.ended_without_clip else ShotStatus.UNDER_WAY


def was_never_accepted(row: Row) -> bool:
    """Whether the latest attempt was refused before it became a job, for a reason that may have passed: the same call
    is safe and may succeed."""
    job = row.job
    if job is None or job.remote_id is not None or not job.not_charged or job.error is None:
        return False
    return job.error.code in ACCOUNT or (job.error.code in TRANSIENT and job.error.safe_to_retry)
