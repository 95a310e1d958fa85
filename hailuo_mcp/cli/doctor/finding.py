"""What was looked at, how it stands, and how to mend it."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """It works, but not as somebody may believe."""
    PROBLEM = "problem"
    """Something that was set up does not work."""


class Finding(BaseModel):
    """One thing that was looked at. `about` names it in a word or two; `cure` is empty where nothing needs mending."""

    model_config = ConfigDict(frozen=True)

    level: Level
    about: str
    what: str
    cure: str = ""


def ok(about: str, what: str, cure: str = "") -> Finding:
    return Finding(level=Level.OK, about=about, what=what, cure=cure)


def warning(about: str, what: str, cure: str) -> Finding:
    return Finding(level=Level.WARNING, about=about, what=what, cure=cure)


def problem(about: str, what: str, cure: str) -> Finding:
    return Finding(level=Level.PROBLEM, about=about, what=what, cure=cure)


class Report(BaseModel):
    """Every finding, in the order in which things depend on each other."""

    model_config = ConfigDict(frozen=True)

    version: str
    verdict: Level
    """The worst of the findings."""
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, version: str, findings: tuple[Finding, ...]) -> "Report":
        order = list(Level)
        verdict = max((finding.level for finding in findings), key=order.index, default=Level.OK)
        return cls(version=version, verdict=verdict, findings=findings)

    def count(self, level: Level) -> int:
        return sum(finding.level is level for finding in self.findings)
