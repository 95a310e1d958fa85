"""The job: one paid generation, from before its submission to its clip on disk."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hailuo_mcp.core.errors import Problem
from hailuo_mcp.core.request_id import UNCONFIRMED_PREFIX

EXCERPT_LENGTH = 80
IN_PROCESS = "sandbox"
"""The origin of jobs accepted by the sandbox in this process."""
FRESH_POLL = timedelta(seconds=15)
"""The time a job took is known only if it was last seen unfinished at most this long before it was seen completed."""
PLAUSIBLE_MAX = 1e6
"""Dollars that a clip costs, or seconds that it takes."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class State(StrEnum):
    """The state of a job. States only move forward, in this order; the last four are terminal."""

    UNCONFIRMED = "unconfirmed"
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self.rank == _END

    @property
    def ended_without_clip(self) -> bool:
        return self.is_terminal and self is not State.COMPLETED

    @property
    def rank(self) -> int:
        return {State.UNCONFIRMED: 0, State.QUEUED: 1, State.PROCESSING: 2}.get(self, _END)


_END = 3


class Observation(BaseModel):
    """What a gateway just reported about a job, in our terms."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    state: State
    video_url: str | None = None
    error: Problem | None = None
    cost_usd: float | None = None
    took_seconds: float | None = None
    """Time from submission to completion, where the gateway reports it."""
    sandbox: bool = False
    has_secret_link: bool = False
    """`video_url` contains the key: it is not kept, so the clip is saved at once."""
    warnings: tuple[str, ...] = ()
    """What is doubtful about the report."""

    @field_validator("cost_usd", "took_seconds")
    @classmethod
    def _plausible(cls, value: float | None) -> float | None:
        """The number, or None if no clip can have it."""
        return round(value, 6) if value is not None and 0 <= value <= PLAUSIBLE_MAX else None


class Job(BaseModel):
    """One generation, as the ledger keeps it. Frozen: a change is a new value, made by one of the methods below."""

    # What a later version wrote is kept: servers of two versions share a ledger while a team is brought up to date.
    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        validate_by_name=True,
        serialize_by_alias=True,
        defer_build=True,  # start-up time: the first job needs it
    )

    id: str = Field(default_factory=lambda: uuid4().hex, validation_alias="key", serialization_alias="key")
    """Assigned before anything is sent. `unconfirmed-<id>` stays a valid remote id even when the real one is known."""
    model: str
    origin: str
    """Where it was sent: scheme and host of the gateway, or `sandbox`. Jobs of different origins are never treated as
    the same."""
    tenant: str = ""
    """The tenant it belongs to; empty for the user of this machine."""
    uses_caller_key: bool = Field(default=False, validation_alias="own_key", serialization_alias="own_key")
    """Submitted with a gateway key that came with the call and is not stored."""
    remote_id: str | None = None
    state: State = State.UNCONFIRMED
    created_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now)
    polled_at: datetime | None = None
    polls: int = 0
    """How many polls its gateway answered."""
    lost_at: datetime | None = None
    """When its submission was found to have no response; until then it may still be in flight."""
    ended_at: datetime | None = None
    took_seconds: float | None = None
    parameters: Mapping[str, Any] = {}
    """As sent, by canonical name, defaults included; images shortened."""
    body: Mapping[str, Any] = {}
    """The wire body as sent, images shortened; used to find a lost submission in a gateway's history."""
    fingerprint: str = ""
    """Equal for equal requests, images compared by content."""
    estimated_seconds: float | None = None
    estimate_learned: bool = False
    """Whether the estimate comes from finished jobs like this one, not from published times."""
    estimated_cost_usd: float | None = None
    budget_cost_usd: float = 0.0
    """What a budget counts while the real cost is not known."""
    cost_usd: float | None = None
    video_url: str | None = None
    video_path: str | None = None
    expires_at: datetime | None = None
    error: Problem | None = None
    warnings: tuple[str, ...] = ()
    passing_warnings: tuple[str, ...] = ()
    """The `warnings` from the last observation; the next one replaces them."""
    sandbox: bool = False

    @property
    def request_id(self) -> str:
        return f"{self.model}/{self.remote_id or UNCONFIRMED_PREFIX + self.id}"

    @property
    def prompt(self) -> str:
        return str(self.parameters.get("prompt", ""))

    @property
    def excerpt(self) -> str:
        return self.prompt[:EXCERPT_LENGTH]

    @property
    def has_clip(self) -> bool:
        return bool(self.video_url or self.video_path)

    @property
    def lacks_link(self) -> bool:
        """Whether the job is completed but the gateway has not given a link yet."""
        return self.state is State.COMPLETED and not self.has_clip

    @property
    def is_final(self) -> bool:
        """Whether automatic polling is over: the job ended, and a completed one has its link or file. An expired job is
        polled again only when the user asks for it."""
        return self.state.is_terminal and not self.lacks_link

    @property
    def not_charged(self) -> bool:
        """Whether it is certain or documented that the job costs nothing: a job cancelled before it began does, unless
        a cost was reported."""
        if self.state is State.CANCELLED:
            return not self.cost_usd
        return self.error is not None and self.error.charged == "no"

    @property
    def budget_cost(self) -> float:
        """What a budget counts for this job: the highest possible price where the actual one is unknown."""
        if self.not_charged:
            return 0.0
        return self.cost_usd if self.cost_usd is not None else self.budget_cost_usd

    @property
    def cost_estimate(self) -> float:
        """The reported cost, else the estimate."""
        if self.not_charged:
            return 0.0
        return self.cost_usd if self.cost_usd is not None else self.estimated_cost_usd or 0.0

    def elapsed_seconds(self, now: datetime) -> float:
        return max(0.0, ((self.ended_at or now) - self.created_at).total_seconds())

    def seconds_since_end(self, now: datetime) -> float:
        return max(0.0, (now - (self.ended_at or self.created_at)).total_seconds())

    def since_poll(self, now: datetime) -> timedelta:
        """The time since its gateway was last polled; `timedelta.max` if it never was, or if the clock has been set
        back since."""
        age = now - self.polled_at if self.polled_at else timedelta.max
        return age if age >= timedelta(0) else timedelta.max

    def accepted(self, remote_id: str, *, retention: timedelta | None, sandbox: bool) -> "Job":
        """The gateway accepted it. Retention counts from submission, so that `expires_at` errs on the safe side."""
        return self._changed(
            remote_id=self.remote_id or remote_id,
            state=self._forward(State.QUEUED),
            error=None if self.state is State.UNCONFIRMED else self.error,
            expires_at=self.expires_at or (self.created_at + retention if retention else None),
            sandbox=self.sandbox or sandbox,
        )

    def refused(self, problem: Problem) -> "Job":
        """The gateway definitely did not accept it, or nothing was sent."""
        if self.state.is_terminal:
            return self
        return self._changed(state=State.FAILED, error=problem, ended_at=utc_now())

    def mark_unconfirmed(self, problem: Problem) -> "Job":
        """It was sent and no response came: it stays unconfirmed, with a problem that says so."""
        return self._changed(error=problem, lost_at=utc_now()) if self.state is State.UNCONFIRMED else self

    def still_sending(self) -> "Job":
        """Its submission is waiting for a response, and the process that sent it is alive."""
        return self._changed() if self.state is State.UNCONFIRMED and self.lost_at is None else self

    def apply_observation(self, seen: Observation) -> "Job":
        """The job, updated with what a gateway reported. A state never goes backward, except that an expired job may
        turn out to be completed; an ended job keeps its state, but a late link or cost is still recorded."""
        now = utc_now()
        found_again = self.state is State.EXPIRED and seen.state is State.COMPLETED
        state = State.COMPLETED if found_again else self._forward(seen.state)
        ends_now = state.is_terminal and not self.state.is_terminal
        took = self.took_seconds if self.took_seconds is not None else seen.took_seconds
        if took is None and ends_now and self.since_poll(now) <= FRESH_POLL and now > self.created_at:
            took = (now - self.created_at).total_seconds()
        lasting = tuple(w for w in self.warnings if w not in self.passing_warnings)
        new = tuple(w for w in seen.warnings if w not in lasting)
        return self._changed(
            state=state,
            polled_at=now,
            polls=self.polls + 1,
            ended_at=now if ends_now else self.ended_at,
            took_seconds=took if state is State.COMPLETED else self.took_seconds,
            video_url=(seen.video_url if state is seen.state else None) or self.video_url,
            error=self.error if state is self.state else seen.error,
            cost_usd=self.cost_usd if seen.cost_usd is None else seen.cost_usd,
            warnings=lasting + new,
            passing_warnings=new,
            sandbox=self.sandbox or seen.sandbox,
        )

    def mark_expired(self, problem: Problem) -> "Job":
        """The gateway, and its history if it has one, answered that they no longer keep it."""
        if self.is_final:
            return self.touch()
        return self.touch()._changed(state=State.EXPIRED, error=problem, ended_at=utc_now())

    def touch(self) -> "Job":
        """Record a poll that brought nothing new."""
        return self._changed(polled_at=utc_now(), polls=self.polls + 1)

    def saved(self, path: str) -> "Job":
        return self._changed(video_path=path)

    def warned(self, *sentences: str) -> "Job":
        new = tuple(s for s in sentences if s not in self.warnings)
        return self._changed(warnings=self.warnings + new) if new else self

    def _forward(self, state: State) -> State:
        return state if state.rank > self.state.rank else self.state

    def _changed(self, **values: Any) -> "Job":
        return self.model_copy(update={**values, "updated_at": utc_now()})
