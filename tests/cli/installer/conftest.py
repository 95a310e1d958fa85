from pathlib import Path

import pytest

from hailuo_mcp.cli.installer import Machine
from tests.cli.installer.support import PLACES, Config, config_of


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Linux machine with an empty home, and a project in it."""
    return Machine("linux", tmp_path, {}, tmp_path / "project")


@pytest.fixture(params=PLACES, ids="-".join)
def config(request: pytest.FixtureRequest, machine: Machine) -> Config:
    """Each configuration of each host."""
    name, scope = request.param
    return config_of(name, machine, scope)
