"""Loads images from a URL, a `data:` URI or a local file, and checks that a gateway will accept them.

A local or inline image is decoded before anything is sent. Of a file that is not an image, only the first bytes are
read. A URL is fetched by the gateway, never here.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.data_uris import bare_base64, from_data_uri
from hailuo_mcp.media.decoding import decode, exif_orientation, is_readable
from hailuo_mcp.media.files import check_image, megabytes, read_local
from hailuo_mcp.media.formats import HEADER_BYTES, MEDIA_TYPES, WANTED, image_format, not_an_image, png_end
from hailuo_mcp.media.metadata import UPRIGHT, without_metadata
from hailuo_mcp.media.normalize import normalize
from hailuo_mcp.media.paths import unwrapped

if TYPE_CHECKING:
    from PIL.Image import Image

# The rules of APIXO, AI/ML API and MiniMax; Segmind documents none, and passes the image to the same model.
SHORT_SIDE_OVER = 300
RATIO_OVER, RATIO_UNDER = (2, 5), (5, 2)
BYTES_MAX = 20 * 1024 * 1024
BYTES_WARN = 10 * 1024 * 1024
"""APIXO's general page says 10 MB, all others 20."""

AT_ONCE = 2
"""How many images are in memory at a time."""
URL_MAX = 2048
_FIX = "Convert it, or set HAILUO_MCP_FIX_IMAGES=1 to let the server do it."
_BY_HAND = "Save it as JPG or PNG first."
_SIDEWAYS = (5, 6, 7, 8)
"""The orientations that swap width and height."""


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image that can be sent: a URL for the gateway to fetch, or content that was checked."""

    shown: str
    """How records and results show it."""
    digest: str
    """SHA-256 of the content; for a URL, of its text."""
    url: str | None = None
    content: bytes = b""
    media_type: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    """The length of a video or audio file, where it is known."""

    @property
    def data_uri(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"

    @property
    def upload_mark(self) -> str:
        return f"<upload:sha256:{self.digest}>"


@dataclass(frozen=True, slots=True)
class ImageRules:
    """Where local images may come from, and whether unsuitable ones are fixed."""

    directories: Sequence[Path] = ()
    """Empty: the home directory without hidden folders."""
    output_dir: Path | None = None
    local_files: bool = True
    """False if the caller is not on this machine."""
    fix: bool = False
    keep_metadata: bool = False
    """Whether EXIF data, comments and the like stay in an image."""
    formats: tuple[str, ...] = ("JPEG", "PNG")
    """The formats that the gateway accepts."""
    limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(AT_ONCE), compare=False)
    """Whoever uses these rules, or others made from them, waits for a place before an image is read."""


class LocalImage(InvalidImage):
    """The image is a file on the caller's machine, and this is another."""


async def read_image(parameter: str, given: str, rules: ImageRules) -> LoadedImage:
    """Load the image that the caller gave for `parameter`.

    Raises:
        LocalImage: it is on the caller's machine.
        InvalidImage: it is not an image, may not be read, or no gateway would accept it. The message has the measured
            value, the hint says how to fix it.
    """
    text = unwrapped(given)
    if text[:7].lower() in ("http://", "https:/"):
        return _from_url(parameter, text)
    return await anyio.to_thread.run_sync(_from_content, parameter, text, rules, limiter=rules.limiter)


async def image_from_frame(parameter: str, content: bytes, label: str, rules: ImageRules) -> LoadedImage:
    """A frame of a clip, checked by the same rules. Raises InvalidImage."""
    return await anyio.to_thread.run_sync(_checked, parameter, content, label, rules, limiter=rules.limiter)


def _from_url(parameter: str, text: str) -> LoadedImage:
    try:
        host = urlsplit(text).hostname
    except ValueError:
        host = None
    if not host or any(c.isspace() or not c.isprintable() for c in text):
        raise InvalidImage(f"{parameter} is not a valid URL: {text[:80]!r}.", "Give a full http(s) URL without spaces.")
    if len(text) > URL_MAX:
        raise InvalidImage(f"{parameter} is a URL of {len(text)} characters; at most {URL_MAX} are accepted.", WANTED)
    return LoadedImage(shown=text, digest=hashlib.sha256(text.encode()).hexdigest(), url=text)


def _from_content(parameter: str, text: str, rules: ImageRules) -> LoadedImage:
    if text[:5].lower() == "data:":
        content, label = from_data_uri(parameter, text), "data URI"
    elif (payload := bare_base64(text)) is not None:
        content, label = from_data_uri(parameter, f"data:;base64,{payload}"), "base64"
    elif not rules.local_files:
        raise LocalImage(
            f"{parameter} names a local file, which this server cannot read.", "Give a URL or a data: URI."
        )
    else:
        content, label = read_local(parameter, text, rules.directories, rules.output_dir, check_image)
    return _checked(parameter, content, label, rules)


