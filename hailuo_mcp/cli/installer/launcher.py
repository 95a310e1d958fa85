"""The command that a host starts this server with. Hosts started from a desktop have a PATH of their own, and rarely
find `uvx` there: the path is absolute, and one that an upgrade leaves in place."""

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
"""What a cache is marked with, uv's among them: https://bford.info/cachedir/"""


@dataclass(frozen=True, slots=True)
class Launcher:
    command: str
    args: tuple[str, ...]
    fetches: bool = False
    """Whether the package may have to be fetched before it starts."""


def launcher(environ: Mapping[str, str] | None = None) -> Launcher:
    """How the program that runs now is started again, tomorrow and from elsewhere.

    Run by `uvx`, it stands in uv's cache, which may be emptied: then `uvx` itself is named. Else it is the command
    `hailuo-mcp` as it is found on the PATH, for that link outlives upgrades of `uv tool`, pipx and Homebrew; or the
    command beside this Python; or this Python with `-m`.
    """
    environ = os.environ if environ is None else environ
    prefix = Path(sys.prefix)
    if _is_in_a_cache(prefix) and (uvx := _uvx(environ)):
        return Launcher(str(uvx), (*_source(), PACKAGE), fetches=True)
    name = f"{PACKAGE}.exe" if os.name == "nt" else PACKAGE
    script = Path(sysconfig.get_path("scripts")) / name
    if not script.is_file():
        return Launcher(sys.executable, ("-m", "hailuo_mcp"))
    found = shutil.which(PACKAGE, path=environ.get("PATH", ""))
    if found and Path(found).resolve() == script.resolve():
        script = Path(found)
    return Launcher(str(script.absolute()), ())


def _is_in_a_cache(prefix: Path) -> bool:
    """Not by a mark of its own: uv puts one into every environment it makes."""
    return any((directory / CACHE_TAG).exists() for directory in prefix.parents)


def _uvx(environ: Mapping[str, str]) -> Path | None:
    """uv tells the processes it runs where it is itself."""
    uv = environ.get("UV")
    beside = Path(uv).with_name("uvx.exe" if os.name == "nt" else "uvx") if uv else None
    if beside and beside.is_file():
        return beside.absolute()
    found = shutil.which("uvx", path=environ.get("PATH", ""))
    return Path(found).absolute() if found else None


def _source() -> tuple[str, ...]:
    """`--from`, where the package came from elsewhere than the index, or with the media extra."""
    extra = "[media]" if find_spec("av") else ""
    if origin := _origin():
        return "--from", f"{PACKAGE}{extra} @ {origin}"
    return ("--from", f"{PACKAGE}{extra}") if extra else ()


def _origin() -> str | None:
    """Where pip or uv noted that the package came from:
    https://packaging.python.org/en/latest/specifications/direct-url/"""
    try:
        noted = distribution(PACKAGE).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    if not noted:
        return None
    origin: dict[str, Any] = json.loads(noted)
    if control := origin.get("vcs_info"):
        revision = control.get("requested_revision")
        return f"{control['vcs']}+{origin['url']}" + (f"@{revision}" if revision else "")
    return str(origin["url"])
