"""The models of fal, each with the endpoint that its parameters select."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from hailuo_mcp.core.parameters import MINIMAX, CallbackUrl, Constraint, Image, OnPage, Resolution, Source
from hailuo_mcp.core.rules import GIVEN, Forbid, PriceRule
from hailuo_mcp.core.spec import ModelSpec, WireForm
from hailuo_mcp.gateways import hailuo

_PAGE = Source("documented", "fal page of the model")
_INFERRED = Source("inferred", "fal page of the model")
_PRICED = date(2026, 11, 1)
_PRO_IS_6_S = hailuo.not_10_s_at_1080p(_PAGE)
_TIER = Constraint(_INFERRED, "768p is the standard endpoint, 1080p the pro one, of 6 s")
CALLED_BACK = Constraint(Source("documented", "fal queue"), "called once, when the job has ended; signed")


def _price(usd: float, *, per: Literal["clip", "second"] = "clip", **when: Any) -> PriceRule:
    return PriceRule(usd, "exact", "fal page of the model", _PRICED, when=when, per=per)


class FalModel(ModelSpec):
    """A body that is the input itself. `remote_name` is the endpoint, or the common prefix of the model's endpoints."""

    wire_names: ClassVar[Mapping[str, str]] = {"first_frame_image": "image_url", "last_frame_image": "end_image_url"}

    @property
    def endpoint(self) -> str:
        return self.remote_name

    def to_body(self) -> dict[str, Any]:
        body = super().to_body()
        body.pop(self.wire_name("callback_url"), None)  # in the address
        return body


class HailuoModel(FalModel):
    """One endpoint per tier and input; the pro endpoint has neither a duration nor a resolution."""

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
        # Only one endpoint has a choice within its tier.
        if not self.endpoint.endswith("/hailuo-02/standard/image-to-video"):
            body.pop("resolution", None)
        return body


class _OwnHailuo(HailuoModel):
    """What fal's own Hailuo models share."""

    page = _PAGE

    callback_url: Annotated[CallbackUrl | None, CALLED_BACK] = None


class Hailuo23(_OwnHailuo, hailuo.Hailuo23):
    id = "fal/hailuo-2.3"
    remote_name = "fal-ai/minimax/hailuo-2.3"
    documented_at = "https://fal.ai/models/fal-ai/minimax/hailuo-2.3/standard/text-to-video"
    rules = (_PRO_IS_6_S,)
    prices = (
        _price(0.49, resolution="1080p"),
        _price(0.28, resolution="768p", duration=6),
        _price(0.56, resolution="768p", duration=10),
    )

    resolution: Annotated[Resolution, _TIER] = "768p"


class Hailuo23Fast(_OwnHailuo, hailuo.Hailuo23Fast):
    id = "fal/hailuo-2.3-fast"
    remote_name = "fal-ai/minimax/hailuo-2.3-fast"
    documented_at = "https://fal.ai/models/fal-ai/minimax/hailuo-2.3-fast/standard/image-to-video"
    rules = (_PRO_IS_6_S,)
    prices = (
        _price(0.33, resolution="1080p"),
        _price(0.19, resolution="768p", duration=6),
        _price(0.32, resolution="768p", duration=10),
    )

    resolution: Annotated[Resolution, _TIER] = "768p"


class Hailuo02(_OwnHailuo, hailuo.Hailuo02):
    id = "fal/hailuo-02"
    remote_name = "fal-ai/minimax/hailuo-02"
    documented_at = "https://fal.ai/models/fal-ai/minimax/hailuo-02/standard/image-to-video"
    rules = (
        _PRO_IS_6_S,
        hailuo.from_image_at_512p(_PAGE),
        Forbid(
            {"resolution": "1080p", "last_frame_image": GIVEN}, 'for a last frame pass resolution "768p"', _INFERRED
        ),
        hailuo.no_last_frame_at_512p(MINIMAX, instead='"768p"'),
        hailuo.last_frame_needs_first(),
    )
    prices = (
        _price(0.48, resolution="1080p"),
        _price(0.045, per="second", resolution="768p"),
        _price(0.017, per="second", resolution="512p"),
    )

    last_frame_image: Annotated[Image | None, OnPage("the frame it ends on; at 768p")] = None


MODELS: tuple[type[ModelSpec], ...] = (Hailuo23, Hailuo23Fast, Hailuo02)
