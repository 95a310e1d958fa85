from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from hailuo_mcp.cli.ports import listener_on
from hailuo_mcp.sandbox import create_app

from .wire import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Serves a sandbox on a free local port; returns its base URL."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(state_dir: Path = tmp_path, **options: Any) -> str:
        config = uvicorn.Config(create_app(state_dir, **options), log_level="info", ws="none", log_config=None)
        server = uvicorn.Server(config)
        listening = listener_on(
            "127.0.0.1", 0
        )  # it accepts connections from here on, so that there is no need to wait for the server
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        running.append((server, thread))
        host, port = listening.getsockname()[:2]
        return f"http://{host}:{port}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture
def run_python() -> Callable[[str], str]:
    """Runs code in a separate interpreter; returns what it prints."""

    def run(code: str) -> str:
        return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()

    return run
