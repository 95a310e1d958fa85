"""Waiting for a job: several callers at once, waits that end early or run out, and polls too soon."""

from datetime import timedelta
from pathlib import Path

import anyio
import httpx

from hailuo_mcp.core.job import Job, State
from tests.service.polled_jobs import CLIP, COMPLETED, PROCESSING, QUIET, Held, submitted
from tests.support import Turns, age, says, segmind, settings_for, wired


async def test_simultaneous_status_calls_for_one_job_share_one_request(tmp_path: Path) -> None:
    answers: list[State] = []
    held = Held(200, {"status": "PROCESSING"})
    # A later call gets the same result.
    settings = settings_for(tmp_path, **QUIET, HAILUO_MCP_MIN_POLL_SECONDS="60")
    opened, wire = wired(settings, segmind(status=held))

    async def ask(job: Job) -> None:
        answers.append((await session.status(job.request_id)).state)

    async with opened as session:
        job = await submitted(session)
        async with anyio.create_task_group() as calls:
            for _ in range(5):
                calls.start_soon(ask, job)
            await held.requested.wait()
            await anyio.wait_all_tasks_blocked()
            held.released.set()
        assert answers == [State.PROCESSING] * 5
        assert wire.requested.count("GET /v2/requests/r-1/status") == 1


async def test_cancelled_wait_does_not_affect_the_job(tmp_path: Path) -> None:
    held = Held(200, {"status": "COMPLETED", "output": CLIP})
    opened, wire = wired(settings_for(tmp_path, **QUIET), segmind(status=held))
    async with opened as session:
        job = await submitted(session)
        async with anyio.create_task_group() as calls:
            calls.start_soon(session.status, job.request_id, 45)
            await held.requested.wait()
            calls.cancel_scope.cancel()
        held.released.set()
        assert (await session.status(job.request_id)).state is State.COMPLETED
        assert len(wire.posts) == 1


async def test_wait_ends_with_the_job_and_reports_progress(tmp_path: Path) -> None:
    status = Turns(says(200, {"status": "QUEUED"}), PROCESSING, COMPLETED)
    opened, _ = wired(settings_for(tmp_path, **QUIET), segmind(status=status))
    reports: list[State] = []

    async def report(job: Job) -> None:
        reports.append(job.state)

    async with opened as session:
        job = await session.status((await submitted(session)).request_id, 45, report)
        assert (job.state, reports) == (State.COMPLETED, [State.QUEUED, State.PROCESSING])


async def test_wait_that_times_out_is_a_normal_result_even_if_the_gateway_is_silent(tmp_path: Path) -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    opened, wire = wired(settings_for(tmp_path, **QUIET), segmind(status=PROCESSING))
    async with opened as session:
        job = await submitted(session)
        assert (await session.status(job.request_id, 0.1)).state is State.PROCESSING
        wire.answer = segmind(status=never)
        with anyio.fail_after(5):
            assert (await session.status(job.request_id, 0.1)).state is State.PROCESSING


async def test_call_too_soon_after_a_poll_is_answered_from_that_poll(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET, HAILUO_MCP_MIN_POLL_SECONDS="60"), segmind(status=PROCESSING))
    async with opened as session:
        job = await submitted(session)
        for _ in range(3):
            assert (await session.status(job.request_id)).state is State.PROCESSING
        assert len(wire.requests) == 2
        await age(session, job, timedelta(seconds=61))
        await session.status(job.request_id)
        assert len(wire.requests) == 3


async def test_corrected_clock_does_not_block_polls(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET, HAILUO_MCP_MIN_POLL_SECONDS="60"), segmind(status=PROCESSING))
    async with opened as session:
        job = await submitted(session)
        await session.status(job.request_id)
        await age(session, job, timedelta(hours=-5))
        wire.answer = segmind(status=COMPLETED)
        assert (await session.status(job.request_id)).state is State.COMPLETED
