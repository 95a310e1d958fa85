"""Streamable HTTP at `/mcp`: for the local user on loopback, otherwise for callers with a token."""

import logging
import socket
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from types import FrameType
from typing import Any

import anyio
import uvicorn
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.routes import build_resource_metadata_url, create_protected_resource_routes
from mcp.server.auth.settings import AuthSettings
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.core.signals import signals_handled
from hailuo_mcp.gateways.client import SUBMIT_SECONDS
from hailuo_mcp.http import routes as http_routes
from hailuo_mcp.http.auth import READ, SCOPES, caller_of, verifier_of
from hailuo_mcp.http.connections import ConnectionLimits, Connections, raise_files_max
from hailuo_mcp.http.exposure import authority, security_of
from hailuo_mcp.http.floods import limited_log
from hailuo_mcp.http.middleware import BufferBody, RejectProxied, ValidateKeyHeaders
from hailuo_mcp.http.team_page import team_page
from hailuo_mcp.mcp.errors import Context
from hailuo_mcp.mcp.server import VideoServer, build_server
from hailuo_mcp.service.background import background_tasks
from hailuo_mcp.service.services import Services
from hailuo_mcp.service.warm_up import warm_up

log = logging.getLogger(__name__)

PATH = "/mcp"
BODY_BYTES_MAX = 64 * 1024 * 1024
"""Over HTTP, images are sent as `data:` URIs; two of the maximum size fit."""
GRACE_SECONDS = SUBMIT_SECONDS + 5.0
"""How long a shutdown waits for calls in flight: long enough for the response to a submission."""
CLOSE_SECONDS = 5
"""How long a shutdown then waits for connections to close."""


class Gate:
    """The token verifier, and the metadata that tells clients how to get a token."""

    def __init__(self, verifier: TokenVerifier, issuer: str, resource: str) -> None:
        self.verifier = verifier
        self.metadata: list[Route] = []
        self.metadata_url: AnyHttpUrl | None = None
        if issuer:
            # These settings keep a URL exactly as given: issuers are compared character by character (RFC 8414). The
            # verifier checks the audience.
            named = AuthSettings.model_validate(
                {"issuer_url": issuer, "resource_server_url": resource, "validate_token_resource": False}
            )
            resource_url = AnyHttpUrl(resource)
            self.metadata_url = build_resource_metadata_url(resource_url)
            self.metadata = create_protected_resource_routes(
                resource_url, [named.issuer_url], scopes_supported=list(SCOPES), resource_name="Hailuo video"
            )


def create_app(
    server: VideoServer,
    security: TransportSecuritySettings,
    extra_routes: Sequence[Route],
    gate: Gate | None,
    keys_for: Collection[str],
) -> Starlette:
    """The ASGI application: MCP at `/mcp`, and `extra_routes`. `keys_for` names the gateways whose keys callers
    may send in headers.

    It is stateless, so any of several servers can handle any call. As a consequence, clients of protocol versions with
    a handshake cannot cancel a call by a notification: an abandoned call runs to its end.
    """
    mcp = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        max_request_body_size=BODY_BYTES_MAX,
        transport_security=security,
    )
    # Only the SDK's handler, not its application: a second Starlette would run its middleware on every call.
    inner: ASGIApp = BufferBody(StreamableHTTPASGIApp(server.session_manager), BODY_BYTES_MAX)
    if keys_for:
        inner = ValidateKeyHeaders(inner, keys_for)
    if gate:
        # Outermost, so that a caller without a valid token is refused before its body is read.
        inner = RequireAuthMiddleware(inner, [READ], gate.metadata_url)
        first = Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(gate.verifier))
    else:
        first = Middleware(RejectProxied)
    routes = [Route(PATH, inner), *extra_routes, *(gate.metadata if gate else ())]
    return Starlette(routes=routes, middleware=[first], lifespan=mcp.router.lifespan_context)


OpenServices = Callable[[str], AbstractAsyncContextManager[Services]]
"""Opens the services of a server whose callers reach it at this base URL."""


async def serve_http(
    settings: Settings,
    open_services: OpenServices,
    version: str,
    listener: socket.socket,
    announce: Callable[[str], None],
) -> None:
    """Serve on a listening socket until a signal arrives; `announce` is called with the URL once the server is ready.

    On shutdown, waiting calls return at once, and submissions in flight are awaited.

    Raises:
        InternalError: the ledger cannot be used.
    """
    host, port = listener.getsockname()[:2]
    address = f"http://{authority(host)}:{port}"
    base = settings.public_url or address
    limits = ConnectionLimits(settings.http_max_connections).within(raise_files_max())

    def caller(ctx: Context) -> Caller:
        return caller_of(ctx.request, settings.gateways, settings)

    async with open_services(base) as services, background_tasks() as tasks:
        server = build_server(services, version, caller)
        tasks.start_soon(warm_up)
        verifier = verifier_of(settings, base + PATH)
        gate = Gate(verifier, settings.oauth_issuer, base + PATH) if verifier else None
        extra_routes = http_routes.routes(services, lambda: running.stopping)
        if verifier and services.urls:
            extra_routes.append(team_page(services, services.urls, verifier))
        keys_for = tuple(settings.gateways) if settings.keys_from_headers else ()
        in_flight = _InFlight(create_app(server, security_of(settings, host, port), extra_routes, gate, keys_for))
        connections = Connections(limits)
        config = uvicorn.Config(
            in_flight,
            http=connections.protocol,  # pyright: ignore[reportArgumentType]  uvicorn calls it as it would a class
            backlog=limits.backlog,
            log_level="warning",
            log_config=None,
            access_log=False,
            lifespan="on",
            ws="none",
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )

        def stop() -> None:
            log.info("stopping: finishing calls in flight")
            services.long_polls.end()
            server.subscriptions.close()

        running = _Uvicorn(config, in_flight, lambda: announce(address + PATH), stop)
        tasks.start_soon(connections.watch)
        with limited_log(), signals_handled(running.handle_exit):  # uvicorn does not handle SIGHUP
            await running.serve(sockets=[listener])


class _InFlight:
    """Counts the POST requests in flight. GET streams that a client keeps open do not count."""

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
    """Calls `on_listening` when it listens, and `on_stopping` when a signal has arrived. On the first signal, it
    finishes all calls in flight before it stops: uvicorn alone would cut off responses that are event streams. On the
    second, it stops at once."""

    def __init__(
        self,
        config: uvicorn.Config,
        in_flight: _InFlight,
        on_listening: Callable[[], None],
        on_stopping: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._in_flight, self._on_listening, self._on_stopping = in_flight, on_listening, on_stopping
        self.stopping = False
        self._deadline: float | None = None

    async def startup(self, *args: Any, **kwargs: Any) -> None:
        await super().startup(*args, **kwargs)
        if self.started:
            self._on_listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal, and act on it at the next tick. Unlike uvicorn, do not raise it again at the end."""
        if self.stopping:
            self.should_exit = self.force_exit = True
        self.stopping = True

    async def on_tick(self, counter: int) -> bool:
        if self.stopping and self._deadline is None:
            self._deadline = anyio.current_time() + GRACE_SECONDS
            self._on_stopping()
        elif self._deadline is not None and (not self._in_flight.count or anyio.current_time() > self._deadline):
            self.should_exit = True
        return await super().on_tick(counter)
