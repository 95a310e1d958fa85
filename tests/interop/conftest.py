"""Node's MCP clients, installed once per run, and the server they start, in the sandbox and with a home of its own."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import npm
from tests.interop.clients import Bridge, Inspector

HERE = Path(__file__).parent
SERVER = (sys.executable, "-m", "hailuo_mcp")


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory in which the clients are installed."""
    directory = tmp_path_factory.mktemp("node-clients")
    npm.install(HERE, directory, "bridge.mjs")
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def server_variables(tmp_path: Path) -> Mapping[str, str]:
    """The server's whole environment: without the developer's keys, and with all paths below `tmp_path`."""
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
