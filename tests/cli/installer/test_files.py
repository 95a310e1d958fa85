"""Files that cannot or must not be changed, links, and owners."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import ConfigError, Machine
from hailuo_mcp.cli.installer.entry import command_parts
from tests.cli.installer.support import PLACES, SPEC, VSCODE, Config, config_of
from tests.media.samples import without_privileges

BROKEN = {
    "json": [b'{"mcpServers": {', b"\xff\xfe{\x00}\x00", b"[]", b'{"mcpServers": []}', b'{"mcpServers": null}'],
    "toml": [b"[mcp_servers", b"\xff\xfe", b"mcp_servers = 1", b"a = 1\na = 2"],
    "yaml": [b"mcpServers: [", b"\xff\xfe", b"mcpServers: 1", b"- a", b"a: b: c"],
}


@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_an_unreadable_file_is_left_alone_and_reported(config: Config, action: str) -> None:
    for raw in BROKEN[config.host.format.removesuffix("c")]:
        config.write(raw.replace(b"mcpServers", config.host.servers_key.encode()))
        content = config.path.read_bytes()
        with pytest.raises(ConfigError):
            config.plan() if action == "install" else config.plan_removal()
        found = config.detect()
        assert found.problem
        assert config.path.read_bytes() == content
        assert len(list(config.path.parent.iterdir())) == 1


@pytest.mark.parametrize("name", ["claude-desktop", "claude-code"])
def test_comments_are_refused_if_the_host_does_not_read_them(machine: Machine, name: str) -> None:
    config = config_of(name, machine)
    config.write('{\n  // mine\n  "mcpServers": {}\n}')
    with pytest.raises(ConfigError, match="line 2, column 3"):
        config.plan()


def test_a_trailing_comma_is_refused_if_the_host_reads_only_comments(machine: Machine) -> None:
    config = config_of("gemini-cli", machine)
    config.write('{\n  // mine\n  "mcpServers": {},\n}')
    with pytest.raises(ConfigError, match="line 3, column 19: a comma after the last item"):
        config.plan()


def test_another_server_with_the_same_name_is_not_changed(config: Config) -> None:
    other = command_parts(config.host, installer.Launcher("npx", ("hailuo-of-another",)))
    config.put("hailuo", value=other)
    for plan in (config.plan, config.plan_removal):
        with pytest.raises(ConfigError, match="another"):
            plan()
    found = config.detect()
    assert [(entry.name, entry.is_ours) for entry in found.entries] == [("hailuo", False)]
    config.install(replace(SPEC, name="hailuo-video"))
    entries = config.detect().entries
    assert {(entry.name, entry.is_ours) for entry in entries} == {("hailuo", False), ("hailuo-video", True)}


def test_a_read_only_file_is_left_alone(machine: Machine) -> None:
    config = config_of("cursor", machine)
    config.write("{}")
    config.path.chmod(0o444)
    with pytest.raises(ConfigError, match="read-only"):
        config.install()
    assert [path.name for path in config.path.parent.iterdir()] == ["mcp.json"]
    assert config.path.read_text() == "{}"


def test_a_link_is_followed_and_stays_a_link(machine: Machine, tmp_path: Path) -> None:
    config = config_of("vscode", machine)
    real = tmp_path / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_text(VSCODE)
    config.path.parent.mkdir(parents=True)
    config.path.symlink_to(real)
    config.install()
    assert config.path.is_symlink()
    assert "hailuo" in real.read_text()
    config.uninstall()
    assert real.read_text() == VSCODE


def test_a_dangling_or_circular_link_is_handled(machine: Machine, tmp_path: Path) -> None:
    config = config_of("cursor", machine)
    config.path.parent.mkdir(parents=True)
    config.path.symlink_to(config.path)
    assert config.detect().problem
    config.path.unlink()
    config.path.symlink_to(tmp_path / "nowhere.json")
    config.install()
    assert (tmp_path / "nowhere.json").exists()


def test_a_file_that_changed_in_the_meantime_is_not_overwritten(machine: Machine) -> None:
    config = config_of("claude-code", machine)
    config.write("{}")
    plan = config.plan()
    config.path.write_text('{"numStartups": 32}')
    with pytest.raises(ConfigError, match="another program"):
        plan.apply()
    assert config.path.read_text() == '{"numStartups": 32}'


def test_a_directory_in_place_of_the_file_is_reported(machine: Machine) -> None:
    config = config_of("cursor", machine)
    config.path.mkdir(parents=True)
    assert "cannot be read" in str(config.detect().problem)
    with pytest.raises(ConfigError):
        config.plan()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change a file's owner")
def test_the_owner_of_the_file_is_kept(machine: Machine) -> None:
    config = config_of("cursor", machine)
    config.write("{}")
    os.chown(config.path, 1234, 1234)
    config.install()
    assert config.path.stat().st_uid == 1234


def test_a_directory_that_may_not_be_read_is_reported_by_each_host(machine: Machine) -> None:
    machine.home.chmod(0)
    try:
        with without_privileges():
            detected = installer.detect_all(machine)
    finally:
        machine.home.chmod(0o700)
    assert len(detected) == len(PLACES)
    assert all("cannot be read" in str(found.problem) for found in detected)
