"""How requests leave this process: what is sent once, what is retried, and for how long. The figures stand here alone.

A paid POST is sent again only where no connection was ever made, or on 429: nothing a gateway offers makes a second one
harmless. Everything that only asks is retried with backoff.
"""

import json
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import anyio

from hailuo_mcp.core.errors import GatewayError, GatewayTimeout, NetworkError, RateLimited, Unconfirmed
from hailuo_mcp.telemetry import request_span

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

SUBMIT_SECONDS = 30.0
"""A submission answers its caller within this, upload and waits included."""
POLL_SECONDS = 20.0
"""A poll answers within this, its retries included."""
CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
"""The longest silence in one answer to a poll; a submission may stay silent for all of its time."""
ATTEMPTS = 4
WAIT_INITIAL_SECONDS = 0.25
WAIT_MAX_SECONDS = 4.0
RATE_LIMIT_WAIT_MAX_SECONDS = 10.0
"""A 429 is waited out if its wait is no longer than this."""
CONNECTIONS = 16
"""Requests to one gateway at the same time; more wait for a place."""
KEEPALIVE_SECONDS = 5.0
"""Idle connections are dropped early: a POST on one that the other side just closed would be unconfirmed for
nothing."""
ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""An answer may carry a clip as a `data:` URI, hence this much and no more."""
RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
SANDBOX_HEADER = "x-hailuo-sandbox"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it stands on the wire. `secrets` are the headers that carry a key."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def public(self) -> dict[str, Any]:
        """As a dry run shows it: exact, but for the key."""
        headers = {**self.headers, **dict.fromkeys(self.secrets, "***")}
        return {"method": self.method, "url": self.url, "headers": headers, "body": self.body}


@dataclass(frozen=True, slots=True)
class Response:
    """A gateway's answer: `body` is its JSON, None where it is none."""

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
    """Something was sent; no whole answer came."""


class ResponseTooLarge(ResponseLost):
    """The answer is larger than any honest one, and would be so again."""


class RetryLater(Exception):
    """The gateway answered, and asks to come again."""

    def __init__(self, answer: Response, wait: float | None) -> None:
        super().__init__(answer.status)
        self.answer = answer
        self.wait = wait


def parse_retry_after(headers: Mapping[str, str], *reset_headers: str) -> float | None:
    """Seconds to wait by `Retry-After` (seconds, or a date) or a gateway's own reset header (a UTC time, or epoch
    seconds or milliseconds); None where there is none."""
    now = datetime.now(UTC)
    for name in ("retry-after", *reset_headers):
        value = headers.get(name, "").strip()
        if not value:
            continue
        try:
            number = float(value)
        except ValueError:
            moment = _moment(value)
            if moment is not None:
                return max(0.0, (moment - now).total_seconds())
        else:
            if math.isfinite(number):
                number = number / 1000 if number > 1e11 else number
                return max(0.0, number - now.timestamp() if number > 1e9 else number)
        log.warning("a wait of unknown form in header %s", name)
    return None


