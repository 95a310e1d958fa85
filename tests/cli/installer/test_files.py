"""Files that cannot or must not be changed, links, and owners."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import ConfigError, Machine
from hailuo_mcp.cli.installer.entry import command_parts
from tests.cli.installer.support import PLACES, SPEC, VSCODE, place_of, put, save

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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change a file's owner")
def test_the_owner_of_the_file_is_kept(machine: Machine) -> None:
    host, place = place_of("cursor", "user", machine)
    save(place, "{}")
    os.chown(place.path, 1234, 1234)
    installer.install(host, place, SPEC).apply()
    assert place.path.stat().st_uid == 1234
