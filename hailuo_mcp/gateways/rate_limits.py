"""When an account may send its next request: the rate that a gateway documents, and the pauses that its 429s demand."""

import hashlib
import logging
import math
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import anyio

log = logging.getLogger(__name__)


class RateLimit:
    """The rate limit of one account: half of the documented requests per minute may come at once, the rest evenly."""

    def __init__(self, requests_per_minute: int | None = None) -> None:
        self._burst, self._interval = 1, 0.0
        if requests_per_minute:
            self._burst = max(1, requests_per_minute // 2)
            self._interval = 60 / max(1, requests_per_minute - self._burst)
        self._paused_until = 0.0
        self._booked_until = 0.0

    @property
    def retry_after(self) -> float:
        """Seconds until the next poll may be sent; 0 if it may be sent now."""
        allowance = (self._burst - 1) * self._interval
        return max(0.0, max(self._paused_until, self._booked_until - allowance) - anyio.current_time())

    def book(self) -> float:
        """Count a request, and return how many seconds it should wait."""
        wait = self.retry_after
        self._booked_until = max(self._booked_until, anyio.current_time()) + self._interval
        return wait

    def back_off(self, seconds: float | None) -> None:
        """Pause after a 429, for one interval of the documented rate if the response does not say how long."""
        now = anyio.current_time()
        self._paused_until = max(self._paused_until, now + self._interval) if seconds is None else now + seconds


class RateLimits:
    """A rate limit per account of one gateway, for the accounts used last. Of a key only a digest is kept."""

    def __init__(self, requests_per_minute: int | None, max_accounts: int) -> None:
        self._requests_per_minute = requests_per_minute
        self._max_accounts = max_accounts
        self._by_account: OrderedDict[bytes, RateLimit] = OrderedDict()

    def of(self, secrets: Mapping[str, str]) -> RateLimit:
        """The rate limit of the account that these secret headers belong to."""
        account = hashlib.sha256(repr(sorted(secrets.items())).encode()).digest()
        limit = self._by_account.get(account)
        if limit is None:
            limit = self._by_account[account] = RateLimit(self._requests_per_minute)
            if len(self._by_account) > self._max_accounts:
                self._by_account.popitem(last=False)
        else:
            self._by_account.move_to_end(account)
        return limit


def parse_retry_after(headers: Mapping[str, str], *reset_headers: str) -> float | None:
    """Seconds to wait, from `Retry-After` (seconds or a date) or a gateway's own reset header (a date in UTC, or epoch
    seconds or milliseconds); None if there is none."""
    now = datetime.now(UTC)
    for name in ("retry-after", *reset_headers):
        value = headers.get(name, "").strip()
        if not value:
            continue
        try:
            number = float(value)
        except ValueError:
            moment = _parse_date(value)
            if moment is not None:
                return max(0.0, (moment - now).total_seconds())
        else:
            if math.isfinite(number):
                number = number / 1000 if number > 1e11 else number
                return max(0.0, number - now.timestamp() if number > 1e9 else number)
        log.warning("header %s has an unknown format", name)
    return None


def _parse_date(value: str) -> datetime | None:
    """An ISO 8601 or HTTP date; in UTC if it names no time zone."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(value.removesuffix(" UTC"))
        except (ValueError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
