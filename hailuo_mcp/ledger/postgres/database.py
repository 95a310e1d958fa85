"""Connections to PostgreSQL, and how their loss is survived: work is done again, with backoff, until a server answers
or the time is up. So all work here must be harmless to repeat.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio
import asyncpg
from asyncpg import Connection, Record
from asyncpg.pool import PoolConnectionProxy

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.ledger.base import UNUSABLE
from hailuo_mcp.ledger.postgres.schema import migrate

log = logging.getLogger(__name__)

T = TypeVar("T")
Session: TypeAlias = "PoolConnectionProxy[Record]"

POOL_SIZE = 8
"""Connections of one server, besides the one that listens."""
PATIENCE_SECONDS = 15.0
"""How long a call outlives a database that is away."""
READY_SECONDS = 1.0
CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 10.0
IDLE_SECONDS = 60.0
"""Idle connections are dropped early: networks forget silent ones, and a forgotten one costs its next user a
time-out."""
WAIT_INITIAL_SECONDS, WAIT_MAX_SECONDS = 0.1, 2.0

TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""All that asyncpg raises where something is wrong, be it the network or the server."""
_PASSING = (
    OSError,  # refused, reset, no such host or socket, and every time-out
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, crashed
    asyncpg.InsufficientResourcesError,  # too many connections
    asyncpg.TransactionRollbackError,  # serialization failures and deadlocks
    asyncpg.ReadOnlySQLTransactionError,  # this server is no longer the primary one
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,  # the connection is closed
    asyncpg.InternalClientError,
)
_LASTING = (ValueError, asyncpg.QueryCanceledError)
"""Of those, what is so again: wrong values and settings are InterfaceErrors too."""


def passes(error: Exception) -> bool:
    """Whether it may be gone when tried again."""
    return isinstance(error, _PASSING) and not isinstance(error, _LASTING)


class Database:
    """One pool, opened at the first use, when the schema is also brought up to date."""

    def __init__(self, url: str, patience: float) -> None:
        self._url, self._options = _split_options(url)
        self._place = _place(url)
        self._patience = patience
        self._pool: asyncpg.Pool[Record] | None = None
        self._opening = anyio.Lock()
        self._away = False

    async def read(self, work: Callable[[Session], Awaitable[T]], *, patience: float | None = None) -> T:
        """The outcome of `work` on a connection, which is tried again while trouble passes.

        Raises:
            InternalError: the database cannot be used.
        """
        return await self._persist(work, self._patience if patience is None else patience, to_the_end=False)

    async def write(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """The same, once begun not cancelled: what it wrote is known, and its caller can act on it."""
        return await self._persist(work, self._patience, to_the_end=True)

    async def transact(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """The same, all of it or nothing. Each statement sees what was committed before it, so that after a wait for a
        lock the latest is seen."""

        async def whole(session: Session) -> T:
            async with session.transaction(isolation="read_committed"):
                return await work(session)

        return await self.write(whole)

    async def connect(self) -> "Connection[Record]":
        """A connection of one's own, tried for until there is one. Whoever wants it to be the schema's waits for that
        too."""
        async for attempt in _attempts(None, self._note):
            with attempt:
                await self._opened()
                return await asyncpg.connect(self._url, **self._arguments)
        raise AssertionError("unreachable: attempts without an end")

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        with anyio.move_on_after(CONNECT_SECONDS, shield=True):
            await pool.close()
        pool.terminate()

    async def _persist(self, work: Callable[[Session], Awaitable[T]], patience: float, *, to_the_end: bool) -> T:
        try:
            async for attempt in _attempts(patience, self._note):
                with attempt:
                    pool = await self._opened()
                    session = await pool.acquire(timeout=COMMAND_SECONDS)
                    with anyio.CancelScope(shield=to_the_end):  # no longer than COMMAND_SECONDS for each command
                        try:
                            outcome = await work(session)
                        finally:
                            await pool.release(session)
                        self._note_answer()
                        return outcome
        except TROUBLE as error:
            log.debug("the ledger's database cannot be used: %s", type(error).__name__)
            raise InternalError(
                f"The job ledger in {self._place} cannot be used ({type(error).__name__}).",
                "Check that the server named in HAILUO_MCP_DATABASE_URL is up, lets this user in, and lets it create "
                "tables.",
                remote=UNUSABLE,
            ) from None
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _opened(self) -> "asyncpg.Pool[Record]":
        if self._pool is None:
            with anyio.fail_after(COMMAND_SECONDS):  # the waits of many callers would add up
                await self._opening.acquire()
            try:
                if self._pool is None:
                    self._pool = await self._open()
            finally:
                self._opening.release()
        return self._pool

    async def _open(self) -> "asyncpg.Pool[Record]":
        try:
            connection = await asyncpg.connect(self._url, **self._arguments)
        except ValueError:
            raise InternalError(
                "HAILUO_MCP_DATABASE_URL is no address that the client of PostgreSQL understands.",
                "Write it as postgresql://user:password@host:5432/database, special characters percent-encoded.",
            ) from None
        try:
            await migrate(connection)
        finally:
            with anyio.CancelScope(shield=True):
                await _leave(connection)
        pool = asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=POOL_SIZE,
            max_inactive_connection_lifetime=IDLE_SECONDS,
            reset=_keep,
            **self._arguments,
        )
        return await pool

    @property
    def _arguments(self) -> dict[str, Any]:
        return {
            "timeout": CONNECT_SECONDS,
            "command_timeout": COMMAND_SECONDS,
            "server_settings": {"application_name": "hailuo-mcp"},
            **self._options,
        }

    def _note(self, error: Exception) -> None:
        if not self._away and not isinstance(error, asyncpg.TransactionRollbackError):
            self._away = True
            log.warning("the ledger's database does not answer (%s); trying again", type(error).__name__)

    def _note_answer(self) -> None:
        if self._away:
            self._away = False
            log.warning("the ledger's database answers again")


async def _keep(_: object) -> None:
    """In place of asyncpg's clean-up when a connection goes back to the pool, which costs every call a round trip. An
    open transaction is ended all the same, and nothing else is left behind here."""


async def _leave(connection: "Connection[Record]") -> None:
    try:
        await connection.close(timeout=1)
    except TROUBLE:
        connection.terminate()


def _attempts(seconds: float | None, note: Callable[[Exception], None]) -> AsyncIterator[Any]:
    import stamina  # start-up time: only a call needs it

    def whether(error: Exception) -> bool:
        if not passes(error):
            return False
        note(error)
        return True

    stamina.instrumentation.set_on_retry_hooks([])  # its log lines would quote the text of foreign exceptions
    return aiter(
        stamina.retry_context(
            whether,
            attempts=None,
            timeout=seconds if seconds is None else timedelta(seconds=seconds),
            wait_initial=WAIT_INITIAL_SECONDS,
            wait_max=WAIT_MAX_SECONDS,
            wait_jitter=WAIT_INITIAL_SECONDS,
        )
    )


def _split_options(url: str) -> tuple[str, dict[str, Any]]:
    """The URL without what asyncpg takes as an argument only, and that."""
    before, mark, query = url.partition("?")
    if "statement_cache_size=" not in query:
        return url, {}
    given = parse_qsl(query)
    size = dict(given)["statement_cache_size"]
    release_lease = urlencode([(name, value) for name, value in given if name != "statement_cache_size"])
    return before + (mark + release_lease if release_lease else ""), {
        "statement_cache_size": int(size) if size.isdecimal() else size
    }


def _place(url: str) -> str:
    """Host and database for a message, without anything that may be of a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "PostgreSQL"
    if "@" in parts.path + parts.query + parts.fragment:  # a password with a special character, cut there
        return "PostgreSQL"
    return f"PostgreSQL at {parts.netloc.rpartition('@')[2] or 'a local socket'}{parts.path}"
