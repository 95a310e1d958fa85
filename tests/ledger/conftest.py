"""Every test that asks for `ledger` or `url` runs on both engines."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from hailuo_mcp.ledger import Ledger
from tests.ledger.shared import ledger_at


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new ledger is."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'jobs.sqlite3'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
async def ledger(url: str) -> AsyncGenerator[Ledger]:
    ledger = ledger_at(url)
    yield ledger
    await ledger.close()
