"""Reading and writing lines on the pipes of a host, in the event loop wherever the system can tell that this does not
block: handing a line over to a thread and back takes longer than all else that the server does with it.
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
"""So many bytes can be written to a pipe that is ready. Windows cannot tell whether one is: there, a thread writes."""


class Lines:
    """The lines of a file descriptor, without empty ones."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._rest = bytearray()
        try:
            self._loop.add_reader(descriptor, self._read_what_is_there)
        except (NotImplementedError, OSError):  # on Windows; a file, or none
            # Ends with the process. A thread of anyio's would have to be waited for.
            threading.Thread(target=self._read_all, name="stdin", daemon=True).start()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        line = await self._lines.get()
        if line is None:
            raise StopAsyncIteration
        return line

    def _read_what_is_there(self) -> None:
        try:
            chunk = self._chunk()
        except BlockingIOError:  # nothing, after all
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
        # Not by `sys.stdin`: the interpreter cannot end while a thread holds the lock of its buffer.
        try:
            return os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            raise
        except OSError:  # closed, or a terminal that is gone
            return b""

    def _take(self, chunk: bytes) -> None:
        """Pass on the lines that are complete with this; an empty chunk is the end, and completes the last one."""
        *whole, last = chunk.split(b"\n") if chunk else (b"", b"")
        for line in whole:
            self._rest += line
            if self._rest.strip():
                self._lines.put_nowait(self._rest.decode(errors="replace"))
            self._rest.clear()
        self._rest += last
        if not chunk:
            self._lines.put_nowait(None)


class Output:
    """What the SDK's transport needs of a file to write lines to."""

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
            except BlockingIOError:  # the host has made its end, and so ours, a pipe that does not block
                self._is_ready(None)

    def _is_ready(self, seconds: float | None) -> bool:
        return bool(select.select([], [self._descriptor], [], seconds)[1])


@contextmanager
def claimed_stdout() -> Generator[int]:
    """A descriptor for what stdout is. Within the block, stdout itself is stderr, so that whatever a library prints
    does not get among the messages."""
    descriptor = os.dup(1)
    with suppress(OSError):  # there is no stderr
        os.dup2(2, 1)
    try:
        yield descriptor
    finally:
        os.dup2(descriptor, 1)
        os.close(descriptor)
