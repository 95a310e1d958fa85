"""Clients that open connections and send little: their connections are closed, others are served, and the log stays
small."""

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest
import uvicorn
from mcp import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from hailuo_mcp.cli.ports import listener_on
from hailuo_mcp.http.connections import ConnectionLimits, Connections
from tests.http.servers import SANDBOX, SERVE
from tests.support import environment, log_of

HEAD = b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answer(request: Request) -> PlainTextResponse:
    await request.body()
    return PlainTextResponse("ok")


@dataclass(slots=True)
class Served:
    port: int
    _writers: list[asyncio.StreamWriter] = field(default_factory=list[asyncio.StreamWriter])

    async def connect(self, sent: bytes) -> Streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        writer.write(sent)
        await writer.drain()
        return reader, writer

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def get(self) -> int:
        async with httpx.AsyncClient() as web:
            return (await web.get(f"http://127.0.0.1:{self.port}/")).status_code


@asynccontextmanager
async def serving(limits: ConnectionLimits) -> AsyncGenerator[Served]:
    connections = Connections(limits)
    listener = listener_on("127.0.0.1", 0)
    config = uvicorn.Config(
        Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])]),
        http=connections.protocol,  # pyright: ignore[reportArgumentType]  called like a class
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server, ended = uvicorn.Server(config), anyio.Event()

    async def run() -> None:
        await server.serve([listener])
        ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        tasks.start_soon(connections.watch)
        served = Served(listener.getsockname()[1])
        try:
            yield served
        finally:
            await served.close()
            server.should_exit = True
            await ended.wait()
            tasks.cancel_scope.cancel()


async def end_of(streams: Streams, within: float = 5.0) -> bytes:
    """Everything that is received until the connection is closed."""
    async with asyncio.timeout(within):
        try:
            return await streams[0].read()
        except ConnectionError:
            return b""


QUICK = ConnectionLimits(request_seconds=0.6, incomplete_max=4, connections_max=12, grace_sweeps=2)


INCOMPLETE = {
    "nothing": b"",
    "a word": b"POST",
    "half a head": HEAD,
    "half a body": HEAD + b"content-length: 10\r\n\r\n12345",
    "half a chunk": HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n12",
}


async def test_incomplete_request_gets_408_and_is_closed() -> None:
    async with serving(replace(QUICK, incomplete_max=len(INCOMPLETE))) as server:

        async def send(name: str, sent: bytes) -> None:
            began = time.monotonic()
            assert (await end_of(await server.connect(sent))).startswith(b"HTTP/1.1 408 "), name
            assert 0.5 < time.monotonic() - began < 3, name

        async with anyio.create_task_group() as clients:
            for name, sent in INCOMPLETE.items():
                clients.start_soon(send, name, sent)


async def test_slowly_dripping_request_is_closed() -> None:
    async with serving(QUICK) as server:
        streams = await server.connect(HEAD + b"content-length: 100000\r\n\r\n")

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    streams[1].write(b"x")
                    await streams[1].drain()
                    await anyio.sleep(0.05)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drip)
            await end_of(streams)  # bytes that are still being sent can discard the response
            tasks.cancel_scope.cancel()


async def test_large_body_gets_time_in_proportion_to_its_size() -> None:
    async with serving(ConnectionLimits(request_seconds=0.5, bytes_per_second=10_000, grace_sweeps=1)) as server:
        reader, writer = await server.connect(HEAD + b"content-length: 15000\r\n\r\n")
        for _ in range(15):
            writer.write(bytes(1000))
            await writer.drain()
            await anyio.sleep(0.08)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")


async def test_oldest_incomplete_requests_are_closed_when_there_are_too_many() -> None:
    async with serving(ConnectionLimits(request_seconds=60, incomplete_max=4, grace_sweeps=2)) as server:
        slow = [await server.connect(HEAD) for _ in range(10)]
        for streams in slow[:6]:
            assert await end_of(streams) == b""
        assert await server.get() == 200
        for reader, writer in slow[6:]:
            writer.write(b"content-length: 0\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")


async def test_slow_connection_is_closed_before_a_new_one_when_there_are_too_many() -> None:
    async with serving(ConnectionLimits(request_seconds=60, connections_max=3, grace_sweeps=1)) as server:
        slow = await server.connect(HEAD)
        idle = [await server.connect(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n") for _ in range(2)]  # kept alive
        for reader, _ in idle:
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        await anyio.sleep(0.5)
        assert await server.get() == 200
        assert await end_of(slow) == b""
        third = await server.connect(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await third[0].readline()).startswith(b"HTTP/1.1 200 ")
        assert await end_of(await server.connect(HEAD)) == b""


@pytest.mark.slow
async def test_a_thousand_simultaneous_callers_are_all_served() -> None:
    async with serving(ConnectionLimits()) as server:
        request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        answers: list[bytes] = []

        async def call() -> None:
            reader, _ = await server.connect(request)
            answers.append(await reader.read())

        async with anyio.create_task_group() as calls:
            for _ in range(1000):
                calls.start_soon(call)
        assert len([each for each in answers if each.startswith(b"HTTP/1.1 200 ")]) == 1000


def test_limits_leave_file_descriptors_for_everything_else() -> None:
    assert ConnectionLimits().within(20_000) == ConnectionLimits()
    small = ConnectionLimits().within(256)
    assert (small.connections_max, small.incomplete_max, small.backlog) == (128, 64, 64)


@asynccontextmanager
async def with_few_files(directory: Path) -> AsyncGenerator[str]:
    """The real server under the soft limit of open files that macOS gives."""
    command = f"ulimit -S -n 256; exec {shlex.join(SERVE)} --port 0"
    with (
        log_of(directory).open("a") as log,
        subprocess.Popen(  # noqa: ASYNC220  it starts at once
            ["sh", "-c", command],
            env={**os.environ, **environment(directory, **SANDBOX)},
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout
            yield (await anyio.to_thread.run_sync(process.stdout.readline)).strip()
            process.send_signal(signal.SIGTERM)
            assert await anyio.to_thread.run_sync(process.wait, 20) == 0
        finally:
            process.kill()


@pytest.mark.slow
async def test_half_open_connections_and_garbage_do_not_affect_other_clients(tmp_path: Path) -> None:
    async with with_few_files(tmp_path) as url:
        server = Served(httpx.URL(url).port or 0)
        half_open = [await server.connect(HEAD) for _ in range(300)]

        async def garbage() -> None:
            for _ in range(500):
                with contextlib.suppress(OSError):
                    await server.connect(b"no http at all\r\n\r\n")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(garbage)
            for _ in range(5):
                with anyio.fail_after(5):
                    async with Client(url) as client:
                        assert (await client.list_tools()).tools
        began = time.monotonic()
        for streams in half_open:
            await end_of(streams, 30)
        assert time.monotonic() - began < 25
        async with Client(url) as client:
            assert (await client.list_tools()).tools
        await server.close()
    log = log_of(tmp_path).read_text()
    assert "closed connections without a complete request" in log
    assert len(log) < 5_000, log[:3000]
