"""Installing keeps the rest of a configuration, and uninstalling restores it."""

import json
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import Machine, Scope
from hailuo_mcp.cli.installer.change import check_edited
from tests.cli.installer.support import LAUNCHER, PLACES, REAL, SPEC, VSCODE, Config, command_of, config_of
from tests.cli.installer.test_jsonc import written

FILES_EXAMPLES = 25
"""Each example syncs files to disk, which is slow."""
CASES = [(name, scope, text) for name, scope in PLACES for text in REAL[name]]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["", "bom"])
@pytest.mark.parametrize(("name", "scope", "text"), CASES)
def test_other_servers_are_kept_and_uninstalling_restores_every_byte(
    machine: Machine, name: str, scope: Scope, text: str, newline: str, bom: bytes
) -> None:
    config = config_of(name, machine, scope)
    raw = bom + text.replace("\n", newline).encode()
    config.write(raw)

    assert config.plan().apply() == config.backup
    after = config.path.read_bytes().removeprefix(bom).decode()
    before, data = config.parsed(text), config.parsed(after)
    key = config.host.servers_key
    assert command_of(config.host, data[key].pop("hailuo")) == [LAUNCHER.command]
    assert {**data, "inputs": None} == {**before, "inputs": None}
    assert config.path.read_bytes().startswith(bom)
    if "\n" in text:
        assert newline == "\n" or after.count("\n") == after.count("\r\n")

    assert config.plan().action == "unchanged"
    removal = config.plan_removal()
    assert removal.action == "restored"
    removal.apply()
    assert config.path.read_bytes() == raw
    assert [path for path in config.path.parent.iterdir() if path.is_file()] == [config.path]


@pytest.mark.parametrize(("name", "scope", "text"), CASES)
def test_uninstalling_keeps_later_changes(machine: Machine, name: str, scope: Scope, text: str) -> None:
    config = config_of(name, machine, scope)
    config.write(text)
    config.install()
    other = {config.host.shape.command: "since"}
    config.put("since", value=other)

    removal = config.plan_removal()
    assert removal.action == "removed"
    removal.apply()
    before, key = config.parsed(text), config.host.servers_key
    inputs: dict[str, Any] = {"inputs": []} if name == "vscode" else {}
    assert config.parsed() == {**inputs, **before, key: {**before[key], "since": other}}
    for comment in ("// design", '/* "off"', "// the last one", "# the big one", "# yes"):
        assert (comment in config.path.read_text()) is (comment in text)


@settings(max_examples=FILES_EXAMPLES)
@given(written(), st.sampled_from(["cursor", "vscode"]))
def test_any_json_is_merged_and_restored(case: tuple[dict[str, Any], str], name: str) -> None:
    values, text = case
    with tempfile.TemporaryDirectory() as home:
        config = config_of(name, Machine("linux", Path(home), {}, Path(home)))
        servers_key = config.host.servers_key
        raw = text.replace('"mcpServers"', f'"{servers_key}"').encode()
        config.write(raw)
        config.install()
        data = config.parsed()
        data[servers_key].pop("hailuo")
        data.pop("inputs", None)
        before = {servers_key if key == "mcpServers" else key: value for key, value in values.items()}
        # As text, in which 1 and true differ.
        assert json.dumps(data, sort_keys=True) == json.dumps({servers_key: {}, **before}, sort_keys=True)
        config.uninstall()
        assert config.path.read_bytes() == raw


TOML_VALUES = st.recursive(
    st.booleans() | st.integers(-99, 99) | st.text(max_size=8).filter(lambda text: text.isprintable()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc. é", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=FILES_EXAMPLES)
@given(
    st.dictionaries(st.text("abcxyz", min_size=1, max_size=4), TOML_VALUES, max_size=3),
    st.dictionaries(
        st.text("abcxyz", min_size=1, max_size=4), st.fixed_dictionaries({"command": TOML_VALUES}), max_size=3
    ),
)
def test_any_toml_is_merged_and_restored(others: dict[str, Any], servers: dict[str, Any]) -> None:
    import tomlkit

    values = {**others, **({"mcp_servers": servers} if servers else {})}
    raw = tomlkit.dumps(values).encode()  # pyright: ignore[reportUnknownMemberType] # its keywords have no types
    before: dict[str, Any] = {"mcp_servers": {}, **tomllib.loads(raw.decode())}
    with tempfile.TemporaryDirectory() as home:
        config = config_of("codex", Machine("linux", Path(home), {}, Path(home)))
        config.write(raw)
        config.install()
        after = config.parsed()
        del after["mcp_servers"]["hailuo"]
        assert after == before
        config.backup.unlink(missing_ok=True)
        config.uninstall()
        assert config.parsed(None if config.path.exists() else "") == before


def test_a_file_that_did_not_exist_is_removed_again(config: Config) -> None:
    change = config.plan()
    assert (change.action, change.apply()) == ("created", None)
    # The host itself may later write secrets to it.
    assert config.place.is_shared or config.path.stat().st_mode & 0o777 == 0o600
    assert config.parsed() == config.parsed(installer.snippet(config.host, SPEC))
    assert config.plan_removal("other").action == "absent"
    config.uninstall()
    assert list(config.path.parent.iterdir()) == []


@pytest.mark.parametrize("raw", [b"", b"\n", b"\xef\xbb\xbf"])
def test_an_empty_file_becomes_empty_again(config: Config, raw: bytes) -> None:
    config.write(raw)
    config.install()
    assert config.detect().entries[0].is_ours
    config.uninstall()
    assert config.path.read_bytes() == raw


def test_other_inputs_are_kept_and_ours_is_removed_with_the_entry(machine: Machine) -> None:
    config = config_of("vscode", machine)
    config.write(VSCODE)
    config.install()
    config.install(replace(SPEC, name="hailuo-two"))
    ids = [item["id"] for item in config.parsed()["inputs"]]
    assert ids == ["github", "hailuo-segmind-api-key", "hailuo-two-segmind-api-key"]
    config.uninstall()
    ids = [item["id"] for item in config.parsed()["inputs"]]
    assert ids == ["github", "hailuo-two-segmind-api-key"]
    assert "// asks" in config.path.read_text()


def test_an_input_that_another_server_also_uses_is_kept(machine: Machine) -> None:
    config = config_of("vscode", machine)
    config.install()
    other = {"command": "x", "env": {"K": "${input:hailuo-segmind-api-key}"}}
    config.put("other", value=other)
    config.uninstall()
    left = config.parsed()
    assert [item["id"] for item in left["inputs"]] == ["hailuo-segmind-api-key"]
    assert left["servers"] == {"other": other}


@pytest.mark.parametrize("edited", ['{"mcpServers": {"hailuo": {}}}', '{"mcpServers": {', ""])
def test_an_edit_that_loses_content_is_refused(edited: str) -> None:
    host = installer.find_host("claude-desktop")
    expected = {"mcpServers": {"other": {"command": "x"}, "hailuo": {}}}
    check_edited(host, json.dumps(expected), expected)
    with pytest.raises(ValueError, match=r"cannot edit its layout|line 1"):
        check_edited(host, edited, expected)
