"""The HTTP client of a gateway: what is sent once, what is retried, and for how long.

A paid POST is sent again only if no connection was made, or on 429: no gateway has idempotency keys that would make a
second one safe. Requests that cost nothing are retried with backoff.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

import anyio

from hailuo_mcp.core.errors import GatewayError, GatewayTimeout, HeldBack, NetworkError, Unconfirmed
from hailuo_mcp.gateways.exchange import (
    DEFAULT_LIMITS,
    ClientLimits,
    ConnectFailed,
    Delivery,
    Exchange,
    Request,
    Response,
    ResponseLost,
    ResponseRefused,
)
from hailuo_mcp.gateways.rate_limits import RateLimit, parse_retry_after

if TYPE_CHECKING:
    import httpx

SUBMIT_SECONDS = 30.0
"""The time limit of a submission, including uploads and waits."""
READ_SECONDS = 15.0
"""The longest silence within the response to a poll; a submission may be silent for its whole time limit."""
RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How failed requests are retried. All times are in seconds."""

    attempts: int = 4
    """In total, including the first one."""
    wait_initial: float = 0.25
    """Before the second attempt; doubled for each one after it."""
    wait_jitter: float = 0.25
    """Up to this much is added to each wait, at random."""
    wait_max: float = 4.0
    rate_limit_wait_max: float = 10.0
    """The longest wait requested by a response that is honored."""
    poll_timeout: float = 20.0
    """The time limit of a poll, including retries and waits."""


DEFAULT_RETRY_POLICY = RetryPolicy()


class RetryLater(Exception):
    """The gateway responded with a retryable status; `wait` is the wait that it asks for, in seconds."""

    def __init__(self, response: Response, wait: float | None) -> None:
        super().__init__(response.status)
        self.response = response
        self.wait = wait


def _http_status(response: Response) -> int:
    return response.status


@cache
def configure_retries() -> None:
    """Turn off stamina's own log lines, which would quote the text of foreign exceptions. Affects the whole process."""
    import stamina  # start-up time: only a failed request needs it

    stamina.instrumentation.set_on_retry_hooks([])


class GatewayClient:
    """Sends requests to one gateway, for all accounts: one connection pool, and a rate limit for each account.

    Args:
        title: names the gateway in messages.
        transport: creates a transport that replaces the network.
        requests_per_minute: the rate limit that the gateway documents for each account. Polls obey it; submissions
            count towards it but are not delayed.
        retry_after_in: extracts from a response's headers the number of seconds to wait.
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

        def new_limit(account: bytes) -> RateLimit:
            return RateLimit(requests_per_minute)

        self._rate_limit_of = lru_cache(limits.accounts)(new_limit)
        self._retry_after_in = retry_after_in
        self._exchange = Exchange(title, transport, limits, on_response)

    def rate_limit(self, secrets: Mapping[str, str]) -> RateLimit:
        """The rate limit of the account identified by these secret headers, of which only a digest is kept."""
        return self._rate_limit_of(sha256(repr(sorted(secrets.items())).encode()).digest())

    def held_back(self, limit: RateLimit, seconds: float) -> HeldBack | None:
        """Why an account with this rate limit may not be polled within `seconds`; None if it may."""
        if (pause := limit.retry_after) <= seconds:
            return None
        reason = (
            f"{self._title} answered that there were too many requests"
            if limit.is_paused
            else f"hailuo-mcp keeps to the number of requests that {self._title} allows"
        )
        return HeldBack(f"{reason}, and asks again in {pause:.0f} s at the earliest; this is its own pace.")

    @contextmanager
    def time_limit(self, seconds: float | None = None) -> Generator[None]:
        """One time limit for several requests, by default that of a poll. Raises GatewayTimeout."""
        seconds = self.retry.poll_timeout if seconds is None else seconds
        try:
            with anyio.fail_after(seconds):
                yield
        except TimeoutError:
            raise GatewayTimeout(f"{self._title} did not answer within {seconds:.0f} s.") from None

    async def close(self) -> None:
        """Close the connections. A later request opens new ones."""
        await self._exchange.close()

    async def send_once(
        self, request: Request, seconds: float, status_of: Callable[[Response], int] = _http_status
    ) -> Response:
        """Send a paid POST. A 429 that outlasts the retries is returned. `status_of` extracts the effective status.

        Raises:
            NetworkError: no connection was made; nothing was sent.
            Unconfirmed: it was sent, and no complete response came back.
        """
        delivery = Delivery()
        refused: Response | None = None
        failed: ConnectFailed | None = None

        async def attempt() -> Response:
            nonlocal refused, failed
            try:
                response = await self._exchange.send(request, seconds, delivery)
            except ConnectFailed as error:
                failed = error
                raise
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
        except ConnectFailed as error:
            raise self._not_connected(error) from None
        except (ResponseLost, ResponseRefused):
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
            raise self._not_connected(failed) from None

    async def send_with_retry(
        self,
        request: Request,
        seconds: float | None = None,
        status_of: Callable[[Response], int] = _http_status,
    ) -> Response:
        """Send a request that is safe to repeat, within `seconds` (those of a poll by default): retried on network
        errors, 429 and temporary 5xx. The last response is returned, whatever its status.

        Raises:
            HeldBack: the account's rate limit allows no request within this time; nothing was sent.
            NetworkError, GatewayTimeout: no response came.
            GatewayError: the response is too large, or in an encoding that was not asked for.
        """
        seconds = self.retry.poll_timeout if seconds is None else seconds
        limit = self.rate_limit(request.secrets)
        if held := self.held_back(limit, seconds):
            raise held
        last: Response | None = None
        failed: ConnectFailed | None = None

        async def attempt() -> Response:
            nonlocal last, failed
            try:
                response = await self._exchange.send(request, min(READ_SECONDS, seconds))
            except ConnectFailed as error:
                failed = error
                raise
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
        except ResponseRefused as error:
            raise GatewayError(f"{self._title} answered with {error}.") from None
        except ConnectFailed as error:
            raise self._not_connected(error) from None
        except ResponseLost:
            raise NetworkError(f"The connection to {self._title} broke before its answer.") from None
        except TimeoutError:
            if last is not None:
                return last
            if failed is not None:
                raise self._not_connected(failed) from None
            raise GatewayTimeout(f"{self._title} did not answer within {seconds:.0f} s.") from None

    def _not_connected(self, failed: ConnectFailed | None) -> NetworkError:
        if failed is None:
            return NetworkError(f"No connection to {self._title} could be made; nothing was sent.")
        problem = failed.problem
        return NetworkError(
            f"No connection to {self._title} could be made, so nothing was sent: {problem.cause}.", problem.fix
        )

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
            if isinstance(error, RetryLater) and error.wait:
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
