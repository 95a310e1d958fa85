"""The hosts, installed once per run, and home directories for them."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import npm
from tests.interop.real_hosts.hosts import Home, RealHost

HERE = Path(__file__).parent
HOST_KEY = "key-from-the-environment-of-the-host"
DEAD_PROXY = "http://127.0.0.1:9"
"""A proxy that does not exist, so that a host can send nothing to its vendor, and download nothing."""


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory in which the hosts are installed."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        npm.unavailable("the hosts are locked for Linux on x86-64")
    directory = tmp_path_factory.mktemp("hosts")
    npm.install(HERE, directory)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def host(request: pytest.FixtureRequest, packages: Path) -> RealHost:
    kind: type[RealHost] = request.param
    return kind(packages)


@pytest.fixture
def home(host: RealHost, tmp_path: Path) -> Home:
    """An empty home directory, and a `uvx` that records its arguments and variables and starts this server."""
    programs = tmp_path / "programs"
    programs.mkdir()
    uvx = programs / "uvx"
    lines = (
        "#!/bin/sh",
        f'{{ echo "$*"; env; }} >"{tmp_path}/started"',
        f"sleep {host.start_delay}",
        f'exec "{sys.executable}" -m hailuo_mcp',
    )
    uvx.write_text("\n".join(lines) + "\n")
    uvx.chmod(0o755)
    path = tmp_path / "home"
    (path / "project").mkdir(parents=True)
    environ = {
        "PATH": os.pathsep.join((str(programs), os.environ["PATH"])),
        "HOME": str(path),
        "SEGMIND_API_KEY": HOST_KEY,
        "DO_NOT_TRACK": "1",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), DEAD_PROXY),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1"),
    }
    return Home(path, environ)
