"""The models of the AI/ML API: the older ones with their own route's field names, the newer ones with those of the
unified route."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictInt

from hailuo_mcp.core.parameters import (
    ANY_CASE,
    AS_TEXT_TOO,
    MINIMAX,
    AspectRatio,
    Constraint,
    Duration,
    Flag,
    Image,
    PromptText,
    References,
    Resolution,
    Source,
    WholeNumber,
)
from hailuo_mcp.core.rules import GIVEN, Advice, Forbid, PriceRule, TimeRule
from hailuo_mcp.core.spec import ModelSpec, WireForm
from hailuo_mcp.gateways.h3 import (
    AUDIOS_MAX,
    IMAGES_MAX,
    RATIO_FILLS,
    VIDEOS_MAX,
    input_rules,
    media_rules,
    ratio_rules,
)

_PAGE = Source("documented", "AI/ML API page hailuo-02")
_CHANGELOG = Source("documented", "AI/ML API changelog 2025-10-20")
_CONTRADICTORY = Source(
    "documented", "AI/ML API page hailuo-02, contradictory: “1080p coming soon”, and its pixel size"
)
_UNIFIED = Source("documented", "AI/ML API, unified video route")
_H3_PAGE = Source("documented", "AI/ML API page h3")
_H3_MAX_PAGE = Source("documented", "AI/ML API page h3-max")
_INFERRED = Source("inferred", "H3 at MiniMax")
_NOT_10_S_AT_1080P = Forbid({"duration": 10, "resolution": "1080p"}, 'for 10 s pass resolution "768p"', MINIMAX)


class _Model(ModelSpec):
    """A body with the model's name, and the resolution in upper case."""

    wire_forms: ClassVar[Mapping[str, WireForm]] = {"resolution": "upper"}

    def to_body(self) -> dict[str, Any]:
        return {"model": self.remote_name, **super().to_body()}


class OlderModel(_Model):
    """Field names of the older route."""

    wire_names: ClassVar[Mapping[str, str]] = {"last_frame_image": "last_image_url"}


class UnifiedModel(_Model):
    """Field names of the unified route."""

    wire_names: ClassVar[Mapping[str, str]] = {
        "first_frame_image": "image_url",
        "last_frame_image": "last_image_url",
        "prompt_optimizer": "enhance_prompt",
    }


class Hailuo02(OlderModel):
    id = "aimlapi/hailuo-02"
    remote_name = "minimax/hailuo-02"
    summary = "text or image (+ last frame) to video"
    documented_at = "https://docs.aimlapi.com/api-references/video-models/minimax/hailuo-02"
    rules = (_NOT_10_S_AT_1080P,)
    times = (TimeRule(300.0, when={"duration": 6}), TimeRule(540.0, when={"duration": 10}))
    advice = (Advice("AI/ML API's page calls 1080p “coming soon”; it may be refused.", when={"resolution": "1080p"}),)

    first_frame_image: Annotated[Image | None, Constraint(_PAGE, "optional; without it, text to video")] = None
    last_frame_image: Annotated[
        Image | None, Field(serialization_alias="last_image_url"), Constraint(_CHANGELOG, "the frame the clip ends on")
    ] = None
    duration: Annotated[Duration, Constraint(_PAGE, "6 or 10 seconds; 10 only at 768p")] = 6
    resolution: Annotated[
        Resolution, Constraint(_PAGE, "768p (default)"), Constraint(_CONTRADICTORY, "1080p may not be there yet")
    ] = "768p"
    prompt_optimizer: Annotated[Flag, Constraint(_PAGE, "default true")] = True


class Hailuo23(UnifiedModel):
    id = "aimlapi/hailuo-2.3"
    remote_name = "minimax/hailuo-2.3"
    summary = "text or image to video"
    documented_at = "https://docs.aimlapi.com/api-references/video-models/minimax/hailuo-2.3"
    rules = (_NOT_10_S_AT_1080P,)

    first_frame_image: Annotated[
        Image | None,
        Field(serialization_alias="image_url"),
        Constraint(_UNIFIED, "optional; without it, text to video"),
    ] = None
    duration: Annotated[Duration, Constraint(_UNIFIED, "6 or 10 seconds; 10 only at 768p")] = 6
    resolution: Annotated[Resolution, Constraint(_UNIFIED, "768p (default) or 1080p")] = "768p"
    prompt_optimizer: Annotated[
        Flag, Field(serialization_alias="enhance_prompt"), Constraint(_UNIFIED, "default true")
    ] = True


class Hailuo23Fast(UnifiedModel):
    id = "aimlapi/hailuo-2.3-fast"
    remote_name = "minimax/hailuo-2.3-fast"
    summary = "image to video"
    documented_at = "https://docs.aimlapi.com/api-references/video-models/minimax/hailuo-2.3-fast"
    notes = (Constraint(_UNIFIED, "a price is published for 6 s at 768p alone"),)
    rules = (_NOT_10_S_AT_1080P,)
    prices = (
        PriceRule(
            0.1995, "exact", "AI/ML API pricing page", date(2026, 11, 1), when={"duration": 6, "resolution": "768p"}
        ),
    )

    first_frame_image: Annotated[
        Image, Field(serialization_alias="image_url"), Constraint(_UNIFIED, "required; image to video only")
    ]
    duration: Annotated[Duration, Constraint(_UNIFIED, "6 or 10 seconds; 10 only at 768p")] = 6
    resolution: Annotated[Resolution, Constraint(_UNIFIED, "768p (default) or 1080p")] = "768p"
    prompt_optimizer: Annotated[
        Flag, Field(serialization_alias="enhance_prompt"), Constraint(_UNIFIED, "default true")
    ] = True


