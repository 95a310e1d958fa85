"""What `get_status` adds to the request that it sends to the gateway.

    uv run python -m benchmarks.poll [--rounds 3] [--polls 300] [--starts 7] [--clients 50] [--json]
        [--command "PYTHON -m hailuo_mcp"]

A gateway on loopback keeps every job in progress (`bare_gateway.py`), and `HAILUO_MCP_MIN_POLL_SECONDS` is 0, so that
every call reaches it. Three things are measured:

* Over stdio, in turns: the raw request with httpx on a kept connection, the same request by a tool of the bare SDK
  (`bare_server.py`), and our `get_status`. What the two tools take beyond the raw request is the figure; the aim is
  2 ms.
* The first poll of a fresh server, right after `tools/list` and after a pause. It opens the connection and imports
  what `tools/list` did not need; the aim is 80 ms.
* Over HTTP, with 50 clients that poll a job each 20 times, calls a second against the bare SDK's tool; the aim is a
  ratio of 0.95.

`--command` measures another installation of the package: `--command "/elsewhere/.venv/bin/python -m hailuo_mcp"`.
"""

import argparse
import asyncio
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import psutil

from benchmarks.calls import Calls, free_port, on_the_other_core, served
from benchmarks.figures import Figure

HERE = Path(__file__).parent
OURS = (sys.executable, "-m", "hailuo_mcp")
BARE = (sys.executable, str(HERE / "bare_server.py"))
AIM_MS, AIM_FIRST_MS, AIM_RATIO = 2.0, 80.0, 0.95
POLLS_EACH = 20
"""Polls of each client over HTTP in a round."""
MODEL = "segmind/minimax-hailuo-2"
VERSION = "2025-11-25"
PAUSE_SECONDS = 1.0
"""A host does not call a tool right after it has listed them; a model takes at least this long to respond."""


class StdioServer:
    """A server over stdio, called with bare JSON-RPC lines, so that the client costs little."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], directory: Path) -> None:
        self._process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], **environ},
            cwd=directory,  # not this checkout, whose package would be imported in place of the one measured
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._id = 0
        client = {"name": "benchmark", "version": "0"}
        self._request("initialize", {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": client})
        self._send({"method": "notifications/initialized"})
        self._request("tools/list", {})

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a tool, and return its result.

        Raises:
            RuntimeError: the result is an error.
        """
        result = self._request("tools/call", {"name": tool, "arguments": arguments})
        if result.get("isError"):
            raise RuntimeError(f"{tool}: {result}")
        return result

    def cpu_seconds(self) -> float:
        """The processor time that it has used so far."""
        times = psutil.Process(self._process.pid).cpu_times()
        return times.user + times.system

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(20)

    def _request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self._id += 1
        self._send({"id": self._id, "method": method, "params": params})
        assert self._process.stdout
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("id") == self._id:
                if "result" not in message:
                    raise RuntimeError(f"{method}: {message}")
                return message["result"]
        raise RuntimeError(f"the server ended without a response to {method}")

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()


@dataclass(frozen=True, slots=True)
class Bench:
    """A running gateway, and how to start servers that use it."""

    directory: Path
    gateway: str
    ours: Sequence[str]

    @property
    def environ(self) -> dict[str, str]:
        return {
            "HOME": str(self.directory),
            "XDG_STATE_HOME": str(self.directory),
            "SEGMIND_API_KEY": "benchmark",
            "SEGMIND_BASE_URL": self.gateway,
            "HAILUO_MCP_MIN_POLL_SECONDS": "0",
            "BENCHMARK_GATEWAY": self.gateway,
        }

    @contextmanager
    def stdio(self, command: Sequence[str]) -> Generator[StdioServer]:
        server = StdioServer(command, self.environ, self.directory)
        try:
            yield server
        finally:
            server.close()

    def submit(self, count: int) -> list[str]:
        """The request ids of new jobs."""
        with self.stdio(self.ours) as server:
            return [
                server.call("generate_video", {"prompt": f"a red kite, take {number}", "model": MODEL})[
                    "structuredContent"
                ]["request_id"]
                for number in range(count)
            ]

    def status_requests(self) -> int:
        """How many status requests the gateway has answered."""
        return httpx.get(f"{self.gateway}/requests").json()["status_requests"]


