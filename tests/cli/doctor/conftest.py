"""The doctor as a real process, with a home directory of its own."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hailuo_mcp.cli.doctor import run_checks
from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.installer import Machine
from tests.cli.installer.support import config_of

RunDoctor = Callable[..., Awaitable["Diagnosis"]]
KEY = "sk-live-0123456789abcdef-WXYZ"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one run."""

    code: int
    findings: tuple[Mapping[str, str], ...]
    output: str
    """Everything that it printed, on both streams."""

    def finding(self, topic: str) -> Mapping[str, str]:
        """The worst finding on this topic."""
        order = ("ok", "warning", "problem")
        return max((f for f in self.findings if f["about"] == topic), key=lambda f: order.index(f["level"]))

    @property
    def problems(self) -> list[str]:
        return [finding["about"] for finding in self.findings if finding["level"] == "problem"]


@dataclass(frozen=True, slots=True)
class Doctor:
    home: Path
    variables: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "HAILUO_MCP_OUTPUT_DIR": str(self.home / "clips"),
            **self.variables,
        }

    def run(self, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hailuo_mcp", "doctor", *args],
            env={**self.environment, **variables},
            cwd=self.home,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=100,
            check=False,
        )

    def __call__(self, *args: str, **variables: str) -> Diagnosis:
        """A run with `--json`, which must end by itself and name a fix for everything that is not ok."""
        done = self.run("--json", *args, **variables)
        assert "Traceback" not in done.stderr, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        found = Diagnosis(done.returncode, tuple(report["findings"]), done.stdout + done.stderr)
        assert [finding for finding in found.findings if finding["level"] != "ok" and not finding["cure"]] == []
        assert report["verdict"] == ("problem" if found.problems else report["verdict"])
        assert found.code == (Exit.PROBLEM_FOUND if found.problems else Exit.DONE), found
        return found


@pytest.fixture
def run_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDoctor:
    """Runs the same checks in this process, offline."""
    home = Doctor(tmp_path)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, home.environment[name])
    monkeypatch.chdir(tmp_path)

    async def run(**variables: str) -> Diagnosis:
        report = await run_checks({**home.environment, **variables}, offline=True)
        findings = tuple(finding.model_dump(mode="json") for finding in report.findings)
        return Diagnosis(0, findings, report.model_dump_json())

    return run


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path)


def configure(home: Path, entry: str) -> Path:
    """Write a configuration of Cursor with this entry for our server."""
    config = config_of("cursor", Machine("linux", home, {}, home / "project"))
    config.write(f'{{"mcpServers": {{"hailuo": {entry}}}}}')
    return config.path


@contextmanager
def fake_gateway(status: int, body: bytes, *, kind: str = "application/json", ahead: float = 0.0) -> Generator[str]:
    """A server that gives the same answer to every request; `ahead` is how many seconds its clock is ahead. Yields its
    URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(HTTPStatus(status))
            self.send_header("Date", formatdate(time.time() + ahead, usegmt=True))
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Not on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
