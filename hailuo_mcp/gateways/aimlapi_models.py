"""The models of the AI/ML API: the older ones with their own route's field names, the newer ones with those of the
unified route."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from hailuo_mcp.core.parameters import (
    ANY_CASE,
    AspectRatio,
    Constraint,
    Duration,
    Flag,
    Image,
    OnPage,
    PromptText,
    Resolution,
    Source,
    WholeNumber,
)
from hailuo_mcp.core.rules import Advice, PriceRule, TimeRule
from hailuo_mcp.core.spec import ModelSpec, WireForm
from hailuo_mcp.gateways import h3, hailuo

_CHANGELOG = Source("documented", "AI/ML API changelog 2025-10-20")
_CONTRADICTORY = Source(
    "documented", "AI/ML API page hailuo-02, contradictory: “1080p coming soon”, and its pixel size"
)
_UNIFIED = Source("documented", "AI/ML API, unified video route")
_H3_PAGE = Source("documented", "AI/ML API page h3")
_H3_MAX_PAGE = Source("documented", "AI/ML API page h3-max")
_INFERRED = Source("inferred", "H3 at MiniMax")


class _Model(ModelSpec):
    """A body with the model's name and the resolution in upper case."""

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
    page = Source("documented", "AI/ML API page hailuo-02")
    rules = (hailuo.not_10_s_at_1080p(),)
    times = (TimeRule(300.0, when={"duration": 6}), TimeRule(540.0, when={"duration": 10}))
    advice = (Advice("AI/ML API's page calls 1080p “coming soon”; it may be refused.", when={"resolution": "1080p"}),)

    first_frame_image: Annotated[Image | None, OnPage("optional; without it, text to video")] = None
    last_frame_image: Annotated[Image | None, Constraint(_CHANGELOG, "the frame the clip ends on")] = None
    duration: Annotated[Duration, OnPage("6 or 10 seconds; 10 only at 768p")] = 6
    resolution: Annotated[
        Resolution, OnPage("768p (default)"), Constraint(_CONTRADICTORY, "1080p may not be there yet")
    ] = "768p"
    prompt_optimizer: Annotated[Flag, OnPage("default true")] = True


class Hailuo23(UnifiedModel, hailuo.Hailuo23):
    id = "aimlapi/hailuo-2.3"
    remote_name = "minimax/hailuo-2.3"
    documented_at = "https://docs.aimlapi.com/api-references/video-models/minimax/hailuo-2.3"
    page = _UNIFIED


class Hailuo23Fast(UnifiedModel, hailuo.Hailuo23Fast):
    id = "aimlapi/hailuo-2.3-fast"
    remote_name = "minimax/hailuo-2.3-fast"
    documented_at = "https://docs.aimlapi.com/api-references/video-models/minimax/hailuo-2.3-fast"
    page = _UNIFIED
    notes = (Constraint(_UNIFIED, "a price is published for 6 s at 768p alone"),)
    prices = (
        PriceRule(
            0.1995, "exact", "AI/ML API pricing page", date(2026, 11, 1), when={"duration": 6, "resolution": "768p"}
        ),
    )


class _H3(UnifiedModel, h3.H3):
    """What both H3 models share."""

    page = _H3_PAGE
    wire_names: ClassVar[Mapping[str, str]] = {
        **UnifiedModel.wire_names,
        "aspect_ratio": "ratio",
        "reference_images": "reference_image_urls",
        "reference_videos": "video_urls",
        "reference_audios": "audio_urls",
        "prompt_expansion": "prompt_expansion_mode",
    }
    fills = h3.RATIO_FILLS
    media = h3.media_rules(_INFERRED, images=False)

    first_frame_image: Annotated[Image | None, OnPage("optional; JPG or PNG")] = None
    reference_videos: Annotated[h3.UpTo3, OnPage("at most 3; the prompt says Video 1, Video 2")] = None
    reference_audios: Annotated[h3.UpTo3, OnPage("at most 3; the prompt says Audio 1, Audio 2")] = None


class H3(_H3):
    id = "aimlapi/h3"
    remote_name = "minimax/h3"
    documented_at = "https://docs.aimlapi.com/api-references/video-models/minimax/h3"
    rules = (*h3.input_rules(_INFERRED, audio=_H3_PAGE), *h3.ratio_rules(_H3_PAGE, with_frame=_INFERRED))

    prompt: Annotated[h3.PromptUpTo7000, OnPage("1–7,000 characters")]
    duration: Annotated[h3.Seconds4To15, OnPage("4–15 seconds, default 6")] = 6
    resolution: Annotated[Literal["2k"], ANY_CASE, OnPage("2k alone")] = "2k"
    aspect_ratio: Annotated[
        AspectRatio | None, OnPage("from text 16:9 by default, else adaptive: that of the frame or the references")
    ] = None


class H3Max(_H3):
    id = "aimlapi/h3-max"
    remote_name = "minimax/h3-max"
    documented_at = "https://docs.aimlapi.com/api-references/video-models/minimax/h3-max"
    wire_forms: ClassVar[Mapping[str, WireForm]] = {"resolution": "plain"}
    rules = (
        *h3.input_rules(_INFERRED, audio=_H3_MAX_PAGE, together=_H3_MAX_PAGE),
        *h3.ratio_rules(_H3_MAX_PAGE),
        hailuo.last_frame_needs_first(_INFERRED),
    )

    prompt: Annotated[PromptText, Field(max_length=50_000), Constraint(_H3_MAX_PAGE, "1–50,000 characters")]
    duration: Annotated[h3.Seconds5To15, Constraint(_H3_MAX_PAGE, "5–15 seconds, default 5; 5–10 advised")] = 5
    resolution: Annotated[h3.UpTo768p, Constraint(_H3_MAX_PAGE, "480p or 768p (default), in lower case")] = "768p"
    aspect_ratio: Annotated[
        AspectRatio | None,
        Constraint(_H3_MAX_PAGE, "from text 16:9 by default; ignored with a first frame; else adaptive"),
    ] = None
    prompt_expansion: Annotated[
        Literal["balanced", "quality"],
        ANY_CASE,
        Constraint(_H3_MAX_PAGE, "balanced (default, about a second) or quality (up to 30 s)"),
    ] = "balanced"
    seed: Annotated[WholeNumber | None, Constraint(_H3_MAX_PAGE, "the same seed gives a similar result")] = None


MODELS: tuple[type[ModelSpec], ...] = (Hailuo02, Hailuo23, Hailuo23Fast, H3, H3Max)
