"""The entries of a file: their keys, and the type and format of each value. `builder` checks whether an entry makes a
valid spec."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, cast, get_args, get_type_hints

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from hailuo_mcp.catalog.custom_models.document import OLD_KEYS, Document, Place, WrongEntry
from hailuo_mcp.core.parameters import Medium, Source
from hailuo_mcp.core.text import repr_name, repr_short

MODEL_ID = re.compile(r"[a-z0-9]+/[a-z0-9.-]+")
_REMOTE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_WIRE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINK = re.compile(r"https?://\S+")
_LINE_MAX = 300
_KINDS: tuple[str, ...] = get_args(get_type_hints(Source)["kind"])


def _format(pattern: re.Pattern[str], fix_hint: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"{repr_short(text)} {fix_hint}")
        return text

    return AfterValidator(check)


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > _LINE_MAX:
        raise ValueError(f"must be one line of words, at most {_LINE_MAX} characters")
    return text.strip()


def _source(value: object) -> Source:
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "")
    kind, _, where = (part.strip() for part in value.partition(":"))
    if kind not in _KINDS or not where:
        kinds = ", ".join(f"{kind}:" for kind in _KINDS)
        raise ValueError(
            f"{repr_short(value)} does not say how it is known; begin with {kinds} and then say where it was found"
        )
    return Source(kind, _one_line(where))  # pyright: ignore[reportArgumentType]  one of _KINDS, as checked above


def _plain(value: object) -> bool | int | str:
    if not isinstance(value, bool | int | str):
        raise ValueError("must be a string, a whole number, true or false")
    return value


def _choice(value: object) -> bool | int | str | tuple[bool | int | str, ...]:
    if isinstance(value, list) and value:
        return tuple(_plain(one) for one in cast("list[object]", value))
    return _plain(cast("object", value))


Words = Annotated[str, AfterValidator(_one_line)]
SourceText = Annotated[Source, PlainValidator(_source)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[Amount, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Value = Annotated[bool | int | str, PlainValidator(_plain)]
"""The value of a parameter."""
Condition = dict[str, Annotated[bool | int | str | tuple[bool | int | str, ...], PlainValidator(_choice)]]
"""Parameters to their values; a list means one of these."""
Pair = Annotated[list[Positive], Field(min_length=2, max_length=2)]


def _keys_for(field: str) -> str | AliasChoices:
    return AliasChoices(field, OLD_KEYS[field]) if field in OLD_KEYS else field


class Entry(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=AliasGenerator(validation_alias=_keys_for)
    )


class ParameterEntry(Entry):
    wire_name: Annotated[str, _format(_WIRE_NAME, "is not a field name; take letters, digits and _")] | None = None
    required: bool = False
    wire_form: Literal["plain", "upper", "lower", "text", "list"] | None = None
    values: Annotated[list[Value], Field(min_length=1)] | None = None
    minimum: int | None = None
    maximum: int | None = None
    max_length: Count | None = None
    max_items: Count | None = None
    default: Value | None = None
    sends_null: bool = False
    rule: Words | None = None
    source: SourceText


class RuleEntry(Entry):
    """`forbid`, or `these` and `those`, or `at_most` and `together`."""

    forbid: Annotated[Condition, Field(min_length=1)] | None = None
    these: Annotated[list[str], Field(min_length=1)] = []
    those: Annotated[list[str], Field(min_length=1)] = []
    at_most: Count | None = None
    together: Annotated[list[str], Field(min_length=2)] = []
    fix_hint: Words
    source: SourceText


class FillEntry(Entry):
    parameter: str
    value: Value
    when: Condition = {}


class MediaEntry(Entry):
    formats: Annotated[list[Words], Field(min_length=1)]
    megabytes: Positive
    pixels: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None
    ratio: Pair | None = None
    seconds: Pair | None = None
    total_seconds: Positive | None = None
    frame_rate: Pair | None = None
    codecs: list[Words] = []
    source: SourceText


class PriceEntry(Entry):
    usd: Amount
    kind: Literal["exact", "upper bound", "average"]
    source: Words
    as_of: date
    when: Condition = {}
    per: Literal["clip", "second"] = "clip"
    charges_videos: bool = False
    usd_per_image: Amount = 0.0
    free_images: Annotated[int, Field(ge=0)] = 0


class TimeEntry(Entry):
    seconds: Positive
    when: Condition = {}


class AdviceEntry(Entry):
    text: Words
    when: Annotated[Condition, Field(min_length=1)]


class NoteEntry(Entry):
    text: Words
    source: SourceText


class ModelEntry(Entry):
    id: Annotated[str, _format(MODEL_ID, 'is not a model id; write "<gateway>/<name>" in a-z, 0-9, . and -')]
    remote_name: Annotated[str, _format(_REMOTE_NAME, "is not a valid model name; take letters, digits, . _ - and /")]
    summary: Words
    body_format: str | None = None
    documented_at: Annotated[str, _format(_LINK, 'is not a web address; write "https://…"')]
    parameters: Mapping[str, ParameterEntry] = {}
    rules: list[RuleEntry] = []
    fills: list[FillEntry] = []
    media: Mapping[Medium, MediaEntry] = {}
    notes: list[NoteEntry] = []
    prices: list[PriceEntry] = []
    times: list[TimeEntry] = []
    advice: list[AdviceEntry] = []
    typical_seconds: Positive | None = None
    """The earlier form of one entry of `times` without `when`."""


class FileEntry(Entry):
    models: list[ModelEntry]


_KINDS_OF_VALUE: Mapping[str, str] = {
    "string_type": 'must be a string: write it in quotes, as "…"',
    "bool_type": "must be true or false, without quotes",
    "float_type": "must be a number, without quotes",
    "int_type": "must be a whole number, without quotes",
    "list_type": "must be a list: write [ … ], or [[ … ]] above each table of it",
    "dict_type": "must be a table: write [ … ] above its lines",
    "model_type": "must be a table: write [ … ] above its lines",
    "date_type": "must be a date such as 2026-11-01, without quotes",
    "too_short": "is empty; name at least one, or leave it out",
}


def read_entries(document: Document) -> list[ModelEntry]:
    """Raises SettingsError for the first error in the file."""
    try:
        return FileEntry.model_validate(document.values).models
    except ValidationError as error:
        wrong = [_wrong(one) for one in error.errors(include_url=False)]
    # Missing keys come last: the key may be present but misspelt.
    raise document.refusal(min(wrong, key=lambda one: (one.is_gap, document.line_of(one.place))))


def _wrong(error: ErrorDetails) -> WrongEntry:
    place: Place = error["loc"]
    name = repr_name(str(next((step for step in reversed(place) if isinstance(step, str)), "the file")))
    match error["type"]:
        case "missing":
            return WrongEntry(place, f"{name} is missing; add it", is_gap=True)
        case "extra_forbidden":
            known = _keys_at(place[:-1])
            return WrongEntry(place, f"there is no key {name}; known here are {', '.join(known)}")
        case "literal_error":
            return WrongEntry(place, f"{name} {repr_short(error['input'])} is unknown; take {error['ctx']['expected']}")  # pyright: ignore[reportTypedDictNotRequiredAccess]  pydantic always gives it
        case kind if kind in _KINDS_OF_VALUE:
            return WrongEntry(place, f"{name} {_KINDS_OF_VALUE[kind]}")
        case "value_error":
            return WrongEntry(place, f"{name} {error['msg'].removeprefix('Value error, ')}")
        case _:
            return WrongEntry(place, f"{name} {error['msg'].replace('Input should', 'should')}; correct it")


def _keys_at(place: Place) -> list[str]:
    """The keys of the table at this place."""
    kind: type[Entry] = ModelEntry if place else FileEntry
    if len(place) > 2:
        *_, kind = get_args(ModelEntry.model_fields[str(place[2])].annotation)  # a list or a mapping of entries
    return [name for name in kind.model_fields if name != "typical_seconds"]
