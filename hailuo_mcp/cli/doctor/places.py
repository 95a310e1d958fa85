"""Checks the directories: whether clips can be saved, and whether the input directories can be read. Nothing permanent
is created: for a missing directory, its nearest existing parent is checked."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hailuo_mcp.cli.doctor.finding import Finding, ok, problem, warning
from hailuo_mcp.core.setting_values import PREFIX
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.media.clips import FREE_BYTES_MIN

_MB = 1024 * 1024


def check(settings: Settings) -> Iterator[Finding]:
    yield _output(settings)
    for directory in settings.input_dirs:
        yield _input(directory)


def _output(settings: Settings) -> Finding:
    directory, variable = settings.output_dir, f"{PREFIX}OUTPUT_DIR"
    if why := unwritable(directory):
        fix = f"Make it writable, or name another directory in {variable}."
        return problem("output directory", f"{directory}: {why}", fix)
    free = shutil.disk_usage(_nearest(directory)).free
    space = f"{free / 1024 / _MB:.1f} GB free" if free else "free space unknown"  # some network drives report 0
    if 0 < free < max(FREE_BYTES_MIN, settings.max_video_mb * _MB):
        message = f"{directory}: only {free // _MB} MB free; a clip may be up to {settings.max_video_mb} MB"
        fix = f"Free some space, or name another directory in {variable}."
        return (problem if free < FREE_BYTES_MIN else warning)("output directory", message, fix)
    if not directory.is_absolute():
        return _relative("output directory", directory, variable)
    created = "" if directory.exists() else "; it will be created when the first clip is saved"
    return ok("output directory", f"{directory}: writable, {space}{created}")


def _input(directory: Path) -> Finding:
    topic, variable = "input directory", f"{PREFIX}INPUT_DIRS"
    wrong, fix = "", f"Create it, or correct {variable}; several are separated by {os.pathsep!r}."
    try:
        if not stat.S_ISDIR(directory.stat().st_mode):
            wrong = "is not a directory"
        elif not os.access(directory, os.R_OK | os.X_OK):
            wrong, fix = "cannot be read", "Allow this user to read it."
    except PermissionError:  # because of a directory above it
        wrong, fix = "cannot be read", "Allow this user to read it."
    except OSError:
        wrong = "does not exist"
    if wrong:
        return warning(topic, f"{directory} {wrong}: no images can be read from there", fix)
    return ok(topic, f"{directory}") if directory.is_absolute() else _relative(topic, directory, variable)


def _relative(topic: str, directory: Path, variable: str) -> Finding:
    message = f"{directory} is relative: it depends on the directory that a host starts the server in"
    return warning(topic, message, f"Write an absolute path in {variable}, here {directory.absolute()}.")


def unwritable(directory: Path) -> str:
    """Why an existing or future directory cannot be written to; empty if it can."""
    nearest = _nearest(directory)
    if not nearest.is_dir():
        return f"{nearest} is in the way: it is not a directory"
    try:
        # By writing: permission bits do not apply to root, and do not reveal a read-only disk.
        with tempfile.TemporaryFile(dir=nearest):
            return ""
    except OSError as error:
        return f"nothing can be written in {nearest} ({os.strerror(error.errno) if error.errno else 'unknown reason'})"


def _nearest(path: Path) -> Path:
    """The path, or its nearest existing parent."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if os.path.lexists(place))
