"""Single frames of a saved clip. Needs the `media` extra (PyAV)."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from hailuo_mcp.errors import InvalidImage

if TYPE_CHECKING:
    from PIL.Image import Image

POSTER_WIDTH = 320


async def poster(path: Path) -> bytes | None:
    """A small PNG from the middle of the clip; None without the extra, or where the clip cannot be read."""
    return await anyio.to_thread.run_sync(_poster, path)


async def last_frame(path: Path) -> bytes:
    """The clip's last frame as a PNG of full size.

    Raises:
        InvalidImage: the extra is missing, or the clip cannot be read.
    """
    return await anyio.to_thread.run_sync(_last_frame, path)


def _poster(path: Path) -> bytes | None:
    try:
        image = _frame(path, at=0.5)
    except (ImportError, OSError, ValueError):
        return None
    image.thumbnail((POSTER_WIDTH, POSTER_WIDTH))
    return _png(image)


def _last_frame(path: Path) -> bytes:
    try:
        return _png(_frame(path, at=1.0))
    except ImportError:
        raise InvalidImage(
            "Taking a clip's last frame needs the media extra.", "Install it: pip install 'hailuo-mcp[media]'."
        ) from None
    except (OSError, ValueError):
        raise InvalidImage(f"The clip {path.name} cannot be read.", "Call download_video again.") from None


def _frame(path: Path, *, at: float) -> "Image":
    """The frame at this share of the clip; decoding starts at the key frame before it."""
    import av  # optional, and slow to import

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        duration = stream.duration or 0
        wanted = int(duration * at)
        container.seek(max(0, wanted - 1), stream=stream)
        last = None
        for frame in container.decode(stream):
            last = frame
            if frame.pts is not None and frame.pts >= wanted:
                break
        if last is None:
            raise ValueError("no frame")
        return last.to_image()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  PyAV leaves it untyped


def _png(image: "Image") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
