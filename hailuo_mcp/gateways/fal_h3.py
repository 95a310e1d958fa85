"""The H3 models of fal: an endpoint for text, one for frames and one for references."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from hailuo_mcp.core.parameters import (
    ANY_CASE,
    REFERENCE_PARAMETERS,
    AspectRatio,
    CallbackUrl,
    Constraint,
    OnPage,
    PromptExpansion,
    Source,
    WholeNumber,
)
from hailuo_mcp.core.rules import PriceRule
from hailuo_mcp.core.spec import ModelSpec, WireForm
from hailuo_mcp.gateways import h3
from hailuo_mcp.gateways.fal_models import CALLED_BACK, FalModel
from hailuo_mcp.gateways.hailuo import last_frame_needs_first

_H3_PAGE = Source("observed", "notes citing fal's page")
_H3_MAX_PAGE = Source("documented", "fal pages of h3-max")
_MINIMAX = Source("inferred", "H3 at MiniMax")
_IMAGES = Constraint(_MINIMAX, "fal's limits of images are not known: those of the older models are checked")
_PRICED = date(2026, 9, 30)
_NO_REFERENCES: dict[str, None] = dict.fromkeys(REFERENCE_PARAMETERS)


class _H3(FalModel, h3.H3):
    """What both models share."""

    page = _H3_PAGE
    wire_names: ClassVar[Mapping[str, str]] = {
        **FalModel.wire_names,
        "reference_images": "reference_image_urls",
        "reference_videos": "reference_video_urls",
        "reference_audios": "reference_audio_urls",
        "prompt_expansion": "prompt_expansion_mode",
    }
    wire_forms: ClassVar[Mapping[str, WireForm]] = {"resolution": "upper"}
    rules = (*h3.input_rules(_MINIMAX, together=_H3_PAGE), *h3.ratio_rules(_H3_PAGE), last_frame_needs_first(_H3_PAGE))
    fills = (h3.RATIO_FROM_TEXT,)
    media = h3.media_rules(_MINIMAX, images=False)

    prompt: Annotated[h3.PromptUpTo7000, Constraint(_MINIMAX, "1–7,000 characters")]
    duration: Annotated[h3.Seconds5To15, OnPage("5–15 seconds, default 5")] = 5
    aspect_ratio: Annotated[
        AspectRatio | None, OnPage("from text 16:9 by default; a frame sets it; with references optional")
    ] = None
    prompt_expansion: Annotated[PromptExpansion | None, OnPage("disabled, balanced or quality; sent only if given")] = (
        None
    )
    seed: Annotated[WholeNumber | None, OnPage("same seed, similar result")] = None
    callback_url: Annotated[CallbackUrl | None, CALLED_BACK] = None

    @property
    def source(self) -> Literal["text", "image", "reference"]:
        """The kind of input: text, frames or references."""
        if any(getattr(self, name) for name in REFERENCE_PARAMETERS):
            return "reference"
        return "image" if self.first_frame_image else "text"

    @property
    def endpoint(self) -> str:
        return f"{self.remote_name}/{self.source}-to-video"

    def to_body(self) -> dict[str, Any]:
        body = super().to_body()
        if self.source == "image":
            body.pop("aspect_ratio", None)  # this endpoint follows the frame and has no such field
        return body


class H3(_H3):
    id = "fal/h3"
    remote_name = "minimax/h3"
    documented_at = "https://fal.ai/models/minimax/h3/text-to-video"
    variant = "open weights"
    notes = (
        _IMAGES,
        Constraint(_H3_PAGE, "fal runs the open weights, not MiniMax's own service; 2k and 4k are upscaled"),
        Constraint(_H3_PAGE, "whether seconds of reference_videos are charged is not known"),
    )
    prices = tuple(
        PriceRule(
            usd,
            "exact",
            "fal page of the model, as third parties read it",
            _PRICED,
            when={"resolution": resolution, "reference_videos": None},
            per="second",
            usd_per_image=0.08,
            free_images=5,
        )
        for resolution, usd in (("480p", 0.05), ("768p", 0.06), ("2k", 0.13), ("4k", 0.16))
    )

    resolution: Annotated[Literal["480p", "768p", "2k", "4k"], ANY_CASE, OnPage("480p, 768p (default), 2k or 4k")] = (
        "768p"
    )


class H3Max(_H3):
    id = "fal/h3-max"
    remote_name = "minimax/h3-max"
    documented_at = "https://fal.ai/models/minimax/h3-max/text-to-video"
    notes = (
        _IMAGES,
        Constraint(_H3_MAX_PAGE, "fal's own variant of H3, trained further"),
        Constraint(
            _H3_MAX_PAGE,
            "references of more than 4,096 tokens (1,024 × 1,024 pixels are 1,024) cost $0.02 for each further 1,024",
        ),
    )
    prices = tuple(
        PriceRule(
            usd,
            "exact",
            "fal page of the model",
            _PRICED,
            when={"resolution": resolution, **_NO_REFERENCES},
            per="second",
        )
        for resolution, usd in (("480p", 0.05), ("768p", 0.08))
    )

    resolution: Annotated[h3.UpTo768p, Constraint(_H3_MAX_PAGE, "480p or 768p (default)")] = "768p"


MODELS: tuple[type[ModelSpec], ...] = (H3, H3Max)
