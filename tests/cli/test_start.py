"""A server whose calls are bound to fail warns at startup, in one line on stderr."""

from pathlib import Path

import pytest

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.service.start import warn_of_failing_calls
from tests.cli.conftest import pipe, running
from tests.support import settings_for


def startup_warnings(directory: Path, *args: str, **variables: str) -> list[str]:
    with running(directory, *args, **variables) as server:
        if args:
            assert pipe(server.stdout).readline()  # it is listening
            server.terminate()
        _, errors = server.communicate(timeout=30)
    return [line for line in errors.splitlines() if "generate_video will fail" in line]


def test_a_stdio_server_without_key_and_sandbox_warns(tmp_path: Path) -> None:
    (line,) = startup_warnings(tmp_path, HAILUO_MCP_SANDBOX="0")
    assert "SEGMIND_API_KEY" in line


def test_an_http_server_without_key_and_sandbox_warns(tmp_path: Path) -> None:
    (line,) = startup_warnings(tmp_path, "serve", "--http", "--port", "0")
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
def test_a_warning_names_the_cause_only_if_calls_will_fail(
    variable: str, value: str, reason: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()  # no directory can be made in its place
    settings = settings_for(tmp_path, **{variable: value.format(home=tmp_path)})
    warn_of_failing_calls(settings, Catalog(GATEWAYS, settings))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == (reason is not None)
    assert all("generate_video will fail" in line and str(reason) in line for line in messages)
