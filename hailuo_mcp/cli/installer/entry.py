"""The entry for this server in a host's configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from hailuo_mcp.cli.installer.hosts import Host, KeyStorage
from hailuo_mcp.cli.installer.launcher import Launcher

NAME = "hailuo"
"""The server's default name in a host."""


@dataclass(frozen=True, slots=True)
class InstallSpec:
    """What to install."""

    launcher: Launcher
    name: str = NAME
    keys: Mapping[str, SecretStr] = field(default_factory=dict[str, SecretStr])
    """Variable to key. A key itself is written only if the host has no other place for it."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variable to value, for non-secret settings."""
    without: frozenset[str] = frozenset()
    """Variables to remove from an existing entry."""


def new_entry(host: Host, spec: InstallSpec) -> dict[str, Any]:
    entry: dict[str, Any] = {**host.extra, **command_parts(host, spec.launcher)}
    if "name" in entry:
        entry["name"] = spec.name
    if spec.launcher.fetches:
        entry |= host.extra_when_fetched
    variables: dict[str, str] = {}
    if host.key_storage is not KeyStorage.FORWARDED:
        variables = {variable: _value(host, spec, variable) for variable in spec.keys}
    elif spec.keys:
        entry[host.shape.forwarded] = list(spec.keys)
    if variables := variables | dict(spec.settings):
        entry[host.shape.env] = variables
    return entry


def command_parts(host: Host, launcher: Launcher) -> dict[str, Any]:
    """The program and its arguments, in this host's format."""
    if host.shape.args is None:
        return {host.shape.command: [launcher.command, *launcher.args]}
    return {host.shape.command: launcher.command, host.shape.args: list(launcher.args)}


def new_inputs(host: Host, spec: InstallSpec) -> list[dict[str, Any]]:
    """The inputs that the host asks the user for:
    https://code.visualstudio.com/docs/copilot/reference/mcp-configuration"""
    if host.key_storage is not KeyStorage.PROMPTED:
        return []
    return [
        {"type": "promptString", "id": _input_id(spec.name, variable), "description": variable, "password": True}
        for variable in spec.keys
    ]


def _input_id(name: str, variable: str) -> str:
    return f"{name}-{variable.lower().replace('_', '-')}"


def _value(host: Host, spec: InstallSpec, variable: str) -> str:
    match host.key_storage:
        case KeyStorage.REFERENCE:
            return host.shape.reference.format(variable=variable)
        case KeyStorage.PROMPTED:
            return f"${{input:{_input_id(spec.name, variable)}}}"
        case _:
            return spec.keys[variable].get_secret_value()


def may_be_shown(variable: str, value: str) -> bool:
    """Whether a variable's value may be shown: references and our own settings may, keys and possible keys may not."""
    if value.startswith(("${", "{env:", f"${variable}")) or value == "":
        return True
    harmless = variable.startswith("HAILUO_MCP_") and "TOKEN" not in variable
    return (harmless or variable.endswith("_URL")) and not any(mark in value for mark in "@?")
