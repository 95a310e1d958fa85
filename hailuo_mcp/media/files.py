"""Reads local images: only from allowed directories, and no more than the first bytes of any other file."""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.formats import HEADER_BYTES, WANTED, image_format, not_an_image

FILE_BYTES_MAX = 200 * 1024 * 1024
"""A larger file is not read, not even to be resized."""
_ABSOLUTE = "Give the absolute path of a JPG or PNG file."
_SPECIAL = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_local(parameter: str, given: str, directories: Sequence[Path], output_dir: Path | None) -> tuple[bytes, str]:
    """The content of a local image and the name to show for it. Only errors for allowed directories say whether a file
    exists.

    `directories`: the allowed ones; empty means the home directory without hidden folders. The output directory is
    always allowed.

    Raises:
        InvalidImage: the file is not allowed or readable, or is not an image.
    """
    real = _resolved(parameter, given)
    if real is None or not _allowed(real, directories, output_dir):
        raise InvalidImage(
            f"{parameter}: {given[:120]!r} is outside the directories that images may come from.",
            "Move the image to a folder in the home directory, or add its folder to HAILUO_MCP_INPUT_DIRS.",
        )
    label = "".join(c if c.isprintable() else "?" for c in real.name)[:80]
    return _read(parameter, real, label), label


def megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"


def _resolved(parameter: str, given: str) -> Path | None:
    """The real path, all links followed; None if there is none, which is reported like one that is not allowed."""
    text = _path_text(parameter, given)
    if not text:
        raise InvalidImage(f"{parameter} is empty.", WANTED)
    try:
        return Path(text).expanduser().resolve()
    except (OSError, RuntimeError):  # a loop of links, an unknown user
        return None
    except ValueError:
        raise InvalidImage(f"{parameter} is not a valid path: {given[:80]!r}.", _ABSOLUTE) from None


def _path_text(parameter: str, given: str) -> str:
    """The given text as a path of this system."""
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
            f"{parameter} has a scheme that is not supported: {given[:80]!r}.",
            "Give an http(s) URL, a data: URI or a path.",
        )
    if os.name == "nt":
        if given.startswith(("\\\\", "//")):  # even checking whether such a path exists logs in at the machine it names
            raise InvalidImage(f"{parameter} names another machine: {given[:80]!r}.", _ABSOLUTE)
    elif re.match(r"[A-Za-z]:[\\/]", given):
        raise InvalidImage(
            f"{parameter} is a Windows path, and this server does not run on Windows: {given[:80]!r}.",
            "Give the path as it is on the server's machine, or a data: URI.",
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
    if home == Path(home.anchor):  # an account without its own home: that would be the whole disk
        return False
    return real.is_relative_to(home) and not any(part.startswith(".") for part in real.relative_to(home).parts)


def _read(parameter: str, real: Path, label: str) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        _check_kind(parameter, label, os.lstat(real))  # before it is opened: opening alone can affect a device
        # The path was resolved: a link or pipe put in its place since then is neither followed nor waited for.
        handle = os.open(real, flags)
    except OSError as error:
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        raise InvalidImage(
            f"{parameter}: the file {label!r} {'does not exist' if missing else 'cannot be read'}.", _ABSOLUTE
        ) from None
    with os.fdopen(handle, "rb") as file:
        _check_kind(parameter, label, os.fstat(handle))
        header = os.read(handle, HEADER_BYTES)  # unbuffered, so that not a whole block is read
        if not image_format(header):
            raise not_an_image(parameter, label, header)
        return header + file.read(FILE_BYTES_MAX)


def _check_kind(parameter: str, label: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        what = next((name for is_it, name in _SPECIAL if is_it(status.st_mode)), "not a regular file")
        raise InvalidImage(f"{parameter}: {label!r} is {what}, not an image file.", WANTED)
    if status.st_size > FILE_BYTES_MAX:
        raise InvalidImage(
            f"{parameter} ({label}) has {megabytes(status.st_size)}; at most 20 MB are accepted, and no file over "
            f"{megabytes(FILE_BYTES_MAX)} is read.",
            WANTED,
        )
