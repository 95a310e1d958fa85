"""Streamable HTTP at `/mcp`, on loopback: whoever can reach it is a user of this machine."""

import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address
from types import FrameType
from typing import Any

import anyio
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from hailuo_mcp.sending import SUBMIT_SECONDS
from hailuo_mcp.server import VideoServer, build_server
from hailuo_mcp.studio import Studio

log = logging.getLogger(__name__)

PATH = "/mcp"
BODY_BYTES_MAX = 64 * 1024 * 1024
"""Pictures come as `data:` URIs here, for nobody's files are read; two of the largest that are taken fit."""
GRACE_SECONDS = SUBMIT_SECONDS + 5.0
"""How long a stop waits for calls in flight: a submission has its answer by then."""
CLOSE_SECONDS = 5
"""How long it then waits for connections to close."""
HTTP_PORT = 80
"""The port that a URL, and so the Host header, leaves out."""
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def authority(host: str) -> str:
    """The host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def create_app(server: VideoServer, host: str, port: int) -> Starlette:
    """The ASGI application. Host and Origin must name this machine, so that no web page reaches the server by a name
    of its own (DNS rebinding).

    Clients of 2026-07-28 are served without any session. Those with a handshake get one: only by it does a
    cancellation, which they send as a message of its own, find the call that it is about.
    """
    names = {*LOOPBACK_NAMES, authority(host)}
    hosts = {f"{name}:*" for name in names}
    if port == HTTP_PORT:
        hosts |= names
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=sorted(hosts),
        allowed_origins=sorted(f"http://{name}" for name in hosts),
    )
    return server.streamable_http_app(
        streamable_http_path=PATH, host=host, max_request_body_size=BODY_BYTES_MAX, transport_security=security
    )


async def serve_http(studio: Studio, version: str, listener: socket.socket, announce: Callable[[str], None]) -> None:
    """Serve on a listening socket until a signal ends it; `announce` gets the URL once it answers.

    One studio serves all. A stop lets calls that wait answer at once, and a submission have its answer.
    """
    host, port = listener.getsockname()[:2]
    async with studio:
        server = build_server(studio, version)
        in_flight = _InFlight(create_app(server, host, port))
        config = uvicorn.Config(
            in_flight,
            log_level="warning",
            log_config=None,
            access_log=False,
            lifespan="on",
            ws="none",
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )

        def stop() -> None:
            log.info("stopping: calls in flight are finished")
            studio.end_waits()
            server.listening.close()

        running = _Uvicorn(config, in_flight, stop)
        running.listening = lambda: announce(f"http://{authority(host)}:{port}{PATH}")
        await running.serve(sockets=[listener])


class _InFlight:
    """Counts the messages that have no answer yet. Streams that a client keeps open for news are none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        counts = scope["type"] == "http" and scope["method"] == "POST"
        self.count += counts
        try:
            await self._app(scope, receive, send)
        finally:
            self.count -= counts


class _Uvicorn(uvicorn.Server):
    """Says when it listens. Asked to stop, it lets all calls have their answers first: uvicorn itself, and the SDK's
    event streams with it, would cut those that are answered in a stream. Asked twice, it stops at once."""

    listening: Callable[[], None]

    def __init__(self, config: uvicorn.Config, in_flight: _InFlight, stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._in_flight, self._stop = in_flight, stop
        self._asked = False
        self._deadline: float | None = None

    async def startup(self, *args: Any, **kwargs: Any) -> None:
        await super().startup(*args, **kwargs)
        if self.started:
            self.listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal. What it asks for is done at the next tick; it is not raised again in the end."""
        if self._asked:
            self.should_exit = self.force_exit = True
        self._asked = True

    async def on_tick(self, counter: int) -> bool:
        if self._asked and self._deadline is None:
            self._deadline = anyio.current_time() + GRACE_SECONDS
            self._stop()
        elif self._deadline is not None and (not self._in_flight.count or anyio.current_time() > self._deadline):
            self.should_exit = True
        return await super().on_tick(counter)
