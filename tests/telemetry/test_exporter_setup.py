"""Telemetry is exported only if OpenTelemetry's variables enable it, and never disturbs serving."""

import socket
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from hailuo_mcp.telemetry.exporter import FLUSH_SECONDS
from tests.support import environment
from tests.telemetry.collector import collecting

SERVED = """
import os, sys, threading, time
from hailuo_mcp.telemetry.exporter import exporting
from hailuo_mcp.telemetry import span, metrics
with exporting(os.environ, "1.2.3"):
    if {within!r}:
        with span("seen"):
            metrics().transitions.add(1)
    print(len(threading.enumerate()), any(name.startswith("opentelemetry.sdk") for name in sys.modules))
    ended = time.monotonic()
if {timed!r}:
    print(time.monotonic() - ended)
"""
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
NOWHERE = {ENDPOINT: "http://127.0.0.1:9"}


def _serve(
    variables: Mapping[str, str], *, within: bool = False, timed: bool = False
) -> subprocess.CompletedProcess[str]:
    """A process that serves with these variables. `within` makes it record a span and a metric; `timed` makes it print
    how long it took to stop."""
    return _run(SERVED.format(within=within, timed=timed), variables)


def _run(program: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=dict(variables), capture_output=True, text=True, timeout=60, check=True)


OFF: tuple[Mapping[str, str], ...] = (
    {},
    {"OTEL_SERVICE_NAME": "videos"},
    {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", **NOWHERE},
    {"OTEL_SDK_DISABLED": "true", **NOWHERE},
    {ENDPOINT: " "},
)


def test_export_is_off_by_default() -> None:
    """One process for all cases, since none changes its state."""
    each = SERVED.format(within=True, timed=False) + "for name in given:\n    del os.environ[name]\n"
    program = f"import os\nfor given in {OFF!r}:\n    os.environ.update(given)\n" + textwrap.indent(each, "    ")
    served = _run(program, {})
    assert served.stdout.splitlines() == ["1 False"] * len(OFF)  # one thread, and no SDK
    assert served.stderr == ""


def test_one_signal_can_be_enabled_alone() -> None:
    with collecting() as collector:
        served = _serve(
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.endpoint}/v1/traces", "OTEL_SERVICE_NAME": "videos"},
            within=True,
        )
    assert served.stdout == "2 True\n"
    assert {path for path, _ in collector.bodies} == {"/v1/traces"}
    assert collector.services == {"videos"}


def test_console_exporter_writes_to_stderr() -> None:
    served = _serve({"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console"}, within=True)
    assert served.stdout == "3 True\n"
    assert '"name": "seen"' in served.stderr
    assert "hailuo_mcp.job.transitions" in served.stderr


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "OTEL_TRACES_EXPORTER=jaeger is not supported"),
        ({**NOWHERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc is not supported"),
        ({**NOWHERE, "OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "could not be set up"),
    ],
)
def test_unsupported_setting_is_reported_and_the_server_runs(variables: Mapping[str, str], message: str) -> None:
    served = _serve(variables)
    assert message in served.stderr
    assert served.stdout


def test_missing_extra_is_reported_in_one_line_and_the_server_runs(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry_sdk_blocked.py").write_text(
        "import sys\nsys.modules['opentelemetry.sdk'] = sys.modules['opentelemetry.exporter'] = None\n"
    )
    program = "import opentelemetry_sdk_blocked, sys, hailuo_mcp.cli as cli; sys.argv[1:] = []; cli.main()"
    served = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(tmp_path, PYTHONPATH=str(tmp_path), HAILUO_MCP_SANDBOX="1", **NOWHERE),
        cwd=tmp_path,
        input='{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",'
        '"capabilities":{},"clientInfo":{"name":"t","version":"0"}}}\n',
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert '"serverInfo"' in served.stdout
    (line,) = served.stderr.splitlines()
    assert "WARNING" in line
    assert "pip install 'hailuo-mcp[otel]'" in line


@pytest.mark.slow
def test_an_unresponsive_collector_does_not_delay_the_shutdown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        served = _serve({ENDPOINT: endpoint}, within=True, timed=True)
    assert "did not accept the last spans and metrics" in served.stderr
    _, stopping = served.stdout.splitlines()
    assert FLUSH_SECONDS <= float(stopping) < 3 * FLUSH_SECONDS  # the exporter alone would wait for ten seconds
