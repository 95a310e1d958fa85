"""The ledger in one SQLite file: WAL, every write an immediate transaction, any number of processes on it. Listeners
are notified of changes by their own process.
"""

import sqlite3
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import starmap
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.ledger.base import DELAY_MAX, Entered, JobPage, SubmitPolicy, day_start, is_significant_change
from hailuo_mcp.ledger.engine import (
    FIND,
    GET,
    IDENTICAL,
    INSERT,
    UNUSABLE,
    UPDATE,
    Engine,
    Row,
    column_values,
    missing_job,
    parse_job,
)
from hailuo_mcp.ledger.private_file import make_private
from hailuo_mcp.ledger.sqlite_connection import BUSY_SECONDS, prepare, transaction_on

T = TypeVar("T")


class SqliteLedger(Engine):
    """Opened at the first use, so that a server that only lists its tools touches no file.

    There are two connections. One is used in a thread, by one transaction at a time: it may wait for other processes
    and for the disk. The other is used in the event loop and never waits: for work that takes far less time than a
    thread switch, such as reading one row or changes that need not survive a power failure.
    """

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS, *, own_directory: bool = False) -> None:
        """`own_directory`: the file's directory belongs to this product and contains nothing else."""
        super().__init__()
        self._path = path
        self._own_directory = own_directory
        self._busy_seconds = busy_seconds
        self._in_thread: sqlite3.Connection | None = None
        self._in_loop: sqlite3.Connection | None = None
        self._one_at_a_time = anyio.CapacityLimiter(1)

    async def close(self) -> None:
        in_loop, self._in_loop = self._in_loop, None
        if in_loop:
            in_loop.close()
        if self._in_thread:
            await anyio.to_thread.run_sync(self._in_thread.close, limiter=self._one_at_a_time)
            self._in_thread = None

    async def create_if_absent(self, job: Job, policy: SubmitPolicy, first_poll_at: datetime) -> Entered:
        def create_if_absent(db: sqlite3.Connection) -> Entered:
            if known := _job(db, GET, job.id):
                return Entered(known, created=False)
            rows = run_shared(db, IDENTICAL, job.fingerprint, job.origin, job.tenant)
            if duplicate := policy.find_duplicate(job, starmap(parse_job, rows)):
                return Entered(duplicate, created=False)
            if policy.budget.limited:
                today = day_start(job.created_at)
                policy.budget.check(job, *_spent_since(db, job.tenant, today, policy.budget.origins))
            _insert(db, job, first_poll_at)
            return Entered(job, created=True)

        return self._notify_if_created(await self._transaction(create_if_absent))

    async def import_job(self, job: Job, first_poll_at: datetime) -> Entered:
        def import_job(db: sqlite3.Connection) -> Entered:
            known = _job(db, FIND, job.remote_id or "", job.model, job.tenant, job.origin)
            if known and known.origin == job.origin:
                return Entered(known, created=False)
            _insert(db, job, first_poll_at)
            return Entered(job, created=True)

        return self._notify_if_created(await self._transaction(import_job))

    async def change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        changed = self._change_in_loop(job_id, change)
        if changed is None:
            changed, significant = await self._transaction(lambda db: _change(db, job_id, change))
            if significant:
                self._notify(job_id)
        return changed

    def _change_in_loop(self, job_id: str, change: Callable[[Job], Job]) -> Job | None:
        """The changed job. Returns None, and writes nothing, if the change is significant or the file is busy."""
        if self._in_loop is None:
            return None
        try:
            with transaction_on(self._in_loop, "IMMEDIATE") as db:
                changed, significant = _change(db, job_id, change)
                if significant:
                    raise _NeedsSyncError
                return changed
        except (_NeedsSyncError, sqlite3.Error):
            return None

    async def page(self, tenant: str, state: State | None, limit: int, origins: frozenset[str]) -> JobPage:
        def page(db: sqlite3.Connection) -> JobPage:
            where, values = "tenant = ?", [tenant]
            if state:
                where, values = where + " AND state = ?", [*values, state.value]
            newest = f"SELECT key, document FROM jobs WHERE {where} ORDER BY created_at DESC LIMIT ?"  # noqa: S608  fixed words
            jobs = self._readable(db.execute(newest, (*values, limit)))
            query = f"SELECT coalesce(sum(jobs), 0) FROM totals WHERE {where}"  # noqa: S608  fixed words
            (total,) = db.execute(query, values).fetchone()
            query = f"SELECT coalesce(sum(micro_usd), 0) FROM totals WHERE tenant = ? AND origin IN ({_marks(origins)})"  # noqa: S608
            (spent,) = db.execute(query, (tenant, *origins)).fetchone()
            return JobPage(jobs, total, spent / 1e6)

        return await self._transaction(page, write=False)

    async def spent_since(self, tenant: str, since: datetime, origins: frozenset[str]) -> tuple[int, float]:
        return await self._transaction(lambda db: _spent_since(db, tenant, since, origins), write=False)

    async def lease(
        self, owner: str, now: datetime, lasting: timedelta, limit: int, origins: frozenset[str]
    ) -> tuple[Job, ...]:
        def lease(db: sqlite3.Connection) -> tuple[Job, ...]:
            latest = (now + DELAY_MAX).timestamp()
            db.execute("UPDATE watches SET owner = '', due_at = ? WHERE due_at > ?", (now.timestamp(), latest))
            due = db.execute(
                "SELECT key, document FROM watches JOIN jobs USING (key)"  # noqa: S608  marks
                f" WHERE due_at <= ? AND watches.origin IN ({_marks(origins)}) ORDER BY due_at LIMIT ?",
                (now.timestamp(), *origins, limit),
            ).fetchall()
            query = "UPDATE watches SET owner = ?, due_at = ? WHERE key = ?"
            db.executemany(query, [(owner, (now + lasting).timestamp(), key) for key, _ in due])
            return self._readable(due)

        return await self._transaction(lease)

    async def release_lease(self, job_id: str, owner: str, until: datetime | None) -> None:
        def release_lease(db: sqlite3.Connection) -> None:
            if until is None:
                db.execute("DELETE FROM watches WHERE key = ? AND owner = ?", (job_id, owner))
            else:
                query = "UPDATE watches SET due_at = ?, owner = '' WHERE key = ? AND owner = ?"
                db.execute(query, (until.timestamp(), job_id, owner))

        await self._transaction(release_lease)

    async def ready(self) -> None:
        await self._transaction(lambda db: db.execute("SELECT 1 FROM jobs LIMIT 1").fetchone(), write=False)

    async def _one(self, query: str, *values: object) -> Row | None:
        """In the event loop once the ledger is open, and in a thread if that fails."""
        if self._in_loop:
            with suppress(sqlite3.Error):
                return run_shared(self._in_loop, query, *values).fetchone()
        return await self._transaction(lambda db: run_shared(db, query, *values).fetchone(), write=False)

    async def _all(self, query: str, *values: object) -> list[Row]:
        return await self._transaction(lambda db: run_shared(db, query, *values).fetchall(), write=False)

    async def _execute(self, query: str, *values: object) -> None:
        await self._transaction(lambda db: run_shared(db, query, *values))

    async def _transaction(self, work: Callable[[sqlite3.Connection], T], *, write: bool = True) -> T:
        def run() -> T:
            try:
                with transaction_on(self._open(), "IMMEDIATE" if write else "DEFERRED") as db:
                    return work(db)
            except (sqlite3.Error, OSError) as error:
                raise InternalError(
                    f"The job ledger at {self._path} cannot be used ({type(error).__name__}).",
                    "Make its directory writable and free some space, or name another file in HAILUO_MCP_DATABASE_URL.",
                    remote=UNUSABLE,
                ) from error

        return await anyio.to_thread.run_sync(run, limiter=self._one_at_a_time)

    def _open(self) -> sqlite3.Connection:
        if self._in_thread is None:
            make_private(self._path, own_directory=self._own_directory)
            db = self._connect(self._busy_seconds)
            try:
                prepare(db, self._busy_seconds)
                in_loop = self._connect(0)
                in_loop.execute("PRAGMA synchronous = NORMAL")  # a commit does not wait for the disk
                in_loop.execute("PRAGMA wal_autocheckpoint = 0")  # a checkpoint would
            except BaseException:
                db.close()
                raise
            self._in_thread, self._in_loop = db, in_loop
        return self._in_thread

    def _connect(self, busy_seconds: float) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)


