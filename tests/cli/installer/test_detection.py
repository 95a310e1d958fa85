"""Where each host keeps its configuration, and which entries are ours."""

from pathlib import Path
from typing import Any

import pytest

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import Machine, Scope
from hailuo_mcp.cli.installer.detect import is_ours
from tests.cli.installer.support import config_of


def test_only_hosts_with_files_on_this_machine_are_detected(machine: Machine) -> None:
    assert not any(found.is_host_here or found.entries or found.problem for found in installer.detect_all(machine))
    (machine.home / ".cursor").mkdir()
    (machine.home / ".claude").mkdir()
    detected = [(found.host.name, found.place.scope) for found in installer.detect_all(machine) if found.is_host_here]
    assert detected == [("claude-code", "user"), ("cursor", "user")]


def test_entries_are_recognized_by_the_command_that_they_start() -> None:
    host = installer.find_host("claude-desktop")
    ours = [
        {"command": "uvx", "args": ["hailuo-mcp"]},
        {"command": "C:\\Users\\you\\bin\\hailuo-mcp.exe"},
        {"command": "/usr/bin/python3", "args": ["-m", "hailuo_mcp"]},
        {"command": "/x/uvx", "args": ["--from", "hailuo-mcp[media] @ file:///x.whl", "hailuo-mcp"]},
        {"command": "uv", "args": ["--directory", "/src/hailuo-mcp", "run", "hailuo-mcp"]},
    ]
    assert all(is_ours(host, entry) for entry in ours)
    theirs: list[Any] = [
        {"command": "npx", "args": ["hailuo"]},
        {"url": "https://x"},
        {"command": 1, "args": 2},
        None,
        [],
    ]
    assert not any(is_ours(host, entry) for entry in theirs)


def test_every_system_has_its_own_paths(tmp_path: Path) -> None:
    def paths(machine: Machine) -> dict[str, str]:
        return {host.name: str(host.user_file(machine).relative_to(tmp_path)) for host in installer.HOSTS}

    support = "Library/Application Support"
    assert paths(Machine("macos", tmp_path, {}, tmp_path)) == {
        "claude-desktop": f"{support}/Claude/claude_desktop_config.json",
        "claude-code": ".claude.json",
        "cursor": ".cursor/mcp.json",
        "vscode": f"{support}/Code/User/mcp.json",
        "codex": ".codex/config.toml",
        "gemini-cli": ".gemini/settings.json",
        "copilot-cli": ".copilot/mcp-config.json",
        "windsurf": ".codeium/windsurf/mcp_config.json",
        "cline": ".cline/data/settings/cline_mcp_settings.json",
        "zed": ".config/zed/settings.json",
        "goose": ".config/goose/config.yaml",
        "lm-studio": ".lmstudio/mcp.json",
        "jetbrains": ".junie/mcp/mcp.json",
        "opencode": ".config/opencode/opencode.json",
        "kiro": ".kiro/settings/mcp.json",
    }
    windows = Machine(
        "windows", tmp_path, {"APPDATA": str(tmp_path / "R"), "LOCALAPPDATA": str(tmp_path / "L")}, tmp_path
    )
    assert paths(windows)["claude-desktop"] == "R/Claude/claude_desktop_config.json"
    assert paths(windows)["vscode"] == "R/Code/User/mcp.json"
    assert paths(windows)["zed"] == "R/Zed/settings.json"
    assert paths(windows)["goose"] == "R/Block/goose/config/config.yaml"
    (tmp_path / "L" / "Packages" / "Claude_pzs8sxrjxfjjc").mkdir(parents=True)
    assert paths(windows)["claude-desktop"] == (
        "L/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude/claude_desktop_config.json"
    )
    assert paths(Machine("windows", tmp_path, {}, tmp_path))["vscode"] == "AppData/Roaming/Code/User/mcp.json"
    moved = {
        "XDG_CONFIG_HOME": str(tmp_path / "c"),
        "CODEX_HOME": str(tmp_path / "x"),
        "CLAUDE_CONFIG_DIR": str(tmp_path / "y"),
        "GEMINI_CLI_HOME": str(tmp_path / "g"),
        "COPILOT_HOME": str(tmp_path / "p"),
        "CLINE_DIR": str(tmp_path / "l"),
    }
    linux = paths(Machine("linux", tmp_path, moved, tmp_path))
    assert linux["vscode"] == "c/Code/User/mcp.json"
    assert linux["codex"] == "x/config.toml"
    assert linux["goose"] == "c/goose/config.yaml"
    assert linux["claude-code"] == "y/.claude.json"
    assert linux["gemini-cli"] == "g/.gemini/settings.json"
    assert linux["copilot-cli"] == "p/mcp-config.json"
    assert linux["cline"] == "l/data/settings/cline_mcp_settings.json"
    moved["CLINE_DATA_DIR"] = str(tmp_path / "d")
    assert paths(Machine("linux", tmp_path, moved, tmp_path))["cline"] == "d/settings/cline_mcp_settings.json"
    moved["CLINE_MCP_SETTINGS_PATH"] = str(tmp_path / "m.json")
    assert paths(Machine("linux", tmp_path, moved, tmp_path))["cline"] == "m.json"


def test_the_older_file_is_used_only_if_there_is_no_newer_one(machine: Machine) -> None:
    storage = machine.home / ".config/Code/User/globalStorage/saoudrizwan.claude-dev"
    older, shared = (base / "settings/cline_mcp_settings.json" for base in (storage, machine.home / ".cline" / "data"))
    for path, expected in ((older, older), (shared, shared)):
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        assert config_of("cline", machine).path == expected


@pytest.mark.parametrize("scope", ["user", "project"])
def test_an_existing_file_of_opencode_is_used(machine: Machine, scope: Scope) -> None:
    plain = config_of("opencode", machine, scope).path
    plain.parent.mkdir(parents=True, exist_ok=True)
    plain.with_suffix(".jsonc").write_text("// mine\n{}\n")
    config = config_of("opencode", machine, scope)
    assert config.path == plain.with_suffix(".jsonc")
    config.install()
    assert config.path.read_text().startswith("// mine\n")
    plain.write_text("{}")
    assert config_of("opencode", machine, scope).path == plain
