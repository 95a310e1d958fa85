"""A real server on stdio, and a client that survives when the server is killed."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

_INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "fault-injection", "version": "1"},
}
_LINE_MAX = 16 * 1024 * 1024


class ServerGoneError(Exception):
    """The server died before it answered."""


class StdioServer:
    """A `python -m hailuo_mcp` process and its pending calls."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pending: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_id = 0
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        return self._process.pid

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured content of a tool's result.

        Raises:
            ServerGoneError: the server died before it answered.
        """
        answer = await self._request("tools/call", {"name": tool, "arguments": arguments})
        return answer["result"]["structuredContent"]

    async def initialize(self) -> None:
        await self._request("initialize", _INITIALIZE)
        self._send({"method": "notifications/initialized"})

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def wait_until_ended(self) -> int:
        """Wait for the process to end, and for all its output. Returns its exit code."""
        code = await self._process.wait()
        await self._reading
        return code

    async def close(self) -> int:
        """Close stdin and wait, as hosts do. Returns the exit code."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            async with asyncio.timeout(10):
                return await self.wait_until_ended()
        except TimeoutError:
            self.kill()
            return await self.wait_until_ended()

    async def _request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        if self._reading.done():
            raise ServerGoneError
        self._last_id += 1
        answered = self._pending[self._last_id] = asyncio.get_running_loop().create_future()
        self._send({"id": self._last_id, "method": method, "params": params})
        return await answered

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def _read(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:  # cut by a kill
                continue
            pending = self._pending.pop(message.get("id"), None)
            if pending and not pending.done():
                pending.set_result(message)
        for pending in self._pending.values():
            if not pending.done():
                pending.set_exception(ServerGoneError())
                pending.exception()  # avoids a warning if the caller no longer waits


@asynccontextmanager
async def stdio_server(home: Path, **variables: str) -> AsyncGenerator[StdioServer]:
    """A server whose ledger, clips and log are below `home`."""
    with (home / "server.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hailuo_mcp"),
            env=environment(home, **variables),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            limit=_LINE_MAX,
        )
    server = StdioServer(process)
    try:
        yield server
    finally:
        if process.returncode is None:
            server.kill()
        await server.wait_until_ended()
        assert process.stdin
        process.stdin.close()
        with contextlib.suppress(ConnectionError):
            await process.stdin.wait_closed()


def environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment of a process whose ledger and clips are below `home`."""
    return {
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        "HOME": str(home),
        "HAILUO_MCP_DATABASE_URL": f"sqlite:///{ledger_of(home)}",
        "HAILUO_MCP_OUTPUT_DIR": str(clips_of(home)),
        "HAILUO_MCP_MIN_POLL_SECONDS": "0",
        **variables,
    }


def ledger_of(home: Path) -> Path:
    return home / "jobs.sqlite3"


def clips_of(home: Path) -> Path:
    return home / "clips"
