"""Five servers behind nginx on one PostgreSQL, while servers are killed and the database restarts.

HAILUO_MCP_LOAD_SHARE=1 uv run pytest tests/load/test_team.py -m slow -n 0 --timeout 3600
"""

import os
import re
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import asyncpg
import httpx
import pytest

from hailuo_mcp.sandbox.jobs import Job as SandboxJob
from hailuo_mcp.sandbox.store import Store
from tests.load.client import WITHOUT_HISTORY, Agent, Log
from tests.load.processes import Process, free_ports
from tests.load.proxy import nginx
from tests.load.size import percentile, share, sized, spread
from tests.postgres import Postgres
from tests.support import environment

REPLICAS, SANDBOXES = 5, 2
CLIENTS, JOBS_EACH, TENANTS = 200, 25, 20
JOB_SECONDS = 6.0
KILL_EVERY_SECONDS = 4.0
RESTART_WHEN = 0.4
"""The share of jobs that are done when the database restarts."""
ENDS_WITHIN_SECONDS = 3000 * share() if share() > 0.2 else 300
FETCHED = 5
SEGMIND, AIMLAPI = "segmind/minimax-hailuo-2", "aimlapi/hailuo-02"
NO_HISTORY_EVERY = 25
"""One job in this many goes to a gateway where a lost submission cannot be found again."""

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(3600 if share() > 0.2 else 400)]


