"""Signals to real processes. While a gateway is slow to answer a paid submission, the id is still recorded; while idle,
the process ends at once, quietly."""

import json
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from hailuo_mcp.core.settings import Settings
from hailuo_mcp.ledger import open_ledger
from tests.cli.conftest import Process, pipe, responses, running, send
from tests.cli.test_stdio import INITIALIZE
from tests.slow_gateway import MODEL, SlowGateway

pytestmark = pytest.mark.slow
ANSWER_AFTER = 0.7
"""Seconds after the signal: longer than a process that it kills needs to exit."""
ENDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
PROMPT = "a red kite rises"


@pytest.fixture
def gateway() -> Generator[SlowGateway]:
    with SlowGateway().serving() as gateway:
        yield gateway


def on_stdio(process: Process) -> None:
    call = {"name": "generate_video", "arguments": {"model": MODEL, "prompt": PROMPT}}
    send(
        process, INITIALIZE, {"method": "notifications/initialized"}, {"id": 2, "method": "tools/call", "params": call}
    )


def remote_ids(url: str) -> list[str | None]:
    """All jobs, from a reopened ledger."""

    async def read() -> list[str | None]:
        ledger = open_ledger(Settings.model_validate({"database_url": url}))
        try:
            return [job.remote_id for job in (await ledger.page("", None, 10, frozenset())).jobs]
        finally:
            await ledger.close()

    return anyio.run(read)


def answer_late(gateway: SlowGateway, process: Process, cut: Callable[[], None], *, again: bool = False) -> None:
    """Wait for the submission, cut the connection, and answer only then."""
    assert gateway.arrived.wait(30)
    cut()
    time.sleep(ANSWER_AFTER / 2)
    if again:
        cut()
    time.sleep(ANSWER_AFTER / 2)
    assert process.poll() is None, "it waits for the answer"
    gateway.answer.set()


