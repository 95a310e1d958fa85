"""A server whose first call must fail says so when it starts, in one line on stderr."""

import subprocess
from pathlib import Path

import pytest

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.service.start import warn_of_failing_calls
from tests.cli.conftest import PROGRAM
from tests.support import environment, settings_for


def said_at_start(directory: Path, *args: str, **variables: str) -> list[str]:
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


def test_on_stdio(tmp_path: Path) -> None:
    (line,) = said_at_start(tmp_path, HAILUO_MCP_SANDBOX="0")
    assert "SEGMIND_API_KEY" in line


def test_over_http_without_key_and_sandbox(tmp_path: Path) -> None:
    (line,) = said_at_start(tmp_path, "serve", "--http", "--port", "0")
    assert "HAILUO_MCP_SANDBOX=1" in line


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("HAILUO_MCP_SANDBOX", "0", "SEGMIND_API_KEY"),
        ("HAILUO_MCP_OUTPUT_DIR", "{home}/file/clips", "HAILUO_MCP_OUTPUT_DIR"),
        ("HAILUO_MCP_DATABASE_URL", "sqlite:///{home}/file/jobs.sqlite3", "HAILUO_MCP_DATABASE_URL"),
        ("SEGMIND_API_KEY", "sk-test-0123456789", None),
    ],
)
def test_what_makes_calls_fail_is_said_and_nothing_where_they_can_succeed(
    variable: str, value: str, reason: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()  # no directory can be made in its place
    settings = settings_for(tmp_path, **{variable: value.format(home=tmp_path)})
    warn_of_failing_calls(settings, Catalog(GATEWAYS, settings))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (reason is not None)
    assert all("generate_video will fail" in line and str(reason) in line for line in said)
