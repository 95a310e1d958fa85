"""Decodes and encodes images with Pillow. They are untrusted: both their format and the memory they would take."""

import io
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.formats import png_end
from hailuo_mcp.media.metadata import UPRIGHT

if TYPE_CHECKING:
    from PIL.Image import Image

PIXELS_MAX, SIDE_MAX = 40_000_000, 8000
"""160 MB when decoded. A small file can claim far more."""
_EXIF_ORIENTATION = 0x0112


def decode(parameter: str, label: str, kind: str, content: bytes) -> "Image":
    """The image, decoded completely, so that a truncated file is found before anything is paid."""
    from PIL import Image  # start-up time: only images need it

    # Pillow's warnings about unusual files would go to stderr; what matters is checked here.
    warnings.filterwarnings("ignore", module=r"PIL\b")
    try:
        # Only the decoder that matches the signature may read the bytes.
        image = Image.open(io.BytesIO(content), formats=["HEIF" if kind == "HEIC" else kind.upper()])
        if image.width * image.height > PIXELS_MAX or max(image.size) > SIDE_MAX:
            raise _too_many_pixels(parameter, label, f"{image.width} x {image.height}")
        image.load()
        if kind == "PNG" and png_end(content) is None:
            raise ValueError("no IEND")
    except InvalidImage:
        raise
    except Image.DecompressionBombError:
        raise _too_many_pixels(parameter, label, "more than 170 million") from None
    except Exception:  # Pillow's decoders raise many exception types for broken files; all mean the same here
        raise InvalidImage(
            f"{parameter} ({label}) is a broken or truncated {kind} file of {len(content)} bytes.",
            "Save the image again.",
        ) from None
    return image


def encode(image: "Image", kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def on_white(image: "Image") -> "Image":
    """The image in RGB, white where it is transparent."""
    from PIL import Image as Images  # start-up time, as above

    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Images.new("RGB", rgba.size, "white")
        image.paste(rgba, mask=rgba.getchannel("A"))
    return image.convert("RGB")


def _too_many_pixels(parameter: str, label: str, measured: str) -> InvalidImage:
    return InvalidImage(
        f"{parameter} ({label}) has {measured} pixels; at most {PIXELS_MAX // 1_000_000} million are accepted, and "
        f"{SIDE_MAX} on each side.",
        "Make it smaller.",
    )


def is_readable(kind: str) -> bool:
    """Whether an image of this format can be read here, and so be converted."""
    from PIL import features  # start-up time, as above

    if kind == "HEIC":
        try:
            heif = import_module("pillow_heif")  # not a dependency; used if it is installed
        except ImportError:
            return False
        heif.register_heif_opener()
        return True
    return bool(features.check(kind.lower())) if kind in ("WebP", "AVIF") else True


def exif_orientation(image: "Image") -> int:
    """The EXIF orientation; upright if it is missing or invalid."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, UPRIGHT)
    except Exception:  # Pillow's readers raise many kinds; broken EXIF data does not make a broken image
        return UPRIGHT
    return value if isinstance(value, int) and 2 <= value <= 8 else UPRIGHT
