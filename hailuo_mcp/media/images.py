"""Pictures in: a URL, a `data:` URI or a local file becomes something a gateway can take, or a refusal that says why
not.

A local or inline picture is decoded before anything is sent. A file that is no picture is read no further than its
first bytes. A URL is the gateway's to fetch; nothing is fetched here.
"""

import base64
import binascii
import hashlib
import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import anyio.to_thread

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.files import FILE_BYTES_MAX, megabytes, read_local
from hailuo_mcp.media.formats import HEADER_BYTES, MEDIA_TYPES, WANTED, no_picture, picture_format, png_end
from hailuo_mcp.media.normalize import mended

if TYPE_CHECKING:
    from PIL.Image import Image

# The rules of APIXO, AI/ML API and MiniMax alike; Segmind prints none, and hands the picture to the same model.
SHORT_SIDE_OVER = 300
RATIO_OVER, RATIO_UNDER = (2, 5), (5, 2)
BYTES_MAX = 20 * 1024 * 1024
BYTES_WARN = 10 * 1024 * 1024
"""APIXO's general page says 10 MB, all others 20."""

PIXELS_MAX = 100_000_000
"""400 MB once unpacked. A small file can claim far more."""
URL_MAX = 2048
_FIX = "Convert it, or set HAILUO_MCP_FIX_IMAGES=1 to let the server do it."
_BY_HAND = "Save it as JPG or PNG first."
_EXIF_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
"""The orientations that swap width and height."""


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """A picture fit to send. A URL is the gateway's to fetch; the rest is bytes, checked."""

    shown: str
    """As records and results show it."""
    digest: str
    """Equal for equal content; for a URL, of its text."""
    url: str | None = None
    content: bytes = b""
    media_type: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def data_uri(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"

    @property
    def upload_mark(self) -> str:
        return f"<upload:sha256:{self.digest}>"


@dataclass(frozen=True, slots=True)
class ImageRules:
    """Where local pictures may come from, and whether unfit ones are mended."""

    directories: Sequence[Path] = ()
    """Empty: the home directory without hidden folders."""
    output_dir: Path | None = None
    local_files: bool = True
    """Off where the caller is not on this machine."""
    fix: bool = False
    formats: tuple[str, ...] = ("JPEG", "PNG")
    """What the gateway takes as it is."""


async def read_image(parameter: str, given: str, rules: ImageRules) -> LoadedImage:
    """Make a picture of what the caller gave for `parameter`.

    Raises:
        InvalidImage: it is none, may not be read, or no gateway would take it; with the measured value and the cure.
    """
    text = given.strip()
    if text[:7].lower() in ("http://", "https:/"):
        return _from_url(parameter, text)
    return await anyio.to_thread.run_sync(_from_here, parameter, text, rules)


def image_from_frame(parameter: str, content: bytes, label: str) -> LoadedImage:
    """A frame of a clip, held to the same rules. Raises InvalidImage."""
    return _checked(parameter, content, label, ImageRules())


def _from_url(parameter: str, text: str) -> LoadedImage:
    try:
        host = urlsplit(text).hostname
    except ValueError:
        host = None
    if not host or any(c.isspace() or not c.isprintable() for c in text):
        raise InvalidImage(
            f"{parameter} is not a usable URL: {text[:80]!r}.", "Give a full http(s) URL without spaces."
        )
    if len(text) > URL_MAX:
        raise InvalidImage(f"{parameter} is a URL of {len(text)} characters; at most {URL_MAX} are taken.", WANTED)
    return LoadedImage(shown=text, digest=hashlib.sha256(text.encode()).hexdigest(), url=text)


def _from_here(parameter: str, text: str, rules: ImageRules) -> LoadedImage:
    if text[:5].lower() == "data:":
        content, label = _from_data_uri(parameter, text), "data URI"
    elif not rules.local_files:
        raise InvalidImage(
            f"{parameter} names a local file, which this server cannot see.", "Give a URL or a data: URI."
        )
    else:
        content, label = read_local(parameter, text, rules.directories, rules.output_dir)
    return _checked(parameter, content, label, rules)


def _from_data_uri(parameter: str, text: str) -> bytes:
    head, comma, payload = text.partition(",")
    if not comma or not head.lower().rstrip().endswith(";base64"):
        raise InvalidImage(f"{parameter} is a data: URI without base64 content.", "Use data:image/png;base64,….")
    if len(payload) > FILE_BYTES_MAX * 4 // 3:
        raise InvalidImage(f"{parameter} is a data: URI of {megabytes(len(payload))}; at most 20 MB are taken.", WANTED)
    try:
        return base64.b64decode(re.sub(r"\s+", "", unquote(payload)), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidImage(
            f"{parameter} is a data: URI whose base64 is broken or cut.", "Encode the file again."
        ) from None


def _checked(parameter: str, content: bytes, label: str, rules: ImageRules) -> LoadedImage:
    fix = rules.fix
    header = content[:HEADER_BYTES]
    kind = picture_format(header)
    if kind is None:
        raise no_picture(parameter, label, header)
    if kind not in rules.formats and not (fix and _readable(kind)):
        *others, last = ("JPG" if name == "JPEG" else name for name in rules.formats)
        raise InvalidImage(
            f"{parameter} ({label}) is a {kind} file; only {', '.join(others)} and {last} are taken.",
            _FIX if _readable(kind) else _BY_HAND,
        )
    image = _decoded(parameter, label, kind, content)
    orientation = _orientation(image)
    width, height = reversed(image.size) if orientation in _SIDEWAYS else image.size
    _check_shape(parameter, label, width, height)
    done: list[str] = []
    notes: list[str] = []
    if kind == "PNG":
        content, left_out = _without_tail(parameter, label, content, fix)
        done += [f"{left_out} bytes after the picture's end were left out"] if left_out else []
    turned = orientation != 1
    if fix and (kind not in rules.formats or turned or image.mode == "CMYK" or len(content) > BYTES_MAX):
        content, became, how = _mended(parameter, label, image, turned)
        done += [f"{kind} became {became}"] if became != kind else []
        done += [*_first_of_several(kind, image), *how]
        kind = became
    else:
        notes += _oddities(parameter, kind, image, turned)
    if len(content) > BYTES_MAX:
        raise InvalidImage(
            f"{parameter} ({label}) has {megabytes(len(content))}; at most 20 MB are taken.",
            WANTED if fix else "Make it smaller, or set HAILUO_MCP_FIX_IMAGES=1 to let the server do it.",
        )
    if len(content) > BYTES_WARN:
        notes.append(f"{parameter} has {megabytes(len(content))}; some gateways take no more than 10 MB.")
    if done:
        notes.insert(0, f"{parameter} was mended before sending: {', '.join(done)}.")
    digest = hashlib.sha256(content).hexdigest()
    return LoadedImage(
        shown=f"{label} (sha256:{digest[:12]})",
        digest=digest,
        content=content,
        media_type=MEDIA_TYPES[kind],
        warnings=tuple(notes),
    )


def _decoded(parameter: str, label: str, kind: str, content: bytes) -> "Image":
    """The picture, whole: a cut file is found here, not by a gateway that was paid."""
    from PIL import Image  # start-up time: only pictures need it

    # What Pillow remarks on odd files would go to stderr; what matters of it is checked here.
    warnings.filterwarnings("ignore", module=r"PIL\b")
    try:
        # No other decoder is let near the bytes than the one their signature calls for.
        image = Image.open(io.BytesIO(content), formats=["HEIF" if kind == "HEIC" else kind.upper()])
        if image.width * image.height > PIXELS_MAX:
            raise _too_many_pixels(parameter, label, f"{image.width} x {image.height}")
        image.load()
        if kind == "PNG" and png_end(content) is None:
            raise ValueError("no IEND")
    except InvalidImage:
        raise
    except Image.DecompressionBombError:
        raise _too_many_pixels(parameter, label, "more than 170 million") from None
    except Exception:  # Pillow's decoders raise many kinds for broken files; all mean the same here
        raise InvalidImage(
            f"{parameter} ({label}) is a broken or cut {kind} file of {len(content)} bytes.", "Save the picture again."
        ) from None
    return image


def _too_many_pixels(parameter: str, label: str, measured: str) -> InvalidImage:
    return InvalidImage(
        f"{parameter} ({label}) has {measured} pixels; at most {PIXELS_MAX // 1_000_000} million are taken.",
        "Make it smaller.",
    )


def _readable(kind: str) -> bool:
    """Whether a picture of this kind can be read here, and so be mended."""
    from PIL import features  # start-up time, as above

    if kind == "HEIC":
        try:
            heif = import_module("pillow_heif")  # no dependency of ours; used where the user has it
        except ImportError:
            return False
        heif.register_heif_opener()
        return True
    return bool(features.check(kind.lower())) if kind in ("WebP", "AVIF") else True


def _orientation(image: "Image") -> int:
    """As EXIF numbers it; 1, upright, where it says nothing that can be understood."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # Pillow's readers raise many kinds; broken EXIF data does not make a broken picture
        return 1
    return value if isinstance(value, int) and 2 <= value <= 8 else 1


def _check_shape(parameter: str, label: str, width: int, height: int) -> None:
    if min(width, height) <= SHORT_SIDE_OVER:
        raise InvalidImage(
            f"{parameter} ({label}) is {width} x {height} px; the shorter side must be over {SHORT_SIDE_OVER} px.",
            "Give a larger picture.",
        )
    if not (width * RATIO_OVER[1] > height * RATIO_OVER[0] and width * RATIO_UNDER[1] < height * RATIO_UNDER[0]):
        raise InvalidImage(
            f"{parameter} ({label}) is {width} x {height} px, a ratio of {width / height:.3g}; "
            "it must be between 0.4 (2:5) and 2.5 (5:2), both excluded.",
            "Crop the picture.",
        )


def _without_tail(parameter: str, label: str, content: bytes, fix: bool) -> tuple[bytes, int]:
    """A PNG without what follows its end: the rest of a picture that was cropped, or another file altogether. No
    camera appends anything to a PNG, while many do to a JPEG."""
    end = png_end(content) or len(content)
    tail = len(content) - end
    if not content[end:].strip(b"\x00\r\n "):
        return content, 0
    if not fix:
        raise InvalidImage(
            f"{parameter} ({label}) has {tail} bytes of something else after the end of its picture.",
            "Save the picture again, or set HAILUO_MCP_FIX_IMAGES=1 to leave them out.",
        )
    return content[:end], tail


def _mended(parameter: str, label: str, image: "Image", turned: bool) -> tuple[bytes, str, list[str]]:
    try:
        content, kind, done = mended(image, turned=turned, bytes_max=BYTES_MAX, side_over=SHORT_SIDE_OVER)
    except Exception:  # as in `_decoded`
        raise InvalidImage(f"{parameter} ({label}) could not be converted.", _BY_HAND) from None
    _check_shape(parameter, label, *_decoded(parameter, label, kind, content).size)
    return content, kind, done


def _oddities(parameter: str, kind: str, image: "Image", turned: bool) -> list[str]:
    """What a gateway may take amiss, though it breaks no rule."""
    found: list[str] = []
    if turned:
        found.append(
            f"{parameter} is turned by its EXIF data, which a gateway may ignore; HAILUO_MCP_FIX_IMAGES=1 applies it."
        )
    if image.mode == "CMYK":
        found.append(f"{parameter} has CMYK colours, which may look wrong; HAILUO_MCP_FIX_IMAGES=1 makes them RGB.")
    if kind != "JPEG" and getattr(image, "is_animated", False):
        found.append(f"{parameter} is animated; only its first picture can count.")
    return found


def _first_of_several(kind: str, image: "Image") -> list[str]:
    frames = getattr(image, "n_frames", 1) if kind != "JPEG" else 1
    return [f"the first of its {frames} pictures was taken"] if frames > 1 else []
