"""Reads and writes lines on stdin and stdout in the event loop, where the system can tell that this does not block:
passing a line to a thread and back takes longer than everything else that the server does with it.
"""

import asyncio
import os
import select
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Self

import anyio
import anyio.lowlevel
import anyio.to_thread

CHUNK = 1 << 16
WITHOUT_BLOCKING = getattr(select, "PIPE_BUF", 0)
"""How many bytes can be written to a ready pipe without blocking. 0 on Windows, which cannot tell whether a pipe is
ready: there, a thread writes."""


class Lines:
    """The non-empty lines of a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._rest = bytearray()
        try:
            self._loop.add_reader(descriptor, self._read_available)
        except (NotImplementedError, OSError):  # on Windows, or if stdin is a file or closed
            # A daemon thread, because it cannot be interrupted: the process would wait for one of anyio's.
            threading.Thread(target=self._read_all, name="stdin", daemon=True).start()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        line = await self._lines.get()
        if line is None:
            raise StopAsyncIteration
        return line

    def _read_available(self) -> None:
        try:
            chunk = self._chunk()
        except BlockingIOError:  # a spurious wakeup
            return
        if not chunk:
            self._loop.remove_reader(self._descriptor)
        self._take(chunk)

    def _read_all(self) -> None:
        chunk = b"-"
        while chunk:
            chunk = self._chunk()
            try:
                self._loop.call_soon_threadsafe(self._take, chunk)
            except RuntimeError:  # the event loop is closed
                return

    def _chunk(self) -> bytes:
        # Not through `sys.stdin`: the interpreter cannot exit while a thread holds its buffer's lock.
        try:
            return os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            raise
        except OSError:  # closed, or a terminal that is gone
            return b""

    def _take(self, chunk: bytes) -> None:
        """Queue the lines that this chunk completes. An empty chunk means the end, and completes the last line."""
        *complete, last = chunk.split(b"\n") if chunk else (b"", b"")
        for line in complete:
            self._rest += line
            if self._rest.strip():
                self._lines.put_nowait(self._rest.decode(errors="replace"))
            self._rest.clear()
        self._rest += last
        if not chunk:
            self._lines.put_nowait(None)


class Output:
    """A file-like object with what the SDK's transport uses to write lines."""

    def __init__(self, descriptor: int, without_blocking: int = WITHOUT_BLOCKING) -> None:
        self._descriptor = descriptor
        self._without_blocking = without_blocking
        self._written = bytearray()

    async def write(self, text: str) -> None:
        self._written += text.encode()

    async def flush(self) -> None:
        rest, self._written = memoryview(self._written), bytearray()
        while rest and self._without_blocking and self._is_ready(0):
            rest = rest[os.write(self._descriptor, rest[: self._without_blocking]) :]
        if rest:  # the host is slow to read
            await anyio.to_thread.run_sync(self._write_all, rest)
        await anyio.lowlevel.checkpoint()

    def _write_all(self, rest: memoryview) -> None:
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # the host made the pipe non-blocking, and so our end too
                self._is_ready(None)

    def _is_ready(self, seconds: float | None) -> bool:
        return bool(select.select([], [self._descriptor], [], seconds)[1])


@contextmanager
def claimed_stdout() -> Generator[int]:
    """Yield a duplicate of stdout's descriptor. Within the block, stdout is redirected to stderr, so that nothing that
    a library prints ends up among the messages."""
    descriptor = os.dup(1)
    with suppress(OSError):  # there is no stderr
        os.dup2(2, 1)
    try:
        yield descriptor
    finally:
        os.dup2(descriptor, 1)
        os.close(descriptor)
