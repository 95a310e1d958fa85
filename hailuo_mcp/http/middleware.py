"""Middleware that refuses or buffers requests before they reach the MCP application."""

from collections.abc import Iterable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hailuo_mcp.core.caller import key_header
from hailuo_mcp.core.setting_values import PREFIX
from hailuo_mcp.core.tenants import is_sendable

PROXY_HEADERS = frozenset(
    (
        *(b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip", b"true-client-ip", b"cdn-loop"),
        *(b"x-original-forwarded-for", b"x-original-host", b"x-proxyuser-ip", b"x-envoy-external-address"),
        *(b"x-amzn-trace-id", b"x-amz-cf-id", b"x-cloud-trace-context", b"x-azure-clientip", b"x-vercel-id"),
    )
)
PROXY_PREFIXES = (b"x-forwarded", b"cf-", b"fly-", b"fastly-", b"x-fastly-", b"akamai-", b"x-akamai-", b"ngrok-")
"""Headers that proxies, tunnels and CDNs add to a request."""


class RejectProxied:
    """Refuses requests that came through a proxy. For servers without tokens, where every caller is treated as the
    local user: a proxied request may come from anyone. HTTP/1.0 counts as a sign of a proxy, because no MCP client
    speaks it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sign = _sign_of_a_proxy(scope) if scope["type"] == "http" else ""
        message = (
            f"This server has no tokens and only serves clients on its own machine; this request came through a proxy "
            f"({sign}). Behind a proxy, set {PREFIX}HTTP_TOKENS."
        )
        app = JSONResponse({"error": message}, 403) if sign else self._app
        await app(scope, receive, send)


def _sign_of_a_proxy(scope: Scope) -> str:
    """The sign that a request was forwarded, such as a header's name; empty if there is none."""
    if scope["http_version"] == "1.0":
        return "HTTP/1.0"
    names: Iterable[bytes] = (name for name, _ in scope["headers"])
    found = next((n for n in names if n in PROXY_HEADERS or n.startswith(PROXY_PREFIXES)), b"")
    return found.decode("latin-1")


class ValidateKeyHeaders:
    """Refuses requests with a gateway key that is not valid as a header, such as one copied with extra characters."""

    def __init__(self, app: ASGIApp, gateways: Iterable[str]) -> None:
        self._app = app
        self._names = {key_header(gateway).lower().encode(): key_header(gateway) for gateway in gateways}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wrong = [
            self._names[name]
            for name, value in scope.get("headers", ())
            if name in self._names and not is_sendable(value.decode("latin-1").strip())
        ]
        message = f"{', '.join(wrong)}: a key is printable ASCII without spaces; this one was not copied correctly."
        app = JSONResponse({"error": message}, 400) if wrong else self._app
        await app(scope, receive, send)


class BufferBody:
    """Passes a request on once its body is complete. The SDK treats a client that disconnects before that as a server
    error, with a traceback in the log.

    Bodies over `bytes_max`, by content or by Content-Length, are passed on unbuffered: the SDK refuses them.
    """

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _declares_more_than(scope, self._bytes_max):
            await self._app(scope, receive, send)
            return
        received: list[Message] = []
        size, more = 0, True
        while more and size <= self._bytes_max:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            received.append(message)
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        received.reverse()

        async def replay() -> Message:
            return received.pop() if received else await receive()

        await self._app(scope, replay, send)


def _declares_more_than(scope: Scope, bytes_max: int) -> bool:
    length = dict(scope["headers"]).get(b"content-length", b"")
    return length.isdigit() and int(length[:20]) > bytes_max
