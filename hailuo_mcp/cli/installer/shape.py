"""What our entry looks like in a host's configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from hailuo_mcp.cli.installer.host import Host, Keys, Place
from hailuo_mcp.cli.installer.launcher import Launcher

NAME = "hailuo"
"""What the server is called in a host, unless the user says otherwise."""


@dataclass(frozen=True, slots=True)
class InstallSpec:
    """What shall be installed."""

    launcher: Launcher
    name: str = NAME
    keys: Mapping[str, SecretStr] = field(default_factory=dict[str, SecretStr])
    """Variable to key. The keys themselves are written where the host has no other place for them, and only there."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variable to value, of what is no secret."""
    without: frozenset[str] = frozenset()
    """Variables to take away, where an earlier entry has them."""


def entry(host: Host, place: Place, wanted: InstallSpec) -> dict[str, Any]:
    """The entry as it is written anew."""
    made: dict[str, Any] = {
        **host.always,
        "command": wanted.launcher.command,
        "args": list(wanted.launcher.args),
    }
    if wanted.launcher.fetches:
        made |= host.when_fetched
    if place.keys is Keys.FORWARDED:
        if wanted.keys:
            made["env_vars"] = list(wanted.keys)
        variables: dict[str, str] = {}
    else:
        variables = {variable: _value(place, wanted, variable) for variable in wanted.keys}
    if variables := variables | dict(wanted.settings):
        made["env"] = variables
    return made


def inputs(place: Place, wanted: InstallSpec) -> list[dict[str, Any]]:
    """What the host shall ask for: https://code.visualstudio.com/docs/copilot/reference/mcp-configuration"""
    if place.keys is not Keys.PROMPTED:
        return []
    return [
        {
            "type": "promptString",
            "id": input_id(wanted.name, variable),
            "description": variable,
            "password": True,
        }
        for variable in wanted.keys
    ]


def input_id(name: str, variable: str) -> str:
    return f"{name}-{variable.lower().replace('_', '-')}"


def _value(place: Place, wanted: InstallSpec, variable: str) -> str:
    match place.keys:
        case Keys.CLAUDE_REFERENCE:
            # With a default: a variable that is not set would otherwise arrive as the text of the reference.
            return f"${{{variable}:-}}"
        case Keys.CURSOR_REFERENCE:
            return f"${{env:{variable}}}"
        case Keys.PROMPTED:
            return f"${{input:{input_id(wanted.name, variable)}}}"
        case _:
            return wanted.keys[variable].get_secret_value()


def may_be_shown(variable: str, value: str) -> bool:
    """Whether a variable's value may be shown: references and our own settings may; keys, and what may be one, not."""
    if value.startswith("${") or value == "":
        return True
    harmless = variable.startswith("HAILUO_MCP_") and "TOKEN" not in variable
    return (harmless or variable.endswith("_URL")) and not any(mark in value for mark in "@?")
