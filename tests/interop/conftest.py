"""Node's MCP clients, installed once a run, and the server they start: in the sandbox, with a home of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.interop.clients import Bridge, Inspector

HERE = Path(__file__).parent
INSTALL_SECONDS = 600
SERVER = (sys.executable, "-m", "hailuo_mcp")


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory the clients are installed in. Without Node these tests are skipped, but never in CI."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        if os.environ.get("CI"):
            pytest.fail("CI needs Node 20 or later with npm; neither may be missing there.")
        pytest.skip("Node with npm is not installed")
    directory = tmp_path_factory.mktemp("node-clients")
    for name in ("package.json", "package-lock.json", "bridge.mjs"):
        shutil.copy(HERE / name, directory / name)
    command = [npm, "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode:
        pytest.fail(f"npm ci failed:\n{done.stdout}{done.stderr}")
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def server_variables(tmp_path: Path) -> Mapping[str, str]:
    """The server's whole environment: no key of the developer's reaches it, and it writes in `tmp_path` alone."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "HAILUO_MCP_OUTPUT_DIR": str(tmp_path / "clips"),
        "HAILUO_MCP_SANDBOX": "1",
        "HAILUO_MCP_SANDBOX_SECONDS": "0.5",
    }


@pytest.fixture(params=["legacy", "modern"])
def inspector(request: pytest.FixtureRequest, clients: Path, server_variables: Mapping[str, str]) -> Inspector:
    """The Inspector's command line, speaking one of the two eras of the protocol."""
    return Inspector(clients, request.param, SERVER, server_variables)


@pytest.fixture(params=["@modelcontextprotocol/sdk/client", "@modelcontextprotocol/client"], ids=["sdk-1", "sdk-2"])
def bridge(request: pytest.FixtureRequest, clients: Path, server_variables: Mapping[str, str]) -> Iterator[Bridge]:
    """A client of the TypeScript SDK, connected to the server and with its tools listed."""
    with Bridge(clients, request.param, SERVER, server_variables) as connected:
        yield connected
