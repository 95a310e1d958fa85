"""How long ledger queries take with few and with many jobs. The times are printed but not asserted, because they depend
on the machine."""

import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median, quantiles

import pytest

from hailuo_mcp.core.job import State
from hailuo_mcp.ledger import Ledger, SubmitPolicy
from hailuo_mcp.ledger.sqlite import SqliteLedger
from tests.ledger.shared import FREE, NOON, ORIGIN, a_job, create

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

FEW, MANY, QUERIES = 100, 100_000, 1_000


async def fill(ledger: Ledger, url: str, begin: int, end: int) -> None:
    """One job created as usual, and copies of it made by the engine."""
    pattern = a_job("many-0", id="many-0", remote_id="many-0", state=State.COMPLETED, parameters={"prompt": "x" * 900})
    if not begin:
        await create(ledger, pattern, SubmitPolicy(FREE, timedelta(0), force_new=True))
    columns = "tenant, origin, model, state, duration, took_seconds, counted, counted_usd, known_usd"
    if isinstance(ledger, SqliteLedger):
        import sqlite3

        with sqlite3.connect(url.removeprefix("sqlite:///")) as db:
            db.execute(
                f"WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?) "  # noqa: S608  fixed words
                f"INSERT INTO jobs ({columns}, key, remote_id, fingerprint, created_at, document) "
                f"SELECT {columns}, 'many-' || i, 'many-' || i, 'many-' || i, created_at + i, "
                "replace(document, 'many-0', 'many-' || i) FROM jobs, n WHERE key = 'many-0'",
                (max(begin, 1), end - 1),
            )
        db.close()
    else:
        import asyncpg

        connection = await asyncpg.connect(url)
        await connection.execute(
            f"INSERT INTO hailuo_jobs ({columns}, key, remote_id, fingerprint, created_at, document) "  # noqa: S608  fixed words
            f"SELECT {columns}, 'many-' || i, 'many-' || i, 'many-' || i, created_at + i * interval '1 second', "
            "replace(document::text, 'many-0', 'many-' || i)::json "
            f"FROM hailuo_jobs, generate_series({max(begin, 1)}, {end - 1}) i WHERE key = 'many-0'",
            timeout=120,
        )
        await connection.execute("ANALYZE")
        await connection.close()


async def milliseconds(ledger: Ledger, jobs: int) -> dict[str, str]:
    """Median and 99th percentile of each kind of query, over jobs from the whole ledger."""
    result: dict[str, str] = {}
    for name in ("find", "get", "create"):
        times: list[float] = []
        for n in range(QUERIES if name != "create" else QUERIES // 10):
            job_id = f"many-{n * 7919 % jobs}"
            new = a_job(f"{jobs} {n}", created_at=NOON + timedelta(days=9))
            began = time.perf_counter()
            if name == "find":
                job = await ledger.find("a/b", job_id, "", ORIGIN)
            elif name == "get":
                job = await ledger.get(job_id)
            else:
                job = await create(ledger, new, SubmitPolicy(FREE, timedelta(minutes=10)))
            times.append((time.perf_counter() - began) * 1000)
            assert job
            assert job.id == (new.id if name == "create" else job_id)
        result[name] = f"{median(times):.2f}/{quantiles(times, n=100)[98]:.2f}"
    return result


async def test_query_times_with_few_and_with_many_jobs(
    ledger: Ledger, url: str, figures: Callable[[str], None]
) -> None:
    await fill(ledger, url, 0, FEW)
    few = await milliseconds(ledger, FEW)
    await fill(ledger, url, FEW, MANY)
    many = await milliseconds(ledger, MANY)
    engine = type(ledger).__name__
    for name in few:
        figures(f"{engine}.{name}, median/p99 in ms: {few[name]} with {FEW:,} jobs, {many[name]} with {MANY:,}")
