"""A job of the sandbox, whose state follows from its record and the clock alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

QUEUED_SHARE = 0.15
"""The share of a job's time that it spends waiting for a worker."""


class Phase(StrEnum):
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    GONE = "gone"
    """The gateway no longer knows the job: every question about it is answered with a 404."""


class Fault(StrEnum):
    """Why a job fails, in the sandbox's own words; each stand-in has its gateway's words for them."""

    CONTENT = "content"
    IMAGE = "image"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    fault: Fault
    message: str


@dataclass(frozen=True, slots=True)
class Shot:
    """What the clip shows. Pictures are names of stored ones (`store:<name>`) or URLs that are never fetched."""

    prompt: str
    seconds: int
    short_side: int
    first: str | None = None
    last: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    id: str
    """Names the clip; unguessable, since a clip's link needs no key."""
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

    def phase(self, now: float, retention: float = math.inf) -> Phase:
        """Where the job stands at `now`; after `retention` seconds from its submission it is gone."""
        age = now - self.submitted_at
        if age >= retention:
            return Phase.GONE
        if not self.ends or age < self.takes:
            return Phase.QUEUED if age < self.takes * QUEUED_SHARE else Phase.PROCESSING
        if self.forgotten:
            return Phase.GONE
        return Phase.FAILED if self.failure else Phase.COMPLETED

    @property
    def started_at(self) -> float:
        return self.submitted_at + self.takes * QUEUED_SHARE

    @property
    def ended_at(self) -> float:
        return self.submitted_at + self.takes
