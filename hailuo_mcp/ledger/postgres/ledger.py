"""The ledger's queries.

Row locks (`hailuo_claims`, `hailuo_days`) decide which of two identical calls comes first, and which gets the last of a
budget. Due times are stored by the database's clock: a time from a caller is converted to an offset from the caller's
current time, so servers need not agree on the time.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import starmap
from uuid import uuid4

from anyio.abc import TaskGroup

from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.ledger.base import DELAY_MAX, Entered, JobPage, SubmitPolicy, day_start, is_significant_change
from hailuo_mcp.ledger.engine import (
    FIND,
    GET,
    IDENTICAL,
    INSERT,
    UPDATE,
    Engine,
    Row,
    column_values,
    missing_job,
    parse_job,
)
from hailuo_mcp.ledger.postgres.database import READY_SECONDS, RETRY_SECONDS, Database, Session
from hailuo_mcp.ledger.postgres.notifications import CHANNEL, pass_on_notifications

_CLAIM = """
    INSERT INTO hailuo_claims VALUES ($1, $2, $3, now())
    ON CONFLICT (tenant, origin, claim) DO UPDATE SET claimed_at = now()
"""
_CLAIM_DAY = """
    INSERT INTO hailuo_days VALUES ($1, $2, now()) ON CONFLICT (tenant, day) DO UPDATE SET claimed_at = now()
"""
_SPENT_SINCE = """
    SELECT count(*), coalesce(sum(counted_usd), 0) FROM hailuo_jobs
    WHERE tenant = $1 AND counted AND created_at >= $2 AND origin = ANY($3)
"""
_INSERT = f"""
    WITH entered AS ({INSERT}), watched AS (
        INSERT INTO hailuo_watches (key, origin, due_at) SELECT $1, $3, now() + $15::interval WHERE $16::boolean
    )
    SELECT pg_notify('{CHANNEL}', $17)
"""
# No row is returned if the job is no longer the version in $15. A change without a notification ($16) is committed
# without waiting for the disk.
_UPDATE = f"""
    WITH changed AS ({UPDATE} AND document::text = $15 RETURNING key)
    SELECT CASE
        WHEN $16::text IS NULL THEN set_config('synchronous_commit', 'off', true)
        ELSE pg_notify('{CHANNEL}', $16)::text
    END FROM changed
"""  # noqa: S608  fixed words
_PAGE = """
    WITH newest AS (
        SELECT key, document, created_at FROM hailuo_jobs WHERE tenant = $1 AND ($2::text IS NULL OR state = $2)
        ORDER BY created_at DESC LIMIT $3
    )
    SELECT
        (SELECT coalesce(array_agg(key ORDER BY created_at DESC), '{}') FROM newest),
        (SELECT coalesce(array_agg(document ORDER BY created_at DESC), '{}') FROM newest),
        coalesce(sum(jobs) FILTER (WHERE $2::text IS NULL OR state = $2), 0)::bigint,
        coalesce(sum(micro_usd) FILTER (WHERE origin = ANY($4)), 0)::bigint
    FROM hailuo_totals WHERE tenant = $1
"""
_LEASE = f"""
    WITH set_back AS (
        UPDATE hailuo_watches SET owner = '', due_at = now() + $1::interval
        WHERE due_at > now() + $1::interval + interval '{DELAY_MAX.total_seconds()} seconds'
    ), due AS (
        SELECT key, due_at FROM hailuo_watches WHERE due_at <= now() + $1::interval AND origin = ANY($2)
        ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
    ), leased AS (
        UPDATE hailuo_watches SET owner = $4, due_at = now() + $1 + $5::interval FROM due
        WHERE hailuo_watches.key = due.key
    )
    SELECT key, document FROM due JOIN hailuo_jobs USING (key) ORDER BY due_at
