"""Parameter specs: what a model takes, from which everything else is derived.

A model is one frozen pydantic class: its fields have the canonical names and types of this file, its serialization
aliases give the wire names, its `rules` the combinations that do not exist. The JSON schema, the validation, the wire
body and the tables in the README all come from that class, and from nothing else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError
from pydantic_core import ErrorDetails

from hailuo_mcp.core.errors import InvalidInput

PROMPT_MAX = 2000
URL_MAX = 2048
JsonSchema = dict[str, Any]


# --- where a constraint comes from --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact comes from, and how far it can be trusted."""

    kind: Literal["documented", "sdk", "observed", "inferred"]
    where: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}"


MINIMAX = Source("documented", "MiniMax API reference")


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint on a parameter in words, with its source; metadata of a spec's field."""

    source: Source
    text: str


@dataclass(frozen=True, slots=True)
class SendsNull:
    """The gateway documents null for an absent value: null is accepted, and sent when nothing is given."""


# --- canonical parameter types ------------------------------------------------------------------------------------


def _whole_number(value: object) -> object:
    """Models send numbers as strings: `"6"` is taken. A boolean is an `int` to Python, and no number to anyone else."""
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number of seconds")  # pydantic makes an error of nothing else
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


Prompt = Annotated[
    str,
    Field(min_length=1, max_length=PROMPT_MAX, pattern=r"\S"),
    Constraint(MINIMAX, f"1–{PROMPT_MAX} characters, not only spaces"),
]
Image = Annotated[str, Field(min_length=1)]
_HOST = r"[^\s/?#@\[\]\\]+"
ImageUrl = Annotated[str, Field(pattern=rf"^[Hh][Tt][Tt][Pp][Ss]?://{_HOST}([/?#]\S*)?(?!\s)$", max_length=URL_MAX)]
Duration = Annotated[Literal[6, 10], BeforeValidator(_whole_number)]
Resolution = Annotated[Literal["768p", "1080p"], BeforeValidator(_lower)]
AnyResolution = Annotated[Literal["512p", "768p", "1080p"], BeforeValidator(_lower)]
Mode = Annotated[Literal["standard", "pro"], BeforeValidator(_lower)]
Routing = Annotated[Literal["auto", "value", "official"], BeforeValidator(_lower)]
CallbackUrl = Annotated[str, Field(pattern=rf"^https://{_HOST}(/\S*)?(?!\s)$", max_length=URL_MAX)]
Flag = StrictBool


@dataclass(frozen=True, slots=True)
class Canonical:
    """A parameter as the merged schema lists it: one flat JSON type, and its meaning in a few words."""

    schema: Mapping[str, Any]
    meaning: str


def _text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


CANONICAL: Mapping[str, Canonical] = {
    "prompt": Canonical(
        _text(minLength=1, maxLength=PROMPT_MAX),
        "What happens in the clip. Camera moves in brackets: [Push in], [Pan left].",
    ),
    "first_frame_image": Canonical(_text(), "Picture the clip starts from: URL, data: URI or file path (JPG/PNG)."),
    "last_frame_image": Canonical(_text(), "Picture it ends on."),
    "duration": Canonical(
        {"type": "integer", "minimum": 6, "maximum": 10}, "Seconds, 6 (default) or 10. 10 s not at 1080p."
    ),
    "resolution": Canonical(_text(enum=["512p", "768p", "1080p"]), "Frame height; defaults differ."),
    "mode": Canonical(_text(enum=["standard", "pro"]), "Quality tier."),
    "prompt_optimizer": Canonical({"type": "boolean"}, "Let the model rewrite the prompt (default true)."),
    "go_fast": Canonical({"type": "boolean"}, "Faster, slightly lower quality."),
    "fast_pretreatment": Canonical({"type": "boolean"}, "Shorter prompt rewriting."),
    "routing": Canonical(_text(enum=["auto", "value", "official"]), "Routing strategy."),
    "callback_url": Canonical(_text(), "https webhook told of the end; its host must be allowed."),
}
CANONICAL_TYPES: Mapping[str, Any] = {
    "prompt": Prompt,
    "first_frame_image": Image,
    "last_frame_image": Image,
    "duration": Duration,
    "resolution": AnyResolution,
    "mode": Mode,
    "prompt_optimizer": Flag,
    "go_fast": Flag,
    "fast_pretreatment": Flag,
    "routing": Routing,
    "callback_url": CallbackUrl,
}
"""The widest type of each canonical parameter; a model may take less."""
IMAGE_PARAMETERS = ("first_frame_image", "last_frame_image")


