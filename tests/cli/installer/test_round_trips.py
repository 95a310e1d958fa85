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
from hailuo_mcp.cli.installer import Machine, jsonc
from hailuo_mcp.cli.installer.change import check_edited
from hailuo_mcp.cli.installer.formats import parse_text
from tests.cli.installer.support import (
    LAUNCHER,
    PLACES,
    REAL,
    SPEC,
    VSCODE,
    command_of,
    place_of,
    put,
    save,
)
from tests.cli.installer.test_jsonc import written

FILES_EXAMPLES = 25
"""Each example syncs files to disk, which is slow."""
CASES = [(name, scope, text) for name, scope in PLACES for text in REAL[name]]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["", "bom"])
@pytest.mark.parametrize(("name", "scope", "text"), CASES)
def test_other_servers_are_kept_and_uninstalling_restores_every_byte(
    machine: Machine, name: str, scope: str, text: str, newline: str, bom: bytes
) -> None:
    host, place = place_of(name, scope, machine)
    raw = bom + text.replace("\n", newline).encode()
    save(place, raw)
    before = parse_text(host, text)

    assert installer.install(host, place, SPEC).apply() == place.path.with_name(f"{place.path.name}.before-hailuo-mcp")
    after = place.path.read_bytes().removeprefix(bom).decode()
    data = parse_text(host, after)
    assert command_of(host, data[host.servers_key].pop("hailuo")) == [LAUNCHER.command]
    assert data[host.servers_key] == before[host.servers_key]
    others = {key: value for key, value in data.items() if key not in (host.servers_key, "inputs")}
    assert others == {key: value for key, value in before.items() if key not in (host.servers_key, "inputs")}
    assert place.path.read_bytes().startswith(bom)
    if "\n" in text:
        assert newline == "\n" or after.count("\n") == after.count("\r\n")

    assert installer.install(host, place, SPEC).action == "unchanged"
    removal = installer.uninstall(host, place, "hailuo")
    assert removal.action == "restored"
    removal.apply()
    assert place.path.read_bytes() == raw
    assert [path.name for path in place.path.parent.iterdir() if path.is_file()] == [place.path.name]


@pytest.mark.parametrize(("name", "scope", "text"), CASES)
def test_uninstalling_keeps_later_changes(machine: Machine, name: str, scope: str, text: str) -> None:
    host, place = place_of(name, scope, machine)
    save(place, text)
    installer.install(host, place, SPEC).apply()
    other = {host.shape.command: "since"}
    changed = place.path.read_text()
    place.path.write_text(put(host, changed, (host.servers_key, "since"), other))

    removal = installer.uninstall(host, place, "hailuo")
    assert removal.action == "removed"
    removal.apply()
    assert parse_text(host, place.path.read_text()) == {
        **({"inputs": []} if name == "vscode" else {}),
        **parse_text(host, text),
        host.servers_key: {**parse_text(host, text)[host.servers_key], "since": other},
    }
    for comment in ("// design", '/* "off"', "// the last one", "# the big one", "# yes"):
        assert (comment in place.path.read_text()) is (comment in text)


@settings(max_examples=FILES_EXAMPLES)
@given(written(), st.sampled_from(["cursor", "vscode"]))
def test_any_json_is_merged_and_restored(case: tuple[dict[str, Any], str], name: str) -> None:
    config, text = case
    with tempfile.TemporaryDirectory() as home:
        host, place = place_of(name, "user", Machine("linux", Path(home), {}, Path(home)))
        raw = text.replace('"mcpServers"', f'"{host.servers_key}"').encode()
        save(place, raw)
        installer.install(host, place, SPEC).apply()
        data = jsonc.parse(place.path.read_bytes().decode())
        data[host.servers_key].pop("hailuo")
        data.pop("inputs", None)
        before = {host.servers_key if key == "mcpServers" else key: value for key, value in config.items()}
        assert json.dumps({host.servers_key: {}, **data}, sort_keys=True) == json.dumps(
            {host.servers_key: {}, **before}, sort_keys=True
        )
        installer.uninstall(host, place, "hailuo").apply()
        assert place.path.read_bytes() == raw


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

    config = {**others, **({"mcp_servers": servers} if servers else {})}
    raw = tomlkit.dumps(config).encode()  # pyright: ignore[reportUnknownMemberType] # its keywords have no types
    with tempfile.TemporaryDirectory() as home:
        host, place = place_of("codex", "user", Machine("linux", Path(home), {}, Path(home)))
        save(place, raw)
        installer.install(host, place, SPEC).apply()
        after = tomllib.loads(place.path.read_bytes().decode())
        del after["mcp_servers"]["hailuo"]
        assert {"mcp_servers": {}, **after} == {"mcp_servers": {}, **tomllib.loads(raw.decode())}
        place.path.with_name("config.toml.before-hailuo-mcp").unlink(missing_ok=True)
        installer.uninstall(host, place, "hailuo").apply()
        left = tomllib.loads(place.path.read_text()) if place.path.exists() else {}
        assert {"mcp_servers": {}, **left} == {"mcp_servers": {}, **tomllib.loads(raw.decode())}


