"""What the worker does with the jobs that are due, over a scripted network."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest

from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.ledger import Budget, SubmitPolicy
from hailuo_mcp.service.poll_policy import POLICY, PollPolicy
from hailuo_mcp.service.session import Session
from hailuo_mcp.service.worker import Worker, WorkerLimits
from tests.support import KEYS, Answerer, Opened, Wire, settings_for, wired

AT_ONCE = WorkerLimits().at_once
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


async def record_jobs(session: Session, *jobs: Job) -> None:
    policy = SubmitPolicy(Budget(frozenset()), timedelta(0))
    for job in jobs:
        await session.ledger.create_if_absent(job, policy, POLICY.first_poll_at(job))


@asynccontextmanager
async def running_worker(
    session: Session, *, policy: PollPolicy = POLICY, limits: WorkerLimits | None = None
) -> AsyncGenerator[None]:
    """A worker that saves no clips. At the end it is cancelled without releasing its leases, as if its process died."""
    services = session.services
    worker = Worker(services.ledger, services.poller, frozenset({ORIGIN}), policy, save=False, limits=limits)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(worker.run)
        async with asyncio.timeout(30):
            yield
        tasks.cancel_scope.cancel()


def a_session(directory: Path, answer: Answerer, **variables: str) -> tuple[Opened, Wire]:
    return wired(settings_for(directory, **KEYS, HAILUO_MCP_AUTO_DOWNLOAD="0", **variables), answer)


@asynccontextmanager
async def session_with_worker(directory: Path, answer: Answerer, *jobs: Job) -> AsyncGenerator[tuple[Session, Wire]]:
    opened, wire = a_session(directory, answer)
    async with opened as session:
        await record_jobs(session, *jobs)
        async with running_worker(session):
            yield session, wire


async def wait_for_changes(session: Session, *, jobs: int) -> None:
    """Wait until this many jobs have changed."""
    job_ids: set[str] = set()
    enough = asyncio.Event()

    def on_change(job_id: str) -> None:
        job_ids.add(job_id)
        if len(job_ids) >= jobs:
            enough.set()

    session.ledger.on_change.append(on_change)
    await enough.wait()


async def test_slow_poll_does_not_delay_other_jobs(tmp_path: Path) -> None:
    release = asyncio.Event()
    jobs = [a_job(remote_id=f"r-{n}") for n in range(2 * AT_ONCE)]

    async def answer(request: httpx.Request) -> httpx.Response:
        if "/r-0/" in f"{request.url.path}/":
            await release.wait()
        return says_completed(request)

    async with session_with_worker(tmp_path, answer, *jobs) as (session, _):
        await wait_for_changes(session, jobs=2 * AT_ONCE - 1)
        first = await session.ledger.get(jobs[0].id)
        assert first
        assert first.state is State.QUEUED
        release.set()


async def test_number_of_simultaneous_polls_is_limited(tmp_path: Path) -> None:
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
    async with session_with_worker(tmp_path, answer, *jobs) as (session, _):
        await full.wait()
        release.set()
        await wait_for_changes(session, jobs=2 * AT_ONCE)
    assert most == AT_ONCE


async def test_longest_due_job_is_polled_first(tmp_path: Path) -> None:
    jobs = [a_job(remote_id=f"r-{n}", created_at=utc_now() - timedelta(minutes=n)) for n in (5, 9, 7)]
    async with session_with_worker(tmp_path, says_completed, *jobs) as (session, wire):
        await wait_for_changes(session, jobs=3)
    polls = [path for path in wire.requested if path.endswith("/status")]
    assert [path.split("/r-")[1][0] for path in polls] == ["9", "7", "5"]


async def test_final_job_is_left_alone_if_clips_are_not_saved(tmp_path: Path) -> None:
    job = a_job(remote_id="r-1")
    async with session_with_worker(tmp_path, says_completed, job) as (session, wire):
        await wait_for_changes(session, jobs=1)
    assert not list((tmp_path / "clips").glob("*"))
    assert all("clips.example" not in str(request.url) for request in wire.requests)


@pytest.mark.parametrize(
    ("fields", "saving", "only_asking"),
    [
        ({"state": State.COMPLETED, "video_url": CLIP}, POLICY.save_again, None),
        ({"state": State.COMPLETED, "video_url": CLIP, "video_path": "/clip"}, None, None),
        # Its link is still missing.
        ({"state": State.COMPLETED, "ended_at": utc_now() - timedelta(hours=1)}, POLICY.longest, POLICY.longest),
        ({"state": State.FAILED}, None, None),
        ({"state": State.EXPIRED}, None, None),
        ({"created_at": utc_now() - timedelta(days=8), "polls": POLICY.polls_min}, None, None),
        # The clock was changed: no job is given up because of its age alone.
        ({"created_at": utc_now() - timedelta(days=8), "polls": 9}, POLICY.longest, POLICY.longest),
    ],
)
def test_background_polling_ends_when_nothing_is_left_to_poll_or_save(
    fields: dict[str, object], saving: timedelta | None, only_asking: timedelta | None
) -> None:
    job = a_job(**fields)
    assert POLICY.in_background(job, utc_now()) == saving
    assert POLICY.in_background(job, utc_now(), save=False) == only_asking


class ImmediatePolls(PollPolicy):
    """Polls again without a pause."""

    def in_background(self, job: Job, now: datetime, *, save: bool = True) -> timedelta | None:
        return None if job.is_final else timedelta(0)


# --- several workers on one ledger ---------------------------------------------------------------------------------


async def test_several_workers_never_poll_the_same_job_simultaneously(tmp_path: Path, ledger_url: str) -> None:
    """Each job is polled again immediately, for some rounds, by three workers. There are more jobs than two workers can
    take, and the first polls end once all three are busy."""
    jobs, rounds = [a_job(remote_id=f"r-{n}") for n in range(2 * AT_ONCE + 8)], 3
    polls_by_path: Counter[str] = Counter()
    workers: set[int] = set()
    all_busy = asyncio.Event()
    under_way: set[str] = set()
    collisions: list[str] = []
    done = asyncio.Event()

    def as_worker(number: int) -> Answerer:
        async def answer(request: httpx.Request) -> httpx.Response:
            path = request.url.path
            if not path.endswith("/status"):
                return says_completed(request)
            if path in under_way:
                collisions.append(path)
            under_way.add(path)
            polls_by_path[path] += 1
            workers.add(number)
            if len(workers) == 3:
                all_busy.set()
            await all_busy.wait()
            await asyncio.sleep(0.01)  # a gateway takes its time: a concurrent poll would be noticed
            under_way.discard(path)
            if polls_by_path.total() >= rounds * len(jobs):
                done.set()
            if polls_by_path[path] < rounds:
                return httpx.Response(200, json={"status": "PROCESSING"})
            return says_completed(request)

        return answer

    async with AsyncExitStack() as stack:
        opened = [a_session(tmp_path, as_worker(n), HAILUO_MCP_DATABASE_URL=ledger_url)[0] for n in range(3)]
        sessions = [await stack.enter_async_context(session) for session in opened]
        await record_jobs(sessions[0], *jobs)
        for session in sessions:
            await stack.enter_async_context(
                running_worker(session, policy=ImmediatePolls(), limits=WorkerLimits(idle_seconds=0.01))
            )
        await done.wait()
    assert not collisions
    assert set(polls_by_path.values()) == {rounds}


async def test_jobs_of_a_dead_worker_are_taken_over_when_its_lease_ends(tmp_path: Path, ledger_url: str) -> None:
    lease = timedelta(seconds=1)
    limits = WorkerLimits(lease=lease, idle_seconds=0.05)
    polled = asyncio.Event()

    async def never(_: httpx.Request) -> httpx.Response:
        polled.set()
        return await asyncio.Future[httpx.Response]()

    first, _ = a_session(tmp_path, never, HAILUO_MCP_DATABASE_URL=ledger_url)
    second, wire = a_session(tmp_path, says_completed, HAILUO_MCP_DATABASE_URL=ledger_url)
    async with first as doomed, second as other:
        await record_jobs(doomed, a_job(remote_id="r-1"))
        async with running_worker(doomed, limits=limits):
            await polled.wait()
            began = asyncio.get_running_loop().time()
        async with running_worker(other, limits=limits):
            assert not wire.requests
            await wait_for_changes(other, jobs=1)
        took = asyncio.get_running_loop().time() - began
    assert took > lease.total_seconds() * 0.8


def test_jobs_of_a_dead_server_are_taken_over_within_a_minute() -> None:
    limits = WorkerLimits()
    assert limits.lease + timedelta(seconds=limits.idle_seconds) < timedelta(minutes=1)
    assert timedelta(seconds=limits.step_seconds) < limits.lease
