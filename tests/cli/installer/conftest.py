from pathlib import Path

import pytest

from hailuo_mcp.cli.installer import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Linux machine with an empty home, and a project in it."""
    return Machine("linux", tmp_path, {}, tmp_path / "project")