class _NeedsSyncError(Exception):
    """Rolls back a change in the event loop; it is repeated in a thread."""


def run_shared(db: sqlite3.Connection, query: str, *values: object) -> sqlite3.Cursor:
    """Run a query that both engines use: here, tables have no prefix, placeholders are `?1` instead of `$1`, and times
    are stored as Unix times."""
    stored = [value.timestamp() if isinstance(value, datetime) else value for value in values]
    return db.execute(query.replace("hailuo_", "").replace("$", "?"), stored)


def _insert(db: sqlite3.Connection, job: Job, first_poll_at: datetime) -> None:
    run_shared(db, INSERT, *column_values(job))
    if not job.uses_caller_key:
        query = "INSERT INTO watches (key, origin, due_at) VALUES (?, ?, ?)"
        db.execute(query, (job.id, job.origin, first_poll_at.timestamp()))


def _change(db: sqlite3.Connection, job_id: str, change: Callable[[Job], Job]) -> tuple[Job, bool]:
    """The changed job, and whether the change is significant; if it is not, only the document changes."""
    before = _job(db, GET, job_id)
    if before is None:
        raise missing_job(job_id)
    after = change(before)
    significant = is_significant_change(before, after)
    if significant:
        run_shared(db, UPDATE, *column_values(after))
    elif after != before:
        db.execute("UPDATE jobs SET document = ? WHERE key = ?", (after.model_dump_json(), job_id))
    return after, significant


def _spent_since(db: sqlite3.Connection, tenant: str, since: datetime, origins: frozenset[str]) -> tuple[int, float]:
    return db.execute(
        "SELECT count(*), coalesce(sum(counted_usd), 0) FROM jobs"  # noqa: S608  only question marks
        f" WHERE tenant = ? AND counted AND created_at >= ? AND origin IN ({_marks(origins)})",
        (tenant, since.timestamp(), *origins),
    ).fetchone()


def _job(db: sqlite3.Connection, query: str, *values: object) -> Job | None:
    row = run_shared(db, query, *values).fetchone()
    return parse_job(*row) if row else None


def _marks(values: Collection[object]) -> str:
    return ",".join("?" * len(values))
