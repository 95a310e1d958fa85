"""How each shot of a batch stands."""

from dataclasses import dataclass
from enum import StrEnum

from hailuo_mcp.core.errors import AccountError, GatewayTrouble, ModelRetired, Problem
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.service.batch.shots import Shot
from hailuo_mcp.service.batch.validation import Checked

ACCOUNT = frozenset(kind.code for kind in AccountError.__subclasses__() if kind is not ModelRetired)
PASSING = frozenset(kind.code for kind in GatewayTrouble.__subclasses__())


class ShotStatus(StrEnum):
    """How a shot stands."""

    WAITING = "waiting"
    """Not submitted."""
    BLOCKED = "blocked"
    """Not submitted, for the shot that it continues has no clip."""
    SUBMITTING = "submitting"
    UNDER_WAY = "under way"
    SAVED = "saved"
    FAILED = "failed"
    """Failed, expired or refused for good; only a retry that is asked for makes another attempt."""
    UNCONFIRMED = "unconfirmed"
    """It may exist and be charged; it is never sent again."""
    ABANDONED = "left"
    """It could not be followed to its end now; it goes on by itself."""


@dataclass(slots=True)
class Row:
    """One shot of a batch, as it is known now."""

    checked: Checked
    status: ShotStatus = ShotStatus.WAITING
    attempt: int = 1
    """The attempt that `job` is, or else the next one."""
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
        """What the shot costs as far as anybody says."""
        if self.job is None or self.job.not_charged:
            return self.checked.estimate.estimated_cost_usd
        return self.job.estimated_cost_usd if self.job.cost_usd is None else self.job.cost_usd


def shot_status(job: Job) -> ShotStatus:
    """How a shot with this job stands before anything more is done about it."""
    return ShotStatus.FAILED if job.state in (State.FAILED, State.EXPIRED) else ShotStatus.UNDER_WAY


def never_taken(row: Row) -> bool:
    """Whether the latest attempt was refused at the door, for a reason that may be gone by now: the same call is safe
    and may succeed."""
    job = row.job
    if job is None or job.remote_id is not None or not job.not_charged or job.error is None:
        return False
    return job.error.code in ACCOUNT or (job.error.code in PASSING and job.error.safe_to_retry)
