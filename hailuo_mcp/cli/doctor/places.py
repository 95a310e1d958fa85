"""The directories: whether clips can be saved, and whether pictures can come from where they may come from. Nothing
that stays is made: a directory that is missing is tried in the nearest one that is there."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hailuo_mcp.cli.doctor.finding import Finding, ok, problem, warning
from hailuo_mcp.core.settings import PREFIX, Settings
from hailuo_mcp.media.clips import FREE_BYTES_MIN

_MB = 1024 * 1024


def check(settings: Settings) -> Iterator[Finding]:
    yield _output(settings)
    for directory in settings.input_dirs:
        yield _input(directory)


def _output(settings: Settings) -> Finding:
    directory, variable = settings.output_dir, f"{PREFIX}OUTPUT_DIR"
    if why := unwritable(directory):
        cure = f"Make it writable, or name another directory in {variable}."
        return problem("output directory", f"{directory}: {why}", cure)
    free = shutil.disk_usage(_nearest(directory)).free
    room = f"{free / 1024 / _MB:.1f} GB free" if free else "free space not told"  # some network drives report 0
    if 0 < free < max(FREE_BYTES_MIN, settings.max_video_mb * _MB):
        said = f"{directory}: only {free // _MB} MB free, and a clip may have {settings.max_video_mb} MB"
        cure = f"Free some space, or name another directory in {variable}."
        return (problem if free < FREE_BYTES_MIN else warning)("output directory", said, cure)
    if not directory.is_absolute():
        return _relative("output directory", directory, variable)
    made = "" if directory.exists() else "; it will be made with the first clip"
    return ok("output directory", f"{directory}: writable, {room}{made}")


def _input(directory: Path) -> Finding:
    about, variable = "input directory", f"{PREFIX}INPUT_DIRS"
    if not directory.is_dir():
        what = "is no directory" if directory.exists() else "does not exist"
        cure = f"Make it, or correct {variable}; several are separated by {os.pathsep!r}."
        return warning(about, f"{directory} {what}: no picture can come from there", cure)
    if not os.access(directory, os.R_OK | os.X_OK):
        cure = "Allow this user to read it."
        return warning(about, f"{directory} cannot be read: no picture can come from there", cure)
    return ok(about, f"{directory}") if directory.is_absolute() else _relative(about, directory, variable)


def _relative(about: str, directory: Path, variable: str) -> Finding:
    what = f"{directory} is relative: it is another place with each directory that a host starts the server in"
    return warning(about, what, f"Write an absolute path in {variable}, here {directory.absolute()}.")


def unwritable(directory: Path) -> str:
    """Why nothing can be written in a directory that is there or is yet to be made; empty where something can."""
    nearest = _nearest(directory)
    if not nearest.is_dir():
        return f"{nearest} is in the way: it is no directory"
    try:
        # Tried, not looked up: permissions tell root nothing, nor anybody about a read-only disk.
        with tempfile.TemporaryFile(dir=nearest):
            return ""
    except OSError as error:
        return f"nothing can be written in {nearest} ({os.strerror(error.errno) if error.errno else 'unknown reason'})"


def _nearest(path: Path) -> Path:
    """The path, or the first above it that is there."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if os.path.lexists(place))
