"""What a file may say of a model, as it stands there: names, types and forms. Whether it makes sense as a spec is
decided where the spec is built."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, get_args, get_type_hints

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from hailuo_mcp.catalog.custom_models.document import Document, Place, WrongEntry
from hailuo_mcp.core.spec import Source, repr_name, repr_short

MODEL_ID = re.compile(r"[a-z0-9]+/[a-z0-9.-]+")
_REMOTE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_WIRE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINK = re.compile(r"https?://\S+")
_LINE_MAX = 300
_KINDS: tuple[str, ...] = get_args(get_type_hints(Source)["kind"])


def _form(pattern: re.Pattern[str], cure: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise PydanticCustomError("form", "{given} {cure}", {"given": repr_short(text), "cure": cure})
        return text

    return AfterValidator(check)


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > _LINE_MAX:
        raise PydanticCustomError(
            "form", "{cure}", {"cure": f"must be one line of words, at most {_LINE_MAX} characters"}
        )
    return text.strip()


def _source(value: object) -> Source:
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "")
    kind, _, where = (part.strip() for part in value.partition(":"))
    if kind not in _KINDS or not where:
        raise PydanticCustomError(
            "form",
            "{given} does not say how it is known; begin with {kinds}, then what it was read in",
            {"given": repr_short(value), "kinds": ", ".join(f"{kind}:" for kind in _KINDS)},
        )
    return Source(kind, _one_line(where))  # pyright: ignore[reportArgumentType]  one of them, as was seen above


def _no_whole_number_as_yes_or_no(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("float_type", "")
    return value


def _plain(value: object) -> bool | int | str:
    if not isinstance(value, bool | int | str):
        raise PydanticCustomError("form", "must be a string, a whole number, true or false")
    return value


Words = Annotated[str, AfterValidator(_one_line)]
Known = Annotated[Source, PlainValidator(_source)]
Amount = Annotated[float, BeforeValidator(_no_whole_number_as_yes_or_no), Field(ge=0, allow_inf_nan=False)]
Value = Annotated[bool | int | str, PlainValidator(_plain)]
"""Of a parameter."""


class Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ParameterEntry(Entry):
    wire: Annotated[str, _form(_WIRE_NAME, "is no name of a field; take letters, digits and _")] | None = None
    required: bool = False
    values: Annotated[list[Value], Field(min_length=1)] | None = None
    default: Value | None = None
    null_sent: bool = False
    says: Words | None = None
    source: Known


class RuleEntry(Entry):
    forbid: Annotated[dict[str, Value], Field(min_length=1)]
    cure: Words
    source: Known


class PriceEntry(Entry):
    usd: Amount
    kind: Literal["exact", "upper bound", "average"]
    source: Words
    as_of: date
    when: dict[str, Value] = {}


class ModelEntry(Entry):
    id: Annotated[str, _form(MODEL_ID, 'is no model id; write "<gateway>/<name>" in a-z, 0-9, . and -')]
    remote_name: Annotated[str, _form(_REMOTE_NAME, "is no name a gateway has; take letters, digits, . _ - and /")]
    makes: Words
    shape: str | None = None
    documented_at: Annotated[str, _form(_LINK, 'is no web address; write "https://…"')]
    typical_seconds: Annotated[Amount, Field(gt=0)] | None = None
    parameters: Mapping[str, ParameterEntry] = {}
    rules: list[RuleEntry] = []
    prices: list[PriceEntry] = []


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
    """Raises SettingsError: the first thing that is wrong, by the order of the lines."""
    try:
        return FileEntry.model_validate(document.values).models
    except ValidationError as error:
        wrong = [_wrong(one) for one in error.errors(include_url=False)]
    # What is missing comes last: it may be there, and only misspelt.
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
        case "form":
            return WrongEntry(place, f"{name} {error['msg']}")
        case _:
            return WrongEntry(place, f"{name} {error['msg'].replace('Input should', 'should')}; correct it")


def _keys_at(place: Place) -> list[str]:
    """The keys that the table at this place may have."""
    kinds: dict[int, type[Entry]] = {0: FileEntry, 2: ModelEntry}
    inside: Mapping[str, type[Entry]] = {"parameters": ParameterEntry, "rules": RuleEntry, "prices": PriceEntry}
    kind = kinds.get(len(place)) or inside[str(place[2])]
    return list(kind.model_fields)
