"""What Hailuo 2.3 and 02 have in common at all gateways. A gateway's class names its `page`, and adds or replaces what
differs there."""

from typing import Annotated, Literal

from hailuo_mcp.core.parameters import ANY_CASE, MINIMAX, Duration, Flag, Image, OnPage, Resolution, Source
from hailuo_mcp.core.rules import GIVEN, Forbid
from hailuo_mcp.core.spec import ModelSpec

From512p = Annotated[Literal["512p", "768p", "1080p"], ANY_CASE]


def not_10_s_at_1080p(source: Source = MINIMAX, *, instead: str = 'resolution "768p"') -> Forbid:
    return Forbid({"duration": 10, "resolution": "1080p"}, f"for 10 s pass {instead}", source)


def from_image_at_512p(source: Source) -> Forbid:
    return Forbid({"resolution": "512p", "first_frame_image": None}, "512p is made from first_frame_image only", source)


def no_last_frame_at_512p(source: Source, *, instead: str = '"768p" or "1080p"') -> Forbid:
    return Forbid(
        {"resolution": "512p", "last_frame_image": GIVEN}, f"for a last frame pass resolution {instead}", source
    )


def last_frame_needs_first(source: Source = MINIMAX) -> Forbid:
    return Forbid(
        {"last_frame_image": GIVEN, "first_frame_image": None}, "a last frame needs first_frame_image too", source
    )


class _FromTextOrImage(ModelSpec):
    first_frame_image: Annotated[Image | None, OnPage("optional; without it, text to video")] = None


class _FromImage(ModelSpec):
    first_frame_image: Annotated[Image, OnPage("required; image to video only")]


class _Hailuo23(ModelSpec):
    rules = (not_10_s_at_1080p(),)

    duration: Annotated[Duration, OnPage("6 or 10 seconds; 10 only at 768p")] = 6
    resolution: Annotated[Resolution, OnPage("768p (default) or 1080p")] = "768p"
    prompt_optimizer: Annotated[Flag, OnPage("default true")] = True


# The fields of the last base class come first: in schemas, in lists and in request bodies.


class Hailuo23(_Hailuo23, _FromTextOrImage):
    summary = "text or image to video"


class Hailuo23Fast(_Hailuo23, _FromImage):
    summary = "image to video"


class Hailuo02(_FromTextOrImage):
    summary = "text or image (+ last frame) to video"

    last_frame_image: Annotated[Image | None, OnPage("the frame the clip ends on")] = None
    duration: Annotated[Duration, OnPage("6 or 10 seconds; 10 not at 1080p")] = 6
    resolution: Annotated[From512p, OnPage("512p (from an image), 768p (default) or 1080p")] = "768p"
    prompt_optimizer: Annotated[Flag, OnPage("default true")] = True
