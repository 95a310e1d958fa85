"""What other servers on the ledger did, by LISTEN and NOTIFY: sent in the transaction that did it, heard after its
commit, lost where nobody listens at that moment.
"""

import logging
from collections.abc import Callable

import anyio
from asyncpg import Connection, Record

from hailuo_mcp.ledger.base import ANY_JOB
from hailuo_mcp.ledger.postgres.database import TROUBLE, Database

log = logging.getLogger(__name__)

CHANNEL = "hailuo_jobs"
STILL_THERE_SECONDS = 20.0
"""A connection that only listens notices by itself neither a pulled cable nor a network that forgot it."""
PAUSE_SECONDS, PAUSE_AFTER_LOSS_SECONDS = 10.0, 0.5


async def on_notify(database: Database, sender: str, tell: Callable[[str], None]) -> None:
    """Pass on the keys that others than `sender` send, until cancelled; and the empty key whenever listening begins
    (again), for what was said before is lost."""

    def heard(_connection: object, _pid: object, _channel: object, said: object) -> None:
        by, _, key = str(said).partition(" ")
        if by != sender and key:
            tell(key)

    while True:
        try:
            connection = await database.connect()
        except Exception as error:  # nothing that goes wrong here may end the server
            log.error("no news from other servers: %s", type(error).__name__)
            await anyio.sleep(PAUSE_SECONDS)
            continue
        try:
            gone = anyio.Event()
            connection.add_termination_listener(lambda _, gone=gone: gone.set())
            await connection.add_listener(CHANNEL, heard)
            tell(ANY_JOB)
            await _while_alive(connection, gone)
        except TROUBLE as error:
            log.warning("the connection for news of other servers is lost: %s", type(error).__name__)
        finally:
            connection.terminate()
        await anyio.sleep(PAUSE_AFTER_LOSS_SECONDS)


async def _while_alive(connection: "Connection[Record]", gone: anyio.Event) -> None:
    while not gone.is_set():
        with anyio.move_on_after(STILL_THERE_SECONDS):
            await gone.wait()
        if not gone.is_set():
            await connection.fetchval("SELECT 1")