@pytest.fixture
def gateways(tmp_path: Path) -> Generator[Path]:
    """Where the sandbox keeps its jobs: in memory if possible, because the test is not about the gateways' disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as directory:
        yield Path(directory)


@dataclass(frozen=True, slots=True)
class Team:
    """The running servers."""

    url: str
    replicas: list[Process]
    directory: Path

    @property
    def kills(self) -> int:
        return sum(replica.starts - 1 for replica in self.replicas)


def _token(tenant: int) -> str:
    return f"token-of-tenant-{tenant:03}-0123456789"


def _tenants_file(directory: Path) -> Path:
    """Each tenant has its own accounts at the gateways, as teams do."""
    file = directory / "tenants.toml"
    file.write_text(
        "".join(
            f'[tenants.t{tenant}.keys]\nsegmind = "sk-segmind-{tenant}"\naimlapi = "sk-aimlapi-{tenant}"\n'
            for tenant in range(TENANTS)
        )
    )
    return file


@asynccontextmanager
async def team(directory: Path, gateways: Path, database_url: str) -> AsyncGenerator[Team]:
    front, gateway, *ports = free_ports(2 + REPLICAS + SANDBOXES)
    at_replicas, at_sandboxes = ports[:REPLICAS], ports[REPLICAS:]
    environ = {
        **os.environ,
        **environment(
            directory,
            HAILUO_MCP_DATABASE_URL=database_url,
            HAILUO_MCP_PUBLIC_URL=f"http://127.0.0.1:{front}",
            HAILUO_MCP_HTTP_TOKENS=",".join(f"t{tenant}:{_token(tenant)}" for tenant in range(TENANTS)),
            HAILUO_MCP_TENANTS_FILE=str(_tenants_file(directory)),
            HAILUO_MCP_MIN_POLL_SECONDS="2",
            HAILUO_MCP_LOG_LEVEL="WARNING",
            SEGMIND_BASE_URL=f"http://127.0.0.1:{gateway}",
            AIMLAPI_BASE_URL=f"http://127.0.0.1:{gateway}",
            SEGMIND_API_KEY="sk-segmind",
            AIMLAPI_API_KEY="sk-aimlapi",
        ),
    }
    replicas = [
        Process(("serve", "--http", "--port", str(port)), environ, directory / f"replica-{number}.log")
        for number, port in enumerate(at_replicas, 1)
    ]
    state = ("--seconds", str(JOB_SECONDS), "--state-dir", str(gateways))
    sandboxes = [
        Process(("sandbox", "--port", str(port), *state), environ, directory / "sandbox.log") for port in at_sandboxes
    ]
    with nginx(directory, front, at_replicas, gateway, at_sandboxes):
        async with AsyncExitStack() as stack:
            for sandbox in sandboxes:
                await stack.enter_async_context(sandbox)
            async with anyio.create_task_group() as starting:
                for replica in replicas:
                    starting.start_soon(stack.enter_async_context, replica)
            yield Team(f"http://127.0.0.1:{front}/mcp", replicas, directory)


async def _kill_in_turns(team: Team) -> None:
    turn = 0
    while True:
        await anyio.sleep(KILL_EVERY_SECONDS)
        replica = team.replicas[turn % REPLICAS]
        turn += 1
        replica.kill()
        await replica.start()


async def test_no_job_is_lost_or_paid_twice_while_servers_and_the_database_restart(
    tmp_path: Path, gateways: Path, own_postgres: Postgres, figures: Any
) -> None:
    clients = sized(CLIENTS)
    prompts = {
        client: {
            f"client {client}, shot {shot}: a red kite over the sea": AIMLAPI if shot == NO_HISTORY_EVERY else SEGMIND
            for shot in range(1, JOBS_EACH + 1)
        }
        for client in range(clients)
    }
    everything = {prompt: model for own in prompts.values() for prompt, model in own.items()}
    log, took = Log(), 0.0
    before = _cpu()
    with own_postgres.database() as database_url:
        async with team(tmp_path, gateways, database_url) as running:
            began = time.monotonic()
            async with anyio.create_task_group() as chaos:
                chaos.start_soon(_kill_in_turns, running)
                chaos.start_soon(_restart_once, own_postgres, log, len(everything))
                with anyio.move_on_after(ENDS_WITHIN_SECONDS):  # jobs that are missing then are reported below
                    async with anyio.create_task_group() as working:
                        for client, own in prompts.items():
                            agent = Agent(running.url, _token(client % TENANTS), f"client {client}", log)
                            working.start_soon(agent.run, own)
                took = time.monotonic() - began
                chaos.cancel_scope.cancel()
            await _some_clips_can_be_fetched(log)
            ledger = await _ledger(database_url)
    accepted = _accepted_jobs(gateways)
    ours, others = (after - then for after, then in zip(_cpu(), before, strict=True))
    figures(
        f"{_report(log, accepted, ledger, running, took, clients)}\nCPU: {ours:.0f} s of the clients, {others:.0f} s of"
        f" servers with {running.kills} restarts, sandbox and nginx, {(ours + others) / took:.2f} cores in all"
    )
    print({prompt: log.states.get(prompt) for prompt in everything if prompt not in log.links})  # shown if it fails

    twice = {prompt: count for prompt, count in Counter(job.shot.prompt for job in accepted).items() if count > 1}
    assert not twice
    remote_ids = Counter((row["model"].split("/")[0], row["remote_id"]) for row in ledger if row["remote_id"])
    assert max(remote_ids.values()) == 1
    lost = [
        job.shot.prompt
        for job in accepted
        if (job.gateway, job.remote_id) not in remote_ids and job.shot.prompt not in log.unconfirmed
    ]
    assert not lost
    assert not log.wrong
    assert log.events["database restarts"] == 1
    assert running.kills >= 3
    by_prompt = {job.shot.prompt: job for job in accepted}
    assert set(log.links) | log.unconfirmed == set(everything)
    assert all(everything[prompt].startswith(WITHOUT_HISTORY) for prompt in log.unconfirmed)
    wrong_links = [prompt for prompt, link in log.links.items() if not link.endswith(f"/{by_prompt[prompt].id}.mp4")]
    assert not wrong_links


async def _restart_once(postgres: Postgres, log: Log, jobs: int) -> None:
    while len(log.links) < jobs * RESTART_WHEN:  # noqa: ASYNC110  a count of many tasks
        await anyio.sleep(0.2)
    await anyio.to_thread.run_sync(postgres.restart, "fast")
    log.events["database restarts"] += 1


async def _some_clips_can_be_fetched(log: Log) -> None:
    async with httpx.AsyncClient(timeout=60) as web:
        for link in list(log.links.values())[:FETCHED]:
            answer = await web.get(link)
            assert answer.status_code == 200
            assert answer.content[4:8] == b"ftyp"


async def _ledger(url: str) -> list[Mapping[str, Any]]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT model, remote_id, state, document->>'ended_at' AS ended FROM hailuo_jobs")
    finally:
        await connection.close()
    return [dict(row) for row in rows]


def _cpu() -> tuple[float, float]:
    """CPU seconds of this process, and of its children that have ended."""
    used = os.times()
    return used.user + used.system, used.children_user + used.children_system


def _accepted_jobs(directory: Path) -> list[SandboxJob]:
    """The jobs that the gateways accepted, from their own store."""
    path = directory / "sandbox.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        ids = [job_id for (job_id,) in db.execute("SELECT id FROM jobs")]
    store = Store(path)
    return [job for job_id in ids if (job := store.get(job_id))]


def _report(
    log: Log, accepted: list[SandboxJob], ledger: list[Mapping[str, Any]], team: Team, took: float, clients: int
) -> str:
    by_prompt = {job.shot.prompt: job for job in accepted}
    delays = [log.noticed[prompt] - by_prompt[prompt].ended_at for prompt in log.noticed if prompt in by_prompt]
    ends = {(job.gateway, job.remote_id): job.ended_at for job in accepted}
    ledger_delays = [
        datetime.fromisoformat(row["ended"]).timestamp() - end
        for row in ledger
        if row["ended"] and (end := ends.get((row["model"].split("/")[0], row["remote_id"]))) is not None
    ]
    requests = Counter(line.split(" ")[0] + " " + _kind(line) for line in _lines(team.directory / "asked.log"))
    polls = sum(count for what, count in requests.items() if what.endswith(("status", "poll")))
    answered = (line for line in _lines(team.directory / "calls.log") if "/mcp" in line)
    statuses = Counter(re.split(r" (\d{3}) ", line)[1] for line in answered)
    states = Counter(f"{row['model'].split('/')[0]} {row['state']}" for row in ledger)
    submit_seconds = log.seconds["generate_video"]
    status_seconds = log.seconds["get_status"]
    return "\n".join(
        (
            f"share {share():g}: {clients} clients, {len(accepted)} jobs accepted by the gateways, {took:.0f} s,"
            f" load average {os.getloadavg()[0]:.1f}",
            f"calls: {log.calls}, {log.calls / took:.1f} a second; jobs a second {len(accepted) / took:.1f}",
            f"generate_video: {spread(submit_seconds, 1000, 'ms')}",
            f"get_status without wait: {spread(status_seconds, 1000, 'ms')}",
            f"polls a job at the gateway: {polls / max(1, len(accepted)):.2f}; requests there: {dict(requests)}",
            f"delay from the job's end to the client's notice: {spread(delays)}, p90 {percentile(delays, 90):.2g} s",
            f"delay in the ledger: {spread(ledger_delays)}",
            f"servers killed {team.kills}, database restarts {log.events['database restarts']},"
            f" nginx answered {dict(statuses)}",
            f"client events {dict(log.events)}",
            f"in the ledger {dict(states)}; reported as unconfirmed at a gateway without a history:"
            f" {len(log.unconfirmed)}, of these accepted {sum(prompt in by_prompt for prompt in log.unconfirmed)}",
        )
    )


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _kind(line: str) -> str:
    path = line.split(" ")[1]
    if path.endswith("/status"):
        return "status"
    if "/requests/" in path:
        return "result"
    if "request-history" in path:
        return "history"
    if "/assets" in path or path.endswith(".mp4"):
        return "clip"
    return "submit" if line.startswith("POST") else "poll"
