"""A soak test: many short jobs on one server, with clients that connect and leave, subscribe, and cancel calls. At the
end the server uses no more memory, tasks, files and sockets than at the beginning.

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
IDLE_WITHIN_SECONDS = 30.0
"""Idle connections are closed within this time."""
ONCE = Counter(["_shutdown_watcher"])
"""The streaming library starts one such task with its first stream, for all streams."""
RSS_GROWTH_MAX = 1.05
FILES_MORE_MAX = 3
"""The database and a gateway's connection pool may use a few more than at the beginning."""

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(SECONDS * share() + 200)]


@dataclass(frozen=True, slots=True)
class Resources:
    """What a server uses at one moment. This can briefly be more, while the server checks which jobs are due."""

    tasks: Counter[str]
    """By the name of the coroutine."""
    files: int
    """Including sockets."""
    connections: int

    def __str__(self) -> str:
        return f"{self.tasks.total()} tasks, {self.files} files, {self.connections} connections"

    def is_within(self, other: "Resources") -> bool:
        return (
            not self.tasks - other.tasks - ONCE
            and self.files <= other.files + FILES_MORE_MAX
            and self.connections <= other.connections + FILES_MORE_MAX
        )


@dataclass(slots=True)
class ObservedServer:
    """A server, observed from outside."""

    process: psutil.Process
    tasks_file: Path
    rss: list[float] = field(default_factory=list[float])
    """In MiB, over the whole test."""

    @property
    def resources(self) -> Resources:
        tasks = Counter(self.tasks_file.read_text().splitlines())
        return Resources(tasks, self.process.num_fds(), len(self.process.net_connections("inet")))

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
    counts: Counter[str] = Counter()
    async with (
        Process(("sandbox", "--port", str(at_sandbox), *state), environ, tmp_path / "sandbox.log"),
        Process((), environ, tmp_path / "log", command=counted) as server,
    ):
        observed = ObservedServer(psutil.Process(server.pid), tasks_file)
        url = f"http://127.0.0.1:{port}/mcp"
        await _rounds(url, counts, 10.0)  # everything that is loaded once is loaded after this
        before = await _when_idle(observed, None)
        async with anyio.create_task_group() as sampling:
            sampling.start_soon(observed.sample)
            await _rounds(url, counts, SECONDS * share())
            sampling.cancel_scope.cancel()
        after = await _when_idle(observed, before)
    quarter = len(observed.rss) // 4
    early, late = (statistics.median(part) for part in (observed.rss[quarter : 2 * quarter], observed.rss[-quarter:]))
    figures(
        f"{SECONDS * share():.0f} s, {counts['jobs']} jobs, {counts['clients']} clients, {counts['streams']} streams,"
        f" {counts['given up']} waits given up\nRSS {early:.1f} MiB in the second quarter, {late:.1f} in the last"
        f" ({late / early - 1:+.1%})\nat rest {before} before, {after} after"
    )
    assert counts["jobs"] > 100 * share()
    assert counts["streams"]
    assert counts["given up"]
    assert late <= early * RSS_GROWTH_MAX
    assert after.is_within(before), f"more: {after.tasks - before.tasks}"


async def _when_idle(observed: ObservedServer, before: Resources | None) -> Resources:
    """The least that the server uses while idle; returns once that is within `before`, or when time is up."""
    least = observed.resources
    with anyio.move_on_after(IDLE_WITHIN_SECONDS if before else 8.0):
        while before is None or not least.is_within(before):
            await anyio.sleep(SAMPLE_EVERY_SECONDS)
            least = min(
                least,
                observed.resources,
                key=lambda resources: (resources.tasks.total(), resources.connections, resources.files),
            )
    return least


async def _rounds(url: str, counts: Counter[str], seconds: float) -> None:
    ends = time.monotonic() + seconds

    async def visitors(number: int) -> None:
        turn = 0
        while time.monotonic() < ends:
            turn += 1
            await _visit(url, counts, f"{seconds}-{number}-{turn}", "legacy" if turn % 4 == 0 else "auto")

    async with anyio.create_task_group() as tasks:
        for number in range(CLIENTS):
            tasks.start_soon(visitors, number)


async def _visit(url: str, counts: Counter[str], name: str, era: Era) -> None:
    """One client: some jobs to their ends, a wait that it cancels, a subscription; then it disconnects."""
    counts["clients"] += 1
    async with (
        httpx2.AsyncClient(timeout=60) as web,
        Client(streamable_http_client(url, http_client=web), mode=era) as client,
        anyio.create_task_group() as tasks,
    ):
        if era != "legacy":
            tasks.start_soon(_listen, client, counts)
        async with anyio.create_task_group() as jobs:
            for number in range(JOBS_EACH):
                jobs.start_soon(_job, client, counts, f"{name}-{number}")
            jobs.start_soon(_give_up, client, counts, name)
        tasks.cancel_scope.cancel()


async def _job(client: Client, counts: Counter[str], name: str) -> None:
    job = facts_of(await client.call_tool("generate_video", {"prompt": f"a kite {name}", "model": MODEL}))
    while job.get("state") in ("queued", "processing"):
        job = facts_of(await client.call_tool("get_status", {"request_id": job["request_id"], "wait_seconds": 10}))
    assert job.get("video_url"), job
    counts["jobs"] += 1


async def _give_up(client: Client, counts: Counter[str], name: str) -> None:
    """A wait that is cancelled; and a job that fails."""
    prompt = f"a kite {name} sandbox:slow"
    job = facts_of(await client.call_tool("generate_video", {"prompt": prompt, "model": MODEL}))
    with anyio.move_on_after(JOB_SECONDS):
        await client.call_tool("get_status", {"request_id": job["request_id"], "wait_seconds": 10})
    counts["given up"] += 1
    failing = {"prompt": f"a kite {name} sandbox:fail", "model": MODEL}
    job = facts_of(await client.call_tool("generate_video", failing))
    await client.call_tool("get_status", {"request_id": job["request_id"], "wait_seconds": 2})


async def _listen(client: Client, counts: Counter[str]) -> None:
    with suppress(MCPError):
        async with client.listen(resource_subscriptions=["hailuo://jobs"]) as events:
            counts["streams"] += 1
            async for _ in events:
                counts["news"] += 1
