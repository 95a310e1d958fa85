"""Pictures in: a URL, a `data:` URI or a local file becomes something a gateway can take, or a refusal that says why
not.

A local or inline picture is decoded before anything is sent. A file that is no picture is read no further than its
first bytes.
"""

import base64
import binascii
import hashlib
import io
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

import anyio.to_thread

from hailuo_mcp.errors import InvalidImage

if TYPE_CHECKING:
    from PIL.Image import Image

# The rules of APIXO, AI/ML API and MiniMax alike; Segmind prints none, and hands the picture to the same model.
SHORT_SIDE_OVER = 300
RATIO_OVER, RATIO_UNDER = 2 / 5, 5 / 2
BYTES_MAX = 20 * 1024 * 1024
BYTES_WARN = 10 * 1024 * 1024
"""APIXO's general page says 10 MB, all others 20."""

PIXELS_MAX = 100_000_000
"""More than any camera makes: a small file that unpacks to gigabytes."""
FILE_BYTES_MAX = 200 * 1024 * 1024
"""A file larger than this is not read even to be shrunk."""
URL_MAX = 2048
_HEADER_BYTES = 32
_SIGNATURES = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WebP"),
    (re.compile(rb"BM"), "BMP"),
    (re.compile(rb"(II\*\x00|MM\x00\*)"), "TIFF"),
    (re.compile(rb"....ftyp(heic|heix|hevc|heim|heis|mif1|msf1)", re.DOTALL), "HEIC"),
    (re.compile(rb"....ftyp(avif|avis)", re.DOTALL), "AVIF"),
)
_SENDABLE = {"JPEG": "image/jpeg", "PNG": "image/png"}
_WANTED = "Give a JPG or PNG with a shorter side over 300 px and an aspect ratio between 2:5 and 5:2, at most 20 MB."
_FIX = "Convert it, or set HAILUO_MCP_FIX_IMAGES=1 to let the server do it."
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Picture:
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
class PictureRules:
    """Where local pictures may come from, and whether unfit ones are mended."""

    directories: Sequence[Path] = ()
    """Empty: the home directory without hidden folders."""
    output_dir: Path | None = None
    local_files: bool = True
    """Off where the caller is not on this machine."""
    fix: bool = False


async def read_picture(parameter: str, given: str, rules: PictureRules) -> Picture:
    """Make a picture of what the caller gave for `parameter`.

    Raises:
        InvalidImage: it is none, may not be read, or no gateway would take it; with the measured value and the cure.
    """
    text = given.strip()
    if text[:7].lower() in ("http://", "https:/"):
        return _from_url(parameter, text)
    if text[:5].lower() == "data:":
        content = _from_data_uri(parameter, text)
        label = "data URI"
    else:
        path = _path_in(parameter, text, rules)
        content = await anyio.to_thread.run_sync(_read_file, parameter, path, text)
        label = path.name
    return await anyio.to_thread.run_sync(_checked, parameter, content, label, rules.fix)


def picture_from_still(parameter: str, content: bytes, label: str) -> Picture:
    """A frame of a clip, held to the same rules. Raises InvalidImage."""
    return _checked(parameter, content, label, fix=False)


def _from_url(parameter: str, text: str) -> Picture:
    try:
        host = urlsplit(text).hostname
    except ValueError:
        host = None
    if not host or any(c.isspace() or not c.isprintable() for c in text) or len(text) > URL_MAX:
        raise InvalidImage(
            f"{parameter} is not a usable URL: {text[:80]!r}.", "Give a full http(s) URL without spaces."
        )
    return Picture(shown=text, digest=hashlib.sha256(text.encode()).hexdigest(), url=text)


