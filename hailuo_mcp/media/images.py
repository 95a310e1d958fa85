"""Loads images from a URL, a `data:` URI or a local file, and checks that a gateway will accept them.

A local or inline image is decoded before anything is sent. If a file is not an image, only its first bytes are read. A
URL is fetched by the gateway, never here.
"""

from typing import TYPE_CHECKING

import anyio.to_thread

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.core.parameters import MediaRule
from hailuo_mcp.media.decoding import decode, exif_orientation, is_readable
from hailuo_mcp.media.files import check_image, megabytes
from hailuo_mcp.media.formats import HEADER_BYTES, MEDIA_TYPES, image_format, not_an_image, png_end
from hailuo_mcp.media.given import FileRules, LoadedFile, from_url, is_url, read_given
from hailuo_mcp.media.limits import broken_shape
from hailuo_mcp.media.metadata import UPRIGHT, without_metadata
from hailuo_mcp.media.normalize import normalize

if TYPE_CHECKING:
    from PIL.Image import Image

# The rules of APIXO, AI/ML API and MiniMax; Segmind documents none, and passes the image to the same model.
SHORT_SIDE_OVER = 300
RATIO_OVER, RATIO_UNDER = (2, 5), (5, 2)
MEGABYTE = 1024 * 1024
BYTES_MAX = 20 * MEGABYTE
BYTES_WARN = 10 * MEGABYTE
"""APIXO's general page says 10 MB, all others 20."""

_FIX = "Convert it, or set HAILUO_MCP_FIX_IMAGES=1 to let the server do it."
_BY_HAND = "Save it as JPG or PNG first."
_SIDEWAYS = (5, 6, 7, 8)
"""The orientations that swap width and height."""


async def read_image(parameter: str, given: str, rules: FileRules) -> LoadedFile:
    """Load the image that the caller gave for `parameter`.

    Raises:
        LocalFile: it is on the caller's machine.
        InvalidImage: it is not an image, may not be read, or no gateway would accept it. The message has the measured
            value, the hint says how to fix it.
    """
    if is_url(given):
        return from_url(parameter, given)
    return await anyio.to_thread.run_sync(_read, parameter, given, rules, limiter=rules.limiter)


async def image_from_frame(parameter: str, content: bytes, label: str, rules: FileRules) -> LoadedFile:
    """A frame of a clip, checked by the same rules. Raises InvalidImage."""
    return await anyio.to_thread.run_sync(_checked, parameter, content, label, rules, limiter=rules.limiter)


def _read(parameter: str, given: str, rules: FileRules) -> LoadedFile:
    content, label = read_given(parameter, given, rules, image_format, check_image)
    return _checked(parameter, content, label, rules)


def _checked(parameter: str, content: bytes, label: str, rules: FileRules) -> LoadedFile:
    fix, formats = rules.fix, _formats(rules)
    bytes_max = int(rules.rule.megabytes * MEGABYTE) if rules.rule else BYTES_MAX
    header = content[:HEADER_BYTES]
    kind = image_format(header)
    if kind is None:
        raise not_an_image(parameter, label, header)
    if kind not in formats and not (fix and is_readable(kind)):
        *others, last = ("JPG" if name == "JPEG" else name for name in formats)
        raise InvalidImage(
            f"{parameter} ({label}) is a {kind} file; only {', '.join(others)} and {last} are accepted.",
            _FIX if is_readable(kind) else _BY_HAND,
        )
    image = decode(parameter, label, kind, content)
    orientation = exif_orientation(image)
    width, height = reversed(image.size) if orientation in _SIDEWAYS else image.size
    _check_shape(parameter, label, width, height, rules.rule)
    done: list[str] = []
    notes: list[str] = []
    if kind == "PNG":
        content, left_out = _without_trailing_data(parameter, label, content, fix)
        done += [f"{left_out} bytes after the image's end were removed"] if left_out else []
    rotated = orientation != UPRIGHT
    if fix and (kind not in formats or rotated or image.mode == "CMYK" or len(content) > bytes_max):
        content, became, how = _normalize(parameter, label, image, rotated, bytes_max, rules.rule)
        done += [f"{kind} became {became}"] if became != kind else []
        done += [*_first_of_several(kind, image), *how]
        kind, orientation = became, UPRIGHT
    else:
        notes += _warnings(parameter, kind, image, rotated)
    if not rules.keep_metadata:
        content = _private(parameter, label, kind, content, orientation)
    if len(content) > bytes_max:
        raise InvalidImage(
            f"{parameter} ({label}) has {megabytes(len(content))}; at most {bytes_max // MEGABYTE} MB are accepted.",
            "Make it smaller." if fix else "Make it smaller, or set HAILUO_MCP_FIX_IMAGES=1 to let the server do it.",
        )
    if len(content) > BYTES_WARN and not rules.rule:
        notes.append(f"{parameter} has {megabytes(len(content))}; some gateways accept no more than 10 MB.")
    if done:
        notes.insert(0, f"{parameter} was fixed before sending: {', '.join(done)}.")
    return LoadedFile.of(label, content, MEDIA_TYPES[kind], notes)


def _formats(rules: FileRules) -> tuple[str, ...]:
    """The formats that the model accepts and that can be sent from here: metadata can only be removed from these."""
    return tuple(name for name in rules.rule.formats if name in MEDIA_TYPES) if rules.rule else rules.formats


def _check_shape(parameter: str, label: str, width: int, height: int, rule: MediaRule | None) -> None:
    for problem, fix in broken_shape(width, height, rule) if rule else ():
        raise InvalidImage(f"{parameter} ({label}) {problem}.", fix)
    if rule:
        return
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
    """A PNG without the bytes after its end, and their number: the remains of a cropped image, or another file. Cameras
    append nothing to a PNG, but many do to a JPEG."""
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
    """The image without its metadata, such as place, time and author."""
    try:
        return without_metadata(kind, content, orientation)
    except (ValueError, IndexError):
        raise InvalidImage(
            f"{parameter} ({label}) is built so that its metadata, such as the place, cannot be removed.",
            "Save the image again, or set HAILUO_MCP_KEEP_IMAGE_METADATA=true to send it with everything in it.",
        ) from None


def _normalize(
    parameter: str, label: str, image: "Image", rotated: bool, bytes_max: int, rule: MediaRule | None
) -> tuple[bytes, str, list[str]]:
    least = rule.pixels[0] - 1 if rule and rule.pixels else SHORT_SIDE_OVER
    try:
        content, kind, done = normalize(image, rotated=rotated, bytes_max=bytes_max, side_over=least)
    except Exception:  # as in `decode`
        raise InvalidImage(f"{parameter} ({label}) could not be converted.", _BY_HAND) from None
    _check_shape(parameter, label, *decode(parameter, label, kind, content).size, rule)
    return content, kind, done


def _warnings(parameter: str, kind: str, image: "Image", rotated: bool) -> list[str]:
    """Warnings about what breaks no rule but may give a wrong result."""
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
