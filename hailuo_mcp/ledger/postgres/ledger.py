"""The ledger's queries.

Which of two equal calls is first, and who takes the last place of a budget, is decided by rows that only one
transaction can hold (`hailuo_claims`, `hailuo_days`). When a job is due is kept by the database's clock: a moment that
a caller gives is written as its distance from that caller's now, so that servers need not agree on the time.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from uuid import uuid4

from anyio.abc import TaskGroup
from asyncpg import Record

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.ledger.base import (
    MIN_SAMPLES,
    SAMPLES,
    SECRET_BYTES,
    JobPage,
    Ledger,
    SubmitPolicy,
    day_start,
    duration_of,
    is_duplicate_of,
    is_significant_change,
)
from hailuo_mcp.ledger.postgres.database import PATIENCE_SECONDS, READY_SECONDS, Database, Session
from hailuo_mcp.ledger.postgres.notifications import CHANNEL, on_notify

_CLAIM = """
    INSERT INTO hailuo_claims VALUES ($1, $2, $3, now())
    ON CONFLICT (tenant, origin, claim) DO UPDATE SET claimed_at = now()
"""
_GET = "SELECT document FROM hailuo_jobs WHERE key = $1"
_EQUAL = """
    SELECT document FROM hailuo_jobs WHERE fingerprint = $1 AND origin = $2 AND tenant = $3
    ORDER BY created_at DESC
"""
_CLAIM_DAY = """
    INSERT INTO hailuo_days VALUES ($1, $2, now()) ON CONFLICT (tenant, day) DO UPDATE SET claimed_at = now()
"""
_SPENT_TODAY = """
    SELECT count(*), coalesce(sum(counted_usd), 0) FROM hailuo_jobs
    WHERE tenant = $1 AND counted AND created_at >= $2 AND origin = ANY($3)
"""
_COLUMNS = (
    "key, tenant, origin, model, remote_id, state, created_at, fingerprint,"
    " duration, took_seconds, counted, counted_usd, known_usd, document"
)
_INSERT = f"""
    WITH entered AS (
        INSERT INTO hailuo_jobs ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ), watched AS (
        INSERT INTO hailuo_watches (key, origin, due_at) SELECT $1, $3, now() + $15::interval WHERE $16::boolean
    )
    SELECT pg_notify('{CHANNEL}', $17)
"""  # noqa: S608  fixed words
_UPDATE = f"""
    WITH changed AS (
        UPDATE hailuo_jobs SET ({_COLUMNS}) = ROW ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        WHERE key = $1
    )
    SELECT pg_notify('{CHANNEL}', $15) WHERE $15 IS NOT NULL
"""  # noqa: S608  fixed words
_FIND = """
    SELECT document FROM hailuo_jobs WHERE remote_id = $1 AND model = $2 AND tenant = $3
    ORDER BY origin = $4 DESC, created_at DESC LIMIT 1
"""
_PAGE = """
    WITH newest AS (
        SELECT document, created_at FROM hailuo_jobs WHERE tenant = $1 AND ($2::text IS NULL OR state = $2)
        ORDER BY created_at DESC LIMIT $3
    )
    SELECT
        (SELECT coalesce(array_agg(document ORDER BY created_at DESC), '{}') FROM newest),
        count(*) FILTER (WHERE $2::text IS NULL OR state = $2),
        coalesce(sum(known_usd) FILTER (WHERE origin = ANY($4)), 0)
    FROM hailuo_jobs WHERE tenant = $1
"""
_SPEEDS = """
    SELECT took_seconds FROM hailuo_jobs
    WHERE model = $1 AND origin = $2 AND took_seconds IS NOT NULL AND duration IS NOT DISTINCT FROM $3::integer
    ORDER BY created_at DESC LIMIT $4
"""
_REMOTE_IDS = "SELECT remote_id FROM hailuo_jobs WHERE model = $1 AND origin = $2 AND remote_id IS NOT NULL"
_UNCONFIRMED_LIKE = """
    SELECT document FROM hailuo_jobs WHERE fingerprint = $1 AND origin = $2 AND state = $3 AND key <> $4
"""
_UPLOAD = """
    SELECT url FROM hailuo_uploads WHERE tenant = $1 AND origin = $2 AND digest = $3 AND uploaded_at >= $4
