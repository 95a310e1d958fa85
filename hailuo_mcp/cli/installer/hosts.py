"""The supported hosts: which files each reads, and what an entry there looks like, as its documentation says
(`docs_url`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from hailuo_mcp.cli.installer.machine import Machine
from hailuo_mcp.core.errors import InvalidInput

Scope = Literal["user", "project"]
Format = Literal["json", "jsonc", "toml"]
"""`json` is strict, as `JSON.parse` reads it; `jsonc` has comments and trailing commas."""


class KeyStorage(StrEnum):
    """Where a key is kept. A member's value is the text shown to users."""

    IN_FILE = "in the file, which only you can read: the host has no other place for it"
    CLAUDE_REFERENCE = "in your environment: the file, which is shared with others, only names the variable"
    CURSOR_REFERENCE = "in your environment: the file only names the variable"
    FORWARDED = "in your environment: the file only names the variable, and the host passes it on"
    PROMPTED = "in the host's secret store: it asks once, when it first starts the server"


@dataclass(frozen=True, slots=True)
class Place:
    """A configuration file that a host reads."""

    scope: Scope
    path: Path
    key_storage: KeyStorage

    @property
    def is_shared(self) -> bool:
        """Whether others may see the file, as in a repository."""
        return self.scope == "project"


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    """Its name on the command line."""
    title: str
    format: Format
    servers_key: str
    """The key of the object that maps server names to entries."""
    extra: Mapping[str, str]
    """What every entry has besides `command`, `args` and `env`."""
    extra_when_fetched: Mapping[str, Any]
    """What an entry has besides if the package may have to be downloaded first, which takes a while."""
    find_places: Callable[[Machine], tuple[Place, ...]]
    next_step: str
    """What the user does to make the host start the server."""
    docs_url: str

    def places(self, machine: Machine | None = None) -> tuple[Place, ...]:
        """The files it reads on this machine, the user's own first."""
        return self.find_places(machine or Machine.here())

    def place(self, scope: Scope, machine: Machine | None = None) -> Place | None:
        """None: the host has no such scope."""
        return next((place for place in self.places(machine) if place.scope == scope), None)


def find_host(name: str) -> Host:
    """
    Raises:
        InvalidInput: there is no host of this name.
    """
    for host in HOSTS:
        if host.name == name:
            return host
    names = ", ".join(host.name for host in HOSTS)
    raise InvalidInput(f"there is no host {name!r}", f"Use one of {names}.")


def _claude_desktop(machine: Machine) -> tuple[Place, ...]:
    path = machine.roaming / "Claude" / "claude_desktop_config.json"
    if machine.system == "windows":
        # The build from the Store, and every installer since 2026, sees its own copy of %APPDATA% and never the real
        # one: https://github.com/anthropics/claude-code/issues/26073
        packages = machine.local / "Packages"
        for package in sorted(packages.glob("Claude_*")) if packages.is_dir() else ():
            path = package / "LocalCache" / "Roaming" / "Claude" / "claude_desktop_config.json"
            break
    return (Place("user", path, KeyStorage.IN_FILE),)


def _claude_code(machine: Machine) -> tuple[Place, ...]:
    user = machine.directory("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json"
    return (
        Place("user", user, KeyStorage.IN_FILE),
        Place("project", machine.project / ".mcp.json", KeyStorage.CLAUDE_REFERENCE),
    )


def _cursor(machine: Machine) -> tuple[Place, ...]:
    file = Path(".cursor") / "mcp.json"
    return (
        Place("user", machine.home / file, KeyStorage.CURSOR_REFERENCE),
        Place("project", machine.project / file, KeyStorage.CURSOR_REFERENCE),
    )


def _vscode(machine: Machine) -> tuple[Place, ...]:
    # The default profile's directory: https://code.visualstudio.com/docs/configure/settings#_settings-file-locations
    return (
        Place("user", machine.roaming / "Code" / "User" / "mcp.json", KeyStorage.PROMPTED),
        Place("project", machine.project / ".vscode" / "mcp.json", KeyStorage.PROMPTED),
    )


def _codex(machine: Machine) -> tuple[Place, ...]:
    directory = machine.directory("CODEX_HOME", machine.home / ".codex")
    return (
        Place("user", directory / "config.toml", KeyStorage.FORWARDED),
        Place("project", machine.project / ".codex" / "config.toml", KeyStorage.FORWARDED),
    )


HOSTS = (
    Host(
        name="claude-desktop",
        title="Claude Desktop",
        format="json",
        servers_key="mcpServers",
        extra={},
        extra_when_fetched={},
        find_places=_claude_desktop,
        next_step="Quit Claude Desktop completely and start it again.",
        docs_url="https://modelcontextprotocol.io/docs/develop/connect-local-servers",
    ),
    Host(
        name="claude-code",
        title="Claude Code",
        format="json",
        servers_key="mcpServers",
        extra={"type": "stdio"},
        extra_when_fetched={},
        find_places=_claude_code,
        next_step="Restart Claude Code; /mcp shows the server.",
        docs_url="https://code.claude.com/docs/en/mcp",
    ),
    Host(
        name="cursor",
        title="Cursor",
        format="jsonc",
        servers_key="mcpServers",
        extra={"type": "stdio"},
        extra_when_fetched={},
        find_places=_cursor,
        next_step="Reload Cursor's window; Settings, Tools & MCP shows the server.",
        docs_url="https://cursor.com/docs/context/mcp",
    ),
    Host(
        name="vscode",
        title="VS Code",
        format="jsonc",
        servers_key="servers",
        extra={"type": "stdio"},
        extra_when_fetched={},
        find_places=_vscode,
        next_step="Run “MCP: List Servers” in VS Code and start the server.",
        docs_url="https://code.visualstudio.com/docs/copilot/reference/mcp-configuration",
    ),
    Host(
        name="codex",
        title="Codex",
        format="toml",
        servers_key="mcp_servers",
        extra={},
        extra_when_fetched={"startup_timeout_sec": 60},
        find_places=_codex,
        next_step="Restart Codex; /mcp shows the server.",
        docs_url="https://developers.openai.com/codex/mcp",
    ),
)
