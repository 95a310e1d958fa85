"""Bounds on connections: how long a request may take to arrive, and how many connections there may be.

uvicorn (0.54) closes connections that are idle between requests, but waits for the rest of a begun request for any
time, and its `limit_concurrency` refuses everyone once it is reached. Its h11 protocol is extended here for that.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio
import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)

BACKLOG_MAX = 2048
"""Connections that wait to be accepted, as uvicorn has it. So many may be accepted at once."""
FILES_RESERVED = 128
"""For everything that is no connection of a caller."""
FILES_WANTED = 10240
"""Open files: enough for all connections; macOS allows no more."""
SWEEP_SECONDS = 0.1
LOG_SECONDS = 60.0
TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What is allowed to callers of whom nothing is known yet."""

    connections_max: int = 4096
    incomplete_max: int = 256
    """Connections whose request is not complete. When there are more, the least promising ones are closed."""
    request_seconds: float = 15.0
    """For a request to arrive, with its body."""
    bytes_per_second: int = 64 * 1024
    """So many bytes give another second, since images are sent inside calls."""
    chance_sweeps: int = 10
    """A connection is not closed before it was left this many times (about a second), so that what it sent was read:
    thousands of callers may come at once."""
    backlog: int = BACKLOG_MAX

    def within(self, files_max: int) -> "ConnectionLimits":
        """These limits, where the process may have no more open files than this."""
        usable = files_max - min(FILES_RESERVED, files_max // 4)
        connections_max = min(self.connections_max, usable * 2 // 3)
        return ConnectionLimits(
            connections_max,
            min(self.incomplete_max, connections_max // 2),
            self.request_seconds,
            self.bytes_per_second,
            self.chance_sweeps,
            min(self.backlog, usable - connections_max),
        )


class Connections:
    """All connections of a server, and those among them whose request is not complete."""

    def __init__(self, limits: ConnectionLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._open: set[BoundedProtocol] = set()
        self._incomplete: dict[BoundedProtocol, _Arrival] = {}
        self._sweeps = 0
        self._closed = {"too slow": 0, "too many incomplete": 0, "too many": 0}
        self._logged_at = float("-inf")

    def protocol(self, *args: object, **kwargs: object) -> "BoundedProtocol":
        """The `http` of uvicorn's configuration."""
        return BoundedProtocol(self, *args, **kwargs)

    async def watch(self) -> None:
        """Close what is over the limits, until cancelled."""
        while True:
            await anyio.sleep(SWEEP_SECONDS)
            self.sweep()

    def opened(self, connection: "BoundedProtocol") -> None:
        if len(self._open) >= self._limits.connections_max:
            self._close(self._least_promising() or connection, "too many")
        self._open.add(connection)
        self.received(connection, 0)

    def received(self, connection: "BoundedProtocol", size: int) -> None:
        """Something of a request came, which is not complete."""
        arrival = self._incomplete.get(connection)
        if arrival is None:
            arrival = self._incomplete[connection] = _Arrival(
                self._clock() + self._limits.request_seconds, self._sweeps + self._limits.chance_sweeps
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
            if now > arrival.deadline and self._sweeps >= arrival.chance_until:
                self._close(connection, "too slow")
        while len(self._incomplete) > self._limits.incomplete_max and (found := self._least_promising()):
            self._close(found, "too many incomplete")
        if any(self._closed.values()) and now - self._logged_at >= LOG_SECONDS:
            reasons = ", ".join(f"{number} {reason}" for reason, number in self._closed.items() if number)
            log.warning("connections without a complete request were closed: %s", reasons)
            self._closed = dict.fromkeys(self._closed, 0)
            self._logged_at = now

    def _least_promising(self) -> "BoundedProtocol | None":
        had_a_chance = [c for c, arrival in self._incomplete.items() if self._sweeps >= arrival.chance_until]
        return min(had_a_chance, key=lambda c: self._incomplete[c].deadline, default=None)

    def _close(self, connection: "BoundedProtocol", reason: str) -> None:
        self._closed[reason] += 1
        self.lost(connection)
        connection.give_up(politely=reason == "too slow")


@dataclass(slots=True)
class _Arrival:
    """A request on its way."""

    deadline: float
    chance_until: int
    """The number of the first sweep that may close it."""


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, which reports what arrives."""

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

    def give_up(self, *, politely: bool) -> None:
        """Close the connection; `politely` with a response, if there was none."""
        if politely and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(TIMED_OUT)
            self.transport.close()
        else:
            self.transport.abort()


def raise_files_max() -> int:
    """How many files this process may have open, after asking for as many as it may ask for. Some systems begin with
    256."""
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
