"""The database server is restarted while jobs are created, changed and read: callers wait, nothing is lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal
from uuid import uuid4

import anyio
import pytest

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import Job
from hailuo_mcp.ledger import ANY_JOB
from hailuo_mcp.ledger.postgres import PostgresLedger
from tests.ledger.shared import ORIGIN, ORIGINS, a_job, create
from tests.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_database_restart_loses_no_jobs_and_only_delays_calls(
    own_postgres: Postgres, mode: Literal["fast", "immediate"], figures: Callable[[str], None]
) -> None:
    callers, restarts = 10, 3
    created: list[str] = []
    slowest, calls = 0.0, 0
    done = False

    async def timed(job_id: str, work: Awaitable[Job | None]) -> None:
        nonlocal slowest, calls
        began = time.monotonic()
        job = await work
        slowest, calls = max(slowest, time.monotonic() - began), calls + 1
        assert job
        assert job.id == job_id

    def accept(job: Job) -> Job:
        return job.accepted(f"r-{job.id}", retention=None, sandbox=False)

    async def call(ledger: PostgresLedger) -> None:
        """The ledger calls of a submission and a poll, repeatedly."""
        while not done:
            job = a_job(uuid4().hex)
            await timed(job.id, create(ledger, job))
            await timed(job.id, ledger.change(job.id, accept))
            await timed(job.id, ledger.find("a/b", f"r-{job.id}", "", ORIGIN))
            created.append(job.id)

    with own_postgres.database() as url:
        ledgers = [PostgresLedger(url) for _ in range(2)]
        reconnected: asyncio.Queue[str] = asyncio.Queue()
        ledgers[0].on_change.append(lambda job_id: None if job_id else reconnected.put_nowait(job_id))
        async with anyio.create_task_group() as listening:
            await ledgers[0].listen(listening)
            assert await reconnected.get() == ANY_JOB
            async with anyio.create_task_group() as calling:
                for number in range(callers):
                    calling.start_soon(call, ledgers[number % 2])
                for _ in range(restarts):
                    so_far = len(created)
                    async with asyncio.timeout(30):
                        while len(created) < so_far + 50:  # noqa: ASYNC110  callers of both ledgers add to it
                            await asyncio.sleep(0.05)
                    await asyncio.to_thread(own_postgres.restart, mode)
                    async with asyncio.timeout(30):
                        assert await reconnected.get() == ANY_JOB
                done = True
            listening.cancel_scope.cancel()
        assert (await ledgers[0].page("", None, 1, ORIGINS)).total == len(created) == len(set(created))
        for job_id in created:
            job = await ledgers[1].get(job_id)
            assert job
            assert job.remote_id
        for ledger in ledgers:
            await ledger.close()
    figures(f"{restarts} × restart -m {mode}: {len(created)} jobs, {calls} calls, the slowest {slowest:.1f} s")


async def test_an_unavailable_server_is_an_error_until_it_is_back(
    own_postgres: Postgres, figures: Callable[[str], None]
) -> None:
    with own_postgres.database() as url:
        ledger = PostgresLedger(url)
        job = await create(ledger, a_job())
        await asyncio.to_thread(own_postgres.stop)
        began = time.monotonic()
        with pytest.raises(InternalError) as refused:
            await ledger.get(job.id)
        waited = time.monotonic() - began
        began = time.monotonic()
        with pytest.raises(InternalError):
            await ledger.ready()
        unready = time.monotonic() - began
        figures(f"a call gives up after {waited:.1f} s, readiness after {unready:.1f} s")
        assert "HAILUO_MCP_DATABASE_URL" in refused.value.problem.hint
        assert 10 < waited < 30
        assert unready < 5
        await asyncio.to_thread(own_postgres.start)
        assert await ledger.get(job.id) == job
        await ledger.ready()
        await ledger.close()
