"""Changes that cannot be written are kept in memory, read from there, and written as soon as possible."""

import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import pytest

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import Job, Observation, State
from hailuo_mcp.ledger.base import Ledger
from hailuo_mcp.ledger.instrumented import InstrumentedLedger
from hailuo_mcp.ledger.retrying import RetryingLedger
from hailuo_mcp.ledger.sqlite import SqliteLedger
from hailuo_mcp.service.background import background_tasks
from tests.ledger.shared import MINUTE, NOON, ORIGIN, ORIGINS, a_job, create, ledger_at


class Failing(InstrumentedLedger):
    """A ledger that cannot be changed while `fails`."""

    fails = False

    async def change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        if self.fails:
            raise InternalError("The disk is full.")
        return await super().change(job_id, change)


@asynccontextmanager
async def opened(inner: Ledger, pauses: tuple[float, ...] = (0.02,)) -> AsyncGenerator[RetryingLedger]:
    ledger = RetryingLedger(inner, pauses)
    try:
        async with background_tasks() as tasks:
            await ledger.listen(tasks)
            yield ledger
    finally:
        await ledger.close()


def accept(job: Job) -> Job:
    return job.accepted("r-1", retention=None, sandbox=False)


async def stored(url: str, job: Job) -> Job:
    """The job as another process sees it."""
    ledger = ledger_at(url)
    try:
        known = await ledger.get(job.id)
        assert known
        return known
    finally:
        await ledger.close()


async def until_written(url: str, job: Job) -> None:
    with anyio.fail_after(10):
        while (await stored(url, job)).remote_id is None:  # noqa: ASYNC110  no event passes between two ledgers
            await anyio.sleep(0.05)


async def test_every_query_includes_a_change_that_could_not_be_written(url: str) -> None:
    inner = Failing(ledger_at(url))
    async with opened(inner, (9.0,)) as ledger:
        job = await create(ledger, a_job())
        twin = a_job()
        inner.fails = True
        kept = await ledger.change_with_retry(job, accept)
        assert (kept.remote_id, kept.state) == ("r-1", State.QUEUED)
        assert "kept in memory" in kept.warnings[-1]
        seen = Observation(state=State.PROCESSING)
        changed = await ledger.change(job.id, lambda j: j.apply_observation(seen))
        assert (changed.remote_id, changed.state, changed.warnings) == ("r-1", State.PROCESSING, ())
        assert await ledger.get(job.id) == changed
        assert await ledger.find("a/b", "r-1", "", ORIGIN) == changed
        assert (await ledger.page("", None, 10, ORIGINS)).jobs == (changed,)
        assert await ledger.remote_ids("a/b", ORIGIN) == {"r-1"}
        assert await ledger.unconfirmed_like(twin) == ()
        assert await ledger.lease("one", NOON + MINUTE, MINUTE, 4, ORIGINS) == (changed,)
        assert await create(ledger, a_job()) == changed
        assert (await stored(url, job)).remote_id is None
        inner.fails = False
    known = await stored(url, job)
    assert (known.remote_id, known.state, known.polls) == ("r-1", State.PROCESSING, 1)


async def test_a_write_is_retried_until_it_succeeds_and_later_ones_are_direct(url: str) -> None:
    inner = Failing(ledger_at(url))
    async with opened(inner) as ledger:
        job = await create(ledger, a_job())
        inner.fails = True
        await ledger.change_with_retry(job, accept)
        await anyio.sleep(0.1)
        inner.fails = False
        await until_written(url, job)
        await ledger.change(job.id, lambda j: j.saved("/clip"))
        assert (await stored(url, job)).video_path == "/clip"


async def test_a_change_that_was_never_written_is_logged_at_shutdown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inner = Failing(SqliteLedger(tmp_path / "jobs.sqlite3"))
    async with opened(inner, (9.0,)) as ledger:
        job = await create(ledger, a_job())
        inner.fails = True
        await ledger.change_with_retry(job, accept)
    assert "a/b/r-1 could not be recorded" in caplog.text


async def test_a_change_is_written_once_another_process_releases_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    async with opened(SqliteLedger(path, busy_seconds=0.1)) as ledger:
        job = await create(ledger, a_job())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            kept = await ledger.change_with_retry(job, accept)
            assert kept.remote_id == "r-1"
            assert await ledger.find("a/b", "r-1", "", ORIGIN)
            other.execute("ROLLBACK")
        await until_written(f"sqlite:///{path}", job)
