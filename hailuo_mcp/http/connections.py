"""Limits on connections: how long a request may take to arrive, and how many connections may be open.

uvicorn (0.54) closes connections that are idle between requests, but waits indefinitely for the rest of a request, and
once its `limit_concurrency` is reached, it refuses everyone. This module extends its h11 protocol.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio
import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)

BACKLOG_MAX = 2048
"""The backlog of the listening socket, as in uvicorn: up to this many connections may be accepted at once."""
FILES_RESERVED = 128
"""File descriptors kept free for everything other than callers' connections."""
FILES_WANTED = 10240
"""The limit on open files to ask for: enough for all connections, and the most that macOS allows."""
SWEEP_SECONDS = 0.1
LOG_SECONDS = 60.0
TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits on connections, before the caller is authenticated."""

    connections_max: int = 4096
    incomplete_max: int = 256
    """Connections without a complete request. Beyond this, those with the earliest deadline are closed."""
    request_seconds: float = 15.0
    """How long a request may take to arrive, body included."""
    bytes_per_second: int = 64 * 1024
    """Every this many bytes extend the deadline by a second, because images are sent inside calls."""
    grace_sweeps: int = 10
    """A connection is only closed after this many sweeps (about a second), so that the server has had time to read what
    was sent: thousands of callers may connect at once."""
    backlog: int = BACKLOG_MAX

    def within(self, files_max: int) -> "ConnectionLimits":
        """These limits, reduced for a process that may have at most `files_max` open files."""
        usable = files_max - min(FILES_RESERVED, files_max // 4)
        connections_max = min(self.connections_max, usable * 2 // 3)
        return replace(
            self,
            connections_max=connections_max,
            incomplete_max=min(self.incomplete_max, connections_max // 2),
            backlog=min(self.backlog, usable - connections_max),
        )


class Connections:
    """The server's open connections, and which of them have no complete request yet."""

    def __init__(self, limits: ConnectionLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._open: set[BoundedProtocol] = set()
        self._incomplete: dict[BoundedProtocol, _Arrival] = {}
        self._sweeps = 0
        self._closed = {"too slow": 0, "too many incomplete": 0, "too many": 0}
        self._logged_at = float("-inf")

    def protocol(self, *args: object, **kwargs: object) -> "BoundedProtocol":
        """Create a protocol; for `http` in uvicorn's configuration."""
        return BoundedProtocol(self, *args, **kwargs)

    async def watch(self) -> None:
        """Close connections that exceed the limits, until cancelled."""
        while True:
            await anyio.sleep(SWEEP_SECONDS)
            self.sweep()

    def opened(self, connection: "BoundedProtocol") -> None:
        if len(self._open) >= self._limits.connections_max:
            self._close(self._first_to_close() or connection, "too many")
        self._open.add(connection)
        self.received(connection, 0)

    def received(self, connection: "BoundedProtocol", size: int) -> None:
        """Note that `size` bytes of a still incomplete request arrived."""
        arrival = self._incomplete.get(connection)
        if arrival is None:
            arrival = self._incomplete[connection] = _Arrival(
                self._clock() + self._limits.request_seconds, self._sweeps + self._limits.grace_sweeps
            )
        arrival.deadline += size / self._limits.bytes_per_second

    def completed(self, connection: "BoundedProtocol") -> None:
        self._incomplete.pop(connection, None)

    def lost(self, connection: "BoundedProtocol") -> None:
        self._open.discard(connection)
        self._incomplete.pop(connection, None)

    def sweep(self) -> None:
        self._sweeps += 1
        now = self._clock()
        for connection, arrival in list(self._incomplete.items()):
            if now > arrival.deadline and self._sweeps >= arrival.grace_until:
                self._close(connection, "too slow")
        while len(self._incomplete) > self._limits.incomplete_max and (found := self._first_to_close()):
            self._close(found, "too many incomplete")
        if any(self._closed.values()) and now - self._logged_at >= LOG_SECONDS:
            reasons = ", ".join(f"{number} {reason}" for reason, number in self._closed.items() if number)
            log.warning("closed connections without a complete request: %s", reasons)
            self._closed = dict.fromkeys(self._closed, 0)
            self._logged_at = now

    def _first_to_close(self) -> "BoundedProtocol | None":
        closable = [c for c, arrival in self._incomplete.items() if self._sweeps >= arrival.grace_until]
        return min(closable, key=lambda c: self._incomplete[c].deadline, default=None)

    def _close(self, connection: "BoundedProtocol", reason: str) -> None:
        self._closed[reason] += 1
        self.lost(connection)
        connection.close(respond=reason == "too slow")


@dataclass(slots=True)
class _Arrival:
    """A request that is still arriving."""

    deadline: float
    grace_until: int
    """The number of the first sweep that may close it."""


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, extended to report what arrives."""

    def __init__(self, all_connections: Connections, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # pyright: ignore[reportArgumentType]  as uvicorn passes them
        self._all = all_connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  as in uvicorn
        super().connection_made(transport)
        self._all.opened(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._all.received(self, len(data))
        else:
            self._all.completed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.lost(self)
        super().connection_lost(exc)

    def close(self, *, respond: bool) -> None:
        """Close the connection; with `respond`, send a 408 first unless a response was begun."""
        if respond and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(TIMED_OUT)
            self.transport.close()
        else:
            self.transport.abort()


def raise_files_max() -> int:
    """Raise the limit on open files, up to `FILES_WANTED`, and return it. On some systems it starts at 256."""
    try:
        import resource  # not on Windows, which has no such limit
    except ImportError:
        return sys.maxsize
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(FILES_WANTED, hard) if hard != resource.RLIM_INFINITY else FILES_WANTED
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return sys.maxsize if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted
