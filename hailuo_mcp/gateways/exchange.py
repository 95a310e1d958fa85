"""One HTTP request and its response: what is sent, how much of the response is read, and if there is none, whether
anything was sent at all."""

import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from hailuo_mcp.core.causes import explain
from hailuo_mcp.core.network import ConnectionProblem, UnusableSetting, create_transport, tls_context
from hailuo_mcp.core.unpacking import IDENTITY, UnknownEncoding, unpacked
from hailuo_mcp.gateways.answers import mark_sandbox, parse_json
from hailuo_mcp.telemetry import request_span

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 5.0
"""Idle connections are dropped early: a POST on one that the server just closed would needlessly become unconfirmed."""
CONNECTIONS = 16
PIECE_BYTES = 64 * 1024
"""Larger content is sent in chunks of this size, each with its own write timeout, so that large files can be sent over
slow connections."""
SANDBOX_HEADER = "x-hailuo-sandbox"


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Limits of one client."""

    connections: int = CONNECTIONS
    """Requests sent at the same time; more wait for a free connection."""
    response_bytes: int = 64 * 1024 * 1024
    """The largest response that is read; a response may contain a clip as a `data:` URI."""
    accounts: int = 1000
    """Accounts whose rate limits are remembered: those used last."""


DEFAULT_LIMITS = ClientLimits()


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `body` is sent as JSON, `content` unchanged; `secrets` are the headers with the key, and so
    identify the account."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] | None = None
    content: bytes | None = field(default=None, kw_only=True, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def public(self) -> dict[str, Any]:
        """The request as shown by a dry run: exact, with the key masked."""
        headers = {**self.headers, **dict.fromkeys(self.secrets, "***")}
        return {"method": self.method, "url": self.url, "headers": headers, "body": self.body}


@dataclass(frozen=True, slots=True)
class Response:
    """A gateway's response. `headers` is case-insensitive; `body` is the parsed JSON, None if it is not JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def sandbox(self) -> bool:
        return SANDBOX_HEADER in self.headers

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class ConnectFailed(Exception):
    """Nothing was sent; `problem` says why."""

    def __init__(self, problem: ConnectionProblem) -> None:
        super().__init__(problem.cause)
        self.problem = problem


class ResponseLost(Exception):
    """The request was sent, and no complete response came back."""


class ResponseRefused(Exception):
    """The response is not read to its end, and a retry would not help. The text completes “answered with …”."""


@dataclass(slots=True)
class Delivery:
    """Whether the current attempt has sent anything. Unless a request is known to be unsent, it may have arrived."""

    sent: bool = False

    async def trace(self, event: str, _: object) -> None:
        """A trace hook of httpcore."""
        if event.endswith("send_request_headers.started"):
            self.sent = True


def prepare_requests() -> None:
    """Import what the first request needs. This takes 150 ms and may run in a thread."""
    import httpx  # start-up time

    httpx.AsyncHTTPTransport(verify=tls_context())  # imports httpcore


class Exchange:
    """One connection pool to a gateway, for all accounts.

    Args:
        title: names the gateway in the log.
        transport: creates a transport that replaces the network.
        on_response: is called with each response.
    """

    def __init__(
        self,
        title: str,
        transport: Callable[[], "httpx.AsyncBaseTransport"] | None,
        limits: ClientLimits,
        on_response: Callable[[Response], None] | None,
    ) -> None:
        self._title = title
        self._transport = transport
        self._limits = limits
        self._on_response = on_response
        self._connections: httpx.AsyncBaseTransport | None = None

    async def close(self) -> None:
        """Close the connections. A later request opens new ones."""
        if self._connections:
            await self._connections.aclose()
            self._connections = None

    async def send(self, request: Request, read_seconds: float, delivery: Delivery | None = None) -> Response:
        """Send a request once.

        Raises:
            ConnectFailed, ResponseLost, ResponseRefused: there is no response.
        """
        import httpx  # start-up time: the first `tools/list` needs no client

        content = request.content
        if request.body is not None:
            content = json.dumps(request.body, ensure_ascii=False).encode()
        length, sent = _to_send(content)
        if delivery:
            delivery.sent = self._transport is not None  # only httpx's own transport reports the first byte
        try:
            with request_span(request.method, request.url) as on_status:
                http = await self._opened().handle_async_request(
                    httpx.Request(
                        request.method,
                        _parsed_url(request.url),
                        headers={**_usual_headers(), **request.headers, **request.secrets, **length},
                        content=sent,
                        extensions={
                            "timeout": httpx.Timeout(
                                read_seconds, connect=min(CONNECT_SECONDS, read_seconds)
                            ).as_dict(),
                            **({"trace": delivery.trace} if delivery else {}),
                        },
                    )
                )
                try:
                    on_status(http.status_code)
                    raw = bytearray()
                    async for chunk in unpacked(http):
                        raw += chunk
                        if len(raw) > self._limits.response_bytes:
                            raise ResponseRefused(f"more than {self._limits.response_bytes >> 20} MB")
                finally:
                    await http.aclose()
                response = Response(http.status_code, http.headers, parse_json(raw))
        except ResponseRefused:
            raise
        except UnknownEncoding:
            raise ResponseRefused("content in an encoding that was not asked for") from None
        except (
            UnusableSetting,
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.PoolTimeout,
            httpx.ProxyError,
        ) as error:
            if delivery:
                delivery.sent = False
            raise ConnectFailed(explain(error, request.url)) from None
        except Exception as error:  # of any kind: a paid request that was sent must not look refused
            log.debug("%s: %s", self._title, type(error).__name__)
            if delivery and not delivery.sent:
                raise ConnectFailed(explain(error, request.url)) from None
            raise ResponseLost from None
        if response.sandbox:
            mark_sandbox()
        if self._on_response:
            self._on_response(response)
        return response

    def _opened(self) -> "httpx.AsyncBaseTransport":
        """The bare transport: an httpx client would follow redirects, keep cookies and authenticate, none of which may
        happen here, and would take a third of the time of a poll."""
        if self._connections is None:
            import httpx  # start-up time: the first `tools/list` needs no client

            limits = httpx.Limits(max_connections=self._limits.connections, keepalive_expiry=KEEPALIVE_SECONDS)
            self._connections = self._transport() if self._transport else create_transport(limits)
        return self._connections


@cache
def _usual_headers() -> Mapping[str, str]:
    """The default headers of an httpx client."""
    import httpx  # start-up time: the first `tools/list` needs no client

    return {"Accept": "*/*", **IDENTITY, "Connection": "keep-alive", "User-Agent": f"python-httpx/{httpx.__version__}"}


@lru_cache(maxsize=1000)
def _parsed_url(url: str) -> "httpx.URL":
    """A job is polled at one address; to parse it takes half the time of making a request."""
    import httpx  # start-up time: the first `tools/list` needs no client

    return httpx.URL(url)


def _to_send(content: bytes | None) -> tuple[Mapping[str, str], bytes | AsyncIterator[bytes] | None]:
    """The content to send, and the length header for content that is sent in chunks."""
    if content is None or len(content) <= PIECE_BYTES:
        return {}, content

    async def pieces() -> AsyncIterator[bytes]:
        for begin in range(0, len(content), PIECE_BYTES):
            yield content[begin : begin + PIECE_BYTES]

    return {"Content-Length": str(len(content))}, pieces()
