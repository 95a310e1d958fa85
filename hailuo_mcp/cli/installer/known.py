"""The hosts that are known, each as its own documentation describes it (`documented_at`)."""

from pathlib import Path

from hailuo_mcp.cli.installer.host import Host, Keys, Place
from hailuo_mcp.cli.installer.machine import Machine
from hailuo_mcp.core.errors import InvalidInput


def _claude_desktop(machine: Machine) -> tuple[Place, ...]:
    path = machine.roaming / "Claude" / "claude_desktop_config.json"
    if machine.system == "windows":
        # The build from the Store, and every installer since 2026, sees its own copy of %APPDATA% and never the real
        # one: https://github.com/anthropics/claude-code/issues/26073
        packages = machine.local / "Packages"
        for package in sorted(packages.glob("Claude_*")) if packages.is_dir() else ():
            path = package / "LocalCache" / "Roaming" / "Claude" / "claude_desktop_config.json"
            break
    return (Place("user", path, Keys.WRITTEN),)


def _claude_code(machine: Machine) -> tuple[Place, ...]:
    user = machine.named("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json"
    return (
        Place("user", user, Keys.WRITTEN),
        Place("project", machine.project / ".mcp.json", Keys.CLAUDE_REFERENCE),
    )


def _cursor(machine: Machine) -> tuple[Place, ...]:
    inside = Path(".cursor") / "mcp.json"
    return (
        Place("user", machine.home / inside, Keys.CURSOR_REFERENCE),
        Place("project", machine.project / inside, Keys.CURSOR_REFERENCE),
    )


def _vscode(machine: Machine) -> tuple[Place, ...]:
    # The default profile's directory: https://code.visualstudio.com/docs/configure/settings#_settings-file-locations
    return (
        Place("user", machine.roaming / "Code" / "User" / "mcp.json", Keys.PROMPTED),
        Place("project", machine.project / ".vscode" / "mcp.json", Keys.PROMPTED),
    )


def _codex(machine: Machine) -> tuple[Place, ...]:
    return (
        Place("user", machine.named("CODEX_HOME", machine.home / ".codex") / "config.toml", Keys.FORWARDED),
        Place("project", machine.project / ".codex" / "config.toml", Keys.FORWARDED),
    )


_HOSTS = (
    Host(
        name="claude-desktop",
        title="Claude Desktop",
        format="json",
        servers="mcpServers",
        always={},
        when_fetched={},
        find_places=_claude_desktop,
        afterwards="Quit Claude Desktop altogether and start it again.",
        documented_at="https://modelcontextprotocol.io/docs/develop/connect-local-servers",
    ),
    Host(
        name="claude-code",
        title="Claude Code",
        format="json",
        servers="mcpServers",
        always={"type": "stdio"},
        when_fetched={},
        find_places=_claude_code,
        afterwards="Start Claude Code anew; /mcp shows the server.",
        documented_at="https://code.claude.com/docs/en/mcp",
    ),
    Host(
        name="cursor",
        title="Cursor",
        format="jsonc",
        servers="mcpServers",
        always={"type": "stdio"},
        when_fetched={},
        find_places=_cursor,
        afterwards="Reload Cursor's window; Settings, Tools & MCP shows the server.",
        documented_at="https://cursor.com/docs/context/mcp",
    ),
    Host(
        name="vscode",
        title="VS Code",
        format="jsonc",
        servers="servers",
        always={"type": "stdio"},
        when_fetched={},
        find_places=_vscode,
        afterwards="Run “MCP: List Servers” in VS Code and start the server.",
        documented_at="https://code.visualstudio.com/docs/copilot/reference/mcp-configuration",
    ),
    Host(
        name="codex",
        title="Codex",
        format="toml",
        servers="mcp_servers",
        always={},
        when_fetched={"startup_timeout_sec": 60},
        find_places=_codex,
        afterwards="Start Codex anew; /mcp shows the server.",
        documented_at="https://developers.openai.com/codex/mcp",
    ),
)


def all() -> tuple[Host, ...]:
    """Every known host."""
    return _HOSTS


def find(name: str) -> Host:
    """
    Raises:
        InvalidInput: no host is called that.
    """
    for host in _HOSTS:
        if host.name == name:
            return host
    names = ", ".join(host.name for host in _HOSTS)
    raise InvalidInput(f"no host is called {name!r}", f"Use one of {names}.")
