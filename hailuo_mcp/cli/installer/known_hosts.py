"""The supported hosts, as their documentation describes them (`docs_url`)."""

import os
from pathlib import Path

from hailuo_mcp.cli.installer.hosts import EntryShape, Host, KeyStorage
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


def _claude_desktop_file(machine: Machine) -> Path:
    directory = machine.roaming
    if machine.system == "windows":
        # The build from the Store, and every installer since 2026, sees its own copy of %APPDATA% and never the real
        # one: https://github.com/anthropics/claude-code/issues/26073
        packages = sorted((machine.local / "Packages").glob("Claude_*"))
        if packages:
            directory = packages[0] / "LocalCache" / "Roaming"
    return directory / "Claude" / "claude_desktop_config.json"


def _cline_file(machine: Machine) -> Path:
    """The file that the extension and the command line share. Older extensions have their own; a newer one migrates its
    servers when it first starts: https://github.com/cline/cline/pull/11818"""
    file = Path("settings") / "cline_mcp_settings.json"
    data = machine.directory("CLINE_DATA_DIR", machine.directory("CLINE_DIR", machine.home / ".cline") / "data")
    path = machine.directory("CLINE_MCP_SETTINGS_PATH", data / file)
    older = machine.roaming / "Code" / "User" / "globalStorage" / "saoudrizwan.claude-dev" / file
    return _existing(path, older)


def _zed_file(machine: Machine) -> Path:
    # https://zed.dev/docs/configuring-zed: ~/.config on macOS too
    directory = machine.roaming / "Zed" if machine.system == "windows" else machine.dot_config / "zed"
    return directory / "settings.json"


def _goose_file(machine: Machine) -> Path:
    directory = machine.roaming / "Block/goose/config" if machine.system == "windows" else machine.dot_config / "goose"
    return directory / "config.yaml"


def _opencode_file(directory: Path) -> Path:
    """opencode reads both files; its own command creates `opencode.jsonc`."""
    return _existing(directory / "opencode.json", directory / "opencode.jsonc")


def _existing(preferred: Path, other: Path) -> Path:
    """The file that exists; `preferred` if both or neither do."""
    # Not with pathlib, which raises an error if a directory may not be read.
    only_other = os.path.exists(other) and not os.path.exists(preferred)  # noqa: PTH110
    return other if only_other else preferred


