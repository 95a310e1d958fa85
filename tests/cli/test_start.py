"""A server whose first call must fail says so when it starts, in one line on stderr."""

import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM
from tests.support import environment

KEY = {"SEGMIND_API_KEY": "sk-test-0123456789"}


def said_at_start(directory: Path, *args: str, **variables: str) -> list[str]:
    (directory / "file").touch()  # no directory can be made in its place
    with subprocess.Popen(
        [*PROGRAM, *args],
        env=environment(directory, **variables),
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout
        if args:
            assert server.stdout.readline()  # it listens
            server.terminate()
        _, said = server.communicate(timeout=30)
    return [line for line in said.splitlines() if "generate_video will fail" in line]


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("HAILUO_MCP_SANDBOX", "0", "SEGMIND_API_KEY"),
        ("HAILUO_MCP_OUTPUT_DIR", "{home}/file/clips", "HAILUO_MCP_OUTPUT_DIR"),
        ("HAILUO_MCP_DATABASE_URL", "sqlite:///{home}/file/jobs.sqlite3", "HAILUO_MCP_DATABASE_URL"),
    ],
)
def test_on_stdio(variable: str, value: str, reason: str, tmp_path: Path) -> None:
    (line,) = said_at_start(tmp_path, **{variable: value.format(home=tmp_path)})
    assert reason in line


def test_over_http_without_key_and_sandbox(tmp_path: Path) -> None:
    (line,) = said_at_start(tmp_path, "serve", "--http", "--port", "0")
    assert "HAILUO_MCP_SANDBOX=1" in line


def test_nothing_is_said_where_calls_can_succeed(tmp_path: Path) -> None:
    assert said_at_start(tmp_path, **KEY) == []
