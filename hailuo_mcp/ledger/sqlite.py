"""The ledger in one SQLite file: WAL, every write an immediate transaction, any number of processes on it. Listeners
hear of what their own process does.
"""

import secrets
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TypeVar

import anyio
import anyio.to_thread

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.ledger.base import (
    MIN_SAMPLES,
    SAMPLES,
    SECRET_BYTES,
    UNUSABLE,
    JobPage,
    Ledger,
    SubmitPolicy,
    day_start,
    duration_of,
    is_duplicate_of,
    is_significant_change,
)

T = TypeVar("T")

BUSY_SECONDS = 10.0
MIGRATIONS = (
    """
    CREATE TABLE jobs (
        key TEXT PRIMARY KEY,
        tenant TEXT NOT NULL,
        origin TEXT NOT NULL,
        model TEXT NOT NULL,
        remote_id TEXT,
        state TEXT NOT NULL,
        created_at REAL NOT NULL,
        fingerprint TEXT NOT NULL,
        duration INTEGER,
        took_seconds REAL,
        counted INTEGER NOT NULL,
        counted_usd REAL NOT NULL,
        known_usd REAL NOT NULL,
        document TEXT NOT NULL
    );
    CREATE INDEX jobs_by_time ON jobs (tenant, created_at);
    CREATE INDEX jobs_by_remote_id ON jobs (remote_id, model);
    CREATE INDEX jobs_by_fingerprint ON jobs (fingerprint, created_at);
    CREATE INDEX jobs_by_speed ON jobs (model, origin, created_at) WHERE took_seconds IS NOT NULL;
    CREATE TABLE uploads (
        origin TEXT NOT NULL,
        digest TEXT NOT NULL,
        url TEXT NOT NULL,
        uploaded_at REAL NOT NULL,
        PRIMARY KEY (origin, digest)
    );
    """,
    """
    CREATE TABLE watches (
        key TEXT PRIMARY KEY REFERENCES jobs (key),
        origin TEXT NOT NULL,
        due_at REAL NOT NULL,
        owner TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX watches_by_time ON watches (due_at);
    INSERT INTO watches (key, origin, due_at)
        SELECT key, origin, 0 FROM jobs WHERE state NOT IN ('failed', 'expired');
    """,
    """
    DROP TABLE uploads;
    CREATE TABLE uploads (
        tenant TEXT NOT NULL,
        origin TEXT NOT NULL,
        digest TEXT NOT NULL,
        url TEXT NOT NULL,
        uploaded_at REAL NOT NULL,
        PRIMARY KEY (tenant, origin, digest)
    );
    CREATE TABLE secrets (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    );
    """,
    # All that the totals of a list are made of: no row is read for them.
    "CREATE INDEX jobs_by_state ON jobs (tenant, state, created_at, origin, known_usd)",
)
"""Schema version n is reached by running the first n; a released one is never edited."""

_COLUMNS = (
    "key, tenant, origin, model, remote_id, state, created_at, fingerprint,"
    " duration, took_seconds, counted, counted_usd, known_usd, document"
)


