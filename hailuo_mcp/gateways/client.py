"""The HTTP client of a gateway: what is sent once, what is retried, and for how long.

A paid POST is sent again only if no connection was made, or on 429: no gateway has idempotency keys that would make a
second one safe. Requests that cost nothing are retried with backoff.
"""

import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import anyio

from hailuo_mcp.core.errors import GatewayError, GatewayTimeout, NetworkError, RateLimited, Unconfirmed
from hailuo_mcp.gateways.rate_limits import RateLimit, RateLimits, parse_retry_after
from hailuo_mcp.telemetry import request_span

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

SUBMIT_SECONDS = 30.0
"""The time limit of a submission, upload and waits included."""
CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
"""The longest silence within the response to a poll; a submission may be silent for its whole time limit."""
KEEPALIVE_SECONDS = 5.0
"""Idle connections are dropped early: a POST on one that the other side just closed would be unconfirmed for
nothing."""
CONNECTIONS = 16
RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
SANDBOX_HEADER = "x-hailuo-sandbox"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How failed requests are retried. All times are in seconds."""

    attempts: int = 4
    """In total, the first one included."""
    wait_initial: float = 0.25
    """Before the second attempt; doubled for each one after it."""
    wait_jitter: float = 0.25
    """Up to this much is added to each wait, at random."""
    wait_max: float = 4.0
    rate_limit_wait_max: float = 10.0
    """A wait that a response asks for is granted if it is no longer than this."""
    poll_timeout: float = 20.0
    """The time limit of a poll, retries and waits included."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """How much one client holds."""

    connections: int = CONNECTIONS
    """Requests sent at the same time; more wait for a free connection."""
    response_bytes: int = 64 * 1024 * 1024
    """The largest response that is read; one may carry a clip as a `data:` URI."""
    accounts: int = 1000
    """Accounts whose rate limits are remembered."""


DEFAULT_RETRY_POLICY = RetryPolicy()
DEFAULT_LIMITS = ClientLimits()


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `body` is sent as JSON; `secrets` are the headers that carry the key, and so name the
    account."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def public(self) -> dict[str, Any]:
        """The request as a dry run shows it: exact, with the key masked."""
        headers = {**self.headers, **dict.fromkeys(self.secrets, "***")}
        return {"method": self.method, "url": self.url, "headers": headers, "body": self.body}


@dataclass(frozen=True, slots=True)
class Response:
    """A gateway's response. `headers` ignores case; `body` is the parsed JSON, None if it is not JSON."""

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
    """Nothing was sent."""


class ResponseLost(Exception):
    """The request was sent, and no complete response came back."""


class ResponseTooLarge(Exception):
    """The response exceeds the limit, and would again."""


class RetryLater(Exception):
    """The gateway responded with a status that is worth a retry; `wait` is the wait that it asks for, in seconds."""

    def __init__(self, response: Response, wait: float | None) -> None:
        super().__init__(response.status)
        self.response = response
        self.wait = wait


def _http_status(response: Response) -> int:
    return response.status


@cache
def configure_retries() -> None:
    """Turn off stamina's own log lines, which would quote the text of foreign exceptions. For the whole process."""
    import stamina  # start-up time: only a failed request needs it

    stamina.instrumentation.set_on_retry_hooks([])


@dataclass(slots=True)
class _Delivery:
    """Whether the current attempt has sent anything. A request not known to be unsent may have arrived."""

    sent: bool = False

    async def trace(self, event: str, _: object) -> None:
        """A trace hook of httpcore."""
        if event.endswith("send_request_headers.started"):
            self.sent = True