HOSTS = (
    Host(
        name="claude-desktop",
        title="Claude Desktop",
        format="json",
        key_storage=KeyStorage.IN_FILE,
        user_file=_claude_desktop_file,
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
        key_storage=KeyStorage.REFERENCE,
        user_file=lambda machine: machine.directory("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json",
        project_file=lambda machine: machine.project / ".mcp.json",
        next_step="Restart Claude Code; /mcp shows the server. A project's server has to be approved there once.",
        docs_url="https://code.claude.com/docs/en/mcp",
    ),
    Host(
        name="cursor",
        title="Cursor",
        format="jsonc",
        extra={"type": "stdio"},
        key_storage=KeyStorage.REFERENCE,
        user_file=lambda machine: machine.home / ".cursor/mcp.json",
        project_file=lambda machine: machine.project / ".cursor/mcp.json",
        next_step="Reload Cursor's window; Settings, Tools & MCP shows the server.",
        docs_url="https://cursor.com/docs/context/mcp",
    ),
    Host(
        name="vscode",
        title="VS Code",
        format="jsonc",
        servers_key="servers",
        extra={"type": "stdio"},
        key_storage=KeyStorage.PROMPTED,
        # The default profile's: https://code.visualstudio.com/docs/configure/settings#_settings-file-locations
        user_file=lambda machine: machine.roaming / "Code/User/mcp.json",
        project_file=lambda machine: machine.project / ".vscode/mcp.json",
        next_step="Run “MCP: List Servers” in VS Code and start the server.",
        docs_url="https://code.visualstudio.com/docs/copilot/reference/mcp-configuration",
    ),
    Host(
        name="codex",
        title="Codex",
        format="toml",
        servers_key="mcp_servers",
        extra_when_fetched={"startup_timeout_sec": 60},
        key_storage=KeyStorage.FORWARDED,
        user_file=lambda machine: machine.directory("CODEX_HOME", machine.home / ".codex") / "config.toml",
        project_file=lambda machine: machine.project / ".codex/config.toml",
        next_step="Restart Codex; /mcp shows the server. It reads a project's file once you trust the project.",
        docs_url="https://developers.openai.com/codex/mcp",
    ),
    Host(
        name="gemini-cli",
        title="Gemini CLI",
        format="jsonc",
        trailing_commas=False,
        shape=EntryShape(reference="${variable}"),
        key_storage=KeyStorage.REFERENCE,
        user_file=lambda machine: machine.directory("GEMINI_CLI_HOME", machine.home) / ".gemini/settings.json",
        project_file=lambda machine: machine.project / ".gemini/settings.json",
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
        key_storage=KeyStorage.REFERENCE,
        user_file=lambda machine: machine.directory("COPILOT_HOME", machine.home / ".copilot") / "mcp-config.json",
        next_step="Restart Copilot CLI; /mcp show lists the server.",
        docs_url="https://docs.github.com/en/copilot/how-tos/copilot-cli/customize-copilot/add-mcp-servers",
    ),
    Host(
        name="windsurf",
        title="Windsurf",
        format="json",
        key_storage=KeyStorage.REFERENCE,
        user_file=lambda machine: machine.home / ".codeium/windsurf/mcp_config.json",
        next_step="Press Refresh under MCP servers in Windsurf's Cascade panel.",
        docs_url="https://docs.windsurf.com/windsurf/cascade/mcp",
    ),
    Host(
        name="cline",
        title="Cline",
        format="json",
        # Without a timeout, its command line waits three seconds for the server to start.
        extra={"disabled": False, "timeout": 60},
        key_storage=KeyStorage.IN_FILE,
        user_file=_cline_file,
        next_step="Open Cline's MCP Servers in VS Code, or start `cline`; both read the file by themselves.",
        docs_url="https://docs.cline.bot/mcp/configuring-mcp-servers",
    ),
    Host(
        name="zed",
        title="Zed",
        format="jsonc",
        servers_key="context_servers",
        key_storage=KeyStorage.IN_FILE,
        user_file=_zed_file,
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
        key_storage=KeyStorage.FORWARDED,
        user_file=_goose_file,
        next_step="Start a new Goose session.",
        docs_url="https://block.github.io/goose/docs/guides/config-files",
    ),
    Host(
        name="lm-studio",
        title="LM Studio",
        format="json",
        key_storage=KeyStorage.IN_FILE,
        user_file=lambda machine: machine.home / ".lmstudio/mcp.json",
        next_step="Open the Program tab in LM Studio and turn the server on.",
        docs_url="https://lmstudio.ai/docs/app/mcp",
    ),
    Host(
        name="jetbrains",
        title="JetBrains Junie",
        format="json",
        key_storage=KeyStorage.IN_FILE,
        user_file=lambda machine: machine.home / ".junie/mcp/mcp.json",
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
        key_storage=KeyStorage.REFERENCE,
        user_file=lambda machine: _opencode_file(machine.dot_config / "opencode"),
        project_file=lambda machine: _opencode_file(machine.project),
        next_step="Restart opencode.",
        docs_url="https://opencode.ai/docs/mcp-servers",
    ),
    Host(
        name="kiro",
        title="Kiro",
        format="json",
        shape=EntryShape(reference="${{{variable}}}"),
        key_storage=KeyStorage.REFERENCE,
        user_file=lambda machine: machine.home / ".kiro/settings/mcp.json",
        project_file=lambda machine: machine.project / ".kiro/settings/mcp.json",
        next_step="Open the MCP servers view in Kiro, and approve the variable if it asks.",
        docs_url="https://kiro.dev/docs/mcp/configuration",
    ),
)