"""  # noqa: S608  a figure
_RELEASE_UNTIL = "UPDATE hailuo_watches SET due_at = now() + $1::interval, owner = '' WHERE key = $2 AND owner = $3"
_RELEASE = "DELETE FROM hailuo_watches WHERE key = $1 AND owner = $2"


class PostgresLedger(Engine):
    """After `listen`, listeners are notified of changes by any server on the ledger: this server's at once, those of
    others by LISTEN. They get `ANY_JOB` whenever listening starts, also after a lost connection. While the database is
    unavailable, methods retry for about `retry_seconds`.
    """

    def __init__(self, url: str, retry_seconds: float = RETRY_SECONDS) -> None:
        super().__init__()
        self._database = Database(url, retry_seconds)
        self._sender = uuid4().hex
        self._ready_seconds = min(retry_seconds, READY_SECONDS)

    async def listen(self, tasks: TaskGroup) -> None:
        tasks.start_soon(pass_on_notifications, self._database, self._sender, self._notify)

    async def close(self) -> None:
        await self._database.close()

    async def create_if_absent(self, job: Job, policy: SubmitPolicy, first_poll_at: datetime) -> Entered:
        async def create_if_absent(db: Session) -> Entered:
            await db.execute(_CLAIM, job.tenant, job.origin, job.fingerprint)
            if row := await db.fetchrow(GET, job.id):
                known = parse_job(*row)  # same time: created by this call, in a commit whose response was lost
                created = known.created_at == job.created_at
                return Entered(job if created else known, created)
            rows = await db.fetch(IDENTICAL, job.fingerprint, job.origin, job.tenant)
            if duplicate := policy.find_duplicate(job, starmap(parse_job, rows)):
                return Entered(duplicate, created=False)
            if policy.budget.limited:
                midnight = day_start(job.created_at)
                await db.execute(_CLAIM_DAY, job.tenant, midnight.date())
                [spent] = await db.fetch(_SPENT_SINCE, job.tenant, midnight, list(policy.budget.origins))
                policy.budget.check(job, *spent)
            await self._insert(db, job, first_poll_at)
            return Entered(job, created=True)

        return self._notify_if_created(await self._database.transact(create_if_absent))

    async def import_job(self, job: Job, first_poll_at: datetime) -> Entered:
        async def import_job(db: Session) -> Entered:
            await db.execute(_CLAIM, job.tenant, job.origin, job.request_id)
            row = await db.fetchrow(FIND, job.remote_id or "", job.model, job.tenant, job.origin)
            if row and (known := parse_job(*row)).origin == job.origin:
                return Entered(known, created=False)
            await self._insert(db, job, first_poll_at)
            return Entered(job, created=True)

        return self._notify_if_created(await self._database.transact(import_job))

    async def change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        notify = False

        async def apply(db: Session) -> Job:
            nonlocal notify
            while row := await db.fetchrow(GET, job_id):
                before = parse_job(*row)
                after = change(before)
                significant = is_significant_change(before, after)
                values = (*column_values(after), row["document"])
                message = self._message(job_id) if significant else None
                if after == before or await db.fetchrow(_UPDATE, *values, message):
                    notify = notify or significant
                    return after
            raise missing_job(job_id)

        changed = await self._database.write(apply)
        if notify:
            self._notify(job_id)
        return changed

    async def page(self, tenant: str, state: State | None, limit: int, origins: frozenset[str]) -> JobPage:
        values = (tenant, state.value if state else None, limit, list(origins))
        [(keys, documents, total, spent)] = await self._all(_PAGE, *values)
        return JobPage(self._readable(zip(keys, documents, strict=True)), total, spent / 1e6)

    async def spent_since(self, tenant: str, since: datetime, origins: frozenset[str]) -> tuple[int, float]:
        [(jobs, usd)] = await self._all(_SPENT_SINCE, tenant, since, list(origins))
        return jobs, usd

    async def lease(
        self, owner: str, now: datetime, lasting: timedelta, limit: int, origins: frozenset[str]
    ) -> tuple[Job, ...]:
        rows = await self._database.write(
            lambda db: db.fetch(_LEASE, now - utc_now(), list(origins), limit, owner, lasting)
        )
        return self._readable(rows)

    async def release_lease(self, job_id: str, owner: str, until: datetime | None) -> None:
        async def release_lease(db: Session) -> None:
            if until is None:
                await db.execute(_RELEASE, job_id, owner)
            else:
                await db.execute(_RELEASE_UNTIL, until - utc_now(), job_id, owner)

        await self._database.write(release_lease)

    async def ready(self) -> None:
        await self._database.read(lambda db: db.execute("SELECT 1"), retry_seconds=self._ready_seconds)

    async def _one(self, query: str, *values: object) -> Row | None:
        row = await self._database.read(lambda db: db.fetchrow(query, *values))
        return tuple(row) if row else None

    async def _all(self, query: str, *values: object) -> list[Row]:
        return [tuple(row) for row in await self._database.read(lambda db: db.fetch(query, *values))]

    async def _execute(self, query: str, *values: object) -> None:
        await self._database.write(lambda db: db.execute(query, *values))

    async def _insert(self, db: Session, job: Job, first_poll_at: datetime) -> None:
        values = (*column_values(job), first_poll_at - utc_now(), not job.uses_caller_key)
        await db.execute(_INSERT, *values, self._message(job.id))

    def _message(self, job_id: str) -> str:
        return f"{self._sender} {job_id}"
