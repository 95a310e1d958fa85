"""Files given by a caller: a URL for the gateway to fetch, or content from a `data:` URI or a local file."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.core.parameters import MediaRule
from hailuo_mcp.media.data_uris import bare_base64, from_data_uri
from hailuo_mcp.media.files import Check, read_local
from hailuo_mcp.media.paths import WANTED, unwrapped

AT_ONCE = 2
"""How many files are read at a time."""
URL_MAX = 2048


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """A file that can be sent: a URL for the gateway to fetch, or checked content."""

    shown: str
    """How records and results show it."""
    digest: str
    """SHA-256 of the content; for a URL, of its text."""
    url: str | None = None
    content: bytes = b""
    media_type: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    """The length of a video or audio file, if known."""

    @classmethod
    def of(
        cls, label: str, content: bytes, media_type: str, warnings: Sequence[str] = (), seconds: float | None = None
    ) -> "LoadedFile":
        """Content that was checked, under this name."""
        digest = hashlib.sha256(content).hexdigest()
        shown = f"{label} (sha256:{digest[:12]})"
        return cls(shown, digest, None, content, media_type, tuple(warnings), seconds)

    @property
    def data_uri(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"

    @property
    def data_mark(self) -> str:
        return f"data:{self.media_type};base64,<sha256:{self.digest}>"

    @property
    def upload_mark(self) -> str:
        return f"<upload:sha256:{self.digest}>"


@dataclass(frozen=True, slots=True)
class FileRules:
    """Where local files may come from, and what they must contain."""

    directories: Sequence[Path] = ()
    """Empty: the home directory without hidden folders."""
    output_dir: Path | None = None
    local_files: bool = True
    """False if the caller is not on this machine."""
    fix: bool = False
    """Whether unsuitable images are fixed."""
    keep_metadata: bool = False
    """Whether EXIF data, comments and the like stay in an image."""
    formats: tuple[str, ...] = ("JPEG", "PNG")
    """The image formats that the gateway accepts, unless `rule` is more specific."""
    rule: MediaRule | None = None
    """What the model documents for this medium."""
    limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(AT_ONCE), compare=False)
    """Limits how many files are read at once, for these rules and their copies."""


class LocalFile(InvalidImage):
    """The file is on the caller's machine, not on this one."""


def is_url(given: str) -> bool:
    return unwrapped(given)[:7].lower() in ("http://", "https:/")


def from_url(parameter: str, given: str) -> LoadedFile:
    """The file at a URL, which is never fetched here.

    Raises:
        InvalidImage: it is not a valid URL.
    """
    text = unwrapped(given)
    try:
        host = urlsplit(text).hostname
    except ValueError:
        host = None
    if not host or any(c.isspace() or not c.isprintable() for c in text):
        raise InvalidImage(f"{parameter} is not a valid URL: {text[:80]!r}.", "Give a full http(s) URL without spaces.")
    if len(text) > URL_MAX:
        raise InvalidImage(f"{parameter} is a URL of {len(text)} characters; at most {URL_MAX} are accepted.", WANTED)
    return LoadedFile(shown=text, digest=hashlib.sha256(text.encode()).hexdigest(), url=text)


def read_given(
    parameter: str, given: str, rules: FileRules, detect: Callable[[bytes], object], check: Check
) -> tuple[bytes, str]:
    """The content of a file, and the name to show for it. `detect`: whether bytes are the beginning of a suitable file;
    `check` refuses a local file by its first bytes.

    Raises:
        LocalFile: it is on the caller's machine.
        InvalidImage: it may not or cannot be read, or `check` refuses it.
    """
    text = unwrapped(given)
    if text[:5].lower() == "data:":
        return from_data_uri(parameter, text), "data URI"
    if (payload := bare_base64(text, detect)) is not None:
        return from_data_uri(parameter, f"data:;base64,{payload}"), "base64"
    if not rules.local_files:
        raise LocalFile(f"{parameter} names a local file, which this server cannot read.", "Give a URL or a data: URI.")
    return read_local(parameter, text, rules.directories, rules.output_dir, check)
