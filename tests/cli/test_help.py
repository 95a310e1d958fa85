import json
import re

import pytest

from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.group import COMMANDS, run
from hailuo_mcp.core.settings import variables

SCREEN = (80, 40)
"""Columns and lines."""


def test_help_lists_every_command_and_exit_code_on_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    columns, lines = SCREEN
    assert len(text.splitlines()) <= lines
    assert max(map(len, text.splitlines())) <= columns
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", text, re.MULTILINE), command
    for code in Exit:
        assert re.search(rf"^  {code.value} +{code.meaning[:20]}", text, re.MULTILINE), code


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_does(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: hailuo-mcp {command}")
    assert len(text.splitlines()) > 6


def test_settings_lists_every_variable_and_no_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMIND_API_KEY", "sk-secret")
    monkeypatch.setenv("FAL_KEY", "sk-secret")  # an alias
    monkeypatch.setenv("MINIMAX_API_KEY_FILE", "/run/secrets/minimax")
    assert run(["settings", "--json"]) == 0
    text = capsys.readouterr().out
    rows = {row["variable"]: row["set"] for row in json.loads(text)["settings"]}
    keys = {f"{gateway}_{what}" for gateway in ("SEGMIND", "APIXO", "AIMLAPI") for what in ("API_KEY", "BASE_URL")}
    assert rows.keys() >= {*variables(), *keys, "SEGMIND_UPLOAD_URL", "SEGMIND_HISTORY_URL"}
    are_set = {name: rows[f"{name}_API_KEY"] for name in ("SEGMIND", "FAL", "MINIMAX", "APIXO")}
    assert are_set == {"SEGMIND": True, "FAL": True, "MINIMAX": True, "APIXO": False}
    assert "sk-secret" not in text


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert re.fullmatch(r"hailuo-mcp, version \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)
