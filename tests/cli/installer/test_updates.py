"""Installing again updates our entry, and keeps what the user added to it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import Machine
from tests.cli.installer.support import KEY, LAUNCHER, REAL, SPEC, Config, command_of, config_of


def test_a_newer_entry_replaces_our_values_and_keeps_those_of_the_user(config: Config) -> None:
    host = config.host
    config.write(REAL[host.name][0])
    config.install()
    original = config.backup.read_bytes()
    config.put("hailuo", "mine", value=False)
    config.put("hailuo", host.shape.env, "HAILUO_MCP_LOG_LEVEL", value="DEBUG")

    newer = replace(
        SPEC,
        launcher=installer.Launcher("/opt/bin/hailuo-mcp", ("x",)),
        keys={**SPEC.keys, "APIXO_API_KEY": SecretStr("apx_new")},
        settings={"HAILUO_MCP_SANDBOX": "1"},
    )
    change = config.plan(newer)
    change.apply()
    assert change.action == "updated"
    assert any(LAUNCHER.command in line and "/opt/bin/hailuo-mcp" in line for line in change.changes)
    assert "apx_new" not in change.diff + str(change.changes)
    entry = config.entry()
    env = entry[host.shape.env]
    assert (command_of(host, entry), entry["mine"]) == (["/opt/bin/hailuo-mcp", "x"], False)
    assert env["HAILUO_MCP_LOG_LEVEL"] == "DEBUG"
    assert env["HAILUO_MCP_OUTPUT_DIR"] == "/home/you/Vidéos/海螺"
    assert env["HAILUO_MCP_SANDBOX"] == "1"
    is_forwarded = host.key_storage is installer.KeyStorage.FORWARDED
    assert "APIXO_API_KEY" in (entry[host.shape.forwarded] if is_forwarded else env)
    assert config.backup.read_bytes() == original
    assert config.plan(newer).action == "unchanged"

    config.install(replace(newer, settings={}, without=frozenset({"HAILUO_MCP_SANDBOX"})))
    assert "HAILUO_MCP_SANDBOX" not in config.entry()[host.shape.env]
    config.uninstall()
    assert config.parsed() == config.parsed(REAL[host.name][0])


def test_changes_by_the_user_to_the_entry_are_kept(config: Config) -> None:
    config.install()
    all_theirs: dict[str, Any] = {"timeout": 900, "enabled": False, "disabled": True, "tools": ["get_status"]}
    theirs = {key: value for key, value in all_theirs.items() if key in config.host.extra}
    for key, value in theirs.items():
        config.put("hailuo", key, value=value)
    config.install(replace(SPEC, settings={"HAILUO_MCP_SANDBOX": "1"}))
    assert theirs.items() <= config.entry().items()


@pytest.mark.parametrize("name", ["claude-code", "copilot-cli"])
def test_a_key_that_an_earlier_version_wrote_into_the_file_is_removed(machine: Machine, name: str) -> None:
    config = config_of(name, machine)
    config.write(json.dumps({"mcpServers": {"hailuo": {"command": "hailuo-mcp", "env": {"SEGMIND_API_KEY": KEY}}}}))
    change = config.plan()
    assert KEY not in str(change.changes) + change.diff
    change.apply()
    assert KEY not in config.path.read_text()
    assert "${SEGMIND_API_KEY:-}" in config.path.read_text()
