"""The configurations of the hosts on this machine: whether they start this server, and whether what they start is
still there."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePath

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.doctor.finding import Finding, ok, problem, warning

_MODULE = "hailuo_mcp"


def check() -> Iterator[Finding]:
    # By path: in the home directory, a project's file is the user's own.
    here = {found.place.path: found for found in reversed(installer.detect_all()) if found.is_host_here}
    for found in reversed(here.values()):
        yield from _place(found)
    if not here:
        yield ok("hosts", "none of those known is on this machine", "hailuo-mcp install --help names them.")


def _place(found: installer.DetectedConfig) -> Iterator[Finding]:
    about = f"host {found.host.name}"
    if found.problem:
        yield problem(about, found.problem, "Correct the file by hand; the host does not understand it either.")
        return
    for entry in found.entries:
        yield _entry(about, found, entry)
    if not found.entries and found.place.scope == "user":
        cure = f"To add it: {_install(found)}"
        yield ok(about, f"{found.host.title} does not know this server ({found.place.path})", cure)


def _entry(about: str, found: installer.DetectedConfig, entry: installer.Entry) -> Finding:
    named = f"{entry.name!r} in {found.place.path}"
    if not entry.is_ours:
        cure = f"Give one of the two another name: {_install(found)} --name NAME"
        return warning(about, f"{named} starts something else: {entry.command}", cure)
    if lost := _lost(entry):
        return problem(about, f"{named} starts {lost}, which is not there any more", f"Renew it: {_install(found)}")
    if not PurePath(entry.command).is_absolute():
        if shutil.which(entry.command) is None:
            what = f"{named} starts {entry.command}, which is not found here"
            return problem(about, what, f"Write its whole path: {_install(found)}")
        what = f"{named} starts {entry.command} by name: a host started from the desktop may not find it"
        return warning(about, what, f"Write its whole path: {_install(found)}")
    which = "this installation" if _is_this(entry) else f"another installation, {entry.command}"
    keys = [variable for variable in entry.variables if variable.endswith("_API_KEY")]
    return ok(about, f"{named} starts {which}, with {', '.join(keys) if keys else 'no key of its own'}")


def _lost(entry: installer.Entry) -> str:
    """The path that the entry needs and that is gone; empty where all are there."""
    paths = [path for path in (entry.command, *entry.args) if PurePath(path).is_absolute()]
    return next((path for path in paths if not os.path.exists(path)), "")  # noqa: PTH110  no error for odd paths


def _is_this(entry: installer.Entry) -> bool:
    launcher = installer.find_launcher()
    if entry.args == launcher.args and Path(entry.command).resolve() == Path(launcher.command).resolve():
        return True
    # A Python is not followed to where it links: the environments made from one Python all link to it.
    beside = Path(entry.command).absolute().parent == Path(launcher.command).absolute().parent
    return beside and (PurePath(entry.command).stem == "hailuo-mcp" or entry.args[:2] == ("-m", _MODULE))


def _install(found: installer.DetectedConfig) -> str:
    return f"hailuo-mcp install {found.host.name}" + (" --scope project" if found.place.is_shared else "")
