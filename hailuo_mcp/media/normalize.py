"""Making a picture fit to send without loss of meaning: another format, turned upright, smaller."""

import io
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

_QUALITY = 95
_COLOURS = frozenset({"RGB", "RGBA", "P"})
"""Modes whose colour profile still holds after the conversion here."""


def mended(image: "Image", *, turned: bool, bytes_max: int, side_over: int) -> tuple[bytes, str, list[str]]:
    """The picture's first frame as PNG (where it is transparent and small enough) or JPEG; its format, and what was
    done, in words.

    Raises:
        Exception: of any kind, where Pillow cannot do it.
    """
    from PIL import Image as Images  # start-up time: only pictures need it
    from PIL import ImageOps

    done: list[str] = []
    profile = image.info.get("icc_profile") if image.mode in _COLOURS else None
    if turned:
        image = ImageOps.exif_transpose(image)
        done.append("turned as its EXIF data says")
    if image.mode == "CMYK":
        done.append("CMYK became RGB")
    image = _eight_bits(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A")
        if alpha.getextrema() == (255, 255):
            image = rgba.convert("RGB")
        else:
            content = _encoded(rgba, "PNG", profile)
            if len(content) <= bytes_max:
                return content, "PNG", done
            image = Images.new("RGB", rgba.size, "white")
            image.paste(rgba, mask=alpha)
            done.append("transparency became white")
    image = image.convert("RGB")
    content, size = _encoded(image, "JPEG", profile), image.size
    while len(content) > bytes_max and min(image.size) // 2 > side_over:
        image = image.reduce(2)
        content = _encoded(image, "JPEG", profile)
    if image.size != size:
        done.append(f"shrunk from {size[0]} x {size[1]} to {image.width} x {image.height} px")
    return content, "JPEG", done


def _eight_bits(image: "Image") -> "Image":
    """Pillow clips deeper greys where it converts them, which leaves a white picture."""
    if image.mode.startswith("I;16"):
        whole = image.convert("I")
        return whole.point(lambda value: value * (1 / 256)).convert("L")  # pyright: ignore[reportUnknownMemberType]  numpy's part of the type is unknown
    if image.mode in ("I", "F"):
        raise ValueError("no known range")
    return image


def _encoded(image: "Image", kind: Literal["JPEG", "PNG"], profile: bytes | None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=_QUALITY, icc_profile=profile)
    return buffer.getvalue()
