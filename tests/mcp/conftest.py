"""What the tests of the MCP interface share."""

from pathlib import Path

import pytest

from hailuo_mcp.core.settings import Settings
from tests.support import settings_for


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of the sandbox in this process."""
    return settings_for(tmp_path)
