"""What the engines share: the queries that are the same in both, converting jobs to rows, and what happens around the
engines' own transactions.
"""

import logging
import secrets
from abc import abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import ValidationError

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.ledger.base import Entered, Ledger

log = logging.getLogger(__name__)

Row: TypeAlias = tuple[Any, ...]

SECRET_BYTES = 32
MIN_SAMPLES, SAMPLES = 3, 20
UNUSABLE = "The server's job ledger cannot be used now."
"""For remote callers, which must not learn where the ledger is."""

COLUMNS = (
    *("key", "tenant", "origin", "model", "remote_id", "state", "created_at", "fingerprint", "duration"),
    *("took_seconds", "counted", "counted_usd", "known_usd", "document"),
)
"""The columns of the jobs table, in the order of `column_values`. The document is the whole job; the others are for
queries."""

# The queries of both engines, in the form that PostgreSQL reads; `sqlite.run_shared` converts them.
_COLUMN_LIST = ", ".join(COLUMNS)
_VALUE_LIST = ", ".join(f"${n}" for n in range(1, len(COLUMNS) + 1))
INSERT = f"INSERT INTO hailuo_jobs ({_COLUMN_LIST}) VALUES ({_VALUE_LIST})"  # noqa: S608  fixed words
UPDATE = f"UPDATE hailuo_jobs SET ({_COLUMN_LIST}) = ({_VALUE_LIST}) WHERE key = $1"  # noqa: S608  fixed words
GET = "SELECT key, document FROM hailuo_jobs WHERE key = $1"
FIND = """
    SELECT key, document FROM hailuo_jobs WHERE remote_id = $1 AND model = $2 AND tenant = $3
    ORDER BY origin = $4 DESC, created_at DESC LIMIT 1
"""
IDENTICAL = """
    SELECT key, document FROM hailuo_jobs WHERE fingerprint = $1 AND origin = $2 AND tenant = $3
    ORDER BY created_at DESC
"""
_UNCONFIRMED_LIKE = """
    SELECT key, document FROM hailuo_jobs WHERE fingerprint = $1 AND origin = $2 AND state = $3 AND key <> $4
"""
_REMOTE_IDS = "SELECT remote_id FROM hailuo_jobs WHERE model = $1 AND origin = $2 AND remote_id IS NOT NULL"
_RECENT_SECONDS = """
    SELECT took_seconds FROM hailuo_jobs WHERE model = $1 AND origin = $2 AND took_seconds IS NOT NULL
        AND (duration = $3 OR (duration IS NULL AND $3 IS NULL))
    ORDER BY created_at DESC LIMIT $4
"""
_UPLOAD = """
    SELECT url FROM hailuo_uploads WHERE tenant = $1 AND origin = $2 AND digest = $3 AND uploaded_at >= $4
"""
_REMEMBER_UPLOAD = """
    INSERT INTO hailuo_uploads VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (tenant, origin, digest) DO UPDATE SET url = excluded.url, uploaded_at = excluded.uploaded_at
"""
_STORE_SECRET = "INSERT INTO hailuo_secrets VALUES ('signing', $1) ON CONFLICT (name) DO NOTHING"  # noqa: S105  a query
_SECRET = "SELECT value FROM hailuo_secrets WHERE name = 'signing'"  # noqa: S105  a query


def column_values(job: Job) -> tuple[object, ...]:
    duration = job.parameters.get("duration")
    return (
        *(job.id, job.tenant, job.origin, job.model, job.remote_id, job.state.value, job.created_at, job.fingerprint),
        *(duration if isinstance(duration, int) else None, job.took_seconds),
        *(not job.not_charged, job.budget_cost, job.cost_estimate, job.model_dump_json()),
    )


@lru_cache(maxsize=256)
def _parse_job(document: str) -> Job:
    """Cached, because a poll reads the same version of a job several times. Jobs are frozen, so they can be shared."""
    return Job.model_validate_json(document)