class SqliteLedger(Ledger):
    """Opened at the first use, so that a server which is only asked for its tools touches no file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._one_at_a_time = anyio.CapacityLimiter(1)
        self._secret: bytes | None = None

    async def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader:
            reader.close()
        if self._connection:
            await anyio.to_thread.run_sync(self._connection.close, limiter=self._one_at_a_time)
            self._connection = None

    async def create_if_absent(self, job: Job, guard: SubmitPolicy) -> Job:
        def create_if_absent(db: sqlite3.Connection) -> Job:
            if known := _get(db, job.id):
                return known
            rows = db.execute(
                "SELECT document FROM jobs WHERE fingerprint = ? AND origin = ? AND tenant = ?"
                " ORDER BY created_at DESC",
                (job.fingerprint, job.origin, job.tenant),
            )
            for (document,) in rows:
                earlier = Job.model_validate_json(document)
                if is_duplicate_of(earlier, job, guard):
                    return earlier
            if guard.budget.limited:
                marks = ",".join("?" * len(guard.budget.origins))
                jobs_today, usd_today = db.execute(
                    "SELECT count(*), coalesce(sum(counted_usd), 0) FROM jobs"  # noqa: S608  only question marks are put in
                    f" WHERE tenant = ? AND counted AND created_at >= ? AND origin IN ({marks})",
                    (job.tenant, day_start(job.created_at).timestamp(), *guard.budget.origins),
                ).fetchone()
                guard.budget.check(job, jobs_today, usd_today)
            _write(db, job)
            _watch(db, job)
            return job

        return self._told(job, await self._transaction(create_if_absent))

    async def import_job(self, job: Job) -> Job:
        def import_job(db: sqlite3.Connection) -> Job:
            known = _find(db, job.model, job.remote_id or "", job.tenant, job.origin)
            if known and known.origin == job.origin:
                return known
            _write(db, job)
            _watch(db, job)
            return job

        return self._told(job, await self._transaction(import_job))

    def _told(self, job: Job, outcome: Job) -> Job:
        if outcome.id == job.id:
            self._notify(job.id)
        return outcome

    async def get(self, key: str) -> Job | None:
        return await self._looked_up(lambda db: _get(db, key))

    async def find(self, model: str, remote_id: str, tenant: str, prefer_origin: str) -> Job | None:
        return await self._looked_up(lambda db: _find(db, model, remote_id, tenant, prefer_origin))

    async def change(self, key: str, change: Callable[[Job], Job]) -> Job:
        def apply(db: sqlite3.Connection) -> tuple[Job, bool]:
            job = _get(db, key)
            if job is None:
                raise InternalError(f"The ledger has lost the job {key}.")
            changed = change(job)
            if changed != job:
                _write(db, changed)
            return changed, is_significant_change(job, changed)

        changed, news = await self._transaction(apply)
        if news:
            self._notify(key)
        return changed

    async def page(self, tenant: str, state: State | None, limit: int, origins: frozenset[str]) -> JobPage:
        def page(db: sqlite3.Connection) -> JobPage:
            where, values = "tenant = ?", [tenant]
            if state:
                where, values = where + " AND state = ?", [*values, state.value]
            newest = f"SELECT document FROM jobs WHERE {where} ORDER BY created_at DESC LIMIT ?"  # noqa: S608  fixed words
            jobs = tuple(Job.model_validate_json(d) for (d,) in db.execute(newest, (*values, limit)))
            (total,) = db.execute(f"SELECT count(*) FROM jobs WHERE {where}", values).fetchone()  # noqa: S608  fixed words
            marks = ",".join("?" * len(origins))
            (spent,) = db.execute(
                f"SELECT coalesce(sum(known_usd), 0) FROM jobs WHERE tenant = ? AND origin IN ({marks})",  # noqa: S608  marks
                (tenant, *origins),
            ).fetchone()
            return JobPage(jobs, total, spent)

        return await self._transaction(page, write=False)

    async def usual_seconds(self, model: str, origin: str, duration: int | None) -> float | None:
        def usual(db: sqlite3.Connection) -> float | None:
            rows = db.execute(
                "SELECT took_seconds FROM jobs WHERE model = ? AND origin = ? AND took_seconds IS NOT NULL"
                " AND duration IS ? ORDER BY created_at DESC LIMIT ?",
                (model, origin, duration, SAMPLES),
            ).fetchall()
            return median(took for (took,) in rows) if len(rows) >= MIN_SAMPLES else None

        return await self._transaction(usual, write=False)

    async def remote_ids(self, model: str, origin: str) -> frozenset[str]:
        query = "SELECT remote_id FROM jobs WHERE model = ? AND origin = ? AND remote_id IS NOT NULL"
        return await self._transaction(
            lambda db: frozenset(remote_id for (remote_id,) in db.execute(query, (model, origin))), write=False
        )

    async def unconfirmed_like(self, job: Job) -> tuple[Job, ...]:
        query = "SELECT document FROM jobs WHERE fingerprint = ? AND origin = ? AND state = ? AND key <> ?"
        values = (job.fingerprint, job.origin, State.UNCONFIRMED.value, job.id)
        return await self._transaction(
            lambda db: tuple(Job.model_validate_json(document) for (document,) in db.execute(query, values)),
            write=False,
        )

    async def upload(self, tenant: str, origin: str, digest: str, since: datetime) -> str | None:
        def upload(db: sqlite3.Connection) -> str | None:
            query = "SELECT url FROM uploads WHERE tenant = ? AND origin = ? AND digest = ? AND uploaded_at >= ?"
            row = db.execute(query, (tenant, origin, digest, since.timestamp())).fetchone()
            return row[0] if row else None

        return await self._transaction(upload, write=False)

    async def remember_upload(self, tenant: str, origin: str, digest: str, url: str) -> None:
        values = (tenant, origin, digest, url, datetime.now(UTC).timestamp())
        await self._transaction(lambda db: db.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?)", values))

    async def lease(
        self, owner: str, now: datetime, lasting: timedelta, limit: int, origins: frozenset[str]
    ) -> tuple[Job, ...]:
        def lease(db: sqlite3.Connection) -> tuple[Job, ...]:
            due = db.execute(
                f"SELECT key FROM watches WHERE due_at <= ? AND origin IN ({','.join('?' * len(origins))})"  # noqa: S608  marks
                " ORDER BY due_at LIMIT ?",
                (now.timestamp(), *origins, limit),
            ).fetchall()
            leased_until = (now + lasting).timestamp()
            for (key,) in due:
                db.execute("UPDATE watches SET owner = ?, due_at = ? WHERE key = ?", (owner, leased_until, key))
            return tuple(job for (key,) in due if (job := _get(db, key)))

        return await self._transaction(lease)

    async def release_lease(self, key: str, owner: str, until: datetime | None) -> None:
        def release_lease(db: sqlite3.Connection) -> None:
            if until is None:
                db.execute("DELETE FROM watches WHERE key = ? AND owner = ?", (key, owner))
            else:
                query = "UPDATE watches SET due_at = ?, owner = '' WHERE key = ? AND owner = ?"
                db.execute(query, (until.timestamp(), key, owner))

        await self._transaction(release_lease)

    async def secret(self) -> bytes:
        def secret(db: sqlite3.Connection) -> bytes:
            db.execute("INSERT OR IGNORE INTO secrets VALUES ('signing', ?)", (secrets.token_bytes(SECRET_BYTES),))
            return db.execute("SELECT value FROM secrets WHERE name = 'signing'").fetchone()[0]

        if self._secret is None:
            self._secret = await self._transaction(secret)
        return self._secret

    async def ready(self) -> None:
        await self._transaction(lambda db: db.execute("SELECT 1 FROM jobs LIMIT 1").fetchone(), write=False)

    async def _looked_up(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """One row, by an index. It is read in the event loop, once the ledger is open: a thread costs a call far more
        than that. Nobody is waited for here; whatever is in the way is met in a thread."""
        if self._reader:
            try:
                return work(self._reader)
            except sqlite3.Error:
                pass
        return await self._transaction(work, write=False)

    async def _transaction(self, work: Callable[[sqlite3.Connection], T], *, write: bool = True) -> T:
        def run() -> T:
            try:
                with _begun(self._open(), "IMMEDIATE" if write else "DEFERRED") as db:
                    return work(db)
            except (sqlite3.Error, OSError) as error:
                raise InternalError(
                    f"The job ledger at {self._path} cannot be used ({type(error).__name__}).",
                    "Make its directory writable and free some space, or name another file in HAILUO_MCP_DATABASE_URL.",
                    remote=UNUSABLE,
                ) from error

        return await anyio.to_thread.run_sync(run, limiter=self._one_at_a_time)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                _prepare(db)
                reader = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            except BaseException:
                db.close()
                raise
            self._connection, self._reader = db, reader
        return self._connection


@contextmanager
def _begun(db: sqlite3.Connection, kind: str) -> Generator[sqlite3.Connection]:
    db.execute(f"BEGIN {kind}")
    try:
        yield db
    except BaseException:
        db.rollback()
        raise
    db.commit()


def _prepare(db: sqlite3.Connection) -> None:
    """WAL, and the newest schema. A full sync at each commit: what is entered before money moves must survive a power
    cut.
    """
    db.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    _switch_to_wal(db)
    db.execute("PRAGMA synchronous = FULL")
    with _begun(db, "IMMEDIATE"):
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise InternalError(
                f"The job ledger has schema version {version}; this hailuo-mcp knows {len(MIGRATIONS)}.",
                "Update hailuo-mcp, or name another file in HAILUO_MCP_DATABASE_URL.",
            )
        for script in MIGRATIONS[version:]:
            for statement in filter(str.strip, script.split(";")):  # executescript would end the transaction
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _switch_to_wal(db: sqlite3.Connection) -> None:
    """The busy timeout does not cover this switch: while another process makes it on a new file, SQLite refuses at
    once.
    """
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _write(db: sqlite3.Connection, job: Job) -> None:
    values = (
        *(job.id, job.tenant, job.origin, job.model, job.remote_id, job.state.value, job.created_at.timestamp()),
        *(job.fingerprint, duration_of(job), job.took_seconds),
        *(not job.not_charged, job.budget_cost, job.cost_estimate, job.model_dump_json()),
    )
    db.execute(f"INSERT OR REPLACE INTO jobs ({_COLUMNS}) VALUES ({','.join('?' * len(values))})", values)  # noqa: S608  marks


def _watch(db: sqlite3.Connection, job: Job) -> None:
    if job.uses_caller_key:
        return
    due_at = job.created_at.timestamp() + job.patience_seconds(job.created_at)
    db.execute("INSERT OR REPLACE INTO watches (key, origin, due_at) VALUES (?, ?, ?)", (job.id, job.origin, due_at))


def _get(db: sqlite3.Connection, key: str) -> Job | None:
    row = db.execute("SELECT document FROM jobs WHERE key = ?", (key,)).fetchone()
    return Job.model_validate_json(row[0]) if row else None


def _find(db: sqlite3.Connection, model: str, remote_id: str, tenant: str, prefer_origin: str) -> Job | None:
    row = db.execute(
        "SELECT document FROM jobs WHERE remote_id = ? AND model = ? AND tenant = ?"
        " ORDER BY origin = ? DESC, created_at DESC LIMIT 1",
        (remote_id, model, tenant, prefer_origin),
    ).fetchone()
    return Job.model_validate_json(row[0]) if row else None
