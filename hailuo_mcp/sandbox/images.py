"""Images sent by a caller: the documented rules, and decoding them for a clip."""

import io

from PIL import Image, ImageOps

BYTES_MAX = 20 * 1024 * 1024
SHORT_SIDE_OVER = 300
"""In pixels."""

_READABLE = ["JPEG", "PNG", "WEBP", "GIF", "BMP"]
_ACCEPTED = ("JPEG", "PNG")
_DECODE_MAX = 4096


def broken_rule(data: bytes, *, webp: bool = False) -> str | None:
    """The documented rule that an image breaks; None if it breaks none. `webp`: whether that format is accepted."""
    if len(data) > BYTES_MAX:
        return "file size must not exceed 20MB"
    try:
        with Image.open(io.BytesIO(data), formats=_READABLE) as image:
            kind, (width, height) = image.format, image.size
            # Dimensions first: a huge image is refused before it is decoded.
            if kind not in _ACCEPTED and not (webp and kind == "WEBP"):
                return "format must be JPG, JPEG, or PNG"
            if min(width, height) <= SHORT_SIDE_OVER:
                return f"the shorter side must exceed 300 pixels, this image has {width}x{height}"
            if not (2 * height < 5 * width and 2 * width < 5 * height):
                return f"aspect ratio should be greater than 2:5 and less than 5:2, this image has {width}x{height}"
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return "the file is not a readable image"
    return None


def decode(data: bytes) -> Image.Image:
    """The image in RGB as a viewer shows it: upright, on white if it is transparent."""
    with Image.open(io.BytesIO(data), formats=_READABLE) as opened:
        opened.draft("RGB", (_DECODE_MAX, _DECODE_MAX))
        image = ImageOps.exif_transpose(opened)
        if image.has_transparency_data:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image.convert("RGBA"))
        return image.convert("RGB")