class GatewayClient:
    """Sends requests to one gateway, for all accounts: one connection pool, and a rate limit for each account.

    Args:
        title: names the gateway in messages.
        transport: makes what replaces the network.
        requests_per_minute: the rate limit that the gateway documents for each account. Polls keep to it; submissions
            count, but are not held back.
        retry_after_in: reads from a response's headers how many seconds it asks to wait.
        on_response: is called with each response.
    """

    def __init__(
        self,
        title: str,
        *,
        transport: Callable[[], "httpx.AsyncBaseTransport"] | None = None,
        retry: RetryPolicy = DEFAULT_RETRY_POLICY,
        limits: ClientLimits = DEFAULT_LIMITS,
        requests_per_minute: int | None = None,
        retry_after_in: Callable[[Mapping[str, str]], float | None] = parse_retry_after,
        on_response: Callable[[Response], None] | None = None,
    ) -> None:
        self.retry = retry
        self._title = title
        self._transport = transport
        self._limits = limits
        self._rate_limits = RateLimits(requests_per_minute, limits.accounts)
        self._retry_after_in = retry_after_in
        self._on_response = on_response
        self._http: httpx.AsyncClient | None = None

    def rate_limit(self, secrets: Mapping[str, str]) -> RateLimit:
        """The rate limit of the account that these secret headers belong to."""
        return self._rate_limits.of(secrets)

    async def close(self) -> None:
        """Close the connections. A request after that opens new ones."""
        if self._http:
            await self._http.aclose()
            self._http = None

    async def send_once(
        self, request: Request, seconds: float, status_of: Callable[[Response], int] = _http_status
    ) -> Response:
        """Send a paid POST. A 429 that outlasts the retries is returned. `status_of` reads the status that counts.

        Raises:
            NetworkError: no connection was made; nothing was sent.
            Unconfirmed: it was sent, and no complete response came back.
        """
        delivery = _Delivery()
        refused: Response | None = None

        async def attempt() -> Response:
            nonlocal refused
            response = await self._exchange(request, seconds, delivery)
            if status_of(response) == 429:
                refused, delivery.sent = response, False
                raise RetryLater(response, self._retry_after_in(response.headers))
            return response

        self.rate_limit(request.secrets).book()
        try:
            with anyio.fail_after(seconds):
                return await self._with_retries(attempt, seconds, (ConnectFailed, RetryLater))
        except RetryLater as error:
            return error.response
        except ConnectFailed:
            raise self._not_connected() from None
        except (ResponseLost, ResponseTooLarge):
            raise Unconfirmed(
                f"The submission was sent to {self._title}, and the connection broke before its answer."
            ) from None
        except TimeoutError:
            if delivery.sent:
                raise Unconfirmed(
                    f"The submission was sent to {self._title}, which did not answer within {seconds:.0f} s."
                ) from None
            if refused is not None:
                return refused
            raise self._not_connected() from None

    async def send_with_retry(
        self,
        request: Request,
        seconds: float | None = None,
        status_of: Callable[[Response], int] = _http_status,
    ) -> Response:
        """Send a request that is safe to repeat, within `seconds` (those of a poll by default): retried on network
        errors, 429 and temporary 5xx. The last response is returned, whatever its status.

        Raises:
            RateLimited: the account's rate limit allows no request within this time; nothing was sent.
            NetworkError, GatewayTimeout: no response came.
            GatewayError: the response is too large.
        """
        seconds = self.retry.poll_timeout if seconds is None else seconds
        limit = self.rate_limit(request.secrets)
        if (pause := limit.retry_after) > seconds:
            raise RateLimited(
                f"{self._title} asked for a pause of {pause:.0f} s more.",
                "Ask again after that; jobs go on by themselves.",
            )
        last: Response | None = None

        async def attempt() -> Response:
            nonlocal last
            response = await self._exchange(request, min(READ_SECONDS, seconds))
            if (status := status_of(response)) in RETRIED_STATUSES:
                last, wait = response, self._retry_after_in(response.headers)
                if status == 429:
                    limit.back_off(wait)
                raise RetryLater(response, wait)
            return response

        try:
            with anyio.fail_after(seconds):
                if wait := limit.book():
                    await anyio.sleep(wait)
                return await self._with_retries(attempt, seconds, (ConnectFailed, ResponseLost, RetryLater))
        except RetryLater as error:
            return error.response
        except ResponseTooLarge:
            megabytes = self._limits.response_bytes >> 20
            raise GatewayError(f"{self._title} answered with more than {megabytes} MB.") from None
        except (ConnectFailed, ResponseLost):
            raise NetworkError(f"{self._title} could not be reached.") from None
        except TimeoutError:
            if last is not None:
                return last
            raise GatewayTimeout(f"{self._title} did not answer within {seconds:.0f} s.") from None

    def _not_connected(self) -> NetworkError:
        return NetworkError(f"No connection to {self._title} could be made; nothing was sent.")

    async def _with_retries(
        self, attempt: Callable[[], Awaitable[Response]], seconds: float, retried: tuple[type[Exception], ...]
    ) -> Response:
        """Call `attempt` until it returns, as often as the policy allows; the last error is raised."""
        ends = anyio.current_time() + seconds
        try:
            return await attempt()
        except retried as error:
            failures = [error]
        import stamina  # start-up time: only a failed request needs it

        def should_retry(error: Exception) -> bool | float:
            if isinstance(error, RetryLater) and error.wait is not None:
                in_time = error.wait <= self.retry.rate_limit_wait_max and anyio.current_time() + error.wait < ends
                return error.wait if in_time else False
            return isinstance(error, retried)

        configure_retries()
        async for retry in stamina.retry_context(
            should_retry,
            attempts=self.retry.attempts,
            timeout=None,
            wait_initial=self.retry.wait_initial,
            wait_max=self.retry.wait_max,
            wait_jitter=self.retry.wait_jitter,
        ):
            with retry:
                if failures:
                    raise failures.pop()  # the attempt made above is stamina's first one
                return await attempt()
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _exchange(self, request: Request, read_seconds: float, delivery: _Delivery | None = None) -> Response:
        import httpx  # start-up time: the first `tools/list` needs no client

        content = None if request.body is None else json.dumps(request.body, ensure_ascii=False).encode()
        if delivery:
            delivery.sent = self._transport is not None  # only httpx's own transport reports the first byte
        try:
            with request_span(request.method, request.url) as on_status:
                async with self._client().stream(
                    request.method,
                    request.url,
                    headers={**request.headers, **request.secrets},
                    content=content,
                    timeout=httpx.Timeout(read_seconds, connect=min(CONNECT_SECONDS, read_seconds)),
                    extensions={"trace": delivery.trace} if delivery else None,
                ) as http:
                    on_status(http.status_code)
                    raw = bytearray()
                    async for chunk in http.aiter_bytes():
                        raw += chunk
                        if len(raw) > self._limits.response_bytes:
                            raise ResponseTooLarge
                    response = Response(http.status_code, http.headers, _json_in(raw))
        except ResponseTooLarge:
            raise
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError):
            if delivery:
                delivery.sent = False
            raise ConnectFailed from None
        except Exception as error:  # of any kind: a paid request that was sent must not look refused
            log.debug("%s: %s", self._title, type(error).__name__)
            if delivery and not delivery.sent:
                raise ConnectFailed from None
            raise ResponseLost from None
        if self._on_response:
            self._on_response(response)
        return response

    def _client(self) -> "httpx.AsyncClient":
        if self._http is None:
            from http.cookiejar import CookieJar, DefaultCookiePolicy

            import httpx  # start-up time: the first `tools/list` needs no client

            self._http = httpx.AsyncClient(
                transport=self._transport() if self._transport else None,
                limits=httpx.Limits(max_connections=self._limits.connections, keepalive_expiry=KEEPALIVE_SECONDS),
                # Cookies are never stored: one account's must not be sent with the requests of another.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                follow_redirects=False,
            )
        return self._http


def _json_in(raw: bytearray) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


@asynccontextmanager
async def deadline(seconds: float, message: str) -> AsyncGenerator[None]:
    """A time limit for several requests together. Raises GatewayTimeout with this message."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise GatewayTimeout(message) from None
