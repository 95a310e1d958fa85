"""download_video on a clip that takes longer than a caller can wait. The clip's host is a real server on loopback."""

import asyncio
import time
from pathlib import Path

import anyio
import pytest
from mcp import Client

from hailuo_mcp.core.errors import GatewayTimeout
from hailuo_mcp.core.request_id import RequestId
from hailuo_mcp.mcp.server import build_server
from tests.media.remote_server import Step, ranged
from tests.service.clip_hosts import CLIP, finished
from tests.support import facts_of, text_of

HALF = len(CLIP) // 2


def stalls(until: anyio.Event) -> Step:
    """Half of the clip, then silence until the event, then the rest."""

    async def step(head: str, writer: asyncio.StreamWriter) -> None:
        await ranged(CLIP, cut_after=HALF)(head, writer)
        await until.wait()
        writer.write(CLIP[HALF:])

    return step


async def test_slow_download_reports_its_progress_and_continues(tmp_path: Path) -> None:
    released = anyio.Event()
    async with finished(tmp_path, stalls(released)) as (session, job, _, remote):
        first = await session.download_within(job.request_id, 1)
        assert (first.path, first.received, first.total) == (None, HALF, len(CLIP))
        released.set()
        await anyio.sleep(0.5)  # saved without a call
        known = await session.known(job.request_id)
        assert known
        assert known.video_path
        again = await session.download_within(job.request_id, 5)
        assert again.path
        assert again.path.read_bytes() == CLIP
        assert len(remote.heads) == 1


async def test_calls_during_a_download_share_it(tmp_path: Path) -> None:
    released = anyio.Event()
    async with finished(tmp_path, stalls(released)) as (session, job, _, remote):
        for _ in range(3):
            assert (await session.download_within(job.request_id, 0.1)).path is None
        assert len(remote.heads) == 1
        released.set()


async def test_progress_is_reported_in_bytes_and_never_decreases(tmp_path: Path) -> None:
    reports: list[tuple[int, int | None]] = []

    async def report(received: int, total: int | None) -> None:
        reports.append((received, total))
        raise RuntimeError("the caller is gone")

    released = anyio.Event()
    async with finished(tmp_path, stalls(released)) as (session, job, _, _):
        await session.download_within(job.request_id, 0.5)
        assert (await session.download_within(job.request_id, 0.3, report)).path is None
        assert reports == [(HALF, len(CLIP))]
        released.set()


async def test_slow_gateway_times_out_for_an_unknown_job(tmp_path: Path) -> None:
    async with finished(tmp_path, ranged(CLIP)) as (session, job, wire, _):

        async def silent(_: object) -> None:
            await anyio.sleep_forever()

        wire.answer = silent  # pyright: ignore[reportAttributeAccessIssue]  it never responds
        unknown = f"{RequestId.parse(job.request_id).model}/not-in-the-ledger"
        with pytest.raises(GatewayTimeout):
            await session.download_within(unknown, 0.2)


@pytest.mark.slow
async def test_the_tool_answers_within_thirty_seconds_with_the_next_step_and_progress(tmp_path: Path) -> None:
    released = anyio.Event()
    reports: list[tuple[float, float | None, str | None]] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        reports.append((progress, total, message))

    async def silent_until_released(head: str, writer: asyncio.StreamWriter) -> None:
        if "range: bytes" in head.lower():  # it reconnected, and gets no more data
            await released.wait()
            await ranged(CLIP)(head, writer)
        else:
            await stalls(released)(head, writer)

    async with finished(tmp_path, silent_until_released) as (session, job, _, _):
        server = build_server(session.services, "0")
        async with Client(server) as client:
            began = time.monotonic()
            arguments = {"request_id": job.request_id}
            result = await client.call_tool("download_video", arguments, progress_callback=report)
            assert time.monotonic() - began < 28
            assert not result.is_error
            facts = facts_of(result)
            assert (facts.get("video_path"), facts["bytes"], facts["total"]) == (None, HALF, len(CLIP))
            assert "Call download_video" in facts["next_step"]
            assert f"{HALF / 1e6:.1f} of {len(CLIP) / 1e6:.1f} MB so far" in text_of(result)
            assert reports
            assert reports[-1][:2] == (HALF, len(CLIP))
            released.set()
            saved = facts_of(await client.call_tool("download_video", arguments))
            assert Path(saved["video_path"]).read_bytes() == CLIP
