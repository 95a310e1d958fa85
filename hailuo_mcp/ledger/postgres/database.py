"""Connections to PostgreSQL. Work that fails because the connection or the server is lost is repeated with backoff,
until a server answers or the time is up, so all work here must be safe to repeat.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio
import asyncpg
from asyncpg import Connection, Record
from asyncpg.pool import PoolConnectionProxy

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.ledger.engine import UNUSABLE
from hailuo_mcp.ledger.postgres.schema import migrate

log = logging.getLogger(__name__)

T = TypeVar("T")
Session: TypeAlias = "PoolConnectionProxy[Record]"

POOL_SIZE = 8
"""Connections of one server, besides the one that listens."""
RETRY_SECONDS = 15.0
"""How long a call keeps trying while the database is away."""
READY_SECONDS = 1.0
CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 10.0
IDLE_SECONDS = 60.0
"""Idle connections are closed early: networks drop them, and a dropped one costs its next user a timeout."""
WAIT_INITIAL_SECONDS, WAIT_MAX_SECONDS = 0.1, 2.0

DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""Everything that asyncpg raises for a fault of the network or the server."""
_TRANSIENT = (
    OSError,  # refused, reset, no such host or socket, and every timeout
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, crashed
    asyncpg.InsufficientResourcesError,  # too many connections
    asyncpg.TransactionRollbackError,  # serialization failures and deadlocks
    asyncpg.ReadOnlySQLTransactionError,  # this server is no longer the primary one
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,  # the connection is closed
    asyncpg.InternalClientError,
)
_PERMANENT = (ValueError, asyncpg.QueryCanceledError)
"""Not transient: wrong values and settings are InterfaceErrors too."""


def is_transient(error: Exception) -> bool:
    """Whether the same work may succeed when it is repeated."""
    return isinstance(error, _TRANSIENT) and not isinstance(error, _PERMANENT)


class Database:
    """A connection pool. It is opened, and the schema migrated, at the first use."""

    def __init__(self, url: str, retry_seconds: float) -> None:
        self._url, self._options = _split_options(url)
        self._place = _place(url)
        self._retry_seconds = retry_seconds
        self._pool: asyncpg.Pool[Record] | None = None
        self._opening = anyio.Lock()
        self._is_unreachable = False

    async def read(self, work: Callable[[Session], Awaitable[T]], *, retry_seconds: float | None = None) -> T:
        """The result of `work` on a connection; repeated on transient errors.

        Raises:
            InternalError: the database cannot be used.
        """
        seconds = self._retry_seconds if retry_seconds is None else retry_seconds
        return await self._run(work, seconds, shield=False)

    async def write(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """As `read`, but not cancelled once it has started, so that the caller learns what was written."""
        return await self._run(work, self._retry_seconds, shield=True)

    async def transact(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """As `write`, in one transaction. Each statement sees what was committed before it: after waiting for a lock,
        the latest version."""

        async def in_transaction(session: Session) -> T:
            async with session.transaction(isolation="read_committed"):
                return await work(session)

        return await self.write(in_transaction)

    async def connect(self) -> "Connection[Record]":
        """A new connection outside the pool, after the schema migration; retried without limit."""

        async def connect() -> "Connection[Record]":
            await self._opened()
            return await asyncpg.connect(self._url, **self._arguments)

        return await self._with_retry(connect, None)

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        with anyio.move_on_after(CONNECT_SECONDS, shield=True):
            await pool.close()
        pool.terminate()

    async def _run(self, work: Callable[[Session], Awaitable[T]], seconds: float, *, shield: bool) -> T:
        async def in_session() -> T:
            pool = await self._opened()
            session = await pool.acquire(timeout=COMMAND_SECONDS)
            with anyio.CancelScope(shield=shield):  # at most COMMAND_SECONDS per command
                try:
                    outcome = await work(session)
                finally:
                    await pool.release(session)
                self._note_answer()
                return outcome
            raise AssertionError("unreachable: nothing cancels the scope")

        try:
            return await self._with_retry(in_session, seconds)
        except DATABASE_ERRORS as error:
            log.debug("the ledger's database cannot be used: %s", type(error).__name__)
            raise InternalError(
                f"The job ledger in {self._place} cannot be used ({type(error).__name__}).",
                "Check that the server named in HAILUO_MCP_DATABASE_URL is up, lets this user in, and lets it create "
                "tables.",
                remote=UNUSABLE,
            ) from None

    async def _with_retry(self, work: Callable[[], Awaitable[T]], seconds: float | None) -> T:
        """The result of `work`; repeated on transient errors for so many seconds, or without limit."""
        import stamina  # start-up time: only a call needs it

        def retry_on(error: Exception) -> bool:
            if is_transient(error):
                self._note_failure(error)
                return True
            return False

        stamina.instrumentation.set_on_retry_hooks([])  # its log lines would quote the text of foreign exceptions
        call = stamina.AsyncRetryingCaller(
            attempts=None,
            timeout=seconds,
            wait_initial=WAIT_INITIAL_SECONDS,
            wait_max=WAIT_MAX_SECONDS,
            wait_jitter=WAIT_INITIAL_SECONDS,
        )
        return await call(retry_on, work)

    async def _opened(self) -> "asyncpg.Pool[Record]":
        if self._pool is None:
            with anyio.fail_after(COMMAND_SECONDS):  # otherwise, the waits of many callers would add up
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
                "HAILUO_MCP_DATABASE_URL is not a URL that the PostgreSQL client understands.",
                "Write it as postgresql://user:password@host:5432/database, special characters percent-encoded.",
            ) from None
        try:
            await migrate(connection)
        finally:
            with anyio.CancelScope(shield=True):
                await _disconnect(connection)
        pool = asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=POOL_SIZE,
            max_inactive_connection_lifetime=IDLE_SECONDS,
            reset=_no_reset,
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

    def _note_failure(self, error: Exception) -> None:
        if not self._is_unreachable and not isinstance(error, asyncpg.TransactionRollbackError):
            self._is_unreachable = True
            log.warning("the ledger's database does not answer (%s); trying again", type(error).__name__)

    def _note_answer(self) -> None:
        if self._is_unreachable:
            self._is_unreachable = False
            log.warning("the ledger's database answers again")


async def _no_reset(_: object) -> None:
    """Replaces asyncpg's reset when a connection goes back to the pool, which costs every call a round trip. asyncpg
    still ends an open transaction, and nothing else here leaves state behind."""


async def _disconnect(connection: "Connection[Record]") -> None:
    try:
        await connection.close(timeout=1)
    except DATABASE_ERRORS:
        connection.terminate()


def _split_options(url: str) -> tuple[str, dict[str, Any]]:
    """The URL without the options that asyncpg accepts only as arguments, and those options."""
    before, mark, query = url.partition("?")
    if "statement_cache_size=" not in query:
        return url, {}
    given = parse_qsl(query)
    size = dict(given)["statement_cache_size"]
    others = urlencode([(name, value) for name, value in given if name != "statement_cache_size"])
    return before + (mark + others if others else ""), {"statement_cache_size": int(size) if size.isdecimal() else size}


def _place(url: str) -> str:
    """Host and database for messages, without anything that may be part of a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "PostgreSQL"
    if "@" in parts.path + parts.query + parts.fragment:  # a password with a special character, cut there
        return "PostgreSQL"
    return f"PostgreSQL at {parts.netloc.rpartition('@')[2] or 'a local socket'}{parts.path}"