def _from_data_uri(parameter: str, text: str) -> bytes:
    head, comma, payload = text.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise InvalidImage(f"{parameter} is a data: URI without base64 content.", "Use data:image/png;base64,….")
    if len(payload) > FILE_BYTES_MAX * 4 // 3:
        raise InvalidImage(f"{parameter} is a data: URI of {_megabytes(len(payload))}.", _WANTED)
    try:
        return base64.b64decode(re.sub(r"\s+", "", unquote(payload)), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidImage(
            f"{parameter} is a data: URI whose base64 is broken or cut.", "Encode the file again."
        ) from None


def _path_in(parameter: str, text: str, rules: PictureRules) -> Path:
    """The real path of a local picture, where it may be read. Whether it exists is said only of allowed places."""
    if not rules.local_files:
        raise InvalidImage(
            f"{parameter} names a local file, which this server cannot see.", "Give a URL or a data: URI."
        )
    if text[:7].lower() == "file://":
        text = unquote(text[7:])
    elif "://" in text:
        raise InvalidImage(
            f"{parameter} has a scheme that is not taken: {text[:80]!r}.", "Give an http(s) URL or a path."
        )
    try:
        path = Path(text).expanduser()
        real = (path if path.is_absolute() else Path.cwd() / path).resolve()
    except (OSError, RuntimeError, ValueError):
        raise InvalidImage(f"{parameter} is not a usable path: {text[:80]!r}.", "Give the absolute path.") from None
    if not _allowed(real, rules):
        raise InvalidImage(
            f"{parameter}: {text[:120]!r} is outside the directories that pictures may come from.",
            "Move the picture to a folder of the home directory, or name its folder in HAILUO_MCP_INPUT_DIRS.",
        )
    return real


def _allowed(real: Path, rules: PictureRules) -> bool:
    if rules.output_dir and real.is_relative_to(rules.output_dir.resolve()):
        return True
    if rules.directories:
        return any(real.is_relative_to(directory.resolve()) for directory in rules.directories)
    home = Path.home().resolve()
    return real.is_relative_to(home) and not any(part.startswith(".") for part in real.relative_to(home).parts)


def _read_file(parameter: str, real: Path, given: str) -> bytes:
    try:
        # The path is resolved by now: a link put in its place since then is not followed, a pipe does not block.
        handle = os.open(real, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        why = "does not exist" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise InvalidImage(f"{parameter}: {given[:120]!r} {why}.", "Check the path; it must be absolute.") from None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise InvalidImage(f"{parameter}: {given[:120]!r} is not a regular file.", _WANTED)
        if status.st_size > FILE_BYTES_MAX:
            raise InvalidImage(f"{parameter}: {given[:120]!r} has {_megabytes(status.st_size)}.", _WANTED)
        header = file.read(_HEADER_BYTES)
        if not signature(header):
            raise InvalidImage(f"{parameter}: {given[:120]!r} is not a picture.", _WANTED)
        return header + file.read(FILE_BYTES_MAX)


def signature(header: bytes) -> str | None:
    """The picture format that a file's first bytes tell, whatever it is called."""
    return next((name for pattern, name in _SIGNATURES if pattern.match(header)), None)


def _checked(parameter: str, content: bytes, label: str, fix: bool) -> Picture:
    kind = signature(content[:_HEADER_BYTES])
    if kind is None:
        raise InvalidImage(f"{parameter} ({label}) is not a picture.", _WANTED)
    image = _decode(parameter, label, kind, content)
    turned = image.getexif().get(_EXIF_ORIENTATION, 1) not in (0, 1)
    width, height = image.size
    if image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8):
        width, height = height, width
    warnings: list[str] = []
    curable = _curable(kind, turned, len(content))
    _check_shape(parameter, label, width, height)
    if curable and fix:
        content, kind = _mended(image, len(content))
        warnings.append(f"{parameter} was mended before sending: {curable}.")
    elif kind not in _SENDABLE:
        raise InvalidImage(f"{parameter} ({label}) is a {kind} file; only JPG and PNG are taken.", _FIX)
    elif turned:
        warnings.append(
            f"{parameter} is turned by its EXIF data, which a gateway may ignore; HAILUO_MCP_FIX_IMAGES=1 applies it."
        )
    if len(content) > BYTES_MAX:
        raise InvalidImage(f"{parameter} ({label}) has {_megabytes(len(content))}; at most 20 MB are taken.", _FIX)
    if len(content) > BYTES_WARN:
        warnings.append(f"{parameter} has {_megabytes(len(content))}; some gateways take no more than 10 MB.")
    digest = hashlib.sha256(content).hexdigest()
    return Picture(
        shown=f"{label} (sha256:{digest[:12]})",
        digest=digest,
        content=content,
        media_type=_SENDABLE[kind],
        warnings=tuple(warnings),
    )


def _decode(parameter: str, label: str, kind: str, content: bytes) -> "Image":
    """The picture, whole: a cut file is found here, not by a gateway that was paid."""
    from PIL import Image  # start-up time: only pictures need it

    if kind == "HEIC" and not _heic_readable():
        raise InvalidImage(
            f"{parameter} ({label}) is a HEIC file; only JPG and PNG are taken.", "Save it as JPG or PNG first."
        )
    try:
        image = Image.open(io.BytesIO(content))
        if image.width * image.height > PIXELS_MAX:
            raise InvalidImage(f"{parameter} ({label}) has {image.width} x {image.height} pixels.", "Make it smaller.")
        image.load()
    except InvalidImage:
        raise
    except Exception:  # Pillow's decoders raise many kinds for broken files; all mean the same here
        raise InvalidImage(
            f"{parameter} ({label}) is a broken or cut {kind} file.", "Save the picture again."
        ) from None
    return image


def _heic_readable() -> bool:
    try:
        heif = import_module("pillow_heif")  # no dependency of ours; used where the user has it
    except ImportError:
        return False
    heif.register_heif_opener()
    return True


def _check_shape(parameter: str, label: str, width: int, height: int) -> None:
    if min(width, height) <= SHORT_SIDE_OVER:
        raise InvalidImage(
            f"{parameter} ({label}) is {width} x {height} px; the shorter side must be over {SHORT_SIDE_OVER} px.",
            "Give a larger picture.",
        )
    if not RATIO_OVER < width / height < RATIO_UNDER:
        raise InvalidImage(
            f"{parameter} ({label}) is {width} x {height} px, a ratio of {width / height:.2f}; "
            "it must be between 0.40 (2:5) and 2.50 (5:2).",
            "Crop the picture.",
        )


def _curable(kind: str, turned: bool, size: int) -> str:
    """What can be mended without loss of meaning, in words; empty where nothing needs it."""
    reasons = [f"{kind} became JPG or PNG"] if kind not in _SENDABLE else []
    reasons += ["turned as its EXIF data says"] if turned else []
    reasons += [f"shrunk from {_megabytes(size)}"] if size > BYTES_MAX else []
    return ", ".join(reasons)


def _mended(image: "Image", size: int) -> tuple[bytes, Literal["JPEG", "PNG"]]:
    from PIL import ImageOps  # start-up time, as above

    image = ImageOps.exif_transpose(image)
    transparent = image.has_transparency_data
    if transparent and size <= BYTES_MAX:
        content = _encoded(image.convert("RGBA"), "PNG")
        if len(content) <= BYTES_MAX:
            return content, "PNG"
    if transparent:
        from PIL import Image  # start-up time, as above

        rgba = image.convert("RGBA")
        image = Image.new("RGB", rgba.size, "white")
        image.paste(rgba, mask=rgba.getchannel("A"))
    image = image.convert("RGB")
    content = _encoded(image, "JPEG")
    while len(content) > BYTES_MAX and min(image.size) // 2 > SHORT_SIDE_OVER:
        image = image.reduce(2)
        content = _encoded(image, "JPEG")
    return content, "JPEG"


def _encoded(image: "Image", kind: Literal["JPEG", "PNG"]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=92) if kind == "JPEG" else image.save(buffer, kind)
    return buffer.getvalue()


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"
