"""Paths of local files as users paste them, and whether they are allowed."""

import os
import platform
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote

from hailuo_mcp.core.errors import InvalidImage

ABSOLUTE = "Give the absolute path of the file."
WANTED = "Give a file path, a data: URI or an http(s) URL."
PATH_MAX = 4096
_QUOTES = {'"': '"', "'": "'", "`": "`", "<": ">", "“": "”", "‘": "’", "«": "»"}
_HOME = re.compile(r"(?:~|\$HOME|\$\{HOME\}|%USERPROFILE%)(?=[/\\]|$)", re.IGNORECASE)
_DRIVE = re.compile(r"/?([A-Za-z]):[\\/]")
_WSL_SHARE = re.compile(r"[\\/]{2}wsl(?:\$|\.localhost)[\\/][^\\/]+(?=[\\/])", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_=\r\n-]{64,}")
_ELSEWHERE = re.compile(r"(?:[a-z][a-z0-9+.-]+://|(?:blob|sandbox|attachment|cid|about|javascript):)", re.IGNORECASE)


def unwrapped(given: str) -> str:
    """The text without surrounding spaces, quotes, backticks and angle brackets."""
    text = given.strip()
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def is_own_path(given: str) -> bool:
    """Whether a path does not depend on the current directory."""
    return Path(given).is_absolute() or bool(_HOME.match(given) or _DRIVE.match(given) or _WSL_SHARE.match(given))


def allowed_path(parameter: str, given: str, directories: Sequence[Path], output_dir: Path | None) -> Path:
    """The real path of a local file, with all links resolved.

    `directories`: those that files may come from; empty means the home directory without hidden folders. The output
    directory is always allowed. The result depends on which files exist only within allowed directories.

    Raises:
        InvalidImage: it is not a path, or not in an allowed directory.
    """
    text = _path_text(parameter, given)
    if not text:
        raise InvalidImage(f"{parameter} is empty.", WANTED)
    try:
        path = Path(text).expanduser()
        real = _resolved(path)
    except RuntimeError:  # an unknown user
        path, real = Path(text), None
    except ValueError:
        raise InvalidImage(f"{parameter} is not a valid path: {given[:80]!r}.", ABSOLUTE) from None

    def allowed(place: Path) -> bool:
        return _is_allowed(place, directories, output_dir)

    if real is not None and allowed(real):
        if os.path.lexists(real):
            return real
        similar = _resolved(_similar_path(real, allowed))  # resolve links again: the name found may be one
        if similar is not None and allowed(similar):
            return similar
    raise InvalidImage(
        f"{parameter}: {given[:120]!r} is outside the directories that files may come from.",
        "Move the file to a folder in the home directory, or add its folder to HAILUO_MCP_INPUT_DIRS."
        if path.is_absolute()
        else ABSOLUTE,
    )


def _resolved(path: Path) -> Path | None:
    """The path with all links resolved; None if it does not exist, which is reported like a forbidden path."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links, a name that is too long
        return None


def _path_text(parameter: str, given: str) -> str:
    """The given text in this system's path syntax."""
    text = unwrapped(given)
    if len(text) > PATH_MAX or "\n" in text:
        kind = "base64" if _BASE64.fullmatch(text) else "a text"
        raise InvalidImage(f"{parameter} is {kind} of {len(text)} characters, not a path: {text[:40]!r}….", WANTED)
    if text[:5].lower() == "file:":
        text = _path_of_url(parameter, text)
    elif _ELSEWHERE.match(text):
        raise InvalidImage(
            f"{parameter} has a scheme that is not supported: {given[:80]!r}.",
            "Give an http(s) URL, a data: URI or a path.",
        )
    text = _HOME.sub("~", text, count=1) if _HOME.match(text) else text
    if os.name == "nt":
        text = text[1:] if re.match(r"/[A-Za-z]:", text) else text
        if text.startswith(("\\\\", "//")):  # even checking whether such a path exists logs in to the machine it names
            raise InvalidImage(f"{parameter} names another machine: {given[:80]!r}.", ABSOLUTE)
        return text
    if is_wsl() and (share := _WSL_SHARE.match(text)):
        return text[share.end() :].replace("\\", "/")
    if drive := _DRIVE.match(text):
        if not is_wsl():
            raise InvalidImage(
                f"{parameter} is a Windows path, and this server does not run on Windows: {given[:80]!r}.",
                "Give the path as it is on the server's machine, or a data: URI.",
            )
        return f"/mnt/{drive[1].lower()}/" + text[drive.end() :].replace("\\", "/")
    return text


def _path_of_url(parameter: str, url: str) -> str:
    text = unquote(url[5:])
    if not text.startswith("//"):
        return text
    host, slash, path = text[2:].replace("\\", "/").partition("/")
    if host.lower() in ("", "localhost"):
        text = f"/{path}"
    elif _HOME.fullmatch(host) or re.fullmatch("[A-Za-z]:", host):
        text = f"{host}{slash}{path}"
    else:
        raise InvalidImage(
            f"{parameter} is a file: URL that names a host: {url[:80]!r}.", "Write file:///absolute/path."
        )
    return text[1:] if _HOME.match(text[1:]) else text


def is_wsl() -> bool:
    """Whether this is Linux inside Windows, where the drives are below /mnt."""
    return "WSL_DISTRO_NAME" in os.environ or "microsoft" in platform.release().lower()


def _similar_path(missing: Path, allowed: Callable[[Path], bool]) -> Path:
    """The only existing path that equals the missing one after normalizing letters and spaces: macOS puts a narrow
    space, which users cannot type, into the names of screenshots. The path itself if there is not exactly one."""
    place = missing
    names: list[str] = []
    while not os.path.exists(place) and place != place.parent:  # noqa: PTH110  never raises
        names.append(place.name)
        place = place.parent
    for name in reversed(names):
        if not allowed(place):
            return missing
        try:
            fitting = [entry for entry in place.iterdir() if _folded(entry.name) == _folded(name)]
        except OSError:
            return missing
        if len(fitting) != 1:
            return missing
        place = fitting[0]
    return place


def _folded(name: str) -> str:
    """The name with composed letters and plain spaces, and without shell escapes."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", name.replace("\\ ", " "))).strip()


def _is_allowed(real: Path, directories: Sequence[Path], output_dir: Path | None) -> bool:
    if output_dir and real.is_relative_to(output_dir.resolve()):
        return True
    if directories:
        return any(real.is_relative_to(directory.resolve()) for directory in directories)
    try:
        home = Path.home().resolve()
    except RuntimeError:
        return False
    if home == Path(home.anchor):  # an account without its own home: that would be the whole disk
        return False
    return real.is_relative_to(home) and not any(part.startswith(".") for part in real.relative_to(home).parts)
