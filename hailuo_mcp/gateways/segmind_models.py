"""Segmind's models, as its pages describe them. https://www.segmind.com/models"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, ClassVar

from hailuo_mcp.core.parameters import (
    Constraint,
    Duration,
    Flag,
    Image,
    Mode,
    OnPage,
    Resolution,
    SendsNull,
    Source,
)
from hailuo_mcp.core.rules import GIVEN, Advice, PriceRule, TimeRule
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import hailuo

_INFERRED = Source("inferred", "MiniMax API reference")
_PRICES = "Segmind pricing page"
_PRICES_23 = f"{_PRICES} (0.35 to 0.70)"
_PRICED = date(2026, 11, 1)


class Hailuo02Fast(ModelSpec):
    id = "segmind/hailuo-02-fast"
    remote_name = "hailuo-02-fast"
    summary = "image (+ last frame) to video"
    documented_at = "https://www.segmind.com/models/hailuo-02-fast"
    page = Source("documented", "Segmind page hailuo-02-fast")
    notes = (Constraint(_INFERRED, "no resolution can be chosen; the output is probably 512p"),)
    prices = (
        PriceRule(0.125, "exact", _PRICES, _PRICED, when={"duration": 6}),
        PriceRule(0.188, "exact", _PRICES, _PRICED, when={"duration": 10}),
    )
    times = (TimeRule(80.0),)
    advice = (
        Advice(
            "hailuo-02-fast probably renders at 512p, where MiniMax knows no last frame: "
            "last_frame_image may be ignored.",
            when={"last_frame_image": GIVEN},
        ),
    )

    first_frame_image: Annotated[Image, OnPage("required; sets the aspect ratio")]
    last_frame_image: Annotated[
        Image | None,
        SendsNull(),
        OnPage("sent as null when absent"),
        Constraint(_INFERRED, "may be ignored: 512p has no last-frame mode"),
    ] = None
    duration: Annotated[Duration, OnPage("6 or 10 seconds")] = 6
    go_fast: Annotated[Flag, OnPage("faster, slightly lower quality")] = False
    prompt_optimizer: Annotated[Flag, OnPage("default true")] = True


class Hailuo23Fast(hailuo.Hailuo23Fast):
    id = "segmind/hailuo-2.3-fast"
    remote_name = "hailuo-2.3-fast"
    documented_at = "https://www.segmind.com/models/hailuo-2.3-fast"
    page = Source("documented", "Segmind page hailuo-2.3-fast")
    rules = (hailuo.not_10_s_at_1080p(instead='resolution "768p"; 1080p is the default'),)
    prices = (PriceRule(0.41, "upper bound", f"{_PRICES} (0.24 to 0.41)", _PRICED),)
    times = (TimeRule(120.0),)

    first_frame_image: Annotated[Image, OnPage("required; image to video only; sets the aspect ratio")]
    duration: Annotated[Duration, OnPage("6 or 10 seconds")] = 6
    resolution: Annotated[Resolution, OnPage("768p or 1080p, default 1080p")] = "1080p"


class Hailuo23(hailuo.Hailuo23):
    id = "segmind/hailuo-2.3"
    remote_name = "hailuo-2.3"
    documented_at = "https://www.segmind.com/models/hailuo-2.3"
    page = Source("documented", "Segmind page hailuo-2.3")
    notes = (Constraint(_INFERRED, "a clip at 1080p probably costs $0.6125: 1.25 times what MiniMax charges"),)
    prices = (
        PriceRule(0.35, "exact", _PRICES_23, _PRICED, when={"resolution": "768p", "duration": 6}),
        PriceRule(0.7, "exact", _PRICES_23, _PRICED, when={"resolution": "768p", "duration": 10}),
        PriceRule(0.7, "upper bound", _PRICES_23, _PRICED, when={"resolution": "1080p"}),
    )
    times = (TimeRule(157.0),)

    duration: Annotated[Duration, OnPage("6 or 10 seconds")] = 6


class MinimaxHailuo2(ModelSpec):
    id = "segmind/minimax-hailuo-2"
    remote_name = "minimax-hailuo-2"
    summary = "text or image (+ last frame) to video"
    documented_at = "https://www.segmind.com/models/minimax-hailuo-2"
    page = Source("documented", "Segmind page minimax-hailuo-2")
    wire_names: ClassVar[Mapping[str, str]] = {"first_frame_image": "image_url"}
    notes = (Constraint(page, "no duration and no resolution can be chosen"),)
    prices = (PriceRule(0.3875, "average", _PRICES, _PRICED),)
    times = (TimeRule(173.0),)

    first_frame_image: Annotated[Image | None, OnPage("optional; without it, text to video")] = None
    last_frame_image: Annotated[Image | None, SendsNull(), OnPage("sent as null when absent")] = None
    mode: Annotated[Mode, OnPage("standard or pro, always sent")] = "standard"
    prompt_optimizer: Annotated[Flag, OnPage("default true")] = True
