"""What the doctor reports: findings, and the report that holds them."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """It works, but perhaps not as expected."""
    PROBLEM = "problem"
    """Something that is set up does not work."""


class Finding(BaseModel):
    """One result of a check. `topic` names what was checked in a word or two; `fix` is empty if nothing needs fixing.

    `doctor --json` has its own, older names for the fields."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    level: Level
    topic: str = Field(serialization_alias="about")
    message: str = Field(serialization_alias="what")
    fix: str = Field("", serialization_alias="cure")


def ok(topic: str, message: str, fix: str = "") -> Finding:
    return Finding(level=Level.OK, topic=topic, message=message, fix=fix)


def warning(topic: str, message: str, fix: str) -> Finding:
    return Finding(level=Level.WARNING, topic=topic, message=message, fix=fix)


def problem(topic: str, message: str, fix: str) -> Finding:
    return Finding(level=Level.PROBLEM, topic=topic, message=message, fix=fix)


class Report(BaseModel):
    """All findings; what others depend on comes first."""

    model_config = ConfigDict(frozen=True)

    version: str
    verdict: Level
    """The worst level of the findings."""
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, version: str, findings: tuple[Finding, ...]) -> "Report":
        order = list(Level)
        verdict = max((finding.level for finding in findings), key=order.index, default=Level.OK)
        return cls(version=version, verdict=verdict, findings=findings)
