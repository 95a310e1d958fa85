"""The models of MiniMax itself, except H3 (`minimax_h3.py`). https://platform.minimax.io/docs"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar

from hailuo_mcp.core.parameters import MINIMAX, CallbackUrl, Constraint, Flag, Image, OnPage, Source
from hailuo_mcp.core.rules import GIVEN, Forbid, PriceRule
from hailuo_mcp.core.spec import ModelSpec, WireForm
from hailuo_mcp.gateways import hailuo

_OBSERVED = Source("observed", "public client code")
_CALLED_BACK = Constraint(MINIMAX, "first sent a challenge to echo within 3 s; unsigned")


def _price(usd: float, duration: int, resolution: str) -> PriceRule:
    return PriceRule(
        usd,
        "exact",
        "MiniMax prices as public client code has them",
        date(2026, 11, 1),
        when={"duration": duration, "resolution": resolution},
    )


class OfficialBody(ModelSpec):
    """A body with the model's name, the resolution in upper case, and a character inside a list."""

    wire_forms: ClassVar[Mapping[str, WireForm]] = {"resolution": "upper"}

    def to_body(self) -> dict[str, Any]:
        body = {"model": self.remote_name, **super().to_body()}
        if self.wire_name("last_frame_image") in body:
            body.pop(self.wire_name("fast_pretreatment"), None)  # not a parameter of the first-and-last-frame mode
        if (subject := self.wire_name("subject_reference")) in body:
            body[subject] = [{"type": "character", "image": [body[subject]]}]
        return body


class _Official(OfficialBody):
    """What the vendor's own models share."""

    page = MINIMAX
    camera_commands = MINIMAX
    notes = (Constraint(_OBSERVED, "prices are those used by public clients of the API"),)

    fast_pretreatment: Annotated[Flag, OnPage("default false; shortens the rewriting of the prompt")] = False
    callback_url: Annotated[CallbackUrl | None, _CALLED_BACK] = None


class Hailuo23(_Official, hailuo.Hailuo23):
    id = "minimax/hailuo-2.3"
    remote_name = "MiniMax-Hailuo-2.3"
    documented_at = "https://platform.minimax.io/docs/api-reference/video-generation-t2v"
    prices = (_price(0.28, 6, "768p"), _price(0.49, 6, "1080p"), _price(0.56, 10, "768p"))


class Hailuo23Fast(_Official, hailuo.Hailuo23Fast):
    id = "minimax/hailuo-2.3-fast"
    remote_name = "MiniMax-Hailuo-2.3-Fast"
    documented_at = "https://platform.minimax.io/docs/api-reference/video-generation-i2v"
    prices = (_price(0.19, 6, "768p"), _price(0.33, 6, "1080p"), _price(0.32, 10, "768p"))


class Hailuo02(_Official, hailuo.Hailuo02):
    id = "minimax/hailuo-02"
    remote_name = "MiniMax-Hailuo-02"
    documented_at = "https://platform.minimax.io/docs/api-reference/video-generation-fl2v"
    rules = (
        hailuo.not_10_s_at_1080p(instead='resolution "768p", or "512p" from an image'),
        hailuo.from_image_at_512p(MINIMAX),
        hailuo.no_last_frame_at_512p(MINIMAX),
        hailuo.last_frame_needs_first(),
        Forbid(
            {"last_frame_image": GIVEN, "fast_pretreatment": True},
            "with a last frame leave fast_pretreatment out",
            MINIMAX,
        ),
    )
    prices = (
        _price(0.28, 6, "768p"),
        _price(0.10, 6, "512p"),
        _price(0.49, 6, "1080p"),
        _price(0.56, 10, "768p"),
        _price(0.15, 10, "512p"),
    )

    last_frame_image: Annotated[Image | None, OnPage("the frame the clip ends on; not at 512p")] = None


class S2V01(OfficialBody):
    id = "minimax/s2v-01"
    remote_name = "S2V-01"
    summary = "image of a character to video"
    documented_at = "https://platform.minimax.io/docs/api-reference/video-generation-s2v"
    camera_commands = None
    notes = (Constraint(_OBSERVED, "always 6 s at 720p: it refuses duration and resolution"),)

    subject_reference: Annotated[Image, Constraint(MINIMAX, "required: one image of the character's face")]
    callback_url: Annotated[CallbackUrl | None, _CALLED_BACK] = None
