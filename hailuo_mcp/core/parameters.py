"""The canonical parameters: their types, their descriptions, and the sources of constraints on them. Models narrow
these types; they do not add parameters of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, StrictBool, StrictInt

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
class OnPage:
    """A constraint that several gateways state, each in its own document: its source is the spec's `page`."""

    text: str


@dataclass(frozen=True, slots=True)
class SendsNull:
    """The gateway documents null for an absent value: null is accepted, and sent when nothing is given."""


def _whole_number(value: object) -> object:
    """Accept `"6"` and `6.0` for 6, because language models send numbers as strings. Refuse booleans, which are `int`s
    in Python."""
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")  # the type that pydantic turns into an error
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


ANY_CASE = BeforeValidator(_lower)
"""Accepts a choice in any letter case; metadata of a `Literal`."""
PromptText = Annotated[str, Field(min_length=1, pattern=r"\S")]
"""A model whose limit is not `PROMPT_MAX` adds its own: `Annotated[PromptText, Field(max_length=7000), ...]`."""
Prompt = Annotated[
    PromptText, Field(max_length=PROMPT_MAX), Constraint(MINIMAX, f"1–{PROMPT_MAX} characters, not only spaces")
]
Image = Annotated[str, Field(min_length=1)]
_HOST = r"[^\s/?#@\[\]\\]+"
ImageUrl = Annotated[str, Field(pattern=rf"^[Hh][Tt][Tt][Pp][Ss]?://{_HOST}([/?#]\S*)?(?!\s)$", max_length=URL_MAX)]
References = Annotated[tuple[Image, ...], Field(min_length=1)]
"""Files given as references; a model adds how many: `Annotated[References | None, Field(max_length=9), ...]`."""
AS_TEXT_TOO = BeforeValidator(_whole_number)
"""Also accepts a whole number as text. For a range: `Annotated[StrictInt, Field(ge=4, le=15), AS_TEXT_TOO, ...]`, in
this order, or the bounds are not in the JSON schema."""
WholeNumber = Annotated[StrictInt, AS_TEXT_TOO]
Duration = Annotated[Literal[6, 10], AS_TEXT_TOO]
Resolution = Annotated[Literal["768p", "1080p"], ANY_CASE]
AnyResolution = Annotated[Literal["480p", "512p", "768p", "1080p", "2k", "4k"], ANY_CASE]
AspectRatio = Annotated[Literal["adaptive", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16"], ANY_CASE]
PromptExpansion = Annotated[Literal["disabled", "balanced", "quality"], ANY_CASE]
Mode = Annotated[Literal["standard", "pro"], ANY_CASE]
Routing = Annotated[Literal["auto", "value", "official"], ANY_CASE]
CallbackUrl = Annotated[str, Field(pattern=rf"^https://{_HOST}(/\S*)?(?!\s)$", max_length=URL_MAX)]
Flag = Annotated[StrictBool, BeforeValidator(boolean)]
Medium = Literal["image", "video", "audio"]


@dataclass(frozen=True, slots=True)
class MediaRule:
    """What a model accepts of one medium. A pair is the minimum and the maximum, both inclusive; None means
    undocumented."""

    source: Source
    formats: tuple[str, ...]
    """By content: JPEG, PNG, WebP, HEIC; MP4, MOV; WAV, MP3."""
    megabytes: float
    """Of one file; a megabyte has 1024 * 1024 bytes."""
    pixels: tuple[int, int] | None = None
    """Of the shorter and of the longer side."""
    ratio: tuple[float, float] | None = None
    """Width divided by height."""
    seconds: tuple[float, float] | None = None
    total_seconds: float | None = None
    """Of all files of this medium together."""
    frame_rate: tuple[float, float] | None = None
    codecs: tuple[str, ...] = ()
    """Video codecs: H.264, H.265. Empty if undocumented."""

    def __str__(self) -> str:
        def span(pair: tuple[float, float]) -> str:
            return f"{pair[0]:g}–{pair[1]:g}"

        facts = [" or ".join(names) for names in (self.formats, self.codecs) if names]
        facts += [f"up to {self.megabytes:g} MB"]
        facts += [f"{span(self.pixels)} px a side"] if self.pixels else []
        facts += [f"ratio {span(self.ratio)}"] if self.ratio else []
        facts += [f"{span(self.seconds)} s each"] if self.seconds else []
        facts += [f"{self.total_seconds:g} s together"] if self.total_seconds else []
        facts += [f"{span(self.frame_rate)} fps"] if self.frame_rate else []
        return ", ".join(facts)


@dataclass(frozen=True, slots=True)
class Canonical:
    """A parameter as the merged schema lists it: one flat JSON type and a short description."""

    kind: Any
    """Its widest type; a model may accept less."""
    schema: Mapping[str, Any]
    meaning: str


def _one_of(choice: Any) -> JsonSchema:
    """The schema of a `Literal` that is accepted in any letter case."""
    return {"type": "string", "enum": [*get_args(get_args(choice)[0])]}


_TEXT: JsonSchema = {"type": "string"}
_LIST: JsonSchema = {"type": "array", "items": _TEXT}
_FLAG: JsonSchema = {"type": "boolean"}
_NUMBER: JsonSchema = {"type": "integer"}
CANONICAL: Mapping[str, Canonical] = {
    "prompt": Canonical(PromptText, _TEXT, "What happens. Camera moves in brackets: [Push in], [Pan left]."),
    "first_frame_image": Canonical(Image, _TEXT, "Image it starts from: URL, data: URI or file path (JPG/PNG)."),
    "last_frame_image": Canonical(Image, _TEXT, "Image it ends on."),
    "reference_images": Canonical(References, _LIST, "Images."),
    "reference_videos": Canonical(References, _LIST, "Videos, or clip:<request_id>."),
    "reference_audios": Canonical(References, _LIST, "Audio."),
    "subject_reference": Canonical(Image, _TEXT, "A character."),
    "duration": Canonical(WholeNumber, _NUMBER, "Seconds, mostly 6 (default)."),
    "resolution": Canonical(AnyResolution, _one_of(AnyResolution), "Defaults differ."),
    "aspect_ratio": Canonical(AspectRatio, _TEXT, "Like 9:16."),
    "mode": Canonical(Mode, _one_of(Mode), "Quality."),
    "prompt_optimizer": Canonical(Flag, _FLAG, "Rewrite the prompt (default true)."),
    "prompt_expansion": Canonical(PromptExpansion, _TEXT, "disabled, balanced, quality."),
    "go_fast": Canonical(Flag, _FLAG, "Faster, slightly worse."),
    "fast_pretreatment": Canonical(Flag, _FLAG, "Rewrite it faster."),
    "seed": Canonical(WholeNumber, _NUMBER, "Repeats a result."),
    "routing": Canonical(Routing, _one_of(Routing), "Route."),
    "callback_url": Canonical(CallbackUrl, _TEXT, "https webhook; its host must be allowed."),
}
MEDIA_PARAMETERS: Mapping[str, Medium] = {
    "first_frame_image": "image",
    "last_frame_image": "image",
    "subject_reference": "image",
    "reference_images": "image",
    "reference_videos": "video",
    "reference_audios": "audio",
}
IMAGE_PARAMETERS = ("first_frame_image", "last_frame_image", "subject_reference")
"""Parameters that take one image."""
REFERENCE_PARAMETERS = ("reference_images", "reference_videos", "reference_audios")
"""Parameters that take a list of files."""
