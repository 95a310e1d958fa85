"""Single frames of a saved clip. Needs the `media` extra (PyAV)."""

from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.decoding import encode

if TYPE_CHECKING:
    from PIL.Image import Image


async def last_frame(path: Path) -> bytes:
    """The clip's last frame as a full-size PNG.

    Raises:
        InvalidImage: the extra is missing, or the clip cannot be read.
    """
    return await anyio.to_thread.run_sync(_last_frame, path)


def _last_frame(path: Path) -> bytes:
    try:
        return encode(frame_at(path, at=1.0), "PNG", optimize=True)
    except ImportError:
        raise InvalidImage(
            "Taking a clip's last frame needs the media extra.", "Install it: pip install 'hailuo-mcp[media]'."
        ) from None
    except Exception:  # PyAV raises many exception types for broken files
        raise InvalidImage(f"The clip {path.name} cannot be read.", "Call download_video again.") from None


def frame_at(path: Path, *, at: float) -> "Image":
    """The frame at this fraction of the clip; decoding starts at the key frame before it. 1: the very last."""
    import av  # optional, and slow to import

    # The format is named, so that a file is not read as a playlist, which could open other files.
    with av.open(str(path), format="mp4") as container:
        stream = container.streams.video[0]
        begin = stream.start_time or 0
        position = begin + int((stream.duration or 0) * at)
        found = None
        for target in (position - 1, begin):  # from the very beginning if there is no frame after the first target
            container.seek(max(begin, target), stream=stream)
            for frame in container.decode(stream):
                found = frame
                if at < 1 and frame.pts is not None and frame.pts >= position:
                    break
            if found is not None:
                return found.to_image()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  PyAV leaves it untyped
        raise ValueError("no frame")
