"""Small images shown before a clip plays: its first frame, or the image that it begins with."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from hailuo_mcp.media.decoding import encode, on_white
from hailuo_mcp.media.frames import frame_at

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE_MAX = 720
"""In pixels: enough for a view in a chat, and about 40 kB."""
MEDIA_TYPE = "image/jpeg"
_QUALITY = 78


def image_poster(content: bytes) -> bytes:
    """A small JPEG of a checked image. Blocks.

    Raises:
        Exception: of any kind, if Pillow cannot read it.
    """
    from PIL import Image, ImageOps  # start-up time: only images need it

    with Image.open(io.BytesIO(content)) as opened:
        opened.draft("RGB", (SIDE_MAX, SIDE_MAX))  # decodes a JPEG at a fraction of its size
        return _jpeg(ImageOps.exif_transpose(opened))


def clip_poster(path: Path) -> bytes:
    """A small JPEG of a clip's first frame. Blocks.

    Raises:
        Exception: of any kind, if PyAV is missing or cannot read the file.
    """
    return _jpeg(frame_at(path, at=0.0))


def _jpeg(image: "Image") -> bytes:
    image = on_white(image)
    image.thumbnail((SIDE_MAX, SIDE_MAX))
    return encode(image, "JPEG", quality=_QUALITY, optimize=True)
