"""How many `get_status` calls per second one core handles, compared with the bare SDK's echo (`bare_server.py`) over
the same transport.

    uv run python -m benchmarks.throughput [--rounds 20] [--calls 200] [--json]

All servers run at once on one core, and the client on the other. They are called in turns, in short rounds, so that
other work on the machine affects all alike. `cpu_ms` is the server's own processor time per call, which is meaningful
on a busy machine too; `ratio` compares calls a second, `cpu ratio` that time. The aim is a ratio of at least 0.7.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import anyio
import httpx

from benchmarks.calls import Calls, Served, free_port, on_the_other_core, served
from benchmarks.figures import Figure
from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.gateways.segmind import Segmind
from hailuo_mcp.ledger.base import Budget, SubmitPolicy
from hailuo_mcp.ledger.sqlite import SqliteLedger

AIM = 0.7
TOKEN = "a-token-of-the-benchmark-0123456789"  # noqa: S105  opens nothing
TENANT = "ann"
MODEL = "segmind/minimax-hailuo-2"
ORIGIN = Segmind.hosts["base"]


def a_job(number: int, tenant: str = "", **values: object) -> Job:
    """A typical job."""
    job = Job(
        model=MODEL,
        origin=ORIGIN,
        tenant=tenant,
        remote_id=f"5f0c2d1e-0000-4000-8000-{number:012}",
        state=State.PROCESSING,
        polled_at=utc_now(),
        parameters={
            "prompt": f"shot {number}: a red kite rises over the sea at dawn, slow push in",
            "mode": "standard",
            "prompt_optimizer": True,
        },
        body={
            "prompt": f"shot {number}: a red kite rises over the sea at dawn, slow push in",
            "last_frame_image": None,
            "mode": "standard",
            "prompt_optimizer": True,
        },
        fingerprint=f"{tenant}-{number:064}",
        estimated_seconds=173.0,
        estimated_cost_usd=0.3875,
        budget_cost_usd=0.3875,
    )
    return job.model_copy(update=values)


def completed(number: int, tenant: str = "") -> Job:
    return a_job(
        number,
        tenant,
        state=State.COMPLETED,
        ended_at=utc_now(),
        took_seconds=170.0,
        cost_usd=0.3875,
        video_url=f"https://clips.example.com/{number:032}.mp4",
        expires_at=utc_now() + timedelta(hours=1),
    )


async def fill(path: Path, tenant: str) -> tuple[str, str]:
    """The request ids of a completed job and of one in progress, which the server does not poll in the background."""
    ledger = SqliteLedger(path)
    policy = SubmitPolicy(Budget(frozenset({ORIGIN})), timedelta())
    jobs = completed(1, tenant), a_job(2, tenant)
    for job in jobs:
        await ledger.create_if_absent(job, policy, job.created_at)
    far = utc_now() + timedelta(days=1)
    for job in await ledger.lease("benchmark", far, timedelta(days=1), 10, frozenset({ORIGIN})):
        await ledger.release_lease(job.id, "benchmark", None)
    await ledger.close()
    return jobs[0].request_id, jobs[1].request_id


@dataclass(frozen=True, slots=True)
class Setup:
    """The calls to measure, by name; the first is the baseline of the others."""

    calls: Mapping[str, Calls]


@contextmanager
def setup(directory: Path) -> Generator[Setup]:
    with ExitStack() as stack:
        bare = stack.enter_context(
            served(
                (sys.executable, str(Path(__file__).with_name("bare_server.py")), str(free_port())),
                {},
                directory / "bare.log",
            )
        )
        calls: dict[str, Calls] = {}

        def ours(name: str, tenant: str, **variables: str) -> tuple[Served, str, str]:
            home = directory / name
            home.mkdir()
            path = home / "jobs.sqlite3"
            done, running = anyio.run(fill, path, tenant)
            environ = {
                "HOME": str(home),
                "XDG_STATE_HOME": str(home),
                "SEGMIND_API_KEY": "benchmark",
                "HAILUO_MCP_DATABASE_URL": f"sqlite:///{path}",
                "HAILUO_MCP_MIN_POLL_SECONDS": "100000",
                **variables,
            }
            command = (sys.executable, "-m", "hailuo_mcp", "serve", "--http", "--port", "0")
            return stack.enter_context(served(command, environ, home / "log")), done, running

        open_, done, running = ours("open", "")
        calls["echo (bare SDK)"] = Calls(bare, "echo", {"request_id": done})
        calls["get_status, completed"] = Calls(open_, "get_status", {"request_id": done})
        calls["get_status, in flight"] = Calls(open_, "get_status", {"request_id": running})
        protected, done, running = ours("protected", TENANT, HAILUO_MCP_HTTP_TOKENS=f"{TENANT}:{TOKEN}")
        calls["completed, with a token"] = Calls(protected, "get_status", {"request_id": done}, TOKEN)
        yield Setup(calls)


async def measure(calls: Mapping[str, Calls], rounds: int, count: int) -> dict[str, list[float]]:
    """Calls a second of each round, by name."""
    rates: dict[str, list[float]] = {name: [] for name in calls}
    async with httpx.AsyncClient(timeout=60) as web:
        for call in calls.values():  # warm
            await call.round(web, count // 2 + 1)
            call.seconds, call.cpu_seconds, call.wall_seconds = [], 0.0, 0.0
        for _ in range(rounds):
            for name, call in calls.items():
                before = call.wall_seconds
                await call.round(web, count)
                rates[name].append(count / (call.wall_seconds - before))
    return rates


def run(rounds: int, count: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as name, setup(Path(name)) as measured:
        with on_the_other_core():
            rates = anyio.run(measure, measured.calls, rounds, count)
        bare = next(iter(measured.calls))
        return {
            name: {
                "calls_a_second": round(call.per_second, 1),
                "cpu_ms": round(call.cpu_ms, 3),
                "ratio": round(statistics.median(a / b for a, b in zip(rates[name], rates[bare], strict=True)), 3),
                "cpu_ratio": round(measured.calls[bare].cpu_ms / call.cpu_ms, 3),
            }
            for name, call in measured.calls.items()
        }


def figures(rounds: int = 10, count: int = 100) -> list[Figure]:
    """For the table of all benchmarks."""
    (_, floor), *ours = run(rounds, count).items()
    return [
        Figure("throughput", name, "calls/s", floor["calls_a_second"], row["calls_a_second"], f"≥ {AIM}")
        for name, row in ours
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Throughput of get_status against the bare SDK's echo.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=200, help="calls of each in a round")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = run(options.rounds, options.calls)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(
        f"{options.rounds} rounds of {options.calls} calls, load average {os.getloadavg()[0]:.1f}; aim: ratio ≥ {AIM}"
    )
    print(f"{'':26}{'calls/s':>9}{'cpu ms':>9}{'ratio':>8}{'cpu ratio':>11}")
    for name, row in figures.items():
        print(f"{name:26}{row['calls_a_second']:>9}{row['cpu_ms']:>9}{row['ratio']:>8}{row['cpu_ratio']:>11}")


if __name__ == "__main__":
    main()
