"""Servers over HTTP for the benchmarks, each on one core, and tool calls as bare JSON-RPC, so that the client costs
little."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import psutil

VERSION = "2026-07-28"
CONCURRENT_CALLS = 8
"""Concurrent calls: enough that the server never waits for the client."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@dataclass(frozen=True, slots=True)
class Served:
    """A server that accepts connections."""

    url: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """The processor time that it has used so far."""
        times = self.process.cpu_times()
        return times.user + times.system


@contextmanager
def served(
    command: Sequence[str], environ: Mapping[str, str], log: Path, directory: Path | None = None
) -> Generator[Served]:
    """A server on the first core that this process may use; the URL is the first line that it prints."""
    core = min(os.sched_getaffinity(0))
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], **environ},
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as server,
    ):
        try:
            assert server.stdout
            url = server.stdout.readline().strip()
            if not url:
                raise RuntimeError(log.read_text())
            process = psutil.Process(server.pid)
            process.cpu_affinity([core])
            yield Served(url, process)
        finally:
            server.terminate()


@contextmanager
def on_the_other_core() -> Generator[None]:
    """Keep this process off the servers' core, if there is a second one."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores - {min(cores)} or cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@dataclass(slots=True)
class Calls:
    """One tool with its arguments, at one server, called again and again."""

    served: Served
    tool: str
    arguments: Mapping[str, Any]
    token: str | None = None
    seconds: list[float] = field(default_factory=list[float])
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0

    async def round(self, web: httpx.AsyncClient, count: int) -> None:
        """Make this many more calls."""
        remaining = iter(range(count))
        cpu, wall = self.served.cpu_seconds(), time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(min(CONCURRENT_CALLS, count)):
                tasks.start_soon(self._call_until_empty, web, remaining)
        self.wall_seconds += time.perf_counter() - wall
        self.cpu_seconds += self.served.cpu_seconds() - cpu

    async def one(self, web: httpx.AsyncClient, **more: Any) -> None:
        """Make a single call.

        Raises:
            RuntimeError: it failed.
        """
        began = time.perf_counter()
        answer = await web.post(self.served.url, content=self._message(more), headers=self._headers())
        self.seconds.append(time.perf_counter() - began)
        if answer.status_code != 200 or '"isError":true' in answer.text or '"result"' not in answer.text:
            raise RuntimeError(f"{self.tool}: {answer.status_code} {answer.text[:500]}")

    async def one_after_another(self, web: httpx.AsyncClient, count: int) -> None:
        """Make this many calls as one client.

        Raises:
            RuntimeError: one failed.
        """
        for _ in range(count):
            await self.one(web)

    async def _call_until_empty(self, web: httpx.AsyncClient, remaining: Any) -> None:
        for _ in remaining:
            await self.one(web)

    def _headers(self) -> dict[str, str]:
        return {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": VERSION,
            "Mcp-Method": "tools/call",
            "Mcp-Name": self.tool,
            **({"Authorization": f"Bearer {self.token}"} if self.token else {}),
        }

    def _message(self, more: Mapping[str, Any]) -> str:
        meta = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "0"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": self.tool, "arguments": {**self.arguments, **more}, "_meta": meta}
        return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})

    @property
    def count(self) -> int:
        return len(self.seconds)

    @property
    def per_second(self) -> float:
        return self.count / self.wall_seconds

    @property
    def cpu_ms(self) -> float:
        """The server's processor time for one call."""
        return self.cpu_seconds / self.count * 1000
