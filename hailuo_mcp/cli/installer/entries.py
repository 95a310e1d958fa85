"""What stands in the hosts' configurations now."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from hailuo_mcp.cli.installer import jsonc, toml
from hailuo_mcp.cli.installer.files import ConfigError, ConfigFile, read
from hailuo_mcp.cli.installer.host import Host, Place
from hailuo_mcp.cli.installer.known import all
from hailuo_mcp.cli.installer.machine import Machine
from hailuo_mcp.cli.installer.shape import NAME
from hailuo_mcp.cli.installer.values import as_list, as_object

MARKS = ("hailuo-mcp", "hailuo_mcp")


@dataclass(frozen=True, slots=True)
class Entry:
    """One server of a host's configuration: ours, or one that bears our name. The values of its variables are left out,
    for they may be keys."""

    name: str
    command: str
    args: tuple[str, ...]
    variables: tuple[str, ...]
    """The variables that it sets or passes on."""
    is_ours: bool
    """Whether it starts this server."""


@dataclass(frozen=True, slots=True)
class DetectedConfig:
    """What was found at one place."""

    host: Host
    place: Place
    is_host_here: bool
    """Whether the directory that holds the file is there. For a project's file, whether the file is."""
    exists: bool
    entries: tuple[Entry, ...] = ()
    problem: str | None = None
    """Why the file cannot be read or understood."""


def survey(machine: Machine | None = None) -> tuple[DetectedConfig, ...]:
    """Every place of every host; never raises."""
    return tuple(detect(host, place) for host in all() for place in host.places(machine))


def detect(host: Host, place: Place) -> DetectedConfig:
    """What stands at this place; never raises."""
    exists = place.path.exists()
    # Claude Code's own directory is beside its file, and not around it.
    directory = place.path.with_suffix("") if place.path.name == ".claude.json" else place.path.parent
    is_here = exists or (place.scope == "user" and directory.is_dir())
    try:
        servers = servers_in(host, parse(host, read(place.path)))
    except ConfigError as error:
        return DetectedConfig(host, place, is_here, exists, problem=str(error))
    entries = (_entry(name, held) for name, server in servers.items() if (held := as_object(server)) is not None)
    return DetectedConfig(host, place, is_here, exists, tuple(e for e in entries if e.is_ours or e.name == NAME))


def parse(host: Host, file: ConfigFile) -> dict[str, Any]:
    """
    Raises:
        ConfigError: it is not what the host can read.
    """
    try:
        if host.format == "toml":
            return toml.parse(file.text)
        return jsonc.parse(file.text, comments=host.format == "jsonc")
    except ConfigError:
        raise
    except ValueError as error:
        kind = {"json": "JSON", "jsonc": "JSON with comments", "toml": "TOML"}[host.format]
        raise ConfigError(
            f"{file.path} is not the {kind} that {host.title} reads: {error}",
            "It was left as it is. Correct it, or paste what --print prints.",
        ) from None


def servers_in(host: Host, data: Mapping[str, Any]) -> dict[str, Any]:
    """The servers by name; none where the configuration has no place for them yet.

    Raises:
        ConfigError: the place for servers holds something else.
    """
    servers = as_object(data.get(host.servers, {}))
    if servers is None:
        raise ConfigError(f'"{host.servers}" is no object in {host.title}\'s configuration', "Correct it by hand.")
    return servers


def is_ours(held: Any) -> bool:
    """Whether an entry starts this server, by whatever launcher."""
    entry = as_object(held)
    return entry is not None and _entry("", entry).is_ours


def _entry(name: str, held: Mapping[str, Any]) -> Entry:
    command = str(held.get("command", ""))
    args = tuple(str(arg) for arg in as_list(held.get("args")) or ())
    passed_on = [str((as_object(v) or {"name": v}).get("name")) for v in as_list(held.get("env_vars")) or ()]
    variables = (*passed_on, *(as_object(held.get("env")) or ()))
    # The last part of a Windows path, wherever it is read.
    program = PurePath(command.replace("\\", "/")).stem
    ours = program in MARKS or any(mark in arg for arg in args for mark in MARKS)
    return Entry(name, command, args, variables, ours)
