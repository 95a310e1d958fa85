"""Facts about a model that depend on parameter values: combinations it does not have, values for absent
parameters, prices, times and advice. Each is data, matched against the values of a spec; a default counts as a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from typing import Any, Literal

from pydantic import BaseModel

from hailuo_mcp.core.parameters import MEDIA_PARAMETERS, JsonSchema, Source

GIVEN = object()
"""In a rule, matches any value except None."""
Values = Mapping[str, Any]
"""Parameter name to a value, a tuple of possible values, `GIVEN` for any value, or None for none."""
VIDEO_SECONDS_MAX = 15
"""The length that reference videos of unknown length count as in a price: no model accepts more in total."""


def matches(values: Values, spec: BaseModel) -> bool:
    """Whether a spec has all of these values."""
    return all(_is(getattr(spec, name), value) for name, value in values.items())


def _is(given: Any, value: Any) -> bool:
    if value is GIVEN:
        return given is not None
    return given in value if isinstance(value, tuple) else given == value


@dataclass(frozen=True, slots=True)
class Forbid:
    """A combination of values that the model does not have; `fix_hint` says what to pass instead."""

    values: Values
    fix_hint: str
    source: Source

    def __str__(self) -> str:
        present = [n if v is GIVEN else f"{n}={_words(v)}" for n, v in self.values.items() if v is not None]
        absent = [name for name, value in self.values.items() if value is None]
        return " with ".join(present) + (f" without {' or '.join(absent)}" if absent else "")

    @property
    def parameters(self) -> Sequence[str]:
        return tuple(self.values)

    def matches(self, spec: BaseModel) -> bool:
        return matches(self.values, spec)

    def as_schema(self, properties: Mapping[str, JsonSchema]) -> JsonSchema:
        """Not all of these at once, where an absent property counts as its default."""
        clauses: list[JsonSchema] = []
        for name, value in self.values.items():
            value_schema: JsonSchema = {"const": value}
            if value is GIVEN:
                value_schema = {"not": {"const": None}}
            elif isinstance(value, tuple):
                value_schema = {"enum": [*value]}
            clause: JsonSchema = {"properties": {name: value_schema}}
            if not _is(properties[name].get("default"), value):
                clause["required"] = [name]
            clauses.append(clause)
        return {"not": {"allOf": clauses}}


def _words(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


@dataclass(frozen=True, slots=True)
class Exclusive:
    """Two groups of parameters, of which a call may use only one. None has a default."""

    these: tuple[str, ...]
    those: tuple[str, ...]
    fix_hint: str
    source: Source

    def __str__(self) -> str:
        return f"{'/'.join(self.these)} with {'/'.join(self.those)}"

    @property
    def parameters(self) -> Sequence[str]:
        return (*self.these, *self.those)

    def matches(self, spec: BaseModel) -> bool:
        return all(any(getattr(spec, name) is not None for name in group) for group in (self.these, self.those))

    def as_schema(self, properties: Mapping[str, JsonSchema]) -> JsonSchema:
        return {"not": {"allOf": [{"anyOf": [{"required": [n]} for n in group]} for group in (self.these, self.those)]}}


@dataclass(frozen=True, slots=True)
class AtMost:
    """How many entries several lists may have in total."""

    count: int
    together: tuple[str, ...]
    fix_hint: str
    source: Source

    def __str__(self) -> str:
        return f"more than {self.count} of {', '.join(self.together)} together"

    @property
    def parameters(self) -> Sequence[str]:
        return self.together

    def matches(self, spec: BaseModel) -> bool:
        return sum(len(getattr(spec, name) or ()) for name in self.together) > self.count

    def as_schema(self, properties: Mapping[str, JsonSchema]) -> JsonSchema:
        """Forbids each minimal combination of lengths that exceeds the limit; every larger one contains one of
        these."""
        lengths = [range(properties[name].get("maxItems", self.count + 1) + 1) for name in self.together]
        smallest = [one for one in product(*lengths) if sum(one) == self.count + 1]
        lists = [{name: {"minItems": n} for name, n in zip(self.together, one, strict=True) if n} for one in smallest]
        clauses = [{"required": [*least], "properties": least} for least in lists]
        return {"not": {"anyOf": clauses}} if clauses else {}


Rule = Forbid | Exclusive | AtMost
"""What a model does not accept. `str()` describes it, `matches` says whether a spec breaks it, and `as_schema` is the
rule as JSON Schema, for a model with these properties."""


@dataclass(frozen=True, slots=True)
class _Conditional:
    """Something that applies to the values in `when`."""

    when: Values = field(default_factory=dict[str, Any], kw_only=True)

    def matches(self, spec: BaseModel) -> bool:
        return matches(self.when, spec)


@dataclass(frozen=True, slots=True)
class Fill(_Conditional):
    """The value of an absent parameter, given the values in `when`; the first that matches counts. A value that depends
    on nothing is a plain default."""

    parameter: str
    value: Any

    def matches(self, spec: BaseModel) -> bool:
        return getattr(spec, self.parameter) is None and matches(self.when, spec)


PriceKind = Literal["exact", "upper bound", "average"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one clip costs in US dollars, and the source of that price."""

    usd: float
    kind: PriceKind
    source: str
    as_of: date


@dataclass(frozen=True, slots=True)
class PriceRule(_Conditional):
    """A published price in US dollars, for the values in `when`."""

    usd: float
    kind: PriceKind
    source: str
    as_of: date
    per: Literal["clip", "second"] = "clip"
    """What `usd` buys: the whole clip, or one second of it."""
    charges_videos: bool = False
    """Whether each second of the reference videos costs as much as a second of the clip, each video rounded up."""
    usd_per_image: float = 0.0
    free_images: int = 0
    """Images beyond this number cost `usd_per_image` each; frames count."""

    def estimate(self, spec: BaseModel, video_seconds: float | None) -> Estimate:
        """The price of this clip. `video_seconds`: total length of the reference videos, each rounded up; if unknown,
        the maximum is assumed and the estimate is an upper bound."""
        usd, kind = self.usd, self.kind
        if self.per == "second":
            seconds: float = getattr(spec, "duration", 0)
            if self.charges_videos and getattr(spec, "reference_videos", None):
                seconds += VIDEO_SECONDS_MAX if video_seconds is None else video_seconds
                kind = "upper bound" if video_seconds is None else kind
            usd *= seconds
        images = 0
        for name, medium in MEDIA_PARAMETERS.items():
            given = getattr(spec, name, None)
            if medium == "image" and given is not None:
                images += 1 if isinstance(given, str) else len(given)
        usd += self.usd_per_image * max(0, images - self.free_images)
        return Estimate(round(usd, 6), kind, self.source, self.as_of)


@dataclass(frozen=True, slots=True)
class TimeRule(_Conditional):
    """How many seconds a job usually takes, for the values in `when`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Advice(_Conditional):
    """A sentence added to the result of a call with the values in `when`; the call itself is accepted."""

    text: str
