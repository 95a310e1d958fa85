"""The canonical parameters: their types, their descriptions, and the sources of constraints on them. Models narrow
these types; they do not add parameters of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool

PROMPT_MAX = 2000
URL_MAX = 2048
JsonSchema = dict[str, Any]


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
    """A constraint as a sentence, with its source; metadata of a spec's field."""

    source: Source
    text: str


@dataclass(frozen=True, slots=True)
class SendsNull:
    """The gateway documents null for an absent value: null is accepted, and sent when nothing is given."""


def _whole_number(value: object) -> object:
    """Accept `"6"` and `6.0` for 6, because language models send numbers as strings. A boolean is refused, although
    Python counts it as an `int`."""
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number of seconds")  # the type that pydantic turns into an error
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def boolean(value: object) -> object:
    """Accept `"true"` and `"False"`, in any letter case."""
    return {"true": True, "false": False}.get(value.strip().lower(), value) if isinstance(value, str) else value


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
Flag = Annotated[StrictBool, BeforeValidator(boolean)]


@dataclass(frozen=True, slots=True)
class Canonical:
    """A parameter as the merged schema lists it: one flat JSON type, and a short description."""

    schema: Mapping[str, Any]
    meaning: str


def _text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


CANONICAL: Mapping[str, Canonical] = {
    "prompt": Canonical(
        _text(maxLength=PROMPT_MAX),
        "What happens. Camera moves in brackets: [Push in], [Pan left].",
    ),
    "first_frame_image": Canonical(_text(), "Image it starts from: URL, data: URI or file path (JPG/PNG)."),
    "last_frame_image": Canonical(_text(), "Image it ends on."),
    "duration": Canonical({"type": "integer", "minimum": 6, "maximum": 10}, "Seconds: 6 (default), or 10 below 1080p."),
    "resolution": Canonical(_text(enum=["512p", "768p", "1080p"]), "Defaults differ."),
    "mode": Canonical(_text(enum=["standard", "pro"]), "Quality."),
    "prompt_optimizer": Canonical({"type": "boolean"}, "Rewrite the prompt (default true)."),
    "go_fast": Canonical({"type": "boolean"}, "Faster, slightly worse."),
    "fast_pretreatment": Canonical({"type": "boolean"}, "Rewrite it faster."),
    "routing": Canonical(_text(enum=["auto", "value", "official"]), "Route."),
    "callback_url": Canonical(_text(), "https webhook; its host must be allowed."),
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
