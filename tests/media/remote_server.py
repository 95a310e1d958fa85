"""A server on loopback that does exactly what a test specifies, down to the bytes on the wire."""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hailuo_mcp.media.clips import ClipStore
from hailuo_mcp.media.downloads import DownloadPolicy

LOOPBACK = frozenset({"127.0.0.1"})
QUICK = DownloadPolicy(attempts=3, wait_initial=0.001, wait_max=0.001)

Step = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""Answers one request, given its head."""


class RemoteServer:
    """Runs one step per request, and repeats the last one; a connection carries one request."""

    def __init__(self, *steps: Step) -> None:
        self._steps = steps
        self.port = 0
        self.heads: list[str] = []

    def url(self, path: str = "/clip.mp4", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    @property
    def ranges(self) -> list[str]:
        """The range of each request; empty where the whole file was requested."""
        found = [re.search(r"^range: bytes=(\d+-)\r$", head, re.IGNORECASE | re.MULTILINE) for head in self.heads]
        return [match[1] if match else "" for match in found]

    def header(self, name: str) -> list[str]:
        """The header of this name in each request."""
        found = [re.search(rf"^{name}: (.*)\r$", head, re.IGNORECASE | re.MULTILINE) for head in self.heads]
        return [match[1] if match else "" for match in found]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.heads.append(head)
            await self._steps[min(len(self.heads), len(self._steps)) - 1](head, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client closed the connection
        finally:
            writer.close()


def store_in(
    directory: Path, own_hosts: frozenset[str] = LOOPBACK, policy: DownloadPolicy = QUICK, **options: Any
) -> ClipStore:
    """A store that may download from this server, and tries again at once."""
    return ClipStore(directory, own_hosts=own_hosts, policy=policy, **options)


@asynccontextmanager
async def serving(*steps: Step, tls: ssl.SSLContext | None = None) -> AsyncGenerator[RemoteServer]:
    remote = RemoteServer(*steps)
    server = await asyncio.start_server(remote.answer, "127.0.0.1", 0, ssl=tls)
    remote.port = server.sockets[0].getsockname()[1]
    try:
        yield remote
    finally:
        server.close()


def says(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> Step:
    """A response with a length; if it is wrong, the connection is closed before the end."""

    async def step(_: str, writer: asyncio.StreamWriter) -> None:
        stated = len(body) if length is None else length
        lines = [f"HTTP/1.1 {status} Said", f"content-length: {stated}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return step


def raw(*parts: bytes) -> Step:
    async def step(_: str, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return step


def redirects(location: str, status: int = 302) -> Step:
    return says(status, b"", f"location: {location}")


def ranged(content: bytes, *, cut_after: int | None = None, etag: str = '"v1"', headers: Sequence[str] = ()) -> Step:
    """A server that supports ranges like any storage service: `If-Range` is compared with its ETag and other headers.
    With `cut_after`, it closes the connection after that many bytes."""

    async def step(head: str, writer: asyncio.StreamWriter) -> None:
        own = [*([f"etag: {etag}"] if etag else []), *headers]
        match = re.search(r"^range: bytes=(\d+)-\r$", head, re.IGNORECASE | re.MULTILINE)
        condition = re.search(r"^if-range: (.*)\r$", head, re.IGNORECASE | re.MULTILINE)
        if condition and not any(line.endswith(condition[1]) for line in own):
            match = None
        start = int(match[1]) if match else 0
        part = content[start:]
        if match:
            own.append(f"content-range: bytes {start}-{len(content) - 1}/{len(content)}")
        sent = part if cut_after is None else part[:cut_after]
        await says(206 if match else 200, sent, *own, length=len(part))(head, writer)

    return step


async def hangs(_: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def drips(_: str, writer: asyncio.StreamWriter) -> None:
    """A byte every 20 ms, endlessly."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)
