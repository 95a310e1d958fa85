"""The supported hosts, as their documentation describes them (`docs_url`)."""

from collections.abc import Callable
from pathlib import Path

from hailuo_mcp.cli.installer.hosts import EntryShape, Host, KeyStorage, Place
from hailuo_mcp.cli.installer.machine import Machine
from hailuo_mcp.core.errors import InvalidInput


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
        Place("user", user, KeyStorage.REFERENCE),
        Place("project", machine.project / ".mcp.json", KeyStorage.REFERENCE),
    )


def _cursor(machine: Machine) -> tuple[Place, ...]:
    file = Path(".cursor") / "mcp.json"
    return (
        Place("user", machine.home / file, KeyStorage.REFERENCE),
        Place("project", machine.project / file, KeyStorage.REFERENCE),
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


def _in_home(*parts: str, key_storage: KeyStorage = KeyStorage.IN_FILE) -> Callable[[Machine], tuple[Place, ...]]:
    """The same file in the home directory on every system."""
    return lambda machine: (Place("user", machine.home.joinpath(*parts), key_storage),)


def _gemini(machine: Machine) -> tuple[Place, ...]:
    file = Path(".gemini") / "settings.json"
    return (
        Place("user", machine.directory("GEMINI_CLI_HOME", machine.home) / file, KeyStorage.REFERENCE),
        Place("project", machine.project / file, KeyStorage.REFERENCE),
    )


def _copilot(machine: Machine) -> tuple[Place, ...]:
    directory = machine.directory("COPILOT_HOME", machine.home / ".copilot")
    return (Place("user", directory / "mcp-config.json", KeyStorage.REFERENCE),)


def _cline(machine: Machine) -> tuple[Place, ...]:
    """The file that the extension and the command line share. Older extensions have their own; a newer one migrates its
    servers when it first starts: https://github.com/cline/cline/pull/11818"""
    file = Path("settings") / "cline_mcp_settings.json"
    data = machine.directory("CLINE_DATA_DIR", machine.directory("CLINE_DIR", machine.home / ".cline") / "data")
    path = machine.directory("CLINE_MCP_SETTINGS_PATH", data / file)
    older = machine.roaming / "Code" / "User" / "globalStorage" / "saoudrizwan.claude-dev" / file
    return (Place("user", older if older.exists() and not path.exists() else path, KeyStorage.IN_FILE),)


def _zed(machine: Machine) -> tuple[Place, ...]:
    # https://zed.dev/docs/configuring-zed: ~/.config on macOS too
    config = machine.roaming / "Zed" if machine.system == "windows" else _dot_config(machine) / "zed"
    return (Place("user", config / "settings.json", KeyStorage.IN_FILE),)


def _goose(machine: Machine) -> tuple[Place, ...]:
    windows = machine.roaming / "Block" / "goose" / "config"
    config = windows if machine.system == "windows" else _dot_config(machine) / "goose"
    return (Place("user", config / "config.yaml", KeyStorage.FORWARDED),)


def _opencode(machine: Machine) -> tuple[Place, ...]:
    def file(directory: Path) -> Path:
        """opencode reads both files; its own command creates `opencode.jsonc`."""
        path = directory / "opencode.json"
        with_comments = path.with_suffix(".jsonc")
        return with_comments if with_comments.exists() and not path.exists() else path

    return (
        Place("user", file(_dot_config(machine) / "opencode"), KeyStorage.REFERENCE),
        Place("project", file(machine.project), KeyStorage.REFERENCE),
    )


def _kiro(machine: Machine) -> tuple[Place, ...]:
    file = Path(".kiro") / "settings" / "mcp.json"
    return (
        Place("user", machine.home / file, KeyStorage.REFERENCE),
        Place("project", machine.project / file, KeyStorage.REFERENCE),
    )


def _dot_config(machine: Machine) -> Path:
    return machine.directory("XDG_CONFIG_HOME", machine.home / ".config")


HOSTS = (
    Host(
        name="claude-desktop",
        title="Claude Desktop",
        format="json",
        find_places=_claude_desktop,
        next_step="Quit Claude Desktop completely and start it again.",
        docs_url="https://modelcontextprotocol.io/docs/develop/connect-local-servers",
    ),
    Host(
        name="claude-code",
        title="Claude Code",
        format="json",
        # With a default: otherwise, an unset variable would be passed as the literal reference.
        shape=EntryShape(reference="${{{variable}:-}}"),
        extra={"type": "stdio"},
        find_places=_claude_code,
        next_step="Restart Claude Code; /mcp shows the server. A project's server has to be approved there once.",
        docs_url="https://code.claude.com/docs/en/mcp",
    ),
    Host(
        name="cursor",
        title="Cursor",
        format="jsonc",
        extra={"type": "stdio"},
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
        find_places=_vscode,
        next_step="Run “MCP: List Servers” in VS Code and start the server.",
        docs_url="https://code.visualstudio.com/docs/copilot/reference/mcp-configuration",
    ),
    Host(
        name="codex",
        title="Codex",
        format="toml",
        servers_key="mcp_servers",
        extra_when_fetched={"startup_timeout_sec": 60},
        find_places=_codex,
        next_step="Restart Codex; /mcp shows the server. It reads a project's file once you trust the project.",
        docs_url="https://developers.openai.com/codex/mcp",
    ),
    Host(
        name="gemini-cli",
        title="Gemini CLI",
        format="jsonc",
        trailing_commas=False,
        shape=EntryShape(reference="${variable}"),
        find_places=_gemini,
        next_step="Restart Gemini CLI in a folder you trust, as in others it starts no servers; /mcp shows the server.",
        docs_url="https://github.com/google-gemini/gemini-cli/blob/main/docs/tools/mcp-server.md",
    ),
    Host(
        name="copilot-cli",
        title="GitHub Copilot CLI",
        format="jsonc",
        # As for Claude Code.
        shape=EntryShape(reference="${{{variable}:-}}"),
        extra={"type": "local", "tools": ["*"]},
        find_places=_copilot,
        next_step="Restart Copilot CLI; /mcp show lists the server.",
        docs_url="https://docs.github.com/en/copilot/how-tos/copilot-cli/customize-copilot/add-mcp-servers",
    ),
    Host(
        name="windsurf",
        title="Windsurf",
        format="json",
        find_places=_in_home(".codeium", "windsurf", "mcp_config.json", key_storage=KeyStorage.REFERENCE),
        next_step="Press Refresh under MCP servers in Windsurf's Cascade panel.",
        docs_url="https://docs.windsurf.com/windsurf/cascade/mcp",
    ),
    Host(
        name="cline",
        title="Cline",
        format="json",
        # Without a timeout, its command line waits three seconds for the server to start.
        extra={"disabled": False, "timeout": 60},
        find_places=_cline,
        next_step="Open Cline's MCP Servers in VS Code, or start `cline`; both read the file by themselves.",
        docs_url="https://docs.cline.bot/mcp/configuring-mcp-servers",
    ),
    Host(
        name="zed",
        title="Zed",
        format="jsonc",
        servers_key="context_servers",
        find_places=_zed,
        next_step="Open the agent panel's settings in Zed; the server has a green dot.",
        docs_url="https://zed.dev/docs/ai/mcp",
    ),
    Host(
        name="goose",
        title="Goose",
        format="yaml",
        servers_key="extensions",
        shape=EntryShape(command="cmd", env="envs", forwarded="env_keys"),
        extra={"type": "stdio", "name": "hailuo", "enabled": True, "timeout": 300},
        find_places=_goose,
        next_step="Start a new Goose session.",
        docs_url="https://block.github.io/goose/docs/guides/config-files",
    ),
    Host(
        name="lm-studio",
        title="LM Studio",
        format="json",
        find_places=_in_home(".lmstudio", "mcp.json"),
        next_step="Open the Program tab in LM Studio and turn the server on.",
        docs_url="https://lmstudio.ai/docs/app/mcp",
    ),
    Host(
        name="jetbrains",
        title="JetBrains Junie",
        format="json",
        find_places=_in_home(".junie", "mcp", "mcp.json"),
        next_step="Open Settings, Tools, Junie, MCP Settings in the IDE and turn the server on.",
        docs_url="https://junie.jetbrains.com/docs/model-context-protocol-mcp.html",
    ),
    Host(
        name="opencode",
        title="opencode",
        format="jsonc",
        servers_key="mcp",
        shape=EntryShape(args=None, env="environment", reference="{{env:{variable}}}"),
        extra={"type": "local", "enabled": True},
        find_places=_opencode,
        next_step="Restart opencode.",
        docs_url="https://opencode.ai/docs/mcp-servers",
    ),
    Host(
        name="kiro",
        title="Kiro",
        format="json",
        shape=EntryShape(reference="${{{variable}}}"),
        find_places=_kiro,
        next_step="Open the MCP servers view in Kiro, and approve the variable if it asks.",
        docs_url="https://kiro.dev/docs/mcp/configuration",
    ),
)
