"""The real server as a separate process, over either transport, and the SDK's client connected to it."""

import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
from mcp import Client, StdioServerParameters
from mcp.client.extension import ClientExtension
from mcp.client.stdio import stdio_client

from tests.support import Era, environment, log_of

SERVE = (sys.executable, "-m", "hailuo_mcp", "serve", "--http")
ENDS_WITHIN_SECONDS = 20
SANDBOX = {"HAILUO_MCP_SANDBOX": "1", "HAILUO_MCP_SANDBOX_SECONDS": "0.5"}

Connect = Callable[..., AbstractAsyncContextManager[Client]]
"""`connect(era="auto", extensions=())`: a client of a running server."""


@dataclass(slots=True)
class Running:
    """A running server."""

    url: str
    process: subprocess.Popen[str]
    stop_requested: bool = False

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.stop_requested = True
        self.process.send_signal(number)

    async def exit_code(self) -> int:
        """The exit code, once the process has ended."""
        return await anyio.to_thread.run_sync(self.process.wait, ENDS_WITHIN_SECONDS)


@asynccontextmanager
async def serving(directory: Path, port: int = 0, /, **variables: str) -> AsyncGenerator[Running]:
    """The HTTP server, on a free port unless one is given. Its log is appended to `log` in the directory; it must exit
    with code 0."""
    with (
        log_of(directory).open("a") as log,
        subprocess.Popen(  # noqa: ASYNC220  it starts at once
            [*SERVE, "--port", str(port)],
            env=environment(directory, **variables),
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout
            url = (await anyio.to_thread.run_sync(process.stdout.readline)).strip()
            assert url, log_of(directory).read_text()
            running = Running(url, process)
            yield running
            if not running.stop_requested:  # a second signal would end it immediately
                running.signal()
            assert (code := await running.exit_code()) == 0, f"{code}: {log_of(directory).read_text()[-2000:]}"
        finally:
            process.kill()


@asynccontextmanager
async def over_http(directory: Path, **variables: str) -> AsyncGenerator[Connect]:
    async with serving(directory, **variables) as running:

        @asynccontextmanager
        async def connect(era: Era = "auto", extensions: Sequence[ClientExtension] = ()) -> AsyncGenerator[Client]:
            async with Client(running.url, mode=era, extensions=extensions) as client:
                yield client

        yield connect


@asynccontextmanager
async def over_stdio(directory: Path, **variables: str) -> AsyncGenerator[Connect]:
    """Each client starts its own server, on the same ledger."""
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "hailuo_mcp"], env=environment(directory, **variables), cwd=directory
    )

    @asynccontextmanager
    async def connect(era: Era = "auto", extensions: Sequence[ClientExtension] = ()) -> AsyncGenerator[Client]:
        with log_of(directory).open("a") as log:
            async with Client(stdio_client(parameters, errlog=log), mode=era, extensions=extensions) as client:
                yield client

    yield connect


Transport = Callable[..., AbstractAsyncContextManager[Connect]]
TRANSPORTS: dict[str, Transport] = {"http": over_http, "stdio": over_stdio}
