"""Adding, updating and removing our entry in realistic configuration files."""

import json
import os
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import ConfigError, Machine, Place, jsonc
from hailuo_mcp.cli.installer.change import check_edited
from hailuo_mcp.cli.installer.detect import is_ours
from hailuo_mcp.cli.installer.entry import command_parts
from tests.cli.installer.support import KEY, LAUNCHER, PLACES, REAL, SPEC, VSCODE, command_of, parsed, place_of, put
from tests.cli.installer.test_jsonc import written

FILES_EXAMPLES = 25
"""Each example syncs files to disk, which is slow."""
CASES = [(name, scope, text) for name, scope in PLACES for text in REAL[name]]


def save(place: Place, raw: bytes | str) -> None:
    place.path.parent.mkdir(parents=True, exist_ok=True)
    place.path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["", "bom"])
@pytest.mark.parametrize(("name", "scope", "text"), CASES)
def test_other_servers_are_kept_and_uninstalling_restores_every_byte(
    machine: Machine, name: str, scope: str, text: str, newline: str, bom: bytes
) -> None:
    host, place = place_of(name, scope, machine)
    raw = bom + text.replace("\n", newline).encode()
    save(place, raw)
    before = parsed(host, text)

    assert installer.install(host, place, SPEC).apply() == place.path.with_name(f"{place.path.name}.before-hailuo-mcp")
    after = place.path.read_bytes().removeprefix(bom).decode()
    data = parsed(host, after)
    assert command_of(host, data[host.servers_key].pop("hailuo")) == [LAUNCHER.command]
    assert data[host.servers_key] == (before.get(host.servers_key) or {})
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
    assert parsed(host, place.path.read_text()) == {
        **({"inputs": []} if name == "vscode" else {}),
        **parsed(host, text),
        host.servers_key: {**(parsed(host, text).get(host.servers_key) or {}), "since": other},
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
    assert parsed(host, place.path.read_text()) == parsed(host, installer.snippet(host, place, SPEC))
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


@pytest.mark.parametrize(("name", "scope"), PLACES)
def test_the_key_is_in_the_file_only_if_the_host_supports_no_other_storage(
    machine: Machine, name: str, scope: str
) -> None:
    host, place = place_of(name, scope, machine)
    save(place, REAL[name][0])
    place.path.chmod(0o644)
    change = installer.install(host, place, SPEC)
    change.apply()
    text = place.path.read_text()
    is_written = place.key_storage is installer.KeyStorage.IN_FILE
    assert (KEY in text) is is_written
    assert "SEGMIND_API_KEY" in text
    assert place.path.stat().st_mode & 0o777 == (0o600 if is_written else 0o644)
    assert not (is_written and place.is_shared)
    for shown in (change.diff, str(change.changes), str(installer.detect(host, place))):
        assert KEY not in shown
        assert "someone-elses" not in shown
    removal = installer.uninstall(host, place, "hailuo")
    assert KEY not in removal.diff
    assert "someone-elses" not in removal.diff
    removal.apply()
    assert place.path.stat().st_mode & 0o777 == 0o644


def test_the_diff_of_a_minified_file_does_not_show_its_content(machine: Machine) -> None:
    host, place = place_of("claude-code", "user", machine)
    save(place, REAL["claude-code"][0])
    diff = installer.install(host, place, SPEC).diff
    assert "ghp_" not in diff
    assert "you@example.org" not in diff
    assert len(diff.splitlines()) == 2


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
    entry = parsed(host, place.path.read_text())[host.servers_key]["hailuo"]
    env = entry[host.shape.env]
    assert (command_of(host, entry), entry["mine"]) == (["/opt/bin/hailuo-mcp", "x"], False)
    assert env["HAILUO_MCP_LOG_LEVEL"] == "DEBUG"
    assert env["HAILUO_MCP_OUTPUT_DIR"] == "/home/you/Vidéos/海螺"
    assert env["HAILUO_MCP_SANDBOX"] == "1"
    is_forwarded = place.key_storage is installer.KeyStorage.FORWARDED
    assert "APIXO_API_KEY" in (entry[host.shape.forwarded] if is_forwarded else env)
    assert place.path.with_name(f"{place.path.name}.before-hailuo-mcp").read_bytes() == original
    assert installer.install(host, place, newer).action == "unchanged"

    without = replace(newer, settings={}, without=frozenset({"HAILUO_MCP_SANDBOX"}))
    installer.install(host, place, without).apply()
    assert "HAILUO_MCP_SANDBOX" not in parsed(host, place.path.read_text())[host.servers_key]["hailuo"][host.shape.env]
    installer.uninstall(host, place, "hailuo").apply()
    assert parsed(host, place.path.read_text()) == parsed(host, REAL[name][0])


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
    entry = parsed(host, place.path.read_text())[host.servers_key]["hailuo"]
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


@pytest.mark.parametrize(("name", "scope"), PLACES)
def test_the_diff_of_a_new_file_masks_only_the_key(machine: Machine, name: str, scope: str) -> None:
    host, place = place_of(name, scope, machine)
    diff = installer.install(host, place, replace(SPEC, settings={"HAILUO_MCP_SANDBOX": "1"})).diff
    assert KEY not in diff
    assert diff.count("…") == (1 if place.key_storage is installer.KeyStorage.IN_FILE else 0)


BROKEN = {
    "json": [b'{"mcpServers": {', b"\xff\xfe{\x00}\x00", b"[]", b'{"mcpServers": []}', b'{"mcpServers": null}'],
    "toml": [b"[mcp_servers", b"\xff\xfe", b"mcp_servers = 1", b"a = 1\na = 2"],
    "yaml": [b"mcpServers: [", b"\xff\xfe", b"mcpServers: 1", b"- a", b"a: b: c"],
}


@pytest.mark.parametrize("action", ["install", "uninstall"])
@pytest.mark.parametrize(("name", "scope"), PLACES)
def test_an_unreadable_file_is_left_alone_and_reported(machine: Machine, name: str, scope: str, action: str) -> None:
    host, place = place_of(name, scope, machine)
    for raw in BROKEN[host.format.removesuffix("c")]:
        save(place, raw.replace(b"mcpServers", host.servers_key.encode()))
        content = place.path.read_bytes()
        with pytest.raises(ConfigError):
            installer.install(host, place, SPEC) if action == "install" else installer.uninstall(host, place, "hailuo")
        found = installer.detect(host, place)
        assert found.problem
        assert found.exists
        assert place.path.read_bytes() == content
        assert len(list(place.path.parent.iterdir())) == 1


@pytest.mark.parametrize("name", ["claude-desktop", "claude-code"])
def test_comments_are_refused_if_the_host_does_not_read_them(machine: Machine, name: str) -> None:
    host, place = place_of(name, "user", machine)
    save(place, '{\n  // mine\n  "mcpServers": {}\n}')
    with pytest.raises(ConfigError, match="line 2, column 3"):
        installer.install(host, place, SPEC)


def test_a_trailing_comma_is_refused_if_the_host_reads_only_comments(machine: Machine) -> None:
    host, place = place_of("gemini-cli", "user", machine)
    save(place, '{\n  // mine\n  "mcpServers": {},\n}')
    with pytest.raises(ConfigError, match="line 3, column 19: a comma after the last item"):
        installer.install(host, place, SPEC)


@pytest.mark.parametrize(("name", "scope"), PLACES)
def test_another_server_with_the_same_name_is_not_changed(machine: Machine, name: str, scope: str) -> None:
    host, place = place_of(name, scope, machine)
    other = command_parts(host, installer.Launcher("npx", ("hailuo-of-another",)))
    save(place, put(host, "", (host.servers_key, "hailuo"), other))
    for plan in (lambda: installer.install(host, place, SPEC), lambda: installer.uninstall(host, place, "hailuo")):
        with pytest.raises(ConfigError, match="another"):
            plan()
    found = installer.detect(host, place)
    assert [(entry.name, entry.is_ours) for entry in found.entries] == [("hailuo", False)]
    installer.install(host, place, replace(SPEC, name="hailuo-video")).apply()
    entries = installer.detect(host, place).entries
    assert {(entry.name, entry.is_ours) for entry in entries} == {("hailuo", False), ("hailuo-video", True)}


def test_a_read_only_file_is_left_alone(machine: Machine) -> None:
    host, place = place_of("cursor", "user", machine)
    save(place, "{}")
    place.path.chmod(0o444)
    with pytest.raises(ConfigError, match="read-only"):
        installer.install(host, place, SPEC).apply()
    assert [path.name for path in place.path.parent.iterdir()] == ["mcp.json"]
    assert place.path.read_text() == "{}"


def test_a_link_is_followed_and_stays_a_link(machine: Machine, tmp_path: Path) -> None:
    host, place = place_of("vscode", "user", machine)
    real = tmp_path / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_text(VSCODE)
    place.path.parent.mkdir(parents=True)
    place.path.symlink_to(real)
    installer.install(host, place, SPEC).apply()
    assert place.path.is_symlink()
    assert "hailuo" in real.read_text()
    installer.uninstall(host, place, "hailuo").apply()
    assert real.read_text() == VSCODE


def test_a_dangling_or_circular_link_is_handled(machine: Machine, tmp_path: Path) -> None:
    host, place = place_of("cursor", "user", machine)
    place.path.parent.mkdir(parents=True)
    place.path.symlink_to(place.path)
    assert installer.detect(host, place).problem
    place.path.unlink()
    place.path.symlink_to(tmp_path / "nowhere.json")
    installer.install(host, place, SPEC).apply()
    assert (tmp_path / "nowhere.json").exists()


def test_a_file_that_changed_in_the_meantime_is_not_overwritten(machine: Machine) -> None:
    host, place = place_of("claude-code", "user", machine)
    save(place, "{}")
    plan = installer.install(host, place, SPEC)
    place.path.write_text('{"numStartups": 32}')
    with pytest.raises(ConfigError, match="another program"):
        plan.apply()
    assert place.path.read_text() == '{"numStartups": 32}'


def test_a_directory_in_place_of_the_file_is_reported(machine: Machine) -> None:
    host, place = place_of("cursor", "user", machine)
    place.path.mkdir(parents=True)
    assert "cannot be read" in str(installer.detect(host, place).problem)
    with pytest.raises(ConfigError):
        installer.install(host, place, SPEC)


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


def test_an_empty_env_is_filled_without_showing_the_key(machine: Machine) -> None:
    host, place = place_of("claude-desktop", "user", machine)
    save(place, '{"mcpServers": {"hailuo": {"command": "hailuo-mcp", "env": {}}}}')
    change = installer.install(host, place, SPEC)
    assert KEY not in str(change.changes) + change.diff
    change.apply()
    assert KEY in place.path.read_text()


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
        return {
            host.name: str(place.path.relative_to(tmp_path))
            for host in installer.HOSTS
            for place in host.places(machine)
            if place.scope == "user"
        }

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
        assert place_of("cline", "user", machine)[1].path == expected


@pytest.mark.parametrize("scope", ["user", "project"])
def test_an_existing_file_of_opencode_is_used(machine: Machine, scope: str) -> None:
    plain = place_of("opencode", scope, machine)[1].path
    plain.parent.mkdir(parents=True, exist_ok=True)
    plain.with_suffix(".jsonc").write_text("// mine\n{}\n")
    host, place = place_of("opencode", scope, machine)
    assert place.path == plain.with_suffix(".jsonc")
    installer.install(host, place, SPEC).apply()
    assert place.path.read_text().startswith("// mine\n")
    plain.write_text("{}")
    assert place_of("opencode", scope, machine)[1].path == plain


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change a file's owner")
def test_the_owner_of_the_file_is_kept(machine: Machine) -> None:
    host, place = place_of("cursor", "user", machine)
    save(place, "{}")
    os.chown(place.path, 1234, 1234)
    installer.install(host, place, SPEC).apply()
    assert place.path.stat().st_uid == 1234