# --- rules, prices ------------------------------------------------------------------------------------------------


class Given(Enum):
    """Stands in a rule for any value at all."""

    ANY = "any value"


GIVEN = Given.ANY


def are(values: Mapping[str, Any], spec: "ModelSpec") -> bool:
    """Whether a spec has all of these values."""
    given = {name: getattr(spec, name) for name in values}
    return all(given[name] is not None if value is GIVEN else given[name] == value for name, value in values.items())


@dataclass(frozen=True, slots=True)
class Forbid:
    """A combination of values that the model does not have; defaults count as given. `GIVEN` means that the parameter
    is there, None that it is not. `fix_hint` says what to pass instead."""

    values: Mapping[str, Any]
    fix_hint: str
    source: Source

    def __str__(self) -> str:
        present = [n if v is GIVEN else f"{n}={str(v).lower()}" for n, v in self.values.items() if v is not None]
        absent = [name for name, value in self.values.items() if value is None]
        return " with ".join(present) + "".join(f" without {name}" for name in absent)

    def broken_by(self, spec: "ModelSpec") -> bool:
        return are(self.values, spec)

    def as_schema(self, model: type["ModelSpec"]) -> JsonSchema:
        """The rule as JSON Schema: not all of these at once, where an absent property counts as its default."""
        clauses: list[JsonSchema] = []
        for name, value in self.values.items():
            wanted: JsonSchema = {"not": {"const": None}} if value is GIVEN else {"const": value}
            clause: JsonSchema = {"properties": {name: wanted}}
            default = model.model_fields[name].default
            if default is None if value is GIVEN else default != value:
                clause["required"] = [name]
            clauses.append(clause)
        return {"not": {"allOf": clauses}}


@dataclass(frozen=True, slots=True)
class Price:
    """An estimate in US dollars for one clip, never more than the source bears out."""

    usd: float
    kind: Literal["exact", "upper bound", "average"]
    source: str
    as_of: date


@dataclass(frozen=True, slots=True)
class PriceRule:
    """A price, and the values it is for; defaults count as given."""

    price: Price
    when: Mapping[str, Any]

    def holds(self, spec: "ModelSpec") -> bool:
        return are(self.when, spec)


# --- the spec -----------------------------------------------------------------------------------------------------


