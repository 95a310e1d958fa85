"""Every test that uses `ledger` or `url` runs on both engines; `first`, `second` and `db` are PostgreSQL's."""

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from hailuo_mcp.ledger import Ledger
from tests.ledger.shared import Connection, ledger_at


@pytest.fixture
def url(ledger_url: str) -> str:
    """The URL of a new ledger."""
    return ledger_url


@pytest.fixture
async def ledger(url: str) -> AsyncGenerator[Ledger]:
    ledger = ledger_at(url)
    yield ledger
    await ledger.close()


@pytest.fixture
async def first(postgres_url: str) -> AsyncGenerator[Ledger]:
    ledger = ledger_at(postgres_url)
    yield ledger
    await ledger.close()


@pytest.fixture
async def second(postgres_url: str) -> AsyncGenerator[Ledger]:
    """The ledger of another process."""
    ledger = ledger_at(postgres_url)
    yield ledger
    await ledger.close()


@pytest.fixture
async def db(postgres_url: str) -> AsyncGenerator[Connection]:
    """The database itself."""
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()
