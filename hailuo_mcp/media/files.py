"""Local pictures: from which places they may be read, and reading no more of a file than it deserves."""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.formats import HEADER_BYTES, WANTED, no_picture, picture_format

FILE_BYTES_MAX = 200 * 1024 * 1024
"""A file larger than this is not read even to be shrunk."""
_ABSOLUTE = "Give the absolute path of a JPG or PNG file."
_SPECIAL = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_local(parameter: str, given: str, directories: Sequence[Path], output_dir: Path | None) -> tuple[bytes, str]:
    """The content of a local picture and the name to show it by. Whether a file exists is said of allowed places only.

    `directories`: where it may come from; empty means the home directory without hidden folders. The output directory
    is always allowed.

    Raises:
        InvalidImage: it may not or cannot be read, or is no picture.
    """
    real = _resolved(parameter, given)
    if real is None or not _allowed(real, directories, output_dir):
        raise InvalidImage(
            f"{parameter}: {given[:120]!r} is outside the directories that pictures may come from.",
            "Move the picture to a folder of the home directory, or name its folder in HAILUO_MCP_INPUT_DIRS.",
        )
    label = "".join(c if c.isprintable() else "?" for c in real.name)[:80]
    return _read(parameter, real, label), label


def megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"


def _resolved(parameter: str, given: str) -> Path | None:
    """The real path, all links followed; None where there is none, which is not told from one that is not allowed."""
    text = _path_text(parameter, given)
    if not text:
        raise InvalidImage(f"{parameter} is empty.", WANTED)
    try:
        return Path(text).expanduser().resolve()
    except (OSError, RuntimeError):  # a circle of links, a user nobody knows
        return None
    except ValueError:
        raise InvalidImage(f"{parameter} is not a usable path: {given[:80]!r}.", _ABSOLUTE) from None


def _path_text(parameter: str, given: str) -> str:
    """What was given, as a path of this system."""
    if given[:5].lower() == "file:":
        text = given[5:]
        if text.startswith("//"):
            host, _, path = text[2:].partition("/")
            if host.lower() not in ("", "localhost", "~"):
                raise InvalidImage(
                    f"{parameter} is a file: URL that names a host: {given[:80]!r}.", "Write file:///absolute/path."
                )
            text = f"{'~' if host == '~' else ''}/{path}"
        text = unquote(text)
        return text[1:] if os.name == "nt" and re.match(r"/[A-Za-z]:", text) else text
    if "://" in given:
        raise InvalidImage(
            f"{parameter} has a scheme that is not taken: {given[:80]!r}.",
            "Give an http(s) URL, a data: URI or a path.",
        )
    if os.name == "nt":
        if given.startswith(("\\\\", "//")):  # only to look at such a path logs in at the machine it names
            raise InvalidImage(f"{parameter} names another machine: {given[:80]!r}.", _ABSOLUTE)
    elif re.match(r"[A-Za-z]:[\\/]", given):
        raise InvalidImage(
            f"{parameter} is a Windows path, and this server does not run on Windows: {given[:80]!r}.",
            "Give the path as the server's machine writes it, or a data: URI.",
        )
    return given


def _allowed(real: Path, directories: Sequence[Path], output_dir: Path | None) -> bool:
    if output_dir and real.is_relative_to(output_dir.resolve()):
        return True
    if directories:
        return any(real.is_relative_to(directory.resolve()) for directory in directories)
    try:
        home = Path.home().resolve()
    except RuntimeError:
        return False
    if home == Path(home.anchor):  # an account without a home of its own: that would be the whole disk
        return False
    return real.is_relative_to(home) and not any(part.startswith(".") for part in real.relative_to(home).parts)


def _read(parameter: str, real: Path, label: str) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        _check_kind(parameter, label, os.lstat(real))  # before it is opened: opening is enough to disturb a device
        # The path was resolved: a link or pipe put in its place since then is neither followed nor waited for.
        handle = os.open(real, flags)
    except OSError as error:
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        raise InvalidImage(
            f"{parameter}: the file {label!r} {'does not exist' if missing else 'cannot be read'}.", _ABSOLUTE
        ) from None
    with os.fdopen(handle, "rb") as file:
        _check_kind(parameter, label, os.fstat(handle))
        header = os.read(handle, HEADER_BYTES)  # past the buffer, which would fetch a whole block
        if not picture_format(header):
            raise no_picture(parameter, label, header)
        return header + file.read(FILE_BYTES_MAX)


def _check_kind(parameter: str, label: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        what = next((name for is_it, name in _SPECIAL if is_it(status.st_mode)), "no regular file")
        raise InvalidImage(f"{parameter}: {label!r} is {what}, not a picture file.", WANTED)
    if status.st_size > FILE_BYTES_MAX:
        raise InvalidImage(
            f"{parameter} ({label}) has {megabytes(status.st_size)}; at most 20 MB are taken, and no file over "
            f"{megabytes(FILE_BYTES_MAX)} is read.",
            WANTED,
        )
