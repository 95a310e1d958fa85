"""Makes an image suitable for sending: converts its format, rotates it upright, resizes it."""

from functools import partial
from typing import TYPE_CHECKING

from hailuo_mcp.media.decoding import encode, on_white

if TYPE_CHECKING:
    from PIL.Image import Image

_QUALITY = 95
_PROFILE_MODES = frozenset({"RGB", "RGBA", "P"})
"""Modes whose color profile is still valid after conversion."""


def normalize(image: "Image", *, rotated: bool, bytes_max: int, side_over: int) -> tuple[bytes, str, list[str]]:
    """The image's first frame as PNG (if it is transparent and small enough) or JPEG, its format, and what was done.

    Raises:
        Exception: of any kind, if Pillow cannot do it.
    """
    from PIL import ImageOps  # start-up time: only images need it

    done: list[str] = []
    profile = image.info.get("icc_profile") if image.mode in _PROFILE_MODES else None
    encoded = partial(encode, quality=_QUALITY, icc_profile=profile)
    if rotated:
        image = ImageOps.exif_transpose(image)
        done.append("rotated as its EXIF data says")
    if image.mode == "CMYK":
        done.append("CMYK became RGB")
    image = _eight_bits(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        if rgba.getchannel("A").getextrema() == (255, 255):
            image = rgba.convert("RGB")
        else:
            content = encoded(rgba, "PNG")
            if len(content) <= bytes_max:
                return content, "PNG", done
            done.append("transparency became white")
    image = on_white(image)
    content, size = encoded(image, "JPEG"), image.size
    while len(content) > bytes_max and min(image.size) // 2 > side_over:
        image = image.reduce(2)
        content = encoded(image, "JPEG")
    if image.size != size:
        done.append(f"resized from {size[0]} x {size[1]} to {image.width} x {image.height} px")
    return content, "JPEG", done


def _eight_bits(image: "Image") -> "Image":
    """Convert deeper grays to 8 bits: Pillow clips them when it converts them, which gives a white image."""
    if image.mode.startswith("I;16"):
        integers = image.convert("I")
        return integers.point(lambda value: value * (1 / 256)).convert("L")  # pyright: ignore[reportUnknownMemberType]  numpy's part of the type is unknown
    if image.mode in ("I", "F"):
        raise ValueError("unknown range")
    return image
