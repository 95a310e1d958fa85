"""Installing again updates our entry, and keeps what the user added to it."""

import json
from dataclasses import replace

import pytest
from pydantic import SecretStr

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import Machine
from hailuo_mcp.cli.installer.formats import parse_text
from tests.cli.installer.support import (
    KEY,
    LAUNCHER,
    PLACES,
    REAL,
    SPEC,
    command_of,
    place_of,
    put,
    save,
)


@pytest.mark.parametrize(("name", "scope"), PLACES)
def test_a_newer_entry_replaces_our_values_and_keeps_those_of_the_user(machine: Machine, name: str, scope: str) -> None:
    host, place = place_of(name, scope, machine)
    save(place, REAL[name][0])
    installer.install(host, place, SPEC).apply()
    original = place.path.with_name(f"{place.path.name}.before-hailuo-mcp").read_bytes()
    text = put(host, place.path.read_text(), (host.servers_key, "hailuo", "mine"), False)
    place.path.write_text(
        put(host, text, (host.servers_key, "hailuo", host.shape.env, "HAILUO_MCP_LOG_LEVEL"), "DEBUG")
    )

    newer = replace(
        SPEC,
        launcher=installer.Launcher("/opt/bin/hailuo-mcp", ("x",)),
        keys={**SPEC.keys, "APIXO_API_KEY": SecretStr("apx_new")},
        settings={"HAILUO_MCP_SANDBOX": "1"},
    )
    change = installer.install(host, place, newer)
    change.apply()
    assert change.action == "updated"
    assert any(LAUNCHER.command in line and "/opt/bin/hailuo-mcp" in line for line in change.changes)
    assert "apx_new" not in change.diff + str(change.changes)
    entry = parse_text(host, place.path.read_text())[host.servers_key]["hailuo"]
    env = entry[host.shape.env]
    assert (command_of(host, entry), entry["mine"]) == (["/opt/bin/hailuo-mcp", "x"], False)
    assert env["HAILUO_MCP_LOG_LEVEL"] == "DEBUG"
    assert env["HAILUO_MCP_OUTPUT_DIR"] == "/home/you/Vidéos/海螺"
    assert env["HAILUO_MCP_SANDBOX"] == "1"
    is_forwarded = host.key_storage is installer.KeyStorage.FORWARDED
    assert "APIXO_API_KEY" in (entry[host.shape.forwarded] if is_forwarded else env)
    assert place.path.with_name(f"{place.path.name}.before-hailuo-mcp").read_bytes() == original
    assert installer.install(host, place, newer).action == "unchanged"

    without = replace(newer, settings={}, without=frozenset({"HAILUO_MCP_SANDBOX"}))
    installer.install(host, place, without).apply()
    entry = parse_text(host, place.path.read_text())[host.servers_key]["hailuo"]
    assert "HAILUO_MCP_SANDBOX" not in entry[host.shape.env]
    installer.uninstall(host, place, "hailuo").apply()
    assert parse_text(host, place.path.read_text()) == parse_text(host, REAL[name][0])


@pytest.mark.parametrize(("name", "scope"), PLACES)
def test_changes_by_the_user_to_the_entry_are_kept(machine: Machine, name: str, scope: str) -> None:
    host, place = place_of(name, scope, machine)
    installer.install(host, place, SPEC).apply()
    theirs = {"timeout": 900, "enabled": False, "disabled": True, "tools": ["get_status"]}
    text = place.path.read_text()
    for key in host.extra.keys() & theirs.keys():
        text = put(host, text, (host.servers_key, "hailuo", key), theirs[key])
    place.path.write_text(text)
    installer.install(host, place, replace(SPEC, settings={"HAILUO_MCP_SANDBOX": "1"})).apply()
    entry = parse_text(host, place.path.read_text())[host.servers_key]["hailuo"]
    assert {key: entry[key] for key in host.extra.keys() & theirs.keys()} == {
        key: theirs[key] for key in host.extra.keys() & theirs.keys()
    }


@pytest.mark.parametrize("name", ["claude-code", "copilot-cli"])
def test_a_key_that_an_earlier_version_wrote_into_the_file_is_removed(machine: Machine, name: str) -> None:
    host, place = place_of(name, "user", machine)
    save(place, json.dumps({"mcpServers": {"hailuo": {"command": "hailuo-mcp", "env": {"SEGMIND_API_KEY": KEY}}}}))
    change = installer.install(host, place, SPEC)
    assert KEY not in str(change.changes) + change.diff
    change.apply()
    assert KEY not in place.path.read_text()
    assert "${SEGMIND_API_KEY:-}" in place.path.read_text()
