"""What a watcher does with the jobs that are due, over a scripted network."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import anyio
import httpx
import pytest

from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.ledger import Budget, SubmitPolicy
from hailuo_mcp.service.credentials import Accounts
from hailuo_mcp.service.poller import Tracker
from hailuo_mcp.service.session import Session
from hailuo_mcp.service.submission import first_poll_at
from hailuo_mcp.service.worker import AT_ONCE, LEASE, LOOK_EVERY_SECONDS, LOOK_SECONDS, SAVE_AGAIN, Watcher, next_look
from tests.support import KEYS, Answerer, Wire, settings_for, wired

MODEL, ORIGIN = "segmind/minimax-hailuo-2", "https://api.segmind.com"
CLIP = "https://clips.example/a.mp4"


def a_job(**fields: object) -> Job:
    values: dict[str, object] = {
        "model": MODEL,
        "origin": ORIGIN,
        "state": State.QUEUED,
        "created_at": utc_now() - timedelta(minutes=10),
        **fields,
    }
    return Job.model_validate(values)


def says_completed(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"status": "COMPLETED", "output": CLIP})


async def entered(session: Session, *jobs: Job) -> None:
    policy = SubmitPolicy(Budget(frozenset()), timedelta(0))
    for job in jobs:
        await session.ledger.create_if_absent(job, policy, first_poll_at(job))


@asynccontextmanager
async def watching(session: Session, *, save: bool = False) -> AsyncGenerator[None]:
    """A watcher over an open studio. In the end it is cut off like one whose process dies: it gives nothing back."""
    tracker = Tracker(Accounts(session.settings, session.gateways), session.ledger, session.clips)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Watcher(session.ledger, tracker, frozenset({ORIGIN}), save=save).run, tasks)
        async with asyncio.timeout(30):
            yield
        tasks.cancel_scope.cancel()


def a_studio(directory: Path, answer: Answerer, **variables: str) -> tuple[Session, Wire]:
    return wired(settings_for(directory, **KEYS, HAILUO_MCP_AUTO_DOWNLOAD="0", **variables), answer)


@asynccontextmanager
async def watched(directory: Path, answer: Answerer, *jobs: Job) -> AsyncGenerator[tuple[Session, Wire]]:
    session, wire = a_studio(directory, answer)
    async with session:
        await entered(session, *jobs)
        async with watching(session):
            yield session, wire


async def changed(session: Session, *, jobs: int) -> None:
    """Waits until so many jobs were changed."""
    keys: set[str] = set()
    enough = asyncio.Event()

    def note(key: str) -> None:
        keys.add(key)
        if len(keys) >= jobs:
            enough.set()

    session.ledger.on_change.append(note)
    await enough.wait()


async def test_a_look_that_takes_long_holds_up_no_other(tmp_path: Path) -> None:
    release = asyncio.Event()
    jobs = [a_job(remote_id=f"r-{n}") for n in range(2 * AT_ONCE)]

    async def answer(request: httpx.Request) -> httpx.Response:
        if "/r-0/" in f"{request.url.path}/":
            await release.wait()
        return says_completed(request)

    async with watched(tmp_path, answer, *jobs) as (session, _):
        await changed(session, jobs=2 * AT_ONCE - 1)
        first = await session.ledger.get(jobs[0].id)
        assert first
        assert first.state is State.QUEUED
        release.set()


async def test_no_more_than_a_few_jobs_are_looked_at_at_once(tmp_path: Path) -> None:
    release, full = asyncio.Event(), asyncio.Event()
    under_way: set[str] = set()
    most = 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal most
        under_way.add(request.url.path)
        most = max(most, len(under_way))
        if len(under_way) == AT_ONCE:
            full.set()
        await release.wait()
        under_way.discard(request.url.path)
        return says_completed(request)

    jobs = [a_job(remote_id=f"r-{n}") for n in range(2 * AT_ONCE)]
    async with watched(tmp_path, answer, *jobs) as (session, _):
        await full.wait()
        release.set()
        await changed(session, jobs=2 * AT_ONCE)
    assert most == AT_ONCE


async def test_the_longest_due_is_looked_at_first(tmp_path: Path) -> None:
    jobs = [a_job(remote_id=f"r-{n}", created_at=utc_now() - timedelta(minutes=n)) for n in (5, 9, 7)]
    async with watched(tmp_path, says_completed, *jobs) as (session, wire):
        await changed(session, jobs=3)
    assert [path.split("/r-")[1][0] for path in wire.asked[:3]] == ["9", "7", "5"]


async def test_where_clips_are_not_saved_a_settled_job_is_left_alone(tmp_path: Path) -> None:
    job = a_job(remote_id="r-1")
    async with watched(tmp_path, says_completed, job) as (session, wire):
        await changed(session, jobs=1)
    assert not list((tmp_path / "clips").glob("*"))
    assert all("clips.example" not in str(request.url) for request in wire.requests)


@pytest.mark.parametrize(
    ("fields", "saving", "only_asking"),
    [
        ({"state": State.COMPLETED, "video_url": CLIP}, SAVE_AGAIN, None),
        ({"state": State.COMPLETED, "video_url": CLIP, "video_path": "/clip"}, None, None),
        ({"state": State.COMPLETED}, SAVE_AGAIN, SAVE_AGAIN),  # its link is still to come
        ({"state": State.FAILED}, None, None),
        ({"state": State.EXPIRED}, None, None),
        ({"created_at": utc_now() - timedelta(days=8)}, None, None),
    ],
)
def test_a_watch_ends_where_nothing_is_left_to_see_or_to_save(
    fields: dict[str, object], saving: timedelta | None, only_asking: timedelta | None
) -> None:
    job = a_job(**fields)
    assert next_look(job) == saving
    assert next_look(job, save=False) == only_asking


# --- several watchers on one ledger ---------------------------------------------------------------------------------


async def test_several_watchers_never_look_at_a_job_at_the_same_time(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job is looked at again at once, for some rounds, by three watchers that do nothing else. There are more jobs
    than two of them have places for, and the first looks end once all three are at it."""
    monkeypatch.setattr("hailuo_mcp.service.worker.LOOK_EVERY_SECONDS", 0.01)

    def at_once(job: Job, *, save: bool) -> timedelta | None:
        return None if job.is_final else timedelta(0)

    monkeypatch.setattr("hailuo_mcp.service.worker.next_look", at_once)
    jobs, rounds = [a_job(remote_id=f"r-{n}") for n in range(2 * AT_ONCE + 8)], 3
    looks: Counter[str] = Counter()
    watchers: set[int] = set()
    all_at_it = asyncio.Event()
    under_way: set[str] = set()
    collisions: list[str] = []
    over = asyncio.Event()

    def as_watcher(number: int) -> Answerer:
        async def answer(request: httpx.Request) -> httpx.Response:
            path = request.url.path
            if not path.endswith("/status"):
                return says_completed(request)
            if path in under_way:
                collisions.append(path)
            under_way.add(path)
            looks[path] += 1
            watchers.add(number)
            if len(watchers) == 3:
                all_at_it.set()
            await all_at_it.wait()
            await asyncio.sleep(0.01)  # a gateway takes its time: whoever else looks now is seen
            under_way.discard(path)
            if looks.total() >= rounds * len(jobs):
                over.set()
            if looks[path] < rounds:
                return httpx.Response(200, json={"status": "PROCESSING"})
            return says_completed(request)

        return answer

    async with AsyncExitStack() as stack:
        studios = [a_studio(tmp_path, as_watcher(n), HAILUO_MCP_DATABASE_URL=url)[0] for n in range(3)]
        for session in studios:
            await stack.enter_async_context(session)
        await entered(studios[0], *jobs)
        for session in studios:
            await stack.enter_async_context(watching(session))
        await over.wait()
    assert not collisions
    assert set(looks.values()) == {rounds}