def parse_job(key: str, document: str) -> Job:
    """Raises InternalError for a row that a later version wrote, or that is damaged."""
    try:
        return _parse_job(document)
    except ValidationError:
        raise InternalError(
            f"The job {key} in the ledger cannot be read by this version of hailuo-mcp.",
            "Update hailuo-mcp if a later version uses the same ledger; other jobs are not affected.",
        ) from None


class Engine(Ledger):
    """Base class of the engines. They provide the transactions, and how a single query is run."""

    def __init__(self) -> None:
        super().__init__()
        self._secret: bytes | None = None
        self._unreadable: set[str] = set()

    async def get(self, job_id: str) -> Job | None:
        row = await self._one(GET, job_id)
        return parse_job(*row) if row else None

    async def find(self, model: str, remote_id: str, tenant: str, prefer_origin: str) -> Job | None:
        row = await self._one(FIND, remote_id, model, tenant, prefer_origin)
        return parse_job(*row) if row else None

    async def usual_seconds(self, model: str, origin: str, duration: int | None) -> float | None:
        seconds = [took for (took,) in await self._all(_RECENT_SECONDS, model, origin, duration, SAMPLES)]
        from statistics import median  # start-up time: only submissions need it

        return median(seconds) if len(seconds) >= MIN_SAMPLES else None

    async def remote_ids(self, model: str, origin: str) -> frozenset[str]:
        return frozenset(remote_id for (remote_id,) in await self._all(_REMOTE_IDS, model, origin))

    async def unconfirmed_like(self, job: Job) -> tuple[Job, ...]:
        values = (job.fingerprint, job.origin, State.UNCONFIRMED.value, job.id)
        return self._readable(await self._all(_UNCONFIRMED_LIKE, *values))

    async def upload(self, tenant: str, origin: str, digest: str, since: datetime) -> str | None:
        row = await self._one(_UPLOAD, tenant, origin, digest, since)
        return row[0] if row else None

    async def remember_upload(self, tenant: str, origin: str, digest: str, url: str) -> None:
        await self._execute(_REMEMBER_UPLOAD, tenant, origin, digest, url, datetime.now(UTC))

    async def secret(self) -> bytes:
        if self._secret is None:
            await self._execute(_STORE_SECRET, secrets.token_bytes(SECRET_BYTES))
            [(stored,)] = await self._all(_SECRET)
            self._secret = bytes(stored)
        return self._secret

    @abstractmethod
    async def _one(self, query: str, *values: object) -> Row | None:
        """The first row of a query that reads few rows by an index."""

    @abstractmethod
    async def _all(self, query: str, *values: object) -> Iterable[Row]:
        """All rows of a query."""

    @abstractmethod
    async def _execute(self, query: str, *values: object) -> None:
        """Run a query that writes, in a transaction of its own."""

    def _readable(self, rows: Iterable[Iterable[str]]) -> tuple[Job, ...]:
        """The jobs in these rows of key and document. One that cannot be read is left out, with one warning."""
        jobs: list[Job] = []
        for key, document in rows:
            try:
                jobs.append(parse_job(key, document))
            except InternalError as error:
                if key not in self._unreadable:
                    self._unreadable.add(key)
                    log.warning("%s It is skipped.", error.problem.message)
        return tuple(jobs)

    def _notify_if_created(self, entered: Entered) -> Entered:
        if entered.created:
            self._notify(entered.job.id)
        return entered


def missing_job(job_id: str) -> InternalError:
    return InternalError(f"The ledger has lost the job {job_id}.")


def newer_schema(version: int, known: int, place: str) -> InternalError:
    """`place` is what the database is called in the hint: a file, a database."""
    return InternalError(
        f"The job ledger has schema version {version}; this hailuo-mcp knows {known}.",
        f"Update hailuo-mcp, or name another {place} in HAILUO_MCP_DATABASE_URL.",
    )