@pytest.mark.parametrize(("name", "scope"), PLACES)
def test_a_file_that_did_not_exist_is_removed_again(machine: Machine, name: str, scope: str) -> None:
    host, place = place_of(name, scope, machine)
    change = installer.install(host, place, SPEC)
    assert (change.action, change.apply()) == ("created", None)
    # The host itself may later write secrets to it.
    assert place.is_shared or place.path.stat().st_mode & 0o777 == 0o600
    assert parse_text(host, place.path.read_text()) == parse_text(host, installer.snippet(host, SPEC))
    assert installer.uninstall(host, place, "other").action == "absent"
    installer.uninstall(host, place, "hailuo").apply()
    assert list(place.path.parent.iterdir()) == []


@pytest.mark.parametrize(("name", "scope"), PLACES)
@pytest.mark.parametrize("raw", [b"", b"\n", b"\xef\xbb\xbf"])
def test_an_empty_file_becomes_empty_again(machine: Machine, name: str, scope: str, raw: bytes) -> None:
    host, place = place_of(name, scope, machine)
    save(place, raw)
    installer.install(host, place, SPEC).apply()
    assert installer.detect(host, place).entries[0].is_ours
    installer.uninstall(host, place, "hailuo").apply()
    assert place.path.read_bytes() == raw


def test_other_inputs_are_kept_and_ours_is_removed_with_the_entry(machine: Machine) -> None:
    host, place = place_of("vscode", "user", machine)
    save(place, VSCODE)
    installer.install(host, place, SPEC).apply()
    installer.install(host, place, replace(SPEC, name="hailuo-two")).apply()
    ids = [item["id"] for item in jsonc.parse(place.path.read_text())["inputs"]]
    assert ids == ["github", "hailuo-segmind-api-key", "hailuo-two-segmind-api-key"]
    installer.uninstall(host, place, "hailuo").apply()
    ids = [item["id"] for item in jsonc.parse(place.path.read_text())["inputs"]]
    assert ids == ["github", "hailuo-two-segmind-api-key"]
    assert "// asks" in place.path.read_text()


def test_an_input_that_another_server_also_uses_is_kept(machine: Machine) -> None:
    host, place = place_of("vscode", "user", machine)
    installer.install(host, place, SPEC).apply()
    other = {"command": "x", "env": {"K": "${input:hailuo-segmind-api-key}"}}
    place.path.write_text(jsonc.put(place.path.read_text(), ("servers", "other"), other))
    installer.uninstall(host, place, "hailuo").apply()
    left = jsonc.parse(place.path.read_text())
    assert [item["id"] for item in left["inputs"]] == ["hailuo-segmind-api-key"]
    assert left["servers"] == {"other": other}


@pytest.mark.parametrize("edited", ['{"mcpServers": {"hailuo": {}}}', '{"mcpServers": {', ""])
def test_an_edit_that_loses_content_is_refused(machine: Machine, edited: str) -> None:
    host, _ = place_of("claude-desktop", "user", machine)
    expected = {"mcpServers": {"other": {"command": "x"}, "hailuo": {}}}
    check_edited(host, json.dumps(expected), expected)
    with pytest.raises(ValueError, match=r"cannot edit its layout|line 1"):
        check_edited(host, edited, expected)
