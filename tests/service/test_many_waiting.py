"""Several calls that wait for one job: the one that has waited longest polls, and the result is shared."""

from collections.abc import Awaitable
from pathlib import Path

import anyio
import httpx
import pytest

from hailuo_mcp.core.errors import HailuoError, Unauthorized
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.service.poll_policy import PollPolicy
from tests.service.polled_jobs import CLIP, COMPLETED, PROCESSING, QUIET, Held, submitted
from tests.support import Answerer, Opened, Wire, says, segmind, settings_for, wired

CALLERS = 5
SLOW_POLLS = PollPolicy(early=(), every=0.3)
DOWN = says(503, {"error": "down"})


def followed(directory: Path, status: Answerer) -> tuple[Opened, Wire]:
    settings = settings_for(directory, **QUIET, HAILUO_MCP_MIN_POLL_SECONDS="0.3")
    return wired(settings, segmind(status=status), poll_policy=SLOW_POLLS)


async def test_all_waiting_calls_get_the_result_of_one_poll(tmp_path: Path) -> None:
    answers: list[Job] = []
    held = Held(200, {"status": "COMPLETED", "output": CLIP})
    opened, wire = followed(tmp_path, held)
    async with opened as session:
        job = await submitted(session)

        async def wait() -> None:
            answers.append(await session.status(job.request_id, 45))

        async with anyio.create_task_group() as callers:
            for _ in range(CALLERS):
                callers.start_soon(wait)
            await held.requested.wait()
            await anyio.wait_all_tasks_blocked()
            held.released.set()
    assert [answer.state for answer in answers] == [State.COMPLETED] * CALLERS
    assert len({id(answer) for answer in answers}) == 1  # one answer for all, not one read from the ledger for each
    assert wire.requested.count("GET /v2/requests/r-1/status") == 1


async def test_next_call_polls_when_the_polling_call_is_cancelled(tmp_path: Path) -> None:
    ended, first_asked = False, anyio.Event()
    states: list[State] = []

    def status(request: httpx.Request) -> httpx.Response | Awaitable[httpx.Response]:
        first_asked.set()
        return (COMPLETED if ended else PROCESSING)(request)

    opened, _ = followed(tmp_path, status)
    async with opened as session:
        job = await submitted(session)

        async def wait() -> None:
            states.append((await session.status(job.request_id, 45)).state)

        async with anyio.create_task_group() as callers, anyio.create_task_group() as first:
            first.start_soon(session.status, job.request_id, 45)
            await first_asked.wait()
            for _ in range(CALLERS):
                callers.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            first.cancel_scope.cancel()
            ended = True
    assert states == [State.COMPLETED] * CALLERS


async def test_each_call_returns_the_shared_state_at_the_end_of_its_own_wait(tmp_path: Path) -> None:
    answers: dict[float, Job] = {}
    opened, _ = followed(tmp_path, PROCESSING)
    async with opened as session:
        job = await submitted(session)

        async def wait(seconds: float) -> None:
            answers[seconds] = await session.status(job.request_id, seconds)

        began = anyio.current_time()
        async with anyio.create_task_group() as callers:
            for seconds in (2.0, 0.5, 1.0):
                callers.start_soon(wait, seconds)
        assert 1.9 < anyio.current_time() - began < 10
    assert list(answers) == [0.5, 1.0, 2.0]
    assert {answer.state for answer in answers.values()} == {State.PROCESSING}


async def test_refused_key_ends_all_waits_after_one_poll(tmp_path: Path) -> None:
    errors: list[HailuoError] = []
    held = Held(401, {"error": "invalid key"})
    opened, wire = followed(tmp_path, held)
    async with opened as session:
        job = await submitted(session)

        async def wait() -> None:
            with pytest.raises(Unauthorized) as caught:
                await session.status(job.request_id, 45)
            errors.append(caught.value)

        with anyio.fail_after(20):
            async with anyio.create_task_group() as callers:
                for _ in range(CALLERS):
                    callers.start_soon(wait)
                await held.requested.wait()
                await anyio.wait_all_tasks_blocked()
                held.released.set()
    assert len(errors) == CALLERS
    assert wire.requested.count("GET /v2/requests/r-1/status") == 1


async def test_transient_error_is_raised_only_in_calls_whose_wait_is_over(tmp_path: Path) -> None:
    down = True
    outcomes: dict[float, str] = {}

    def status(request: httpx.Request) -> httpx.Response | Awaitable[httpx.Response]:
        return (DOWN if down else COMPLETED)(request)

    opened, _ = followed(tmp_path, status)
    async with opened as session:
        job = await submitted(session)

        async def wait(seconds: float) -> None:
            nonlocal down
            try:
                outcomes[seconds] = (await session.status(job.request_id, seconds)).state.value
            except HailuoError as error:
                outcomes[seconds] = error.problem.code
                down = False

        with anyio.fail_after(30):
            async with anyio.create_task_group() as callers:
                for seconds in (45.0, 1.0):
                    callers.start_soon(wait, seconds)
    assert outcomes == {1.0: "gateway_error", 45.0: "completed"}
