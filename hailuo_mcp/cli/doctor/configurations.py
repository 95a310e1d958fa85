"""Checks the hosts' configurations on this machine: whether they start this server, and whether the command still
exists."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePath

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.doctor.finding import Finding, ok, problem, warning


def check() -> Iterator[Finding]:
    # By path: in the home directory, the project's and the user's file may be the same.
    configs = {found.place.path: found for found in reversed(installer.detect_all()) if found.is_host_here}
    for found in reversed(configs.values()):
        yield from _place(found)
    if not configs:
        yield ok("hosts", "no supported host was found on this machine", "hailuo-mcp install --help lists them.")


def _place(found: installer.DetectedConfig) -> Iterator[Finding]:
    topic = f"host {found.host.name}"
    if found.problem:
        yield problem(topic, found.problem, "Correct the file by hand; the host cannot read it either.")
        return
    for entry in found.entries:
        yield _entry(topic, found, entry)
    if not found.entries and found.place.scope == "user":
        fix = f"To add it: {_install(found)}"
        yield ok(topic, f"{found.host.title} is not set up to start this server ({found.place.path})", fix)


def _entry(topic: str, found: installer.DetectedConfig, entry: installer.Entry) -> Finding:
    named = f"{entry.name!r} in {found.place.path}"
    if not entry.is_ours:
        fix = f"Install under another name: {_install(found)} --name NAME"
        return warning(topic, f"{named} starts something else: {entry.command}", fix)
    if missing := _missing_path(entry):
        return problem(topic, f"{named} starts {missing}, which no longer exists", f"Update it: {_install(found)}")
    if not PurePath(entry.command).is_absolute():
        if shutil.which(entry.command) is None:
            message = f"{named} starts {entry.command}, which is not found here"
            return problem(topic, message, f"Use its full path: {_install(found)}")
        message = f"{named} starts {entry.command} without a path: a host started from the desktop may not find it"
        return warning(topic, message, f"Use its full path: {_install(found)}")
    which = "this installation" if _is_this(entry) else f"another installation, {entry.command}"
    keys = [variable for variable in entry.variables if variable.endswith("_API_KEY")]
    return ok(topic, f"{named} starts {which}, with {', '.join(keys) if keys else 'no key of its own'}")


def _missing_path(entry: installer.Entry) -> str:
    """A path that the entry needs and that does not exist; empty if all do."""
    paths = [path for path in (entry.command, *entry.args) if PurePath(path).is_absolute()]
    return next((path for path in paths if not os.path.exists(path)), "")  # noqa: PTH110  no error for odd paths


def _is_this(entry: installer.Entry) -> bool:
    launcher = installer.find_launcher()
    if entry.args == launcher.args and Path(entry.command).resolve() == Path(launcher.command).resolve():
        return True
    # Symbolic links of a Python are not followed: all environments created from one Python link to it.
    is_sibling = Path(entry.command).absolute().parent == Path(launcher.command).absolute().parent
    return is_sibling and (PurePath(entry.command).stem == "hailuo-mcp" or entry.args[:2] == ("-m", "hailuo_mcp"))


def _install(found: installer.DetectedConfig) -> str:
    return f"hailuo-mcp install {found.host.name}" + (" --scope project" if found.place.is_shared else "")
