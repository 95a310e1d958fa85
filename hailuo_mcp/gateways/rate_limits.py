"""When an account may send its next request: the documented rate limit, and the pauses that 429 responses demand."""

import logging
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import anyio

log = logging.getLogger(__name__)

PAUSE_MAX = 120.0
"""The longest delay of an account's requests, whatever a header says and however many were sent before."""

_EPOCH_FROM, _EPOCH_MILLISECONDS_FROM = 1e9, 1e11
"""Larger numbers are not durations but Unix timestamps."""


class RateLimit:
    """The rate limit of one account: a burst of half the documented requests per minute, the rest evenly spaced."""

    def __init__(self, requests_per_minute: int | None = None) -> None:
        self._burst, self._interval = 1, 0.0
        if requests_per_minute:
            self._burst = max(1, requests_per_minute // 2)
            self._interval = 60 / max(1, requests_per_minute - self._burst)
        self._paused_until = 0.0
        self._booked_until = 0.0

    @property
    def retry_after(self) -> float:
        """Seconds until the next poll may be sent, at most `PAUSE_MAX`; 0 if it may be sent now."""
        return max(0.0, max(self._paused_until, self._booked_until - self._allowance) - anyio.current_time())

    @property
    def is_paused(self) -> bool:
        """Whether the wait is due to a 429 rather than the documented rate."""
        return self._paused_until >= self._booked_until - self._allowance

    @property
    def _allowance(self) -> float:
        return (self._burst - 1) * self._interval

    def book(self) -> float:
        """Count a request, and return how many seconds it should wait."""
        wait, now = self.retry_after, anyio.current_time()
        latest = now + self._allowance + PAUSE_MAX  # submissions are counted but never wait
        self._booked_until = min(max(self._booked_until, now) + self._interval, latest)
        return wait

    def back_off(self, seconds: float | None) -> None:
        """Pause after a 429: as long as the response asks, else one interval of the documented rate."""
        now = anyio.current_time()
        if seconds is None:
            self._paused_until = max(self._paused_until, now + self._interval)
        else:
            self._paused_until = now + min(seconds, PAUSE_MAX)


def parse_retry_after(headers: Mapping[str, str], *reset_headers: str) -> float | None:
    """Seconds to wait, at most `PAUSE_MAX`, from `Retry-After` (seconds or a date) or a gateway's own reset header (a
    date in UTC, or epoch seconds or milliseconds); None if there is none.

    A point in time is taken relative to the response's own `Date`, because either clock may be wrong."""
    for name in ("retry-after", *reset_headers):
        value = headers.get(name, "").strip()
        if not value:
            continue
        seconds = _seconds(value, headers)
        if seconds is not None:
            return min(max(0.0, seconds), PAUSE_MAX)
        log.warning("header %s has an unknown format", name)
    return None


def _seconds(value: str, headers: Mapping[str, str]) -> float | None:
    try:
        number = float(value)
    except ValueError:
        moment = _epoch(value)
        return None if moment is None else moment - _now(headers)
    if not math.isfinite(number):
        return None
    if number > _EPOCH_MILLISECONDS_FROM:
        number /= 1000
    return number - _now(headers) if number > _EPOCH_FROM else number


def _now(headers: Mapping[str, str]) -> float:
    """The time of a response, from its `Date` header if it has one."""
    sent = _epoch(headers.get("date", "").strip())
    return time.time() if sent is None else sent


def _epoch(text: str) -> float | None:
    """The epoch seconds of an ISO 8601 or HTTP date; in UTC if it names no time zone."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text.removesuffix(" UTC"))
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            continue
    return None
