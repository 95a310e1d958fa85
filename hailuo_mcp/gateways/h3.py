"""What Hailuo 3.0 (H3) has in common at all gateways: which inputs can be combined, and their limits."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StrictInt

from hailuo_mcp.core.parameters import (
    ANY_CASE,
    AS_TEXT_TOO,
    REFERENCE_PARAMETERS,
    Image,
    MediaRule,
    Medium,
    OnPage,
    PromptText,
    References,
    Source,
)
from hailuo_mcp.core.rules import GIVEN, AtMost, Exclusive, Fill, Forbid, Rule
from hailuo_mcp.core.spec import ModelSpec

FRAMES = ("first_frame_image", "last_frame_image")
PromptUpTo7000 = Annotated[PromptText, Field(max_length=7000)]
Seconds4To15 = Annotated[StrictInt, Field(ge=4, le=15), AS_TEXT_TOO]
Seconds5To15 = Annotated[StrictInt, Field(ge=5, le=15), AS_TEXT_TOO]
UpTo768p = Annotated[Literal["480p", "768p"], ANY_CASE]
UpTo3 = Annotated[References | None, Field(max_length=3)]
UpTo9 = Annotated[References | None, Field(max_length=9)]
_TOGETHER_MAX = 12
_CONCRETE = ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
_FROM_TEXT: dict[str, None] = dict.fromkeys((*FRAMES, *REFERENCE_PARAMETERS))

RATIO_FROM_TEXT = Fill("aspect_ratio", "16:9", when=_FROM_TEXT)
RATIO_FILLS = (RATIO_FROM_TEXT, Fill("aspect_ratio", "adaptive"))


def input_rules(source: Source, audio: Source | None = None, together: Source | None = None) -> tuple[Rule, ...]:
    """Frames or references, audio never alone, and the total number of references; each rule may have its own
    source."""
    return (
        Exclusive(FRAMES, REFERENCE_PARAMETERS, "pass frames or references, not both", source),
        Forbid(
            {"reference_audios": GIVEN, "reference_images": None, "reference_videos": None},
            "add one of reference_images or reference_videos to the audio",
            audio or source,
        ),
        AtMost(_TOGETHER_MAX, REFERENCE_PARAMETERS, f"pass at most {_TOGETHER_MAX} references", together or source),
    )


def ratio_rules(source: Source, with_frame: Source | None = None) -> tuple[Rule, ...]:
    """A frame sets the ratio; text alone needs one."""
    return (
        *(
            Forbid(
                {frame: GIVEN, "aspect_ratio": _CONCRETE}, "with a frame leave aspect_ratio out", with_frame or source
            )
            for frame in FRAMES
        ),
        Forbid({"aspect_ratio": "adaptive", **_FROM_TEXT}, "without images pass a ratio such as 16:9", source),
    )


def media_rules(source: Source, *, images: bool = True) -> Mapping[Medium, MediaRule]:
    """MiniMax's limits for files; `images`: include those for images, which not every gateway shares."""
    image = MediaRule(source, ("JPEG", "PNG", "WebP", "HEIC"), 30, pixels=(256, 5760), ratio=(0.4, 2.5))
    others: Mapping[Medium, MediaRule] = {
        "video": MediaRule(
            source,
            ("MP4", "MOV"),
            50,
            seconds=(2, 15),
            total_seconds=15,
            frame_rate=(23.976, 60),
            codecs=("H.264", "H.265"),
        ),
        "audio": MediaRule(source, ("WAV", "MP3"), 15, seconds=(2, 15), total_seconds=15),
    }
    return {"image": image, **others} if images else others


class H3(ModelSpec):
    """What the clip is made from. A gateway's class names its `page`, and adds or replaces what differs there."""

    camera_commands = None
    summary = "text, frames or references to video, with sound"

    first_frame_image: Annotated[Image | None, OnPage("optional")] = None
    last_frame_image: Annotated[Image | None, OnPage("the frame the clip ends on")] = None
    reference_images: Annotated[UpTo9, OnPage("at most 9; the prompt says Image 1, Image 2")] = None
    reference_videos: Annotated[UpTo3, OnPage("at most 3; the prompt says Video 1")] = None
    reference_audios: Annotated[UpTo3, OnPage("at most 3; the prompt says Audio 1")] = None