def _checked(parameter: str, content: bytes, label: str, rules: ImageRules) -> LoadedImage:
    fix = rules.fix
    header = content[:HEADER_BYTES]
    kind = image_format(header)
    if kind is None:
        raise not_an_image(parameter, label, header)
    if kind not in rules.formats and not (fix and is_readable(kind)):
        *others, last = ("JPG" if name == "JPEG" else name for name in rules.formats)
        raise InvalidImage(
            f"{parameter} ({label}) is a {kind} file; only {', '.join(others)} and {last} are accepted.",
            _FIX if is_readable(kind) else _BY_HAND,
        )
    image = decode(parameter, label, kind, content)
    orientation = exif_orientation(image)
    width, height = reversed(image.size) if orientation in _SIDEWAYS else image.size
    _check_shape(parameter, label, width, height)
    done: list[str] = []
    notes: list[str] = []
    if kind == "PNG":
        content, left_out = _without_trailing_data(parameter, label, content, fix)
        done += [f"{left_out} bytes after the image's end were removed"] if left_out else []
    rotated = orientation != UPRIGHT
    if fix and (kind not in rules.formats or rotated or image.mode == "CMYK" or len(content) > BYTES_MAX):
        content, became, how = _normalize(parameter, label, image, rotated)
        done += [f"{kind} became {became}"] if became != kind else []
        done += [*_first_of_several(kind, image), *how]
        kind, orientation = became, UPRIGHT
    else:
        notes += _warnings(parameter, kind, image, rotated)
    if not rules.keep_metadata:
        content = _private(parameter, label, kind, content, orientation)
    if len(content) > BYTES_MAX:
        raise InvalidImage(
            f"{parameter} ({label}) has {megabytes(len(content))}; at most 20 MB are accepted.",
            WANTED if fix else "Make it smaller, or set HAILUO_MCP_FIX_IMAGES=1 to let the server do it.",
        )
    if len(content) > BYTES_WARN:
        notes.append(f"{parameter} has {megabytes(len(content))}; some gateways accept no more than 10 MB.")
    if done:
        notes.insert(0, f"{parameter} was fixed before sending: {', '.join(done)}.")
    digest = hashlib.sha256(content).hexdigest()
    return LoadedImage(
        shown=f"{label} (sha256:{digest[:12]})",
        digest=digest,
        content=content,
        media_type=MEDIA_TYPES[kind],
        warnings=tuple(notes),
    )


def _check_shape(parameter: str, label: str, width: int, height: int) -> None:
    if min(width, height) <= SHORT_SIDE_OVER:
        raise InvalidImage(
            f"{parameter} ({label}) is {width} x {height} px; the shorter side must be over {SHORT_SIDE_OVER} px.",
            "Give a larger image.",
        )
    if not (width * RATIO_OVER[1] > height * RATIO_OVER[0] and width * RATIO_UNDER[1] < height * RATIO_UNDER[0]):
        raise InvalidImage(
            f"{parameter} ({label}) is {width} x {height} px, a ratio of {width / height:.3g}; "
            "it must be between 0.4 (2:5) and 2.5 (5:2), both exclusive.",
            "Crop the image.",
        )


def _without_trailing_data(parameter: str, label: str, content: bytes, fix: bool) -> tuple[bytes, int]:
    """A PNG without the bytes after its end, and their number: the rest of an image that was cropped, or another
    file. Cameras append nothing to a PNG, but many do to a JPEG."""
    end = png_end(content) or len(content)
    tail = len(content) - end
    if not content[end:].strip(b"\x00\r\n "):
        return content, 0
    if not fix:
        raise InvalidImage(
            f"{parameter} ({label}) has {tail} bytes of other data after the end of the image.",
            "Save the image again, or set HAILUO_MCP_FIX_IMAGES=1 to remove them.",
        )
    return content[:end], tail


def _private(parameter: str, label: str, kind: str, content: bytes, orientation: int) -> bytes:
    """The image without what it says of place, time and author."""
    try:
        return without_metadata(kind, content, orientation)
    except (ValueError, IndexError):
        raise InvalidImage(
            f"{parameter} ({label}) is built so that its metadata, such as the place, cannot be removed.",
            "Save the image again, or set HAILUO_MCP_KEEP_IMAGE_METADATA=true to send it with everything in it.",
        ) from None


def _normalize(parameter: str, label: str, image: "Image", rotated: bool) -> tuple[bytes, str, list[str]]:
    try:
        content, kind, done = normalize(image, rotated=rotated, bytes_max=BYTES_MAX, side_over=SHORT_SIDE_OVER)
    except Exception:  # as in `decode`
        raise InvalidImage(f"{parameter} ({label}) could not be converted.", _BY_HAND) from None
    _check_shape(parameter, label, *decode(parameter, label, kind, content).size)
    return content, kind, done


def _warnings(parameter: str, kind: str, image: "Image", rotated: bool) -> list[str]:
    """Warnings about what breaks no rule, but may give a wrong result."""
    found: list[str] = []
    if rotated:
        found.append(
            f"{parameter} is rotated by its EXIF data, which a gateway may ignore; HAILUO_MCP_FIX_IMAGES=1 applies it."
        )
    if image.mode == "CMYK":
        found.append(f"{parameter} has CMYK colors, which may look wrong; HAILUO_MCP_FIX_IMAGES=1 makes them RGB.")
    if kind != "JPEG" and getattr(image, "is_animated", False):
        found.append(f"{parameter} is animated; only its first frame is used.")
    return found


def _first_of_several(kind: str, image: "Image") -> list[str]:
    frames = getattr(image, "n_frames", 1) if kind != "JPEG" else 1
    return [f"the first of its {frames} frames was used"] if frames > 1 else []
