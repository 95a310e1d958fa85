"""Requests that are refused or prepared before they reach the MCP application."""

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
    """Without tokens, everyone who can connect is treated as the person on this machine. A request that came through a
    proxy may be from someone else. No MCP client speaks HTTP/1.0, which plain reverse proxies do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sign = _sign_of_a_proxy(scope) if scope["type"] == "http" else ""
        message = (
            f"This server has no tokens and serves its own machine alone; this request came through a proxy ({sign}). "
            f"Behind a proxy, set {PREFIX}HTTP_TOKENS."
        )
        app = JSONResponse({"error": message}, 403) if sign else self._app
        await app(scope, receive, send)


def _sign_of_a_proxy(scope: Scope) -> str:
    """What shows that a request was forwarded; empty if nothing does."""
    if scope["http_version"] == "1.0":
        return "HTTP/1.0"
    names: Iterable[bytes] = (name for name, _ in scope["headers"])
    found = next((n for n in names if n in PROXY_HEADERS or n.startswith(PROXY_PREFIXES)), b"")
    return found.decode("latin-1")


class ValidateKeyHeaders:
    """Refuses callers' keys that cannot be sent to a gateway, such as those copied with extra characters."""

    def __init__(self, app: ASGIApp, gateways: Iterable[str]) -> None:
        self._app = app
        self._names = {key_header(gateway).lower().encode(): key_header(gateway) for gateway in gateways}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wrong = [
            self._names[name]
            for name, value in scope.get("headers", ())
            if name in self._names and not is_sendable(value.decode("latin-1").strip())
        ]
        message = f"{', '.join(wrong)}: a key is printable ASCII without spaces; this one was copied wrongly."
        app = JSONResponse({"error": message}, 400) if wrong else self._app
        await app(scope, receive, send)


class BufferBody:
    """Passes requests on once their bodies are complete. The SDK treats a client that disconnects in the middle of one
    as an error of the server, with a traceback in the log.

    Bodies longer than `bytes_max`, or announced as such, are passed on unbuffered: the SDK refuses them.
    """

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _says_more_than(scope, self._bytes_max):
            await self._app(scope, receive, send)
            return
        come: list[Message] = []
        size, more = 0, True
        while more and size <= self._bytes_max:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            come.append(message)
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        come.reverse()

        async def receive_again() -> Message:
            return come.pop() if come else await receive()

        await self._app(scope, receive_again, send)


def _says_more_than(scope: Scope, bytes_max: int) -> bool:
    length = dict(scope["headers"]).get(b"content-length", b"")
    return length.isdigit() and int(length[:20]) > bytes_max