@contextmanager
def bench(ours: Sequence[str]) -> Generator[Bench]:
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(
            (sys.executable, str(HERE / "bare_gateway.py")), stdout=subprocess.PIPE, text=True, cwd=name
        ) as gateway,
    ):
        try:
            assert gateway.stdout
            yield Bench(Path(name), gateway.stdout.readline().strip(), ours)
        finally:
            gateway.terminate()


def first_polls(bench: Bench, job: str, starts: int) -> dict[str, float]:
    """Median milliseconds of the first poll of a fresh server, by server and moment."""
    calls = {"bare": (BARE, "poll"), "ours": (bench.ours, "get_status")}
    took: dict[str, list[float]] = {}
    for _ in range(starts):
        for name, (command, tool) in calls.items():
            for moment, pause in (("at_once", 0.0), ("after_pause", PAUSE_SECONDS)):
                with bench.stdio(command) as server:
                    time.sleep(pause)
                    began = time.perf_counter()
                    server.call(tool, {"request_id": job})
                    took.setdefault(f"{name}_{moment}", []).append(time.perf_counter() - began)
    return {name: round(statistics.median(times) * 1000, 1) for name, times in took.items()}


def polls(bench: Bench, job: str, rounds: int, count: int) -> dict[str, float]:
    """Median milliseconds of the raw request, and of what a poll by each server takes beyond it; and the server's own
    processor time for a poll, which is meaningful on a busy machine too."""
    remote_id = job.rpartition("/")[2]
    took: dict[str, list[float]] = {"raw": [], "bare": [], "ours": []}

    async def raw(web: httpx.AsyncClient) -> float:
        began = time.perf_counter()
        response = await web.get(f"/v2/requests/{remote_id}/status", headers={"x-api-key": "benchmark"})
        response.json()
        return time.perf_counter() - began

    def called(server: StdioServer, tool: str) -> float:
        began = time.perf_counter()
        server.call(tool, {"request_id": job})
        return time.perf_counter() - began

    with asyncio.Runner() as runner, bench.stdio(BARE) as bare, bench.stdio(bench.ours) as ours:
        web = httpx.AsyncClient(base_url=bench.gateway)
        cpu = {"bare": 0.0, "ours": 0.0}
        for turn in range(rounds + 1):
            if turn == 1:  # the first round was to warm up
                took = {name: [] for name in took}
                cpu = {"bare": bare.cpu_seconds(), "ours": ours.cpu_seconds()}
            before = bench.status_requests()
            for _ in range(count if turn else count // 10 + 1):
                took["raw"].append(runner.run(raw(web)))
                took["bare"].append(called(bare, "poll"))
                took["ours"].append(called(ours, "get_status"))
            if turn and bench.status_requests() - before < 3 * count:
                raise RuntimeError("not every poll reached the gateway")
        runner.run(web.aclose())
        used = {"bare": bare.cpu_seconds() - cpu["bare"], "ours": ours.cpu_seconds() - cpu["ours"]}
    return {
        "raw": round(statistics.median(took["raw"]) * 1000, 3),
        **{
            name: round(statistics.median(a - b for a, b in zip(took[name], took["raw"], strict=True)) * 1000, 3)
            for name in ("bare", "ours")
        },
        **{f"{name}_cpu": round(seconds / (rounds * count) * 1000, 3) for name, seconds in used.items()},
    }


def http_polls(bench: Bench, jobs: Sequence[str], rounds: int) -> dict[str, float]:
    """Calls a second over HTTP, where each client polls a job of its own; the median ratio of the rounds; and the
    server's own processor time for a call, in milliseconds."""
    with ExitStack() as stack:

        def calls(name: str, command: Sequence[str], tool: str) -> list[Calls]:
            log = bench.directory / f"{name}.log"
            server = stack.enter_context(served(command, bench.environ, log, bench.directory))
            return [Calls(server, tool, {"request_id": job}) for job in jobs]

        count = len(jobs) * POLLS_EACH
        servers = {
            "bare": calls("bare", (*BARE, str(free_port())), "poll"),
            "ours": calls("ours", (*bench.ours, "serve", "--http", "--port", "0"), "get_status"),
        }
        rates: dict[str, list[float]] = {name: [] for name in servers}
        cpu = dict.fromkeys(servers, 0.0)

        async def clients(web: httpx.AsyncClient, calls: Sequence[Calls], count: int) -> None:
            async with anyio.create_task_group() as tasks:
                for call in calls:
                    tasks.start_soon(call.one_after_another, web, count)

        async def measure() -> None:
            # Closed by the client before uvicorn closes them, which it does after 5 s.
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=2)
            async with httpx.AsyncClient(timeout=60, limits=limits) as web:
                for name in servers:  # warm up
                    await clients(web, servers[name], 2)
                for _ in range(rounds):
                    for name in servers:
                        server = servers[name][0].served
                        before, used, began = bench.status_requests(), server.cpu_seconds(), time.perf_counter()
                        await clients(web, servers[name], POLLS_EACH)
                        rates[name].append(count / (time.perf_counter() - began))
                        cpu[name] += server.cpu_seconds() - used
                        if bench.status_requests() - before < count:
                            raise RuntimeError(f"{name}: not every poll reached the gateway")

        with on_the_other_core():
            anyio.run(measure)
    return {
        **{name: round(statistics.median(of_rounds), 1) for name, of_rounds in rates.items()},
        **{f"{name}_cpu": round(seconds / (rounds * count) * 1000, 3) for name, seconds in cpu.items()},
        "ratio": round(statistics.median(a / b for a, b in zip(rates["ours"], rates["bare"], strict=True)), 3),
    }