@pytest.mark.parametrize(("number", "on_postgres"), [*((number, False) for number in ENDS), (signal.SIGTERM, True)])
def test_a_signal_during_a_submission_on_stdio_loses_no_id(
    number: signal.Signals, on_postgres: bool, gateway: SlowGateway, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    ledger_url = f"sqlite:///{tmp_path / 'jobs.sqlite3'}"
    if on_postgres:
        ledger_url = request.getfixturevalue("postgres_url")
    with running(tmp_path, **gateway.environment, HAILUO_MCP_DATABASE_URL=ledger_url) as process:
        on_stdio(process)
        answer_late(gateway, process, lambda: process.send_signal(number), again=True)
        assert process.wait(15) == 130
        assert "Traceback" not in pipe(process.stderr).read()
    assert remote_ids(ledger_url) == gateway.taken == ["r-1"]


def test_a_host_that_closes_stdin_and_then_terminates_loses_no_id(gateway: SlowGateway, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.sqlite3'}"

    def disconnect() -> None:
        if not pipe(process.stdin).closed:
            pipe(process.stdin).close()
        else:
            process.terminate()

    with running(tmp_path, **gateway.environment, HAILUO_MCP_DATABASE_URL=url) as process:
        on_stdio(process)
        answer_late(gateway, process, disconnect, again=True)
        process.wait(15)
    assert remote_ids(url) == ["r-1"]


def test_a_cancelled_call_loses_no_id(gateway: SlowGateway, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.sqlite3'}"
    with running(tmp_path, **gateway.environment, HAILUO_MCP_DATABASE_URL=url) as process:
        on_stdio(process)
        cancelled = {"method": "notifications/cancelled", "params": {"requestId": 2}}
        answer_late(gateway, process, lambda: send(process, cancelled))
        pipe(process.stdin).close()
        assert process.wait(15) == 0
    assert remote_ids(url) == ["r-1"]


@pytest.mark.parametrize("dies", [True, False])
def test_an_identical_call_waits_for_a_live_sender_and_5_seconds_for_a_dead_one(
    dies: bool, gateway: SlowGateway, ledger_url: str, tmp_path: Path
) -> None:
    variables = {**gateway.environment, "HAILUO_MCP_DATABASE_URL": ledger_url}
    with running(tmp_path, **variables) as sender, running(tmp_path, **variables) as other:
        send(other, INITIALIZE)
        assert pipe(other.stdout).readline()
        on_stdio(sender)
        assert gateway.arrived.wait(30)
        if dies:
            sender.kill()
        began = time.monotonic()
        call = {"name": "generate_video", "arguments": {"model": MODEL, "prompt": PROMPT}}
        send(other, {"method": "notifications/initialized"}, {"id": 2, "method": "tools/call", "params": call})
        if not dies:
            threading.Timer(6, gateway.answer.set).start()
        answer = responses(other, 1)[0]["result"]["structuredContent"]
        took = time.monotonic() - began
    assert answer["duplicate"]
    assert len(gateway.taken) == 1
    if dies:
        assert took < 5
        assert answer["state"] == "unconfirmed"
        assert any("is gone" in warning for warning in answer["warnings"])
    else:
        assert took > 5
        assert answer["request_id"] == f"{MODEL}/r-1"


@pytest.mark.parametrize("number", ENDS)
def test_a_signal_during_generate_loses_no_id(number: signal.Signals, gateway: SlowGateway, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.sqlite3'}"
    variables = {**gateway.environment, "HAILUO_MCP_DATABASE_URL": url}
    with running(tmp_path, "generate", PROMPT, "--model", MODEL, "--wait", **variables) as process:
        answer_late(gateway, process, lambda: process.send_signal(number), again=True)
        assert process.wait(15) == 130
        errors = pipe(process.stderr).read()
    assert f"{MODEL}/r-1" in errors
    assert "Traceback" not in errors
    assert remote_ids(url) == ["r-1"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_a_batch_loses_no_id(number: signal.Signals, gateway: SlowGateway, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.sqlite3'}"
    shots = tmp_path / "shots.csv"
    shots.write_text(f"prompt,model\n{PROMPT},{MODEL}\n")
    with running(tmp_path, "batch", str(shots), "--yes", **gateway.environment, HAILUO_MCP_DATABASE_URL=url) as process:
        answer_late(gateway, process, lambda: process.send_signal(number), again=True)
        assert process.wait(15) == 130
        assert "Traceback" not in pipe(process.stderr).read()
    assert remote_ids(url) == ["r-1"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_a_submission_over_http_loses_no_id(
    number: signal.Signals, gateway: SlowGateway, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.sqlite3'}"
    call = {"name": "generate_video", "arguments": {"model": MODEL, "prompt": PROMPT}}
    message = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call})
    headers = ("content-type: application/json", "accept: application/json, text/event-stream")
    variables = {**gateway.environment, "HAILUO_MCP_DATABASE_URL": url}
    with running(tmp_path, "serve", "--http", "--port", "0", **variables) as process:
        address = pipe(process.stdout).readline().strip()
        flags = [flag for header in headers for flag in ("-H", header)]
        with subprocess.Popen(["curl", "-s", *flags, "-d", message, address], stdout=subprocess.DEVNULL) as caller:
            answer_late(gateway, process, lambda: process.send_signal(number), again=True)
            process.wait(15)
            caller.kill()
    assert remote_ids(url) == ["r-1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_an_idle_server_at_once_and_quietly(number: signal.Signals, tmp_path: Path) -> None:
    with running(tmp_path, HAILUO_MCP_SANDBOX="1") as process:
        send(process, INITIALIZE)
        assert pipe(process.stdout).readline()
        process.send_signal(number)
        began = time.monotonic()
        assert process.wait(10) == 130
        assert time.monotonic() - began < 3
        assert (pipe(process.stdout).read(), pipe(process.stderr).read()) == ("", "")


def test_an_id_is_written_once_the_ledger_is_unlocked(gateway: SlowGateway, tmp_path: Path) -> None:
    """From the submission on, another process locks the file for longer than a write waits."""
    path = tmp_path / "jobs.sqlite3"
    with running(tmp_path, **gateway.environment, HAILUO_MCP_DATABASE_URL=f"sqlite:///{path}") as process:
        on_stdio(process)
        assert gateway.arrived.wait(30)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            gateway.answer.set()
            answer = responses(process, 2)[1]["result"]["structuredContent"]
            assert answer["request_id"] == f"{MODEL}/r-1"
            assert "kept in memory" in answer["warnings"][-1]
            ask = {"name": "get_status", "arguments": {"request_id": answer["request_id"]}}
            send(process, {"id": 3, "method": "tools/call", "params": ask})
            meanwhile = responses(process, 1)[0]["result"]["structuredContent"]
            assert (meanwhile["request_id"], meanwhile["state"]) == (answer["request_id"], "queued")
            pipe(process.stdin).close()
            other.execute("ROLLBACK")
        assert process.wait(30) == 0
    assert remote_ids(f"sqlite:///{path}") == ["r-1"]
