"""Several servers as separate processes, which can be killed and restarted on the same port."""

import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

import anyio
import anyio.to_thread

CLI = (sys.executable, "-m", "hailuo_mcp")


def free_ports(count: int) -> list[int]:
    """All reserved at the same time, so that no two are the same."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in range(count)]
        return [reserved.getsockname()[1] for reserved in sockets]


class Process:
    """`hailuo-mcp`, or another command, with these arguments; its log is appended to one file across restarts."""

    def __init__(
        self, arguments: Sequence[str], environ: Mapping[str, str], log: Path, *, command: Sequence[str] = CLI
    ) -> None:
        self._command = [*command, *arguments]
        self._environ = dict(environ)
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self.starts = 0

    async def start(self) -> None:
        """Return once it has printed where it listens."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220  it starts at once
                self._command, env=self._environ, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout
        address = await anyio.to_thread.run_sync(self._process.stdout.readline, abandon_on_cancel=True)
        assert address, self._log.read_text()
        self.starts += 1

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def kill(self) -> None:
        """Send SIGKILL."""
        if self._process:
            self._process.kill()
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
