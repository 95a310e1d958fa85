"""PostgreSQL stops at the worst moment: a job has just been paid for, and its id is not stored yet."""

import time
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import State
from hailuo_mcp.ledger.postgres import PostgresLedger
from tests.postgres import Postgres
from tests.support import KEYS, arguments_for, says, segmind, settings_for, wired

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

COMPLETED = says(200, {"status": "COMPLETED", "output": "https://cdn.example/clip.mp4"})


async def test_job_id_received_during_a_database_outage_is_returned_and_stored_later(
    own_postgres: Postgres, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    async def accept_and_stop(_: httpx.Request) -> httpx.Response:
        await anyio.to_thread.run_sync(own_postgres.stop)
        return httpx.Response(200, json={"request_id": "r-1"})

    with own_postgres.database() as url:
        settings = settings_for(tmp_path, **KEYS, HAILUO_MCP_DATABASE_URL=url, HAILUO_MCP_AUTO_DOWNLOAD="0")
        opened, wire = wired(settings, segmind(submit=accept_and_stop, status=COMPLETED))
        async with opened as session:
            started = time.monotonic()
            job = (await session.generate(arguments_for("segmind/hailuo-02-fast"))).job
            answered = time.monotonic() - started
            assert (job.state, job.remote_id) == (State.QUEUED, "r-1")
            with pytest.raises(InternalError) as refused:  # a duplicate cannot be ruled out now
                await session.generate(arguments_for("segmind/hailuo-02-fast"))
            assert refused.value.problem.charged == "no"
            known = await session.known(job.request_id)
            assert known
            assert known.remote_id == "r-1"
            await anyio.to_thread.run_sync(own_postgres.start)
            ledger = PostgresLedger(url)
            started = time.monotonic()
            with anyio.fail_after(60):
                while (stored := await ledger.get(job.id)) is None or not stored.remote_id:  # noqa: ASYNC110  another task stores it
                    await anyio.sleep(0.1)
            figures(f"answered after {answered:.1f} s, stored {time.monotonic() - started:.1f} s after the restart")
            await ledger.close()
            again = await session.generate(arguments_for("segmind/hailuo-02-fast"))
            assert (again.duplicate, again.job.remote_id) == (True, "r-1")
            assert (await session.status(job.request_id)).state is State.COMPLETED
        assert len(wire.posts) == 1
