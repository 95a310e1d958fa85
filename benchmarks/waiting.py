"""How soon a waiting assistant learns that a job has ended, and how many requests that takes.

    uv run python -m benchmarks.waiting

Jobs of 20, 27 and 34 s run at the sandbox on a port; the assistant repeats `get_status` with `wait_seconds` 45 and does
nothing else. First with jobs of a length never seen before, then after three finished jobs of that length. Prints, and
asserts nothing.
"""

import argparse
import json
import logging
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.figures import Figure
from hailuo_mcp.app import load_settings
from hailuo_mcp.cli.ports import listener_on
from hailuo_mcp.sandbox import create_app
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX
from hailuo_mcp.service.session import Session
from tests.support import open_session

LENGTHS = (20.0, 27.0, 34.0)
FINISHED_BEFORE = 3


@dataclass(frozen=True, slots=True)
class Figures:
    """One job, as the assistant experienced it."""

    length: float
    seen_before: int
    late_seconds: float
    calls: int
    requests: int


class CountingApp:
    """The sandbox, which counts status requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and "/requests/" in scope["path"]:
            self.requests += 1
        await self._app(scope, receive, send)


@asynccontextmanager
async def sandbox(directory: Path, seconds: float) -> AsyncGenerator[tuple[CountingApp, str]]:
    """The sandbox on a free port."""
    counting_app = CountingApp(create_app(directory / "sandbox", seconds=seconds))
    listener = listener_on("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(counting_app, log_level="error"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listener])
        yield counting_app, f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True


async def one_job(session: Session, counting_app: CountingApp, length: float, seen_before: int) -> Figures:
    """Submit, and wait as an assistant does."""
    before, calls = counting_app.requests, 0
    job = (await session.generate({"prompt": f"a kite, take {seen_before}", "model": "segmind/minimax-hailuo-2"})).job
    done_at = time.monotonic() + length
    while not job.state.is_terminal:
        job = await session.status(job.request_id, WAIT_SECONDS_MAX)
        calls += 1
    return Figures(length, seen_before, time.monotonic() - done_at, calls, counting_app.requests - before)


async def measure(length: float, results: list[Figures]) -> None:
    """A job of this length as the first of its kind, and again after a few others."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with sandbox(directory, length) as (counting_app, url):
            variables = {
                "SEGMIND_API_KEY": "benchmark",
                "SEGMIND_BASE_URL": url,
                "HAILUO_MCP_OUTPUT_DIR": str(directory / "clips"),
                "HAILUO_MCP_AUTO_DOWNLOAD": "0",
            }
            settings = load_settings(variables).model_copy(update={"state_dir": directory})
            async with open_session(settings) as session:
                results.append(await one_job(session, counting_app, length, 0))
                async with anyio.create_task_group() as others:
                    for number in range(1, FINISHED_BEFORE):
                        others.start_soon(one_job, session, counting_app, length, number)
                results.append(await one_job(session, counting_app, length, FINISHED_BEFORE))


async def measure_all() -> list[Figures]:
    found: list[Figures] = []
    async with anyio.create_task_group() as tasks:
        for length in LENGTHS:
            tasks.start_soon(measure, length, found)
    return sorted(found, key=lambda f: (f.seen_before, f.length))


def figures() -> list[Figure]:
    """For the table of all benchmarks."""
    found = anyio.run(measure_all)
    rows: list[Figure] = []
    for seen, name, late, requests in (
        (0, "first of its length", "≤ 2 s late", "≤ 12"),
        (FINISHED_BEFORE, "after three alike", "≤ 1 s late", "≤ 8"),
    ):
        jobs = [job for job in found if job.seen_before == seen]
        length = fmean(job.length for job in jobs)
        known = length + fmean(job.late_seconds for job in jobs)
        rows += [
            Figure("waiting", f"until the end is known, {name}", "s", length, known, late),
            Figure("waiting", f"requests to the gateway, {name}", "", 1, fmean(job.requests for job in jobs), requests),
        ]
    return rows


async def main(as_json: bool) -> None:
    figures = await measure_all()
    if as_json:
        print(json.dumps([asdict(f) for f in figures]))
        return
    print(f"{'job':>6} {'seen before':>12} {'late':>8} {'calls':>6} {'requests':>9}")
    for f in figures:
        print(f"{f.length:>5.0f}s {f.seen_before:>12} {f.late_seconds:>7.2f}s {f.calls:>6} {f.requests:>9}")
    for seen, aim in ((0, "late ≤ 2 s on average, ≤ 2 calls, ≤ 12 requests"), (FINISHED_BEFORE, "≤ 1 s, ≤ 8 requests")):
        late = [f.late_seconds for f in figures if f.seen_before == seen]
        print(f"seen before {seen}: {sum(late) / len(late):.2f} s late on average (aim: {aim})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    logging.disable(logging.INFO)
    anyio.run(main, parser.parse_args().json)