"""
_REMEMBER_UPLOAD = """
    INSERT INTO hailuo_uploads VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (tenant, origin, digest) DO UPDATE SET url = excluded.url, uploaded_at = excluded.uploaded_at
"""
_LEASE = """
    WITH due AS (
        SELECT key, due_at FROM hailuo_watches WHERE due_at <= now() + $1::interval AND origin = ANY($2)
        ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
    ), leased AS (
        UPDATE hailuo_watches SET owner = $4, due_at = now() + $1 + $5::interval FROM due
        WHERE hailuo_watches.key = due.key
    )
    SELECT document FROM due JOIN hailuo_jobs USING (key) ORDER BY due_at
"""
_REST = "UPDATE hailuo_watches SET due_at = now() + $1::interval, owner = '' WHERE key = $2 AND owner = $3"
_REST_FOR_EVER = "DELETE FROM hailuo_watches WHERE key = $1 AND owner = $2"
_MAKE_SECRET = "INSERT INTO hailuo_secrets VALUES ('signing', $1) ON CONFLICT (name) DO NOTHING"  # noqa: S105  a query
_SECRET = "SELECT value FROM hailuo_secrets WHERE name = 'signing'"  # noqa: S105  a query


class PostgresLedger(Ledger):
    """Listeners hear of what every server on the ledger does, once `listen` was called: of this one's own doings at
    once, of others' by LISTEN. The empty key comes whenever listening begins, or begins again after the connection was
    lost.

    Where the database is away, a method waits for it for about `patience` seconds.
    """

    def __init__(self, url: str, patience: float = PATIENCE_SECONDS) -> None:
        super().__init__()
        self._database = Database(url, patience)
        self._sender = uuid4().hex
        self._secret: bytes | None = None
        self._ready_patience = min(patience, READY_SECONDS)

    async def listen(self, tasks: TaskGroup) -> None:
        tasks.start_soon(on_notify, self._database, self._sender, self._notify)

    async def close(self) -> None:
        await self._database.close()

    async def create_if_absent(self, job: Job, guard: SubmitPolicy) -> Job:
        async def create_if_absent(db: Session) -> Job:
            await db.execute(_CLAIM, job.tenant, job.origin, job.fingerprint)
            if row := await db.fetchrow(_GET, job.id):
                known = _job(row)  # of the same moment: entered by this very call, in a commit whose answer was lost
                return job if known.created_at == job.created_at else known
            for row in await db.fetch(_EQUAL, job.fingerprint, job.origin, job.tenant):
                if is_duplicate_of(earlier := _job(row), job, guard):
                    return earlier
            if guard.budget.limited:
                midnight = day_start(job.created_at)
                await db.execute(_CLAIM_DAY, job.tenant, midnight.date())
                jobs_today, usd_today = _row(
                    await db.fetchrow(_SPENT_TODAY, job.tenant, midnight, list(guard.budget.origins))
                )
                guard.budget.check(job, jobs_today, usd_today)
            await self._insert(db, job)
            return job

        return self._told(job, await self._database.transact(create_if_absent))

    async def import_job(self, job: Job) -> Job:
        async def import_job(db: Session) -> Job:
            await db.execute(_CLAIM, job.tenant, job.origin, job.request_id)
            row = await db.fetchrow(_FIND, job.remote_id or "", job.model, job.tenant, job.origin)
            if row and (known := _job(row)).origin == job.origin:
                return known
            await self._insert(db, job)
            return job

        return self._told(job, await self._database.transact(import_job))

    async def get(self, key: str) -> Job | None:
        return await self._one(_GET, key)

    async def find(self, model: str, remote_id: str, tenant: str, prefer_origin: str) -> Job | None:
        return await self._one(_FIND, remote_id, model, tenant, prefer_origin)

    async def change(self, key: str, change: Callable[[Job], Job]) -> Job:
        news = False

        async def apply(db: Session) -> Job:
            nonlocal news
            row = await db.fetchrow("SELECT document FROM hailuo_jobs WHERE key = $1 FOR UPDATE", key)
            if row is None:
                raise InternalError(f"The ledger has lost the job {key}.")
            job = _job(row)
            changed = change(job)
            if changed != job:
                told = is_significant_change(job, changed)
                news = news or told
                await db.execute(_UPDATE, *_values(changed), self._message(key) if told else None)
            return changed

        changed = await self._database.transact(apply)
        if news:
            self._notify(key)
        return changed

    async def page(self, tenant: str, state: State | None, limit: int, origins: frozenset[str]) -> JobPage:
        values = (tenant, state.value if state else None, limit, list(origins))
        documents, total, spent = _row(await self._database.read(lambda db: db.fetchrow(_PAGE, *values)))
        return JobPage(tuple(Job.model_validate_json(document) for document in documents), total, spent)

    async def usual_seconds(self, model: str, origin: str, duration: int | None) -> float | None:
        rows = await self._all(_SPEEDS, model, origin, duration, SAMPLES)
        return median(row["took_seconds"] for row in rows) if len(rows) >= MIN_SAMPLES else None

    async def remote_ids(self, model: str, origin: str) -> frozenset[str]:
        return frozenset(row["remote_id"] for row in await self._all(_REMOTE_IDS, model, origin))

    async def unconfirmed_like(self, job: Job) -> tuple[Job, ...]:
        values = (job.fingerprint, job.origin, State.UNCONFIRMED.value, job.id)
        return tuple(_job(row) for row in await self._all(_UNCONFIRMED_LIKE, *values))

    async def upload(self, tenant: str, origin: str, digest: str, since: datetime) -> str | None:
        return await self._database.read(lambda db: db.fetchval(_UPLOAD, tenant, origin, digest, since))

    async def remember_upload(self, tenant: str, origin: str, digest: str, url: str) -> None:
        values = (tenant, origin, digest, url, datetime.now(UTC))
        await self._database.write(lambda db: db.execute(_REMEMBER_UPLOAD, *values))

    async def lease(
        self, owner: str, now: datetime, lasting: timedelta, limit: int, origins: frozenset[str]
    ) -> tuple[Job, ...]:
        async def lease(db: Session) -> list[Record]:
            return await db.fetch(_LEASE, now - utc_now(), list(origins), limit, owner, lasting)

        return tuple(_job(row) for row in await self._database.write(lease))

    async def release_lease(self, key: str, owner: str, until: datetime | None) -> None:
        async def release_lease(db: Session) -> None:
            if until is None:
                await db.execute(_REST_FOR_EVER, key, owner)
            else:
                await db.execute(_REST, until - utc_now(), key, owner)

        await self._database.write(release_lease)

    async def secret(self) -> bytes:
        async def secret(db: Session) -> bytes:
            await db.execute(_MAKE_SECRET, secrets.token_bytes(SECRET_BYTES))
            return await db.fetchval(_SECRET)

        if self._secret is None:
            self._secret = await self._database.write(secret)
        return self._secret

    async def ready(self) -> None:
        await self._database.read(lambda db: db.execute("SELECT 1"), patience=self._ready_patience)

    async def _one(self, query: str, *values: object) -> Job | None:
        row = await self._database.read(lambda db: db.fetchrow(query, *values))
        return _job(row) if row else None

    async def _all(self, query: str, *values: object) -> Sequence[Record]:
        return await self._database.read(lambda db: db.fetch(query, *values))

    async def _insert(self, db: Session, job: Job) -> None:
        first_look = job.created_at + timedelta(seconds=job.patience_seconds(job.created_at)) - utc_now()
        await db.execute(_INSERT, *_values(job), first_look, not job.uses_caller_key, self._message(job.id))

    def _told(self, job: Job, outcome: Job) -> Job:
        if outcome.id == job.id:
            self._notify(job.id)
        return outcome

    def _message(self, key: str) -> str:
        return f"{self._sender} {key}"


def _values(job: Job) -> tuple[Any, ...]:
    """In the order of the columns."""
    return (
        *(job.id, job.tenant, job.origin, job.model, job.remote_id, job.state.value, job.created_at),
        *(job.fingerprint, duration_of(job), job.took_seconds),
        *(not job.not_charged, job.budget_cost, job.cost_estimate, job.model_dump_json()),
    )


def _job(row: Record) -> Job:
    return Job.model_validate_json(row["document"])


def _row(row: Record | None) -> Record:
    """The one row of a query that always has one."""
    assert row is not None  # noqa: S101  for the type checker
    return row
