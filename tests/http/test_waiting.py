"""Waiting for a job: progress at a moderate rate, and a cancelled wait that ends the call but not the job."""

from itertools import pairwise
from pathlib import Path

import anyio
import httpx
import pytest
from mcp import Client

from hailuo_mcp.core.job import Job, State
from hailuo_mcp.service.poll_policy import PollPolicy
from tests.http.servers import SANDBOX, TRANSPORTS, over_http
from tests.support import KEYS, Era, arguments_for, facts_of, log_of, segmind, settings_for, wired

pytestmark = pytest.mark.slow

NEVER = {"prompt": "a kite sandbox:never", "model": "segmind/minimax-hailuo-2"}
FREED_WITHIN_SECONDS = 3.0


async def _submitted(client: Client) -> str:
    return facts_of(await client.call_tool("generate_video", NEVER))["request_id"]


@pytest.mark.parametrize(
    ("over", "era"),
    [("stdio", "legacy"), ("stdio", "auto"), ("http", "auto")],  # over HTTP, a legacy cancel finds no session
)
async def test_cancelled_wait_ends_its_call_and_the_job_continues(over: str, era: Era, tmp_path: Path) -> None:
    transport = TRANSPORTS[over]
    async with transport(tmp_path, **SANDBOX) as connect, connect(era) as client:
        request_id = await _submitted(client)

        async with anyio.create_task_group() as waiting:

            async def give_up(progress: float, total: float | None, message: str | None) -> None:
                waiting.cancel_scope.cancel()

            waiting.start_soon(_wait, client, request_id, give_up)

        with anyio.fail_after(FREED_WITHIN_SECONDS):  # still connected: only the cancellation ends the call
            while "get_status was cancelled" not in log_of(tmp_path).read_text():  # noqa: ASYNC110  another process
                await anyio.sleep(0.05)
        alive = facts_of(await client.call_tool("get_status", {"request_id": request_id}))
        assert alive["state"] in ("queued", "processing")
        jobs = facts_of(await client.call_tool("list_jobs"))["jobs"]
        assert [job["request_id"] for job in jobs] == [request_id]


async def _wait(client: Client, request_id: str, on_progress: object) -> None:
    arguments = {"request_id": request_id, "wait_seconds": 45}
    await client.call_tool("get_status", arguments, progress_callback=on_progress)  # pyright: ignore[reportArgumentType]


async def test_progress_has_a_moderate_rate_and_includes_state_seconds_and_estimate(tmp_path: Path) -> None:
    reports: list[tuple[float, float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        reports.append((anyio.current_time(), progress, total, message))

    async with over_http(tmp_path, **SANDBOX) as connect, connect() as client:
        arguments = {"request_id": await _submitted(client), "wait_seconds": 9}
        began = anyio.current_time()
        answer = facts_of(await client.call_tool("get_status", arguments, progress_callback=on_progress))
        ended = anyio.current_time()
    assert answer["state"] == "processing"
    times = [began, *(time for time, _, _, _ in reports), ended]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[0] < 1
    assert all(1.9 <= gap <= 8 for gap in gaps[1:-1])
    seconds = [progress for _, progress, _, _ in reports]
    assert seconds == sorted(set(seconds))
    assert all(total and total > progress for _, progress, total, _ in reports)
    assert all(
        message and "s" in message and message.split(",")[0] in ("queued", "processing") for _, _, _, message in reports
    )


async def test_slow_poll_does_not_stop_progress_reports(tmp_path: Path) -> None:
    reports: list[Job] = []
    enough = anyio.Event()

    async def report(job: Job) -> None:
        reports.append(job)
        if len(reports) == 5:
            enough.set()

    async def slow(_: httpx.Request) -> httpx.Response:
        await enough.wait()
        return httpx.Response(200, json={"status": "FAILED", "error": "no"})

    opened, _ = wired(settings_for(tmp_path, **KEYS), segmind(status=slow), poll_policy=PollPolicy(report_every=0.05))
    async with opened as session:
        job = (await session.generate(arguments_for("segmind/hailuo-02-fast"))).job
        with anyio.fail_after(10):
            ended = await session.status(job.request_id, 9, report)
    assert ended.state is State.FAILED
    assert {job.state for job in reports} == {State.QUEUED}


async def test_failed_progress_report_does_not_lose_the_result(tmp_path: Path) -> None:
    async def broken(_: Job) -> None:
        raise anyio.BrokenResourceError

    done = {"status": "COMPLETED", "output": "https://x.example/clip.mp4"}
    settings = settings_for(tmp_path, **KEYS, HAILUO_MCP_AUTO_DOWNLOAD="0")
    opened, _ = wired(settings, segmind(status=lambda _: httpx.Response(200, json=done)))
    async with opened as session:
        job = (await session.generate(arguments_for("segmind/hailuo-02-fast"))).job
        assert (await session.status(job.request_id, 9, broken)).state is State.COMPLETED
