"""Where keys are written, and that none is shown."""

from dataclasses import replace

import pytest

from hailuo_mcp.cli import installer
from hailuo_mcp.cli.installer import Machine
from tests.cli.installer.support import KEY, REAL, SPEC, Config, config_of


def test_the_key_is_in_the_file_only_if_the_host_supports_no_other_storage(config: Config) -> None:
    config.write(REAL[config.host.name][0])
    config.path.chmod(0o644)
    change = config.plan()
    change.apply()
    text = config.path.read_text()
    is_written = config.host.key_storage is installer.KeyStorage.IN_FILE
    assert (KEY in text) is is_written
    assert "SEGMIND_API_KEY" in text
    assert config.path.stat().st_mode & 0o777 == (0o600 if is_written else 0o644)
    assert not (is_written and config.place.is_shared)
    for shown in (change.diff, str(change.changes), str(config.detect())):
        assert KEY not in shown
        assert "someone-elses" not in shown
    removal = config.plan_removal()
    assert KEY not in removal.diff
    assert "someone-elses" not in removal.diff
    removal.apply()
    assert config.path.stat().st_mode & 0o777 == 0o644


def test_the_diff_of_a_minified_file_does_not_show_its_content(machine: Machine) -> None:
    config = config_of("claude-code", machine)
    config.write(REAL["claude-code"][0])
    diff = config.plan().diff
    assert "ghp_" not in diff
    assert "you@example.org" not in diff
    assert len(diff.splitlines()) == 2


def test_the_diff_of_a_new_file_masks_only_the_key(config: Config) -> None:
    diff = config.plan(replace(SPEC, settings={"HAILUO_MCP_SANDBOX": "1"})).diff
    assert KEY not in diff
    assert diff.count("…") == (1 if config.host.key_storage is installer.KeyStorage.IN_FILE else 0)


def test_an_empty_env_is_filled_without_showing_the_key(machine: Machine) -> None:
    config = config_of("claude-desktop", machine)
    config.write('{"mcpServers": {"hailuo": {"command": "hailuo-mcp", "env": {}}}}')
    change = config.plan()
    assert KEY not in str(change.changes) + change.diff
    change.apply()
    assert KEY in config.path.read_text()


SECRET = "not-to-be-shown"


@pytest.mark.parametrize(
    "text",
    [
        f"extensions: {{github: {{cmd: npx, envs: {{GITHUB_TOKEN: {SECRET}}}}}}}\n",
        f"extensions: {{github: {{cmd: npx, args: [--token, {SECRET}:x, a b {SECRET}, -{SECRET}]}}}} # {SECRET}\n",
        f"extensions:\n  hailuo:\n    cmd: hailuo-mcp\n    envs:\n      SEGMIND_API_KEY: {SECRET}\n",
        f"extensions:\n  hailuo:\n    cmd: hailuo-mcp\n    note: |\n      {SECRET}\n",
    ],
)
def test_a_text_without_quotes_is_masked(machine: Machine, text: str) -> None:
    config = config_of("goose", machine)
    config.write(text)
    change = config.plan()
    assert "hailuo" in change.diff
    change.apply()
    for diff in (change.diff, config.plan_removal().diff):
        assert diff
        assert SECRET not in diff
