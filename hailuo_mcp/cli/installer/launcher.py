"""The command with which a host starts this server. Hosts started from the desktop have their own PATH, which rarely
contains `uvx`, so the path is absolute and chosen to survive upgrades."""

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "hailuo-mcp"
CACHE_TAG = "CACHEDIR.TAG"
"""The file that marks a cache directory, such as uv's: https://bford.info/cachedir/"""


@dataclass(frozen=True, slots=True)
class Launcher:
    command: str
    args: tuple[str, ...]
    fetches: bool = False
    """Whether the package may have to be downloaded before it starts."""


def find_launcher(
    environ: Mapping[str, str] | None = None, *, prefix: Path | None = None, scripts: Path | None = None
) -> Launcher:
    """How to start the running program later and from anywhere.

    If `uvx` runs it, it is in uv's cache, which may be emptied: then the launcher is `uvx` itself. Otherwise it is the
    command `hailuo-mcp` as found on the PATH, because that link survives upgrades by `uv tool`, pipx and Homebrew; or
    the command next to this Python; or this Python with `-m`. `prefix` and `scripts` are the directories of the Python
    environment and of its commands; by default, those of this process.
    """
    environ = os.environ if environ is None else environ
    prefix = prefix or Path(sys.prefix)
    if _is_in_a_cache(prefix) and (uvx := _uvx(environ)):
        return Launcher(str(uvx), (*_source(), PACKAGE), fetches=True)
    name = f"{PACKAGE}.exe" if os.name == "nt" else PACKAGE
    script = (scripts or Path(sysconfig.get_path("scripts"))) / name
    if not script.is_file():
        return Launcher(sys.executable, ("-m", "hailuo_mcp"))
    found = shutil.which(PACKAGE, path=environ.get("PATH", ""))
    if found and Path(found).resolve() == script.resolve():
        script = Path(found)
    return Launcher(str(script.absolute()), ())


def _is_in_a_cache(prefix: Path) -> bool:
    """Whether a parent directory is tagged as a cache. A tag in the environment itself does not count: uv puts one into
    every environment it creates."""
    return any((directory / CACHE_TAG).exists() for directory in prefix.parents)


def _uvx(environ: Mapping[str, str]) -> Path | None:
    """The path of uvx; uv passes its own path to the processes it runs."""
    uv = environ.get("UV")
    sibling = Path(uv).with_name("uvx.exe" if os.name == "nt" else "uvx") if uv else None
    if sibling and sibling.is_file():
        return sibling.absolute()
    found = shutil.which("uvx", path=environ.get("PATH", ""))
    return Path(found).absolute() if found else None


def _source() -> tuple[str, ...]:
    """The value of `--from`, if the package did not come from the index or has the media extra."""
    package = PACKAGE + ("[media]" if find_spec("av") else "")
    if origin := direct_url():
        package += f" @ {_requirement_url(origin)}"
    return ("--from", package) if package != PACKAGE else ()


def _requirement_url(origin: Mapping[str, Any]) -> str:
    url = str(origin["url"])
    if control := origin.get("vcs_info"):
        revision = control.get("requested_revision")
        return f"{control['vcs']}+{url}" + (f"@{revision}" if revision else "")
    return url


def direct_url() -> Mapping[str, Any]:
    """Where the package came from, as pip or uv recorded it; empty if it came from the index:
    https://packaging.python.org/en/latest/specifications/direct-url/"""
    try:
        recorded = distribution(PACKAGE).read_text("direct_url.json")
    except PackageNotFoundError:
        return {}
    return json.loads(recorded) if recorded else {}
