"""A model is data: one frozen pydantic class says which parameters it accepts, under which names it sends them, which
combinations it does not have, what it costs and how long it takes. The JSON schema, the validation, the request body
and the tables of the README are derived from that class alone."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from hailuo_mcp.core.arguments import GENERATE_ARGUMENTS, check_names, present, refuse
from hailuo_mcp.core.json_schema import json_schema_of
from hailuo_mcp.core.parameters import (
    CANONICAL,
    MEDIA_PARAMETERS,
    Constraint,
    JsonSchema,
    MediaRule,
    Medium,
    OnPage,
    Prompt,
    SendsNull,
    Source,
)
from hailuo_mcp.core.rules import Advice, Estimate, Fill, PriceRule, Rule, TimeRule
from hailuo_mcp.core.text import describe, repr_short

WireForm = Literal["plain", "upper", "lower", "text", "list"]
"""How a value is written in a request body: unchanged, in upper or lower case, a number as text, one value as a
list."""
_WRITERS: Mapping[WireForm, Callable[[Any], Any]] = {
    "plain": lambda value: value,
    "upper": str.upper,
    "lower": str.lower,
    "text": str,
    "list": lambda value: [value],
}


class ModelSpec(BaseModel):
    """One model. Subclass it in a gateway's file; an instance is one complete, validated set of parameters."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        regex_engine="python-re",
        defer_build=True,  # start-up time: most users can use the models of one gateway
    )

    id: ClassVar[str]
    """`<gateway>/<name>`, the id that users see; see `ModelId`."""
    remote_name: ClassVar[str]
    """The gateway's own name for the model, as used in a route or a body."""
    summary: ClassVar[str]
    """Input and output in a few words: "image to video"."""
    documented_at: ClassVar[str]
    page: ClassVar[Source]
    """The source of every `OnPage`."""
    variant: ClassVar[str] = ""
    """How it differs from the vendor's own model of this name, in a word or two. Such a model is chosen only by its id,
    or if no other has the name."""
    camera_commands: ClassVar[Source | None] = Source("inferred", "MiniMax API reference of the same model")
    """The source that says the prompt may contain camera commands such as `[Push in]`; None if there is none, and
    camera moves are plain text."""
    rules: ClassVar[tuple[Rule, ...]] = ()
    notes: ClassVar[tuple[Constraint, ...]] = ()
    """Facts that are not about a single parameter."""
    fills: ClassVar[tuple[Fill, ...]] = ()
    """Values for absent parameters that depend on other parameters."""
    media: ClassVar[Mapping[Medium, MediaRule]] = {}
    """Limits of files, by medium; images without a rule here follow `media.images`."""
    prices: ClassVar[tuple[PriceRule, ...]] = ()
    """Published prices; the first that matches is the estimate. If none matches, the price is not published."""
    times: ClassVar[tuple[TimeRule, ...]] = ()
    """Published times, in the same way."""
    advice: ClassVar[tuple[Advice, ...]] = ()
    """Warnings for valid calls; every one that matches is given."""
    wire_names: ClassVar[Mapping[str, str]] = {}
    """Canonical parameter to the gateway's name for it, where they differ. The alias of a field comes before it."""
    wire_forms: ClassVar[Mapping[str, WireForm]] = {}
    """Canonical parameter to the form of its value in the request body, where that is not the canonical one."""

    prompt: Prompt

    @classmethod
    def parse(cls, arguments: Mapping[str, Any]) -> Self:
        """Validate arguments by canonical name; null, "" and [] count as not given.

        Raises:
            InvalidInput: the message names every wrong value, and the hint says how to correct each.
        """
        names = check_names(present(arguments), cls.model_fields, f"{cls.id} does not take", GENERATE_ARGUMENTS)
        problems = names.problems
        try:
            spec = cls.model_validate(names.known)
        except ValidationError as error:
            raise refuse([*problems, *map(cls._explain, error.errors(include_url=False))]) from None
        for fill in cls.fills:
            if fill.matches(spec):
                spec = spec.model_copy(update={fill.parameter: fill.value})
        problems += [
            (f"{rule} is not available on {cls.id}", rule.fix_hint) for rule in cls.rules if rule.matches(spec)
        ]
        if problems:
            raise refuse(problems)
        return spec

    @classmethod
    def _explain(cls, error: ErrorDetails) -> tuple[str, str]:
        """One validation error as (the problem, how to correct it)."""
        parameter, *inside = error["loc"]
        name = f"{parameter}" + "".join(f"[{index}]" for index in inside)
        given = repr_short(error["input"])
        is_file = parameter in MEDIA_PARAMETERS
        is_long_link = error["type"] == "string_too_long" and error["input"].lower().startswith("http")
        match error["type"]:
            case "missing":
                return f"{name} is missing; {cls.id} requires it", f"pass {name}"
            case "string_too_long" if name == "prompt":
                length, most = len(error["input"]), cls.property_schemas()[name]["maxLength"]
                return f"prompt has {length} characters; at most {most} are possible", "shorten the prompt"
            case "string_too_short" | "string_pattern_mismatch" if name == "prompt":
                return "prompt is empty", "say in the prompt what should happen in the clip"
            case "string_pattern_mismatch" | "string_too_long" if is_file and not is_long_link:
                return (
                    f"{name} must be an http(s) URL for {cls.id}, got {given}",
                    f"put the {'image' if MEDIA_PARAMETERS[str(parameter)] == 'image' else 'file'} on a web address "
                    "and pass that",
                )
            case "string_too_short" if is_file:
                return f"{name} is empty", f"pass {name} as a URL, a data: URI or a file path"
            case "string_too_long":
                length = len(error["input"])
                return f"{name} has {length} characters; that is too many", f"pass a shorter {name}"
            case "too_long":
                length, most = len(error["input"]), cls.property_schemas()[name]["maxItems"]
                return f"{name} has {length} entries; {cls.id} takes at most {most}", f"pass fewer {name}"
            case "string_pattern_mismatch":
                return f"{name} must be an https URL, got {given}", f"pass {name} as https://host/path"
            case _:
                schema = cls.property_schemas()[str(parameter)] if parameter in cls.model_fields else None
                wants = describe(schema["items"] if inside else schema) if schema else error["msg"]
                return f"{name} must be {wants}, got {given}", f"pass {name} as {wants}"

    @classmethod
    def accepts(cls, name: str) -> bool:
        return name in cls.model_fields

    @classmethod
    def is_required(cls, name: str) -> bool:
        return cls.accepts(name) and cls.model_fields[name].is_required()

    @classmethod
    def wire_name(cls, name: str) -> str:
        """The name of a parameter in the request body."""
        return cls.wire_names.get(name, name)

    @classmethod
    def accepts_null(cls, name: str) -> bool:
        return any(isinstance(m, SendsNull) for m in cls.model_fields[name].metadata)

    @classmethod
    def constraints(cls) -> list[dict[str, str]]:
        """Every constraint with its source, for `list_models`."""
        rows = [
            {
                "parameter": name,
                "rule": each.text,
                "source": str(each.source if isinstance(each, Constraint) else cls.page),
            }
            for name, field in cls.model_fields.items()
            for each in field.metadata
            if isinstance(each, Constraint | OnPage)
        ]
        rows += [
            {"parameter": ", ".join(r.parameters), "rule": f"not {r}; {r.fix_hint}", "source": str(r.source)}
            for r in cls.rules
        ]
        for medium, rule in cls.media.items():
            names = ", ".join(name for name in cls.model_fields if MEDIA_PARAMETERS.get(name) == medium)
            rows.append({"parameter": names, "rule": str(rule), "source": str(rule.source)})
        return rows + [{"parameter": "", "rule": note.text, "source": str(note.source)} for note in cls.notes]

    @classmethod
    @cache
    def property_schemas(cls) -> Mapping[str, JsonSchema]:
        """Property name to its JSON schema, without the cross-field rules. Cached per model: do not mutate."""
        generated: JsonSchema = json_schema_of(cls)["properties"]
        properties: dict[str, JsonSchema] = {}
        for name, raw in generated.items():
            schema = {k: v for k, v in raw.items() if k not in ("title", "anyOf")}
            for branch in raw.get("anyOf", ()):
                if branch != {"type": "null"}:
                    schema = {**branch, **schema}
            if schema.get("default", 0) is None:
                del schema["default"]
            if "const" in schema:  # a single choice, written like every other choice
                schema["enum"] = [schema.pop("const")]
            if cls.accepts_null(name):
                schema |= {"type": [schema["type"], "null"], "default": None}
            schema["description"] = CANONICAL[name].meaning if name in CANONICAL else ""
            properties[name] = schema
        return properties

    @classmethod
    def full_schema(cls) -> JsonSchema:
        """JSON Schema 2020-12 with the cross-field rules. `parse` accepts the same values, plus numbers and booleans as
        strings, any letter case, and null or an empty value for optional parameters."""
        schema: JsonSchema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": (properties := cls.property_schemas()),
            "required": [name for name in cls.model_fields if cls.is_required(name)],
            "additionalProperties": False,
        }
        if cls.rules:
            schema["allOf"] = [rule.as_schema(properties) for rule in cls.rules]
        return schema

    def price(self, video_seconds: float | None = None) -> Estimate | None:
        """The estimate for these parameters; None if no price is published. `video_seconds`: as in `PriceRule`."""
        return next((price.estimate(self, video_seconds) for price in self.prices if price.matches(self)), None)

    @classmethod
    def price_range(cls) -> tuple[float, float] | None:
        """The lowest and the highest published price of a clip without references; None if no price is published."""
        seconds = cls.property_schemas().get("duration", {})
        lengths = seconds.get("enum") or (seconds.get("minimum", 0), seconds.get("maximum", 0))
        usd = [p.usd * length if p.per == "second" else p.usd for p in cls.prices for length in lengths]
        return (round(min(usd), 6), round(max(usd), 6)) if usd else None

    def typical_seconds(self) -> float | None:
        """The published time for these parameters; None if there is none."""
        return next((time.seconds for time in self.times if time.matches(self)), None)

    def warnings(self) -> list[str]:
        """The advice for these parameters."""
        return [advice.text for advice in self.advice if advice.matches(self)]

    def to_dict(self) -> dict[str, Any]:
        """The parameters by canonical name, with defaults, without absent ones."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_body(self) -> dict[str, Any]:
        """The request body: parameters by wire name. Every documented default is sent, so that the request does not
        depend on the gateway's current defaults; an absent value is left out, unless the gateway documents null."""
        absent = {n for n in type(self).model_fields if getattr(self, n) is None and not self.accepts_null(n)}
        dumped = self.model_dump(mode="json", exclude=absent)
        body: dict[str, Any] = {}
        for name, value in dumped.items():
            write = _WRITERS[self.wire_forms.get(name, "plain")]
            body[self.wire_name(name)] = None if value is None else write(value)
        return body