class ModelSpec(BaseModel):
    """What one model takes. Subclass it in a gateway's file; an instance is one validated, complete set of
    parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid", regex_engine="python-re", populate_by_name=True)

    id: ClassVar[str]
    """`<gateway>/<name>`, the model id users see."""
    remote_name: ClassVar[str]
    """The gateway's own name of it, as it stands in a route or a body."""
    summary: ClassVar[str]
    """What goes in and comes out, in a few words."""
    documented_at: ClassVar[str]
    rules: ClassVar[tuple[Forbid, ...]] = ()
    notes: ClassVar[tuple[Constraint, ...]] = ()
    """Facts that bind no single parameter."""
    price_rules: ClassVar[tuple[PriceRule, ...]] = ()
    """Published prices; the first that holds is the estimate."""
    usual_seconds: ClassVar[float | None] = None
    wire_names: ClassVar[Mapping[str, str]] = {}
    """What the gateway calls canonical parameters, where it has other words; for models that come from a file."""

    prompt: Prompt

    @classmethod
    def parse(cls, arguments: Mapping[str, Any]) -> Self:
        """Validate arguments by canonical name.

        Raises:
            InvalidInput: the message names every wrong value, the hint every cure.
        """
        problems: list[tuple[str, str]] = [
            (f"{name} must not be null", f"pass {name}" if cls.is_required(name) else f"leave {name} out")
            for name, value in arguments.items()
            if value is None and name in cls.model_fields and not cls.accepts_null(name)
        ]
        spec: Self | None = None
        # pydantic stumbles over half a surrogate in a name before it can call the name unknown.
        readable = {name.encode(errors="backslashreplace").decode(): value for name, value in arguments.items()}
        try:
            spec = cls.model_validate(readable, by_name=True, by_alias=False)
        except ValidationError as error:
            null = {name for name, value in arguments.items() if value is None}
            problems += [
                cls._explain(e) for e in error.errors(include_url=False) if e["loc"][0] not in null or _is_extra(e)
            ]
        else:
            problems += [
                (f"{rule} is not available on {cls.id}", rule.fix_hint) for rule in cls.rules if rule.broken_by(spec)
            ]
        if spec is None or problems:
            hint = "; ".join(dict.fromkeys(cure for _, cure in problems if cure))
            raise InvalidInput(
                "; ".join(what for what, _ in problems), hint[:1].upper() + hint[1:] + "." if hint else None
            )
        return spec

    @classmethod
    def _explain(cls, error: ErrorDetails) -> tuple[str, str]:
        """One validation error as (what is wrong with which value, what to pass instead)."""
        name = str(error["loc"][0])
        given = repr_short(error["input"])
        match error["type"]:
            case "missing":
                return f"{name} is missing; {cls.id} requires it", f"pass {name}"
            case "extra_forbidden":
                given = "not shown" if _SECRET_NAME.search(name) else f"given: {given}"
                return f"{cls.id} does not take {repr_name(name)} ({given})", f"leave {repr_name(name)} out"
            case "string_too_long" if name == "prompt":
                length = len(error["input"])
                return f"prompt has {length} characters; at most {PROMPT_MAX} are possible", "shorten the prompt"
            case "string_too_short" | "string_pattern_mismatch" if name == "prompt":
                return "prompt is empty", "say in the prompt what should happen in the clip"
            case "string_pattern_mismatch" if name in IMAGE_PARAMETERS:
                return (
                    f"{name} must be an http(s) URL for {cls.id}, got {given}",
                    "put the picture on a web address and pass that",
                )
            case "string_too_short" if name in IMAGE_PARAMETERS:
                return f"{name} is empty", f"pass {name} as a URL, a data: URI or a file path"
            case "string_too_long":
                length = len(error["input"])
                return f"{name} has {length} characters; that is too many", f"pass a shorter {name}"
            case "string_pattern_mismatch":
                return f"{name} must be an https URL, got {given}", f"pass {name} as https://host/path"
            case _:
                wants = describe(cls.property_schemas()[name]) if name in cls.model_fields else error["msg"]
                return f"{name} must be {wants}, got {given}", f"pass {name} as {wants}"

    @classmethod
    def accepts(cls, name: str) -> bool:
        return name in cls.model_fields

    @classmethod
    def is_required(cls, name: str) -> bool:
        return name in cls.model_fields and cls.model_fields[name].is_required()

    @classmethod
    def wire_name(cls, name: str) -> str:
        """What a parameter is called in the body."""
        return (cls.model_fields[name].serialization_alias if name in cls.model_fields else None) or name

    @classmethod
    def accepts_null(cls, name: str) -> bool:
        return any(isinstance(m, SendsNull) for m in cls.model_fields[name].metadata)

    @classmethod
    def constraints(cls) -> list[dict[str, str]]:
        """Every constraint with where it comes from, for `list_models`."""
        rows = [
            {"parameter": name, "rule": said.text, "source": str(said.source)}
            for name, field in cls.model_fields.items()
            for said in field.metadata
            if isinstance(said, Constraint)
        ]
        rows += [
            {"parameter": ", ".join(rule.values), "rule": f"not {rule}; {rule.fix_hint}", "source": str(rule.source)}
            for rule in cls.rules
        ]
        return rows + [{"parameter": "", "rule": said.text, "source": str(said.source)} for said in cls.notes]

    @classmethod
    def property_schemas(cls) -> dict[str, JsonSchema]:
        """Property name to its JSON schema, without the cross-field rules."""
        generated: JsonSchema = cls.model_json_schema(by_alias=False)["properties"]
        properties: dict[str, JsonSchema] = {}
        for name, raw in generated.items():
            schema = {k: v for k, v in raw.items() if k not in ("title", "anyOf")}
            for branch in raw.get("anyOf", ()):
                if branch != {"type": "null"}:
                    schema = {**branch, **schema}
            if schema.get("default", 0) is None:
                del schema["default"]
            if "const" in schema:  # a choice of one, said as every other choice is
                schema["enum"] = [schema.pop("const")]
            if cls.accepts_null(name):
                schema |= {"type": [schema["type"], "null"], "default": None}
            schema["description"] = CANONICAL[name].meaning if name in CANONICAL else ""
            properties[name] = schema
        return properties

    @classmethod
    def full_schema(cls) -> JsonSchema:
        """JSON Schema 2020-12 with the cross-field rules: accepts what `parse` accepts, its leniencies aside."""
        schema: JsonSchema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": cls.property_schemas(),
            "required": [name for name in cls.model_fields if cls.is_required(name)],
            "additionalProperties": False,
        }
        if cls.rules:
            schema["allOf"] = [rule.as_schema(cls) for rule in cls.rules]
        return schema

    def price(self) -> Price | None:
        """The estimate for these parameters; None where nobody publishes one."""
        return next((tariff.price for tariff in self.price_rules if tariff.holds(self)), None)

    def typical_seconds(self) -> float | None:
        """The published time for these parameters; None where there is none."""
        return self.usual_seconds

    def advice(self) -> list[str]:
        """Sentences worth telling with the result; nothing here refuses the call."""
        return []

    def to_dict(self) -> dict[str, Any]:
        """The parameters by canonical name, defaults included, absent ones left out."""
        return self.model_dump(mode="json", by_alias=False, exclude_none=True)

    def to_body(self) -> dict[str, Any]:
        """The parameters by wire name. Every documented default is sent, so that what was asked is on record; what is
        absent is left out, unless the gateway documents null for it."""
        absent = {n for n in type(self).model_fields if getattr(self, n) is None and not self.accepts_null(n)}
        return self.model_dump(mode="json", by_alias=True, exclude=absent)


