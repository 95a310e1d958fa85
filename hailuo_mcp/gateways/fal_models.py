"""The models of fal, each with the endpoint that its parameters ask for."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from hailuo_mcp.core.parameters import (
    ANY_CASE,
    MINIMAX,
    CallbackUrl,
    Constraint,
    Duration,
    Flag,
    Image,
    Resolution,
    Source,
)
from hailuo_mcp.core.rules import GIVEN, Forbid, PriceRule
from hailuo_mcp.core.spec import ModelSpec, WireForm

_PAGE = Source("documented", "fal page of the model")
_INFERRED = Source("inferred", "fal page of the model")
_SEEN = Source("observed", "notes that cite the fal page")
_PRICED = date(2026, 11, 1)
_PRO_IS_6_S = Forbid({"duration": 10, "resolution": "1080p"}, 'for 10 s pass resolution "768p"', _PAGE)
_TIER = Constraint(_INFERRED, "768p is the standard endpoint, 1080p the pro one, of 6 s")
_OPTIMIZED = Constraint(_PAGE, "default true")
CALLED_BACK = Constraint(Source("documented", "fal queue"), "called once, when the job has ended; signed")


def _price(usd: float, *, per: Literal["clip", "second"] = "clip", **when: Any) -> PriceRule:
    return PriceRule(usd, "exact", "fal page of the model", _PRICED, when=when, per=per)


class FalModel(ModelSpec):
    """A body that is the input itself. `remote_name` is the endpoint, or what all endpoints of the model begin with."""

    wire_names: ClassVar[Mapping[str, str]] = {"first_frame_image": "image_url", "last_frame_image": "end_image_url"}

    @property
    def endpoint(self) -> str:
        return self.remote_name

    def to_body(self) -> dict[str, Any]:
        body = super().to_body()
        body.pop(self.wire_name("callback_url"), None)  # in the address
        return body


class HailuoModel(FalModel):
    """An endpoint for each tier and input; the pro one has neither a duration nor a resolution."""

    wire_forms: ClassVar[Mapping[str, WireForm]] = {"duration": "text", "resolution": "upper"}

    @property
    def tier(self) -> str:
        return "pro" if getattr(self, "resolution", None) == "1080p" else "standard"

    @property
    def endpoint(self) -> str:
        source = "image" if getattr(self, "first_frame_image", None) else "text"
        return f"{self.remote_name}/{self.tier}/{source}-to-video"

    def to_body(self) -> dict[str, Any]:
        body = super().to_body()
        if self.tier == "pro":
            body.pop("duration", None)
        # Only one endpoint has the choice that is left within a tier.
        if not self.endpoint.endswith("/hailuo-02/standard/image-to-video"):
            body.pop("resolution", None)
        return body


class Hailuo23(HailuoModel):
    id = "fal/hailuo-2.3"
    remote_name = "fal-ai/minimax/hailuo-2.3"
    summary = "text or image to video"
    documented_at = "https://fal.ai/models/fal-ai/minimax/hailuo-2.3/standard/text-to-video"
    rules = (_PRO_IS_6_S,)
    prices = (
        _price(0.49, resolution="1080p"),
        _price(0.28, resolution="768p", duration=6),
        _price(0.56, resolution="768p", duration=10),
    )

    first_frame_image: Annotated[
        Image | None, Field(serialization_alias="image_url"), Constraint(_PAGE, "optional; without it, text to video")
    ] = None
    duration: Annotated[Duration, Constraint(_PAGE, "6 or 10 seconds; 10 only at 768p")] = 6
    resolution: Annotated[Resolution, _TIER] = "768p"
    prompt_optimizer: Annotated[Flag, _OPTIMIZED] = True
    callback_url: Annotated[CallbackUrl | None, CALLED_BACK] = None


class Hailuo23Fast(HailuoModel):
    id = "fal/hailuo-2.3-fast"
    remote_name = "fal-ai/minimax/hailuo-2.3-fast"
    summary = "image to video"
    documented_at = "https://fal.ai/models/fal-ai/minimax/hailuo-2.3-fast/standard/image-to-video"
    rules = (_PRO_IS_6_S,)
    prices = (
        _price(0.33, resolution="1080p"),
        _price(0.19, resolution="768p", duration=6),
        _price(0.32, resolution="768p", duration=10),
    )

    first_frame_image: Annotated[
        Image, Field(serialization_alias="image_url"), Constraint(_PAGE, "required; image to video only")
    ]
    duration: Annotated[Duration, Constraint(_PAGE, "6 or 10 seconds; 10 only at 768p")] = 6
    resolution: Annotated[Resolution, _TIER] = "768p"
    prompt_optimizer: Annotated[Flag, _OPTIMIZED] = True
    callback_url: Annotated[CallbackUrl | None, CALLED_BACK] = None


class Hailuo02(HailuoModel):
    id = "fal/hailuo-02"
    remote_name = "fal-ai/minimax/hailuo-02"
    summary = "text or image (+ last frame) to video"
    documented_at = "https://fal.ai/models/fal-ai/minimax/hailuo-02/standard/image-to-video"
    rules = (
        _PRO_IS_6_S,
        Forbid({"resolution": "512p", "first_frame_image": None}, "512p is made from first_frame_image only", _PAGE),
        Forbid(
            {"resolution": "1080p", "last_frame_image": GIVEN},
            'for a last frame pass resolution "768p"',
            _INFERRED,
        ),
        Forbid({"resolution": "512p", "last_frame_image": GIVEN}, 'for a last frame pass resolution "768p"', MINIMAX),
        Forbid(
            {"last_frame_image": GIVEN, "first_frame_image": None}, "a last frame needs first_frame_image too", MINIMAX
        ),
    )
    prices = (
        _price(0.48, resolution="1080p"),
        _price(0.045, per="second", resolution="768p"),
        _price(0.017, per="second", resolution="512p"),
    )

    first_frame_image: Annotated[
        Image | None, Field(serialization_alias="image_url"), Constraint(_PAGE, "optional; without it, text to video")
    ] = None
    last_frame_image: Annotated[
        Image | None, Field(serialization_alias="end_image_url"), Constraint(_PAGE, "the frame it ends on; at 768p")
    ] = None
    duration: Annotated[Duration, Constraint(_PAGE, "6 or 10 seconds; 10 not at 1080p")] = 6
    resolution: Annotated[
        Literal["512p", "768p", "1080p"], ANY_CASE, Constraint(_PAGE, "512p (from an image), 768p (default) or 1080p")
    ] = "768p"
    prompt_optimizer: Annotated[Flag, _OPTIMIZED] = True
    callback_url: Annotated[CallbackUrl | None, CALLED_BACK] = None


MODELS: tuple[type[ModelSpec], ...] = (Hailuo23, Hailuo23Fast, Hailuo02)
