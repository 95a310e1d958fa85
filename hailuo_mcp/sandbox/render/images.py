"""Pictures given by a caller: the documented rules, and reading them for a clip."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

MAX_BYTES = 20 * 1024 * 1024
MIN_SHORT_SIDE = 300
"""Exclusive, in pixels."""

_FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP"]
_ACCEPTED = ("JPEG", "PNG")
_LARGEST = 4096


def broken_rule(data: bytes, *, webp: bool = False) -> str | None:
    """The documented rule that a picture breaks, None when it is sound; `webp` where that format is taken too."""
    if len(data) > MAX_BYTES:
        return "file size must not exceed 20MB"
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            kind, (width, height) = picture.format, picture.size
            # Dimensions first: a huge picture is refused before it is unpacked.
            if kind not in _ACCEPTED and not (webp and kind == "WEBP"):
                return "format must be JPG, JPEG, or PNG"
            if min(width, height) <= MIN_SHORT_SIDE:
                return f"the shorter side must exceed 300 pixels, this picture has {width}x{height}"
            if not (2 * height < 5 * width and 2 * width < 5 * height):
                return f"aspect ratio should be greater than 2:5 and less than 5:2, this picture has {width}x{height}"
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return "the file is not a readable image"
    return None


def read(data: bytes) -> Image.Image:
    """The picture as a viewer shows it: upright, and without transparency."""
    with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
        opened.draft("RGB", (_LARGEST, _LARGEST))
        picture = ImageOps.exif_transpose(opened)
        if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
            paper = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(paper, picture.convert("RGBA"))
        return picture.convert("RGB")


def size_for(picture_size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """A clip's size: the picture's aspect ratio, the asked shorter side, and even, as 4:2:0 video needs it."""
    width, height = picture_size
    scale = short_side / min(width, height)
    return _even(width * scale), _even(height * scale)


def cover(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture in another size, its aspect kept: what does not fit is cut off evenly."""
    if picture.size == size:
        return picture
    return ImageOps.fit(picture, size, Image.Resampling.BICUBIC)


def _even(length: float) -> int:
    return round(length / 2) * 2
