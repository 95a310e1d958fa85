"""Changes made by other servers on the ledger, by LISTEN and NOTIFY: sent in the transaction that makes the change,
delivered after its commit, and lost if a server is not listening at that moment.
"""

import logging
from collections.abc import Callable

import anyio
from asyncpg import Connection, Record

from hailuo_mcp.ledger.base import ANY_JOB
from hailuo_mcp.ledger.postgres.database import DATABASE_ERRORS, Database

log = logging.getLogger(__name__)

CHANNEL = "hailuo_jobs"
KEEPALIVE_SECONDS = 20.0
"""How often the connection is checked: one that only listens does not notice that the network dropped it."""
RETRY_PAUSE_SECONDS, RECONNECT_PAUSE_SECONDS = 10.0, 0.5


async def pass_on_notifications(database: Database, sender: str, notify: Callable[[str], None]) -> None:
    """Until cancelled, call `notify` with each job id that servers other than `sender` send, and with `ANY_JOB`
    whenever listening starts or resumes, because what was sent before is lost."""

    def on_message(_connection: object, _pid: object, _channel: object, payload: object) -> None:
        by, _, job_id = str(payload).partition(" ")
        if by != sender and job_id:
            notify(job_id)

    while True:
        try:
            connection = await database.connect()
        except Exception as error:  # an error here must not end the server
            log.error("changes by other servers are not received: %s", type(error).__name__)
            await anyio.sleep(RETRY_PAUSE_SECONDS)
            continue
        try:
            gone = anyio.Event()
            connection.add_termination_listener(lambda _, gone=gone: gone.set())
            await connection.add_listener(CHANNEL, on_message)
            notify(ANY_JOB)
            await _wait_until_lost(connection, gone)
        except DATABASE_ERRORS as error:
            log.warning("the connection that receives changes of other servers is lost: %s", type(error).__name__)
        finally:
            connection.terminate()
        await anyio.sleep(RECONNECT_PAUSE_SECONDS)


async def _wait_until_lost(connection: "Connection[Record]", gone: anyio.Event) -> None:
    while not gone.is_set():
        with anyio.move_on_after(KEEPALIVE_SECONDS):
            await gone.wait()
        if not gone.is_set():
            await connection.fetchval("SELECT 1")