async def test_the_jobs_of_a_watcher_that_died_are_taken_over_when_its_lease_ends(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = timedelta(seconds=1)
    monkeypatch.setattr("hailuo_mcp.service.worker.LEASE", lease)
    monkeypatch.setattr("hailuo_mcp.service.worker.LOOK_EVERY_SECONDS", 0.05)
    asked = asyncio.Event()

    async def never(_: httpx.Request) -> httpx.Response:
        asked.set()
        return await asyncio.Future[httpx.Response]()

    doomed, _ = a_studio(tmp_path, never, HAILUO_MCP_DATABASE_URL=url)
    other, wire = a_studio(tmp_path, says_completed, HAILUO_MCP_DATABASE_URL=url)
    async with doomed, other:
        await entered(doomed, a_job(remote_id="r-1"))
        async with watching(doomed):
            await asked.wait()
            began = asyncio.get_running_loop().time()
        async with watching(other):
            assert not wire.requests
            await changed(other, jobs=1)
        took = asyncio.get_running_loop().time() - began
    assert took > lease.total_seconds() * 0.8


def test_a_dead_servers_jobs_are_taken_over_within_a_minute() -> None:
    assert LEASE + timedelta(seconds=LOOK_EVERY_SECONDS) < timedelta(minutes=1)
    assert timedelta(seconds=LOOK_SECONDS) < LEASE
