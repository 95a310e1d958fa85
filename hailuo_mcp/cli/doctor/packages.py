"""Checks Python, the required packages, and the extras, from the installed metadata: packages that may be missing or of
another version are not imported."""

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.requirements import Requirement

from hailuo_mcp.cli.doctor.finding import Finding, ok, problem
from hailuo_mcp.cli.installer.launcher import PACKAGE, direct_url

LOST_WITHOUT = {
    "media": "last-frame:<request_id> is refused, the length of reference videos and audio is not checked, and a "
    "sandbox preview is always the same bundled clip",
    "otel": "no traces or metrics are exported, even if the OTEL variables are set",
    "postgres": "jobs can only be kept in SQLite",
}
"""Extra to the consequences of not having it."""


def check() -> Iterator[Finding]:
    yield ok("python", f"{platform.python_version()} at {sys.executable}, {platform.system()} {platform.machine()}")
    needed = [Requirement(line) for line in requires(PACKAGE) or ()]
    always = [requirement for requirement in needed if _applies(requirement)]
    wrong = [requirement for requirement in always if not _is_met(requirement)]
    if not wrong:
        found = ", ".join(f"{requirement.name} {_installed(requirement)}" for requirement in always)
        yield ok("packages", f"{PACKAGE} {version(PACKAGE)} with {found}")
    for requirement in wrong:
        wanted = f"{requirement.name}{requirement.specifier}"
        have = _installed(requirement)
        yield problem(
            "packages",
            f"{requirement.name} {f'{have} is' if have else 'is not'} installed; {PACKAGE} needs {wanted}",
            f"Install {PACKAGE} in an environment of its own: uv tool install --force {source()}. "
            f'Or fix this one: uv pip install --python {sys.executable} "{wanted}"',
        )
    for extra in metadata(PACKAGE).get_all("Provides-Extra") or ():
        yield _extra(extra, [line for line in needed if not _applies(line) and _applies(line, extra)])


def _extra(extra: str, members: list[Requirement]) -> Finding:
    missing = [member.name for member in members if not _is_met(member)]
    topic = f"extra {extra}"
    if not missing:
        return ok(topic, "installed: " + ", ".join(f"{member.name} {_installed(member)}" for member in members))
    lost = f": {LOST_WITHOUT[extra]}" if extra in LOST_WITHOUT else ""
    return ok(
        topic,
        f"not installed (no {', '.join(missing)}){lost}",
        f'If you need it: uv tool install --force "{source()}[{extra}]"',
    )


def source() -> str:
    """What this installation was installed from: the package's name, or the directory of a checkout."""
    origin = direct_url()
    url = str(origin.get("url", ""))
    return url2pathname(urlsplit(url).path) if url.startswith("file://") and "dir_info" in origin else PACKAGE


def _applies(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _is_met(requirement: Requirement) -> bool:
    have = _installed(requirement)
    return have is not None and requirement.specifier.contains(have, prereleases=True)


def _installed(requirement: Requirement) -> str | None:
    try:
        return version(requirement.name)
    except PackageNotFoundError:
        return None
