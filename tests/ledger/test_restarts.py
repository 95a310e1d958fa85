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
from tests.ledger.shared import HERE, ORIGINS, a_job, create
from tests.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_restart_in_the_middle_loses_nothing_and_callers_only_wait(
    own_postgres: Postgres, mode: Literal["fast", "immediate"], figures: Callable[[str], None]
) -> None:
    callers, restarts = 10, 3
    entered: list[str] = []
    slowest, calls = 0.0, 0
    over = False

    async def timed(key: str, work: Awaitable[Job | None]) -> None:
        nonlocal slowest, calls
        began = time.monotonic()
        job = await work
        slowest, calls = max(slowest, time.monotonic() - began), calls + 1
        assert job
        assert job.id == key

    def accept(job: Job) -> Job:
        return job.accepted(f"r-{job.id}", retention=None, sandbox=False)

    async def call(ledger: PostgresLedger) -> None:
        """The ledger calls of a submission and a poll, repeatedly."""
        while not over:
            job = a_job(uuid4().hex)
            await timed(job.id, create(ledger, job))
            await timed(job.id, ledger.change(job.id, accept))
            await timed(job.id, ledger.find("a/b", f"r-{job.id}", "", HERE))
            entered.append(job.id)

    with own_postgres.database() as url:
        ledgers = [PostgresLedger(url) for _ in range(2)]
        regained: asyncio.Queue[str] = asyncio.Queue()
        ledgers[0].on_change.append(lambda key: None if key else regained.put_nowait(key))
        async with anyio.create_task_group() as listening:
            await ledgers[0].listen(listening)
            assert await regained.get() == ANY_JOB
            async with anyio.create_task_group() as calling:
                for number in range(callers):
                    calling.start_soon(call, ledgers[number % 2])
                for _ in range(restarts):
                    so_far = len(entered)
                    async with asyncio.timeout(30):
                        while len(entered) < so_far + 50:  # noqa: ASYNC110  callers of both ledgers add to it
                            await asyncio.sleep(0.05)
                    await asyncio.to_thread(own_postgres.restart, mode)
                    async with asyncio.timeout(30):
                        assert await regained.get() == ANY_JOB
                over = True
            listening.cancel_scope.cancel()
        assert (await ledgers[0].page("", None, 1, ORIGINS)).total == len(entered) == len(set(entered))
        for key in entered:
            job = await ledgers[1].get(key)
            assert job
            assert job.remote_id
        for ledger in ledgers:
            await ledger.close()
    figures(f"{restarts} × restart -m {mode}: {len(entered)} jobs, {calls} calls, the slowest {slowest:.1f} s")


async def test_a_server_that_stays_away_is_an_error_after_a_while_and_none_once_it_is_back(
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
