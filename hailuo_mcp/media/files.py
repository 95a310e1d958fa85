"""Reads local files: only from allowed directories, and only the first bytes of unsuitable ones."""

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.formats import HEADER_BYTES, image_format, not_an_image
from hailuo_mcp.media.paths import ABSOLUTE, allowed_path

Check = Callable[[str, str, bytes, int], None]
"""Refuses a file by its parameter, label, first bytes and size, before the rest is read. Raises InvalidImage."""

FILE_BYTES_MAX = 200 * 1024 * 1024
"""A larger file is not read, not even to be resized."""
_SPECIAL = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_local(
    parameter: str, given: str, directories: Sequence[Path], output_dir: Path | None, check: Check
) -> tuple[bytes, str]:
    """The content of a local file and the name to show for it. Only errors for allowed directories say whether a file
    exists.

    `directories`: the allowed ones; empty means the home directory without hidden folders. The output directory is
    always allowed.

    Raises:
        InvalidImage: the file is not allowed or readable, or `check` refuses it.
    """
    real = allowed_path(parameter, given, directories, output_dir)
    label = "".join(c if c.isprintable() else "?" for c in real.name)[:80]
    return _read(parameter, real, label, check), label


def check_image(parameter: str, label: str, header: bytes, _: int) -> None:
    """A `Check` that accepts any image."""
    if not image_format(header):
        raise not_an_image(parameter, label, header)


def move_new(part: Path, target: Path, hard_link: Callable[[Path, Path], None] = os.link) -> None:
    """Rename a file without replacing an existing target, which raises FileExistsError. `hard_link`: as `os.link`."""
    try:
        hard_link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the name is reserved first, then replaced atomically
        target.touch(exist_ok=False)
        try:
            part.replace(target)
        except OSError:
            target.unlink()
            raise


def sync_directory(directory: Path) -> None:
    """Make new names in a directory survive a power cut, if the system supports it."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def reason_of(error: OSError) -> str:
    """The system's text for the error number, never the text of the exception."""
    return os.strerror(error.errno) if error.errno else type(error).__name__


def megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"


def _read(parameter: str, real: Path, label: str, check: Check) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        _check_kind(parameter, label, os.lstat(real))  # before it is opened: opening alone can affect a device
        # The path was resolved: a link or pipe put in its place since then is neither followed nor waited for.
        handle = os.open(real, flags)
    except OSError as error:
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        raise InvalidImage(
            f"{parameter}: the file {label!r} {'does not exist' if missing else 'cannot be read'}.", ABSOLUTE
        ) from None
    with os.fdopen(handle, "rb") as file:
        _check_kind(parameter, label, status := os.fstat(handle))
        header = os.read(handle, HEADER_BYTES)  # unbuffered, so that no whole block is read
        check(parameter, label, header, status.st_size)
        return header + file.read(FILE_BYTES_MAX)


def _check_kind(parameter: str, label: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        what = next((name for matches, name in _SPECIAL if matches(status.st_mode)), "not a regular file")
        raise InvalidImage(f"{parameter}: {label!r} is {what}, not a file that can be sent.", ABSOLUTE)
    if status.st_size > FILE_BYTES_MAX:
        raise InvalidImage(
            f"{parameter} ({label}) has {megabytes(status.st_size)}; no file over {megabytes(FILE_BYTES_MAX)} is read.",
            "Make it smaller.",
        )
