"""What the hosts' configurations contain now."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from hailuo_mcp.cli.installer.config_file import ConfigError, ConfigFile, read
from hailuo_mcp.cli.installer.entry import NAME
from hailuo_mcp.cli.installer.formats import parse_text
from hailuo_mcp.cli.installer.hosts import Host, Place
from hailuo_mcp.cli.installer.known_hosts import HOSTS
from hailuo_mcp.cli.installer.machine import Machine
from hailuo_mcp.cli.installer.values import as_list, as_object

_PROGRAM_NAMES = ("hailuo-mcp", "hailuo_mcp")


@dataclass(frozen=True, slots=True)
class Entry:
    """A server in a host's configuration: ours, or another one with our name. The values of its variables are left out,
    because they may be keys."""

    name: str
    command: str
    args: tuple[str, ...]
    variables: tuple[str, ...]
    """The variables that it sets or passes on."""
    is_ours: bool
    """Whether it starts this server."""


@dataclass(frozen=True, slots=True)
class DetectedConfig:
    """The configuration found at one place."""

    host: Host
    place: Place
    is_host_here: bool
    """Whether the file's directory exists. For a project's file, whether the file exists."""
    entries: tuple[Entry, ...] = ()
    problem: str | None = None
    """Why the file cannot be read or parsed."""


def detect_all(machine: Machine | None = None) -> tuple[DetectedConfig, ...]:
    """Every place of every host; never raises."""
    return tuple(detect(host, place) for host in HOSTS for place in host.places(machine))


def detect(host: Host, place: Place) -> DetectedConfig:
    """Never raises."""
    try:
        file = read(place.path)
        servers = servers_in(host, parse(host, file))
    except ConfigError as error:
        return DetectedConfig(host, place, is_host_here=True, problem=str(error))
    # Claude Code's own directory is next to its file, not its parent.
    directory = place.path.with_suffix("") if place.path.name == ".claude.json" else place.path.parent
    is_here = file.raw is not None or (place.scope == "user" and directory.is_dir())
    entries = (
        _entry(host, name, value) for name, server in servers.items() if (value := as_object(server)) is not None
    )
    return DetectedConfig(host, place, is_here, tuple(e for e in entries if e.is_ours or e.name == NAME))


def parse(host: Host, file: ConfigFile) -> dict[str, Any]:
    """
    Raises:
        ConfigError: the host could not parse it.
    """
    text = file.text
    try:
        return parse_text(host, text)
    except ValueError as error:
        kind = {"json": "JSON", "jsonc": "JSON with comments", "toml": "TOML", "yaml": "YAML"}[host.format]
        raise ConfigError(
            f"{file.path} is not the {kind} that {host.title} reads: {error}",
            "The file was left as it is. Correct it, or paste what --print prints.",
        ) from None


def servers_in(host: Host, data: Mapping[str, Any]) -> dict[str, Any]:
    """The servers by name.

    Raises:
        ConfigError: the section for servers is not an object.
    """
    servers = as_object(data[host.servers_key])
    if servers is None:
        message = f'"{host.servers_key}" is not an object in {host.title}\'s configuration'
        raise ConfigError(message, "Correct it by hand.")
    return servers


def is_ours(host: Host, value: Any) -> bool:
    """Whether an entry starts this server, by any launcher."""
    entry = as_object(value)
    return entry is not None and _entry(host, "", entry).is_ours


def _entry(host: Host, name: str, value: Mapping[str, Any]) -> Entry:
    shape = host.shape
    words = as_list(value.get(shape.command)) or [value.get(shape.command, "")]
    command = str(words[0])
    args = tuple(str(arg) for arg in (*words[1:], *(as_list(value.get(shape.args or "")) or ())))
    passed_on = [str((as_object(v) or {"name": v}).get("name")) for v in as_list(value.get(shape.forwarded)) or ()]
    variables = (*passed_on, *(as_object(value.get(shape.env)) or ()))
    # Also takes the last part of a Windows path on other systems.
    program = PurePath(command.replace("\\", "/")).stem
    ours = program in _PROGRAM_NAMES or any(mark in arg for arg in args for mark in _PROGRAM_NAMES)
    return Entry(name, command, args, variables, ours)
