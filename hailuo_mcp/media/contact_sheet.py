"""Frames of a saved clip side by side, for assistants with vision. Needs the `media` extra (PyAV)."""

from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from hailuo_mcp.core.errors import InvalidInput, NotReady
from hailuo_mcp.media.decoding import encode
from hailuo_mcp.media.frames import frame_at

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH_MAX = 1024
BYTES_MAX = 200_000
MOMENTS = (0.0, 1 / 3, 2 / 3, 1.0)
"""The frames' positions in the clip, as fractions: the first, the last, and two in between."""
GAP = 4
QUALITIES = (85, 70, 55, 40, 25)
MEDIA_TYPE = "image/jpeg"


async def contact_sheet(path: Path) -> bytes:
    """Four frames in reading order, two by two, as a JPEG of at most `WIDTH_MAX` pixels and `BYTES_MAX` bytes.

    Raises:
        InvalidInput: the extra is missing.
        NotReady: the clip cannot be read.
    """
    return await anyio.to_thread.run_sync(_contact_sheet, path)


def _contact_sheet(path: Path) -> bytes:
    try:
        frames = [frame_at(path, at=moment) for moment in MOMENTS]
    except ImportError:
        raise InvalidInput(
            "preview needs the media extra, which is not installed here.",
            "Leave preview out; or the user installs it: pip install 'hailuo-mcp[media]'.",
        ) from None
    except Exception:  # PyAV raises many kinds for broken files
        raise NotReady(f"The clip {path.name} cannot be read.", "Call download_video without preview.") from None
    return _small_jpeg(_side_by_side(frames))


def _side_by_side(frames: list["Image"]) -> "Image":
    from PIL import Image

    width, height = frames[0].size
    scale = min((WIDTH_MAX - GAP) / 2 / width, (WIDTH_MAX - GAP) / 2 / height, 1.0)
    cell = (max(1, int(width * scale)), max(1, int(height * scale)))
    sheet = Image.new("RGB", (cell[0] * 2 + GAP, cell[1] * 2 + GAP), "black")
    for index, frame in enumerate(frames):
        column, row = index % 2, index // 2
        frame.thumbnail(cell)
        sheet.paste(frame, (column * (cell[0] + GAP), row * (cell[1] + GAP)))
    return sheet


def _small_jpeg(sheet: "Image") -> bytes:
    while True:
        for quality in QUALITIES:
            content = encode(sheet, "JPEG", quality=quality, optimize=True)
            if len(content) <= BYTES_MAX:
                return content
        sheet = sheet.reduce(2)  # noise that no quality setting makes small enough
