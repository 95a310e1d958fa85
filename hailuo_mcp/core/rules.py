"""Facts about a model that depend on parameter values: combinations it does not have, prices, times and advice. Each is
data, matched against the values of a spec; a default counts as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel

from hailuo_mcp.core.parameters import JsonSchema, Source


class Given(Enum):
    """In a rule, matches any value except None."""

    ANY = "any value"


GIVEN = Given.ANY
Values = Mapping[str, Any]
"""Parameter name to a value, `GIVEN` for any value, or None for none."""


def matches(values: Values, spec: BaseModel) -> bool:
    """Whether a spec has all of these values."""
    given = {name: getattr(spec, name) for name in values}
    return all(given[name] is not None if value is GIVEN else given[name] == value for name, value in values.items())


@dataclass(frozen=True, slots=True)
class Forbid:
    """A combination of values that the model does not have; `fix_hint` says what to pass instead."""

    values: Values
    fix_hint: str
    source: Source

    def __str__(self) -> str:
        present = [n if v is GIVEN else f"{n}={str(v).lower()}" for n, v in self.values.items() if v is not None]
        absent = [name for name, value in self.values.items() if value is None]
        return " with ".join(present) + "".join(f" without {name}" for name in absent)

    def matches(self, spec: BaseModel) -> bool:
        return matches(self.values, spec)

    def as_schema(self, defaults: Mapping[str, Any]) -> JsonSchema:
        """The rule as JSON Schema: not all of these at once, where an absent property counts as its default."""
        clauses: list[JsonSchema] = []
        for name, value in self.values.items():
            wanted: JsonSchema = {"not": {"const": None}} if value is GIVEN else {"const": value}
            clause: JsonSchema = {"properties": {name: wanted}}
            default = defaults[name]
            if default is None if value is GIVEN else default != value:
                clause["required"] = [name]
            clauses.append(clause)
        return {"not": {"allOf": clauses}}


@dataclass(frozen=True, slots=True)
class PriceRule:
    """What one clip costs in US dollars, for the values in `when`."""

    usd: float
    kind: Literal["exact", "upper bound", "average"]
    source: str
    as_of: date
    when: Values = field(default_factory=dict[str, Any])

    def matches(self, spec: BaseModel) -> bool:
        return matches(self.when, spec)


@dataclass(frozen=True, slots=True)
class TimeRule:
    """How many seconds a job usually takes, for the values in `when`."""

    seconds: float
    when: Values = field(default_factory=dict[str, Any])

    def matches(self, spec: BaseModel) -> bool:
        return matches(self.when, spec)


@dataclass(frozen=True, slots=True)
class Advice:
    """A sentence that goes with the result of a call with the values in `when`; the call itself is accepted."""

    text: str
    when: Values

    def matches(self, spec: BaseModel) -> bool:
        return matches(self.when, spec)