def _moment(value: str) -> datetime | None:
    """An ISO 8601 or HTTP date, as UTC where it names no zone."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(value.removesuffix(" UTC"))
        except (ValueError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _http_status(answer: Response) -> int:
    return answer.status


@dataclass(slots=True)
class _Passage:
    """How far the current sending of a request has come. What is not known to have stayed here may have arrived."""

    left: bool = False

    async def trace(self, event: str, _: object) -> None:
        if event.endswith("send_request_headers.started"):
            self.left = True


class _Pool:
    """The connections to one gateway, opened when they are first needed."""

    def __init__(self, transport: Callable[[], "httpx.AsyncBaseTransport"] | None) -> None:
        self.transport = transport
        self._client: httpx.AsyncClient | None = None

    def client(self) -> "httpx.AsyncClient":
        if self._client is None:
            from http.cookiejar import CookieJar, DefaultCookiePolicy

            import httpx  # start-up time: the first `tools/list` needs no client

            limits = httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEEPALIVE_SECONDS)
            transport = self.transport() if self.transport else None
            # One account's cookies must never go with another's requests: none is kept.
            no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
            self._client = httpx.AsyncClient(
                transport=transport, limits=limits, cookies=no_cookies, follow_redirects=False
            )
        return self._client

    async def close(self) -> None:
        if self._client:
            await self._client.aclose()
            self._client = None


class GatewayClient:
    """The requests to one gateway: one connection pool, one set of rules.

    `title` names the gateway in messages; `wait_of` reads how long a 429 asks to wait.
    """

    def __init__(
        self,
        title: str,
        transport: Callable[[], "httpx.AsyncBaseTransport"] | None = None,
        wait_of: Callable[[Mapping[str, str]], float | None] = parse_retry_after,
    ) -> None:
        self._title = title
        self._pool = _Pool(transport)
        self._owns_pool = True
        self._wait_of = wait_of
        self._quiet_until = 0.0
        self._booked_until = 0.0
        self._at_once, self._interval = 1, 0.0

    def limit_rate(self, a_minute: int) -> None:
        """Hold questions to a documented number of requests a minute: half of them may come at once, and the rest
        evenly. Submissions count, but are not held: they have their own way with a 429."""
        self._at_once = max(1, a_minute // 2)
        self._interval = 60 / max(1, a_minute - self._at_once)

    def for_another_account(self) -> "GatewayClient":
        """The same connections, for requests with another key: pauses and paces are an account's own. Closing the
        original closes the connections."""
        other = copy(self)
        other._owns_pool = False
        other._quiet_until = other._booked_until = 0.0
        return other

    @property
    def retry_after(self) -> float:
        """How long the gateway still wants to hear no questions, by its last 429 and its documented pace."""
        allowance = (self._at_once - 1) * self._interval
        return max(0.0, max(self._quiet_until, self._booked_until - allowance) - anyio.current_time())

    def _book(self) -> float:
        """Count a request, and return how long it should wait."""
        pause = self.retry_after
        self._booked_until = max(self._booked_until, anyio.current_time()) + self._interval
        return pause

    def _be_quiet(self, wait: float | None) -> None:
        """The gateway had too many requests; where it does not say for how long, its documented pace does."""
        now = anyio.current_time()
        self._quiet_until = max(self._quiet_until, now + self._interval) if wait is None else now + wait

    async def close(self) -> None:
        if self._owns_pool:
            await self._pool.close()

    async def send_once(
        self, request: Request, seconds: float, status_of: Callable[[Response], int] = _http_status
    ) -> Response:
        """The paid POST. `status_of` reads the status that counts; still 429 after the waits, the answer is returned.

        Raises:
            NetworkError: no connection was ever made; nothing was sent.
            Unconfirmed: it left here, and no whole answer came.
        """
        passage = _Passage()
        limited: Response | None = None
        self._book()
        try:
            with anyio.fail_after(seconds):
                async for attempt in _attempts(seconds):
                    with attempt:
                        answer = await self._exchange(request, seconds, passage)
                        if status_of(answer) == 429:
                            limited, passage.left = answer, False
                            raise RetryLater(answer, self._wait_of(answer.headers))
                        return answer
        except RetryLater as again:
            return again.answer
        except ConnectFailed:
            raise self._unreachable() from None
        except ResponseLost:
            raise Unconfirmed(
                f"The submission was sent to {self._title}, and the connection broke before its answer."
            ) from None
        except TimeoutError:
            if passage.left:
                raise Unconfirmed(
                    f"The submission was sent to {self._title}, which did not answer within {seconds:.0f} s."
                ) from None
            if limited is not None:
                return limited
            raise self._unreachable() from None
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def send_with_retry(
        self,
        request: Request,
        seconds: float = POLL_SECONDS,
        status_of: Callable[[Response], int] = _http_status,
    ) -> Response:
        """A request that is harmless to repeat: retried on network errors, 429 and passing 5xx; the last answer is
        returned as it is.

        Raises:
            RateLimited: the gateway asked to be left alone for longer than this; nothing was sent.
            NetworkError, GatewayTimeout: no answer came.
            GatewayError: the answer is larger than any honest one.
        """
        if self.retry_after > seconds:
            raise RateLimited(
                f"{self._title} asked for a pause of {self.retry_after:.0f} s more.",
                "Ask again after that; jobs go on by themselves.",
            )
        last: Response | None = None
        try:
            with anyio.fail_after(seconds):
                await anyio.sleep(self._book())
                async for attempt in _attempts(seconds, also=ResponseLost):
                    with attempt:
                        answer = await self._exchange(request, min(READ_SECONDS, seconds), _Passage())
                        if (status := status_of(answer)) in RETRIED_STATUSES:
                            last, wait = answer, self._wait_of(answer.headers)
                            if status == 429:
                                self._be_quiet(wait)
                            raise RetryLater(answer, wait)
                        return answer
        except RetryLater as again:
            return again.answer
        except ResponseTooLarge:
            raise GatewayError(f"{self._title} answered with more than {ANSWER_BYTES_MAX >> 20} MB.") from None
        except (ConnectFailed, ResponseLost):
            raise NetworkError(f"{self._title} could not be reached.") from None
        except TimeoutError:
            if last is not None:
                return last
            raise GatewayTimeout(f"{self._title} did not answer within {seconds:.0f} s.") from None
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _unreachable(self) -> NetworkError:
        return NetworkError(f"No connection to {self._title} could be made; nothing was sent.")

    async def _exchange(self, request: Request, read_seconds: float, passage: _Passage) -> Response:
        import httpx  # start-up time: the first `tools/list` needs no client

        headers = {**request.headers, **request.secrets}
        content = None if request.body is None else json.dumps(request.body, ensure_ascii=False).encode()
        timeout = httpx.Timeout(read_seconds, connect=min(CONNECT_SECONDS, read_seconds))
        passage.left = (
            self._pool.transport is not None
        )  # only httpx's own transport tells when the first byte is written
        try:
            with request_span(request.method, request.url) as answered:
                async with self._pool.client().stream(
                    request.method,
                    request.url,
                    headers=headers,
                    content=content,
                    timeout=timeout,
                    extensions={"trace": passage.trace},
                ) as response:
                    answered(response.status_code)
                    raw = bytearray()
                    async for chunk in response.aiter_bytes():
                        raw += chunk
                        if len(raw) > ANSWER_BYTES_MAX:
                            raise ResponseTooLarge
                    return Response(response.status_code, dict(response.headers), _parsed(bytes(raw)))
        except ResponseTooLarge:
            raise
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError):
            passage.left = False
            raise ConnectFailed from None
        except Exception as error:  # whatever it is: a paid request that left here must not look refused
            log.debug("%s: %s", self._title, type(error).__name__)
            if passage.left:
                raise ResponseLost from None
            raise ConnectFailed from None


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _attempts(seconds: float, also: type[Exception] | None = None) -> AsyncIterator[Any]:
    import stamina  # start-up time: only requests need it

    again = (RetryLater, ConnectFailed, *((also,) if also else ()))
    end = anyio.current_time() + seconds

    def whether(error: Exception) -> bool | float:
        if isinstance(error, RetryLater) and error.wait is not None:
            possible = error.wait <= RATE_LIMIT_WAIT_MAX_SECONDS and anyio.current_time() + error.wait < end
            return error.wait if possible else False
        return isinstance(error, again) and not isinstance(error, ResponseTooLarge)

    stamina.instrumentation.set_on_retry_hooks([])  # its log lines would quote the text of foreign exceptions
    return aiter(
        stamina.retry_context(
            whether,
            attempts=ATTEMPTS,
            timeout=seconds,
            wait_initial=WAIT_INITIAL_SECONDS,
            wait_max=WAIT_MAX_SECONDS,
            wait_jitter=WAIT_INITIAL_SECONDS,
        )
    )


@asynccontextmanager
async def deadline(seconds: float, message: str) -> AsyncGenerator[None]:
    """A bound on something that is no single request. Raises GatewayTimeout."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise GatewayTimeout(message) from None
