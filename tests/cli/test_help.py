import re

import pytest

from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.group import run
from hailuo_mcp.core.settings import variables

COMMANDS = ("demo", "models", "generate", "status", "download", "jobs", "sandbox", "doctor")


def test_help_lists_every_command_variable_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    words = set(re.findall(r"[\w-]+", text))
    keys = {f"{gateway}_{what}" for gateway in ("SEGMIND", "APIXO", "AIMLAPI") for what in ("API_KEY", "BASE_URL")}
    assert words >= {*COMMANDS, *variables(), *keys, "SEGMIND_UPLOAD_URL", "SEGMIND_HISTORY_URL"}
    for code in Exit:
        assert re.search(rf"^  {code.value} +{code.meaning[:20]}", text, re.MULTILINE), code


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_does(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: hailuo-mcp {command}")
    assert len(text.splitlines()) > 6


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert re.fullmatch(r"hailuo-mcp, version \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)
