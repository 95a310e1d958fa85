"""A soak test: many short jobs on one server, with clients that connect and leave, subscribe, and cancel calls. At the
end the server holds no more memory, tasks, files and sockets than early on.

    HAILUO_MCP_LOAD_SHARE=1 uv run pytest tests/load/test_soak.py -m slow -n 0 --timeout 1200

"""

import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx2
import psutil
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.load.processes import Process, free_ports
from tests.load.size import share
from tests.support import Era, environment, facts_of

SECONDS = 600
CLIENTS, JOBS_EACH = 4, 5
JOB_SECONDS = 0.2
MODEL = "aimlapi/hailuo-02"
SAMPLE_EVERY_SECONDS = 0.5
QUIET_WITHIN_SECONDS = 30.0
"""Idle connections are closed within this time."""
ONCE = Counter(["_shutdown_watcher"])
"""The library that sends streams begins one such task with its first stream, for all of them."""
RSS_GROWTH_MAX = 1.05
FILES_MORE_MAX = 3
"""The database and the pool of a gateway may hold a few more than at the beginning."""

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(SECONDS * share() + 200)]


@dataclass(frozen=True, slots=True)
class Held:
    """What a server holds at one moment. It can be briefly more, while the server checks which jobs are due."""

    tasks: Counter[str]
    """By the names of what they run."""
    files: int
    """Sockets among them."""
    connections: int

    def __str__(self) -> str:
        return f"{self.tasks.total()} tasks, {self.files} files, {self.connections} connections"

    def is_within(self, other: "Held") -> bool:
        return (
            not self.tasks - other.tasks - ONCE
            and self.files <= other.files + FILES_MORE_MAX
            and self.connections <= other.connections + FILES_MORE_MAX
        )


@dataclass(slots=True)
class Watched:
    """A server, observed from outside."""

    process: psutil.Process
    tasks_file: Path
    rss: list[float] = field(default_factory=list[float])
    """MiB, all along."""

    @property
    def held(self) -> Held:
        tasks = Counter(self.tasks_file.read_text().splitlines())
        return Held(tasks, self.process.num_fds(), len(self.process.net_connections("inet")))

    async def sample(self) -> None:
        while True:
            self.rss.append(self.process.memory_info().rss / 2**20)
            await anyio.sleep(SAMPLE_EVERY_SECONDS)


async def test_many_short_jobs_leak_no_tasks_sockets_or_memory(tmp_path: Path, figures: Callable[[str], None]) -> None:
    port, at_sandbox = free_ports(2)
    tasks_file = tmp_path / "tasks"
    environ = {
        **os.environ,
        **environment(
            tmp_path,
            HAILUO_TEST_TASKS=str(tasks_file),
            HAILUO_MCP_LOG_LEVEL="WARNING",
            AIMLAPI_BASE_URL=f"http://127.0.0.1:{at_sandbox}",
            AIMLAPI_API_KEY="sk-aimlapi",
        ),
    }
    state = ("--seconds", str(JOB_SECONDS), "--state-dir", str(tmp_path / "sandbox"))
    counted = (sys.executable, "-m", "tests.load.counted_server", str(port))
    met: Counter[str] = Counter()
    async with (
        Process(("sandbox", "--port", str(at_sandbox), *state), environ, tmp_path / "sandbox.log"),
        Process((), environ, tmp_path / "log", command=counted) as server,
    ):
        watched = Watched(psutil.Process(server.pid), tasks_file)
        url = f"http://127.0.0.1:{port}/mcp"
        await _rounds(url, met, 10.0)  # what is loaded once is loaded now
        before = await _quiet(watched, None)
        async with anyio.create_task_group() as sampling:
            sampling.start_soon(watched.sample)
            await _rounds(url, met, SECONDS * share())
            sampling.cancel_scope.cancel()
        after = await _quiet(watched, before)
    quarter = len(watched.rss) // 4
    early, late = (statistics.median(part) for part in (watched.rss[quarter : 2 * quarter], watched.rss[-quarter:]))
    figures(
        f"{SECONDS * share():.0f} s, {met['jobs']} jobs, {met['clients']} clients, {met['streams']} streams,"
        f" {met['given up']} waits given up\nRSS {early:.1f} MiB in the second quarter, {late:.1f} in the last"
        f" ({late / early - 1:+.1%})\nat rest {before} before, {after} after"
    )
    assert met["jobs"] > 100 * share()
    assert met["streams"]
    assert met["given up"]
    assert late <= early * RSS_GROWTH_MAX
    assert after.is_within(before), f"more: {after.tasks - before.tasks}"


async def _quiet(watched: Watched, before: Held | None) -> Held:
    """The least that the server holds while idle; returns once that is no more than before, or when time is up."""
    least = watched.held
    with anyio.move_on_after(QUIET_WITHIN_SECONDS if before else 8.0):
        while before is None or not least.is_within(before):
            await anyio.sleep(SAMPLE_EVERY_SECONDS)
            least = min(least, watched.held, key=lambda held: (held.tasks.total(), held.connections, held.files))
    return least


async def _rounds(url: str, met: Counter[str], seconds: float) -> None:
    ends = time.monotonic() + seconds

    async def comers(number: int) -> None:
        turn = 0
        while time.monotonic() < ends:
            turn += 1
            await _visit(url, met, f"{seconds}-{number}-{turn}", "legacy" if turn % 4 == 0 else "auto")

    async with anyio.create_task_group() as tasks:
        for number in range(CLIENTS):
            tasks.start_soon(comers, number)


async def _visit(url: str, met: Counter[str], name: str, era: Era) -> None:
    """One client: some jobs to their ends, a wait that it cancels, a subscription; then it disconnects."""
    met["clients"] += 1
    async with (
        httpx2.AsyncClient(timeout=60) as web,
        Client(streamable_http_client(url, http_client=web), mode=era) as client,
        anyio.create_task_group() as tasks,
    ):
        if era != "legacy":
            tasks.start_soon(_listen, client, met)
        async with anyio.create_task_group() as jobs:
            for number in range(JOBS_EACH):
                jobs.start_soon(_job, client, met, f"{name}-{number}")
            jobs.start_soon(_give_up, client, met, name)
        tasks.cancel_scope.cancel()


async def _job(client: Client, met: Counter[str], name: str) -> None:
    job = facts_of(await client.call_tool("generate_video", {"prompt": f"a kite {name}", "model": MODEL}))
    while job.get("state") in ("queued", "processing"):
        job = facts_of(await client.call_tool("get_status", {"request_id": job["request_id"], "wait_seconds": 10}))
    assert job.get("video_url"), job
    met["jobs"] += 1


async def _give_up(client: Client, met: Counter[str], name: str) -> None:
    """A wait that is cancelled; and a job that fails."""
    prompt = f"a kite {name} sandbox:slow"
    job = facts_of(await client.call_tool("generate_video", {"prompt": prompt, "model": MODEL}))
    with anyio.move_on_after(JOB_SECONDS):
        await client.call_tool("get_status", {"request_id": job["request_id"], "wait_seconds": 10})
    met["given up"] += 1
    failing = {"prompt": f"a kite {name} sandbox:fail", "model": MODEL}
    job = facts_of(await client.call_tool("generate_video", failing))
    await client.call_tool("get_status", {"request_id": job["request_id"], "wait_seconds": 2})


async def _listen(client: Client, met: Counter[str]) -> None:
    with suppress(MCPError):
        async with client.listen(resource_subscriptions=["hailuo://jobs"]) as events:
            met["streams"] += 1
            async for _ in events:
                met["news"] += 1
