"""How responses say when a request may be retried."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from hailuo_mcp.gateways.rate_limits import parse_retry_after

RESET = "x-rate-limit-reset-at-utc"


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after": " 0.5 "}, 0.5, 0.5),
        ({"retry-after": "-3"}, 0, 0),
        ({"retry-after": "4", RESET: "9"}, 4, 4),
        ({"retry-after": "soon", RESET: "9"}, 9, 9),
        ({"retry-after": "", RESET: "9"}, 9, 9),
        ({"retry-after": "nan", RESET: "9"}, 9, 9),
        ({RESET: "1000000001"}, 0, 0),
        ({"retry-after": "86400"}, 120, 120),
        ({"retry-after": "30000"}, 120, 120),
        ({"retry-after": "1e308"}, 120, 120),
        ({RESET: "9999-12-31T23:59:59Z"}, 120, 120),
        ({RESET: "0001-01-01T00:00:00+14:00"}, 0, 0),
    ],
)
def test_a_wait_in_seconds_is_parsed(headers: dict[str, str], low: float, high: float) -> None:
    wait = parse_retry_after(headers, RESET)
    assert wait is not None
    assert low <= wait <= high


FORMS: list[Callable[[datetime], str]] = [
    lambda t: f"{t:%Y-%m-%dT%H:%M:%S}Z",
    lambda t: f"{t:%Y-%m-%d %H:%M:%S}",
    lambda t: f"{t:%Y-%m-%d %H:%M:%S} UTC",
    lambda t: t.astimezone().isoformat(),
    lambda t: format_datetime(t, usegmt=True),
    lambda t: f"{t:%a %b %d %H:%M:%S %Y}",
    lambda t: str(t.timestamp()),
    lambda t: str(int(t.timestamp() * 1000)),
]


@pytest.mark.parametrize("write", FORMS)
def test_a_date_in_any_common_format_is_parsed(write: Callable[[datetime], str]) -> None:
    for name in (RESET, "retry-after"):
        wait = parse_retry_after({name: write(datetime.now(UTC) + timedelta(seconds=60))}, RESET)
        assert wait is not None
        assert 57 < wait <= 61
    assert parse_retry_after({RESET: write(datetime.now(UTC) - timedelta(days=1))}, RESET) == 0


@pytest.mark.parametrize(
    "value", ["", "soon", "9" * 400, "inf", "-inf", "nan", "2026-99-99T00:00:00Z", "Mon, 99 Foo", "٣ seconds"]
)
def test_a_wait_in_an_unknown_format_is_none(value: str) -> None:
    assert parse_retry_after({"retry-after": value, RESET: value}, RESET) is None
    assert parse_retry_after({}, RESET) is None


@pytest.mark.parametrize("off", [timedelta(days=-400), timedelta(hours=-3), timedelta(hours=5), timedelta(days=4000)])
@pytest.mark.parametrize("write", FORMS)
def test_a_date_is_relative_to_the_date_of_the_response(write: Callable[[datetime], str], off: timedelta) -> None:
    sent = datetime.now(UTC) + off  # one of the clocks is wrong by this much
    headers = {"date": format_datetime(sent, usegmt=True), RESET: write(sent + timedelta(seconds=60))}
    wait = parse_retry_after(headers, RESET)
    assert wait is not None
    assert 57 < wait <= 62


def test_the_date_header_is_ignored_for_durations_and_if_it_is_invalid() -> None:
    assert parse_retry_after({"date": "Wed, 21 Oct 2015 07:28:00 GMT", "retry-after": "7"}) == 7
    now = datetime.now(UTC) + timedelta(seconds=60)
    wait = parse_retry_after({"date": "yesterday", "retry-after": format_datetime(now, usegmt=True)})
    assert wait is not None
    assert 57 < wait <= 61