class _H3(UnifiedModel):
    """What both H3 models have in common."""

    camera_commands = None
    wire_names: ClassVar[Mapping[str, str]] = {
        **UnifiedModel.wire_names,
        "aspect_ratio": "ratio",
        "reference_images": "reference_image_urls",
        "reference_videos": "video_urls",
        "reference_audios": "audio_urls",
        "prompt_expansion": "prompt_expansion_mode",
    }
    summary = "text, frames or references to video, with sound"
    fills = RATIO_FILLS
    media = media_rules(_INFERRED, images=False)

    first_frame_image: Annotated[
        Image | None, Field(serialization_alias="image_url"), Constraint(_H3_PAGE, "optional; JPG or PNG")
    ] = None
    last_frame_image: Annotated[
        Image | None, Field(serialization_alias="last_image_url"), Constraint(_H3_PAGE, "the frame the clip ends on")
    ] = None
    reference_images: Annotated[
        References | None,
        Field(serialization_alias="reference_image_urls", max_length=IMAGES_MAX),
        Constraint(_H3_PAGE, f"at most {IMAGES_MAX}; the prompt says Image 1, Image 2"),
    ] = None
    reference_videos: Annotated[
        References | None,
        Field(serialization_alias="video_urls", max_length=VIDEOS_MAX),
        Constraint(_H3_PAGE, f"at most {VIDEOS_MAX}; the prompt says Video 1, Video 2"),
    ] = None
    reference_audios: Annotated[
        References | None,
        Field(serialization_alias="audio_urls", max_length=AUDIOS_MAX),
        Constraint(_H3_PAGE, f"at most {AUDIOS_MAX}; the prompt says Audio 1, Audio 2"),
    ] = None


class H3(_H3):
    id = "aimlapi/h3"
    remote_name = "minimax/h3"
    documented_at = "https://docs.aimlapi.com/api-references/video-models/minimax/h3"
    rules = (*input_rules(_INFERRED, audio=_H3_PAGE), *ratio_rules(_H3_PAGE, with_frame=_INFERRED))

    prompt: Annotated[PromptText, Field(max_length=7000), Constraint(_H3_PAGE, "1–7,000 characters")]
    duration: Annotated[StrictInt, Field(ge=4, le=15), AS_TEXT_TOO, Constraint(_H3_PAGE, "4–15 seconds, default 6")] = 6
    resolution: Annotated[Literal["2k"], ANY_CASE, Constraint(_H3_PAGE, "2k alone")] = "2k"
    aspect_ratio: Annotated[
        AspectRatio | None,
        Field(serialization_alias="ratio"),
        Constraint(_H3_PAGE, "from text 16:9 by default, else adaptive: that of the frame or the references"),
    ] = None


class H3Max(_H3):
    id = "aimlapi/h3-max"
    remote_name = "minimax/h3-max"
    documented_at = "https://docs.aimlapi.com/api-references/video-models/minimax/h3-max"
    wire_forms: ClassVar[Mapping[str, WireForm]] = {"resolution": "plain"}
    rules = (
        *input_rules(_INFERRED, audio=_H3_MAX_PAGE, together=_H3_MAX_PAGE),
        *ratio_rules(_H3_MAX_PAGE),
        Forbid(
            {"last_frame_image": GIVEN, "first_frame_image": None},
            "a last frame needs first_frame_image too",
            _INFERRED,
        ),
    )

    prompt: Annotated[PromptText, Field(max_length=50_000), Constraint(_H3_MAX_PAGE, "1–50,000 characters")]
    duration: Annotated[
        StrictInt, Field(ge=5, le=15), AS_TEXT_TOO, Constraint(_H3_MAX_PAGE, "5–15 seconds, default 5; 5–10 advised")
    ] = 5
    resolution: Annotated[
        Literal["480p", "768p"], ANY_CASE, Constraint(_H3_MAX_PAGE, "480p or 768p (default), in lower case")
    ] = "768p"
    aspect_ratio: Annotated[
        AspectRatio | None,
        Field(serialization_alias="ratio"),
        Constraint(_H3_MAX_PAGE, "from text 16:9 by default; ignored with a first frame; else adaptive"),
    ] = None
    prompt_expansion: Annotated[
        Literal["balanced", "quality"],
        ANY_CASE,
        Field(serialization_alias="prompt_expansion_mode"),
        Constraint(_H3_MAX_PAGE, "balanced (default, about a second) or quality (up to 30 s)"),
    ] = "balanced"
    seed: Annotated[WholeNumber | None, Constraint(_H3_MAX_PAGE, "the same seed gives a similar result")] = None


MODELS: tuple[type[ModelSpec], ...] = (Hailuo02, Hailuo23, Hailuo23Fast, H3, H3Max)
