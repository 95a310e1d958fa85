"""Servers that receive no calls save each finished clip once, and take over the jobs of a server that died."""

import asyncio
import threading
from collections.abc import Callable, Generator
from datetime import timedelta
from pathlib import Path

import pytest

from hailuo_mcp.core.job import Job, State
from tests.fault_injection.passing import let_pass, let_pass_in_postgres
from tests.fault_injection.stdio import clips_of, stdio_server
from tests.fault_injection.watched_gateway import Moment, WatchedGateway, clip_of, watched_gateway
from tests.ledger.shared import ledger_at
from tests.support import open_session, settings_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MODEL = "segmind/minimax-hailuo-2"


@pytest.fixture
def gateway(tmp_path: Path) -> Generator[WatchedGateway]:
    with watched_gateway(tmp_path / "gateway", seconds=1) as gateway:
        yield gateway


async def submit_jobs(gateway: WatchedGateway, home: Path, url: str, *prompts: str) -> None:
    """Submit jobs from a session that polls nothing and then closes."""
    settings = settings_for(home, **gateway.environment, HAILUO_MCP_AUTO_DOWNLOAD="0", HAILUO_MCP_DATABASE_URL=url)
    async with open_session(settings) as session:
        for prompt in prompts:
            await session.generate({"model": MODEL, "prompt": prompt})


async def jobs_in(url: str) -> tuple[Job, ...]:
    ledger = ledger_at(url)
    try:
        return (await ledger.page("", None, 100, frozenset({"none"}))).jobs
    finally:
        await ledger.close()


def is_finished(job: Job) -> bool:
    return bool(job.video_path) or job.state in (State.FAILED, State.EXPIRED)


async def wait_until_finished(url: str, seconds: float) -> float:
    """Wait until every job is saved or has ended without a clip. Returns how many seconds that took."""
    clock = asyncio.get_running_loop().time
    started = clock()
    async with asyncio.timeout(seconds):
        while not all(is_finished(job) for job in await jobs_in(url)):  # noqa: ASYNC110  another process does it
            await asyncio.sleep(0.2)
    return clock() - started


def all_clips_saved(gateway: WatchedGateway, home: Path) -> bool:
    saved = sorted(path.read_bytes() for path in clips_of(home).glob("*.mp4"))
    return saved == sorted(clip_of(job.id) for job in gateway.paid())


async def age(gateway: WatchedGateway, url: str, time: timedelta) -> None:
    gateway.let_pass(time)
    if url.startswith("sqlite:///"):
        let_pass(Path(url.removeprefix("sqlite:///")), time)
    else:
        await let_pass_in_postgres(url, time)


async def test_two_servers_without_calls_save_each_clip_once(
    gateway: WatchedGateway, tmp_path: Path, ledger_url: str, figures: Callable[[str], None]
) -> None:
    async with (
        stdio_server(tmp_path, **gateway.environment, HAILUO_MCP_DATABASE_URL=ledger_url) as one,
        stdio_server(tmp_path, **gateway.environment, HAILUO_MCP_DATABASE_URL=ledger_url) as other,
    ):
        await one.initialize()
        await other.initialize()
        for number in range(10):
            server = (one, other)[number % 2]
            await server.call("generate_video", model=MODEL, prompt=f"kite number {number}")
        took = await wait_until_finished(ledger_url, 60)
        await asyncio.sleep(2.5)  # another round of both servers, in which a second save would happen
    figures(f"10 clips saved {took:.0f} s after their submission by {sum(gateway.clip_requests.values())} downloads")
    assert all_clips_saved(gateway, tmp_path)
    assert set(gateway.clip_requests.values()) == {1}
    assert len(gateway.clip_requests) == 10


async def test_a_server_that_starts_after_jobs_have_finished_saves_them_at_once(
    gateway: WatchedGateway, tmp_path: Path, ledger_url: str, figures: Callable[[str], None]
) -> None:
    await submit_jobs(gateway, tmp_path, ledger_url, "a kite", "a boat", "a dog", "a cat", "a tree", "a hill")
    await age(gateway, ledger_url, timedelta(minutes=10))
    async with stdio_server(tmp_path, **gateway.environment, HAILUO_MCP_DATABASE_URL=ledger_url) as server:
        await server.initialize()
        took = await wait_until_finished(ledger_url, 15)
    figures(f"6 clips saved {took:.1f} s after the start")
    assert all_clips_saved(gateway, tmp_path)
    assert set(gateway.clip_requests.values()) == {1}


async def test_jobs_of_a_killed_server_are_saved_by_another_when_its_lease_expires(
    gateway: WatchedGateway, tmp_path: Path, ledger_url: str, figures: Callable[[str], None]
) -> None:
    await submit_jobs(gateway, tmp_path, ledger_url, "a kite", "a boat", "a dog", "a cat")
    await age(gateway, ledger_url, timedelta(minutes=10))
    loop, halfway, killed = asyncio.get_running_loop(), asyncio.Semaphore(0), threading.Event()

    async def hold(moment: Moment, _path: str) -> None:
        if moment is Moment.CLIP_HALF and not killed.is_set():
            loop.call_soon_threadsafe(halfway.release)
            await asyncio.to_thread(killed.wait, 20)

    gateway.on_moment = hold
    async with stdio_server(tmp_path, **gateway.environment, HAILUO_MCP_DATABASE_URL=ledger_url) as doomed:
        async with asyncio.timeout(15):
            for _ in range(4):
                await halfway.acquire()
        async with stdio_server(tmp_path, **gateway.environment, HAILUO_MCP_DATABASE_URL=ledger_url) as other:
            await other.initialize()
            doomed.kill()
            await doomed.wait_until_ended()
            killed.set()
            took = await wait_until_finished(ledger_url, 60)
    figures(f"4 clips saved {took:.0f} s after the kill")
    assert all_clips_saved(gateway, tmp_path)
    assert set(gateway.clip_requests.values()) == {2}


async def test_job_older_than_an_hour_is_saved_from_the_history_or_else_expires(
    gateway: WatchedGateway, tmp_path: Path, ledger_url: str, figures: Callable[[str], None]
) -> None:
    await submit_jobs(gateway, tmp_path, ledger_url, "a kite", "a boat sandbox:expire")
    await age(gateway, ledger_url, timedelta(hours=2))
    async with stdio_server(tmp_path, **gateway.environment, HAILUO_MCP_DATABASE_URL=ledger_url) as server:
        await server.initialize()
        took = await wait_until_finished(ledger_url, 15)
    states = {job.prompt: job.state for job in await jobs_in(ledger_url)}
    history_requests = gateway.moments[Moment.HISTORY_REQUESTED]
    figures(f"both ended {took:.1f} s after the start, with {history_requests} history requests")
    assert states == {"a kite": State.COMPLETED, "a boat sandbox:expire": State.EXPIRED}
    assert history_requests == 2
    (clip,) = clips_of(tmp_path).glob("*.mp4")
    assert clip.read_bytes() in [clip_of(job.id) for job in gateway.paid() if job.prompt == "a kite"]