def run(ours: Sequence[str], rounds: int, count: int, starts: int, clients: int) -> dict[str, dict[str, float]]:
    with bench(ours) as running:
        jobs = running.submit(clients)
        return {
            "first_ms": first_polls(running, jobs[0], starts),
            "ms": polls(running, jobs[0], rounds, count),
            "http": http_polls(running, jobs, rounds),
        }


def figures(rounds: int = 5, count: int = 200, starts: int = 9, clients: int = 50) -> list[Figure]:
    """For the table of all benchmarks."""
    found = run(OURS, rounds, count, starts, clients)
    ms, first, http = found["ms"], found["first_ms"], found["http"]
    return [
        Figure("poll", "beyond the raw request", "ms", ms["bare"], ms["ours"], f"≤ {AIM_MS:.0f} ms"),
        Figure("poll", "first poll", "ms", first["bare_at_once"], first["ours_at_once"], f"≤ {AIM_FIRST_MS:.0f} ms"),
        Figure("poll", f"{clients} clients over HTTP", "calls/s", http["bare"], http["ours"], f"≥ {AIM_RATIO}"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="What get_status adds to the gateway's request.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--polls", type=int, default=300, help="polls of each in a round over stdio")
    parser.add_argument("--starts", type=int, default=7, help="fresh servers for the first poll")
    parser.add_argument("--clients", type=int, default=50, help="clients at once over HTTP")
    parser.add_argument("--command", default=shlex.join(OURS), help="how our server is started")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = run(shlex.split(options.command), options.rounds, options.polls, options.starts, options.clients)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    ms, first, http = found["ms"], found["first_ms"], found["http"]
    print(f"{options.command}, load average {os.getloadavg()[0]:.1f}")
    print(f"{'':34}{'bare SDK':>10}{'ours':>10}{'aim':>10}")
    for name, bare, own, aim in (
        (f"beyond the raw {ms['raw']} ms (ms)", ms["bare"], ms["ours"], f"≤ {AIM_MS:.0f}"),
        ("server's processor time (ms)", ms["bare_cpu"], ms["ours_cpu"], ""),
        (
            "first poll, after a pause (ms)",
            first["bare_after_pause"],
            first["ours_after_pause"],
            f"≤ {AIM_FIRST_MS:.0f}",
        ),
        ("first poll, at once (ms)", first["bare_at_once"], first["ours_at_once"], ""),
        ("over HTTP (calls/s)", http["bare"], http["ours"], f"≥ {AIM_RATIO}"),
        ("server's processor time (ms)", http["bare_cpu"], http["ours_cpu"], ""),
    ):
        print(f"{name:34}{bare:>10}{own:>10}{aim:>10}")
    print(f"{'ratio of the rounds over HTTP':44}{http['ratio']:>10}")


if __name__ == "__main__":
    main()
