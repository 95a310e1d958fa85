"""Every test that uses `ledger` or `url` runs on both engines."""

from collections.abc import AsyncGenerator

import pytest

from hailuo_mcp.ledger import Ledger
from tests.ledger.shared import ledger_at


@pytest.fixture
def url(ledger_url: str) -> str:
    """The URL of a new ledger."""
    return ledger_url


@pytest.fixture
async def ledger(url: str) -> AsyncGenerator[Ledger]:
    ledger = ledger_at(url)
    yield ledger
    await ledger.close()
