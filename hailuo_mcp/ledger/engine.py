"""What the engines share: converting jobs to rows, and what happens around their transactions."""

import logging
import secrets
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from statistics import median

from pydantic import ValidationError

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import Job
from hailuo_mcp.ledger.base import Entered, Ledger, SubmitPolicy

log = logging.getLogger(__name__)

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


def column_values(job: Job, created_at: float | datetime) -> tuple[object, ...]:
    """The values of a job's columns. `created_at` is the job's, in the form that the engine stores."""
    duration = job.parameters.get("duration")
    return (
        *(job.id, job.tenant, job.origin, job.model, job.remote_id, job.state.value, created_at, job.fingerprint),
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
    """Base class of the engines: subclasses provide the transactions, this class handles their results."""

    def __init__(self) -> None:
        super().__init__()
        self._secret: bytes | None = None
        self._unreadable: set[str] = set()

    async def create_if_absent(self, job: Job, policy: SubmitPolicy, first_poll_at: datetime) -> Entered:
        return self._notify_if_created(await self._create_if_absent(job, policy, first_poll_at))

    async def import_job(self, job: Job, first_poll_at: datetime) -> Entered:
        return self._notify_if_created(await self._import_job(job, first_poll_at))

    async def usual_seconds(self, model: str, origin: str, duration: int | None) -> float | None:
        seconds = await self._recent_seconds(model, origin, duration)
        return median(seconds) if len(seconds) >= MIN_SAMPLES else None

    async def secret(self) -> bytes:
        if self._secret is None:
            self._secret = await self._stored_secret(secrets.token_bytes(SECRET_BYTES))
        return self._secret

    @abstractmethod
    async def _create_if_absent(self, job: Job, policy: SubmitPolicy, first_poll_at: datetime) -> Entered: ...

    @abstractmethod
    async def _import_job(self, job: Job, first_poll_at: datetime) -> Entered: ...

    @abstractmethod
    async def _recent_seconds(self, model: str, origin: str, duration: int | None) -> list[float]:
        """The durations of the last `SAMPLES` jobs like this."""

    @abstractmethod
    async def _stored_secret(self, candidate: bytes) -> bytes:
        """Store the candidate unless a secret is stored, and return the stored one."""

    def _readable(self, rows: Iterable[Sequence[str]]) -> tuple[Job, ...]:
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