def _is_extra(error: ErrorDetails) -> bool:
    return error["type"] == "extra_forbidden"


_SECRET_NAME = re.compile(r"key|token|secret|passw|auth|credential", re.IGNORECASE)
"""Names of arguments whose values are repeated to nobody."""
_SHOWN_MAX = 60


def repr_short(value: object) -> str:
    """A value as a message shows it: short, on one line, and quoted like JSON. What a `data:` URI holds is nobody's to
    read."""
    if isinstance(value, str):
        text = f"{value.split(',', 1)[0]},…" if value[:5].lower() == "data:" else value
        return f'"{_plain(text)}"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    try:
        return _plain(repr(value))
    except ValueError:  # Python refuses to write out very large integers
        return "a very large number"


def repr_name(name: str) -> str:
    """The name of a parameter nobody knows, short and on one line."""
    return _plain(name)


def _plain(text: str) -> str:
    cut = text[: _SHOWN_MAX + 1]
    plain = "".join(c if c.isprintable() else " " for c in cut)
    return plain if len(plain) <= _SHOWN_MAX else plain[:_SHOWN_MAX] + "…"


def describe(schema: JsonSchema) -> str:
    """What a property's schema takes, in words."""
    if "enum" in schema:
        return " or ".join(str(v) for v in schema["enum"])
    words = {"boolean": "true or false", "integer": "a whole number", "string": "a string"}
    kind: str | list[str] = schema["type"]
    return " or ".join(words.get(k, k) for k in ([kind] if isinstance(kind, str) else kind))
