"""A job of the sandbox. Its state depends only on its record and the clock."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

QUEUED_SHARE = 0.15
"""The fraction of a job's time that it spends in the queue."""


class Phase(StrEnum):
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    GONE = "gone"
    """The gateway no longer knows the job: every request for it gets a 404."""


class Fault(StrEnum):
    """Why a job fails; each stand-in translates it to its gateway's terms."""

    CONTENT = "content"
    IMAGE = "image"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    fault: Fault
    message: str


@dataclass(frozen=True, slots=True)
class Shot:
    """What the clip shows. Images are stored names (`store:<name>`) or URLs, which are never fetched."""

    prompt: str
    seconds: int
    short_side: int
    first: str | None = None
    last: str | None = None
    ratio: str | None = None
    """Width to height, such as `9:16`; None for that of the first image."""
    sound: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    id: str
    """Names the clip. Unguessable, because a clip's link needs no key."""
    gateway: str
    remote_id: str
    owner: str
    """A digest of the key that submitted it; the key itself is never kept."""
    model: str
    body: Mapping[str, object]
    shot: Shot
    submitted_at: float
    takes: float
    ends: bool = True
    forgotten: bool = False
    """Whether the gateway forgets the job as soon as it would be completed."""
    failure: Failure | None = None
    cost: float = 0.0
    """US$, charged only when the job completes."""

    cancelled: bool = False

    def phase(self, now: float, retention: float = math.inf) -> Phase:
        """The state at `now`; `retention` seconds after its submission the job is gone."""
        age = now - self.submitted_at
        if age >= retention:
            return Phase.GONE
        if self.cancelled:
            return Phase.CANCELLED
        if not self.ends or age < self.takes:
            return Phase.QUEUED if age < self.takes * QUEUED_SHARE else Phase.PROCESSING
        if self.forgotten:
            return Phase.GONE
        return self.final_phase

    @property
    def final_phase(self) -> Phase:
        """The state of the job once it has ended."""
        if self.cancelled:
            return Phase.CANCELLED
        return Phase.FAILED if self.failure else Phase.COMPLETED

    @property
    def started_at(self) -> float:
        return self.submitted_at + self.takes * QUEUED_SHARE

    @property
    def ended_at(self) -> float:
        return self.submitted_at + self.takes
