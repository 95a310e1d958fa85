"""Shared by the tests of the ledger: jobs, policies, and both engines."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg

from hailuo_mcp.core.errors import Charged, Problem
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.ledger import Budget, Ledger, SubmitPolicy, open_ledger

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

ORIGIN = "https://api.example"
ORIGINS = frozenset({ORIGIN})
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
WINDOW = timedelta(minutes=10)
FREE = Budget(ORIGINS)
POLICY = SubmitPolicy(FREE, WINDOW)
FIRST_POLL = timedelta(seconds=15)


def ledger_at(url: str) -> Ledger:
    return open_ledger(Settings.model_validate({"database_url": url}))


async def create(ledger: Ledger, job: Job, policy: SubmitPolicy = POLICY) -> Job:
    """The job that is then in the ledger: this one, or an earlier duplicate."""
    return (await ledger.create_if_absent(job, policy, job.created_at + FIRST_POLL)).job


async def import_job(ledger: Ledger, job: Job) -> Job:
    return (await ledger.import_job(job, job.created_at + FIRST_POLL)).job


def a_job(fingerprint: str = "kite", **fields: Any) -> Job:
    values: dict[str, Any] = {
        "model": "a/b",
        "origin": ORIGIN,
        "fingerprint": fingerprint,
        "created_at": NOON,
        **fields,
    }
    return Job(**values)


def a_problem(charged: Charged) -> Problem:
    return Problem(code="gateway_error", message="It broke.", charged=charged)


def jobs_a_day(limit: int) -> SubmitPolicy:
    return SubmitPolicy(Budget(ORIGINS, max_jobs=limit), WINDOW)


def usd_a_day(limit: float) -> SubmitPolicy:
    return SubmitPolicy(Budget(ORIGINS, max_usd=limit), WINDOW)
