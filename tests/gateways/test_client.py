"""How requests leave: what is sent once, what is retried, how long is waited, and what is known when time runs out."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from hailuo_mcp.core.errors import GatewayError, GatewayTimeout, NetworkError, RateLimited, Unconfirmed
from hailuo_mcp.gateways import client
from hailuo_mcp.gateways.client import ATTEMPTS, GatewayClient, Request, Response, deadline, parse_retry_after
from tests.gateways.wire import Script, Step, breaks, hangs, says, says_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SECRET = "sk-Secret-0123456789"
POST = Request("POST", "https://gateway.example/v2/x", {"a": "b"}, {"prompt": "é"}, {"x-api-key": SECRET})
GET = Request("GET", "https://gateway.example/v2/x", {}, None, {"x-api-key": SECRET})


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]  pytest calls it
    monkeypatch.setattr(client, "WAIT_INITIAL_SECONDS", 0.001)


def scripted(*steps: Step) -> tuple[GatewayClient, Script]:
    script = Script(*steps)
    return GatewayClient("Gateway", transport=lambda: httpx.MockTransport(script)), script


# --- one answer ---------------------------------------------------------------------------------------------------


async def test_an_answer_has_its_status_its_lower_case_headers_and_its_json() -> None:
    sender, _ = scripted(says(201, {"a": [1]}, {"X-Hailuo-Sandbox": "1"}))
    answer = await sender.send_once(POST, 5)
    assert (answer.status, answer.body, answer.ok, answer.sandbox) == (201, {"a": [1]}, True, True)


@pytest.mark.parametrize("text", ["", "<html>", "{", "[" * 100_000, "9" * 5000])
async def test_what_is_no_json_is_none(text: str) -> None:
    sender, _ = scripted(says_text(200, text, "application/json"))
    assert (await sender.send_once(POST, 5)).body is None


async def test_the_body_is_utf8_json_and_the_key_goes_with_it() -> None:
    sender, script = scripted(says())
    await sender.send_once(POST, 5)
    assert script.requests[0].content == '{"prompt": "é"}'.encode()
    assert script.requests[0].headers["x-api-key"] == SECRET


def test_a_request_is_shown_without_its_key() -> None:
    assert SECRET not in repr(POST)
    assert POST.public() == {
        "method": "POST",
        "url": "https://gateway.example/v2/x",
        "headers": {"a": "b", "x-api-key": "***"},
        "body": {"prompt": "é"},
    }


async def test_no_cookie_or_redirect_leads_anywhere() -> None:
    sender, script = scripted(says(307, None, {"location": "https://evil.example/"}))
    assert (await sender.send_once(POST, 5)).status == 307
    assert (await sender.send_with_retry(GET)).status == 307
    assert len(script.requests) == 2


async def test_a_closed_sender_opens_again() -> None:
    sender, script = scripted(says())
    await sender.close()
    await sender.send_once(POST, 5)
    await sender.close()
    await sender.send_once(POST, 5)
    assert len(script.requests) == 2


# --- the paid POST ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 500, 502, 503, 504])
async def test_a_post_is_sent_once_whatever_is_answered(status: int) -> None:
    sender, script = scripted(says(status))
    assert (await sender.send_once(POST, 5)).status == status
    assert len(script.requests) == 1


def raises_value_error(_: httpx.Request) -> httpx.Response:
    raise ValueError(SECRET)


@pytest.mark.parametrize(
    "step",
    [*map(breaks, (httpx.ReadError, httpx.WriteTimeout, httpx.RemoteProtocolError)), raises_value_error],
)
async def test_a_post_whose_fate_is_unknown_is_unconfirmed_whatever_broke(step: Step) -> None:
    sender, script = scripted(step)
    with pytest.raises(Unconfirmed) as lost:
        await sender.send_once(POST, 5)
    assert SECRET not in str(lost.value)
    assert len(script.requests) == 1


async def test_a_post_is_sent_again_while_no_connection_was_made() -> None:
    sender, script = scripted(breaks(httpx.ConnectError), breaks(httpx.ConnectTimeout), says(200))
    assert (await sender.send_once(POST, 5)).ok
    assert len(script.requests) == 3


async def test_a_post_is_given_up_after_as_many_attempts_as_stand_in_one_place() -> None:
    sender, script = scripted(breaks(httpx.ConnectError))
    with pytest.raises(NetworkError, match="nothing was sent"):
        await sender.send_once(POST, 5)
    assert len(script.requests) == ATTEMPTS


async def test_a_429_that_stays_is_returned_as_it_is() -> None:
    sender, script = scripted(says(429, {"error": "slow"}))
    assert (await sender.send_once(POST, 5)).body == {"error": "slow"}
    assert len(script.requests) == ATTEMPTS


async def test_a_429_is_not_waited_for_beyond_the_time_there_is() -> None:
    sender, script = scripted(says(429, None, {"retry-after": "8"}))
    started = time.monotonic()
    assert (await sender.send_once(POST, 5)).status == 429
    assert time.monotonic() - started < 1
    assert len(script.requests) == 1


async def test_the_status_that_counts_may_stand_in_the_body() -> None:
    def status_of(answer: Response) -> int:
        return answer.body["code"]

    sender, script = scripted(says(200, {"code": 429}), says(200, {"code": 200}))
    assert (await sender.send_once(POST, 5, status_of)).body == {"code": 200}
    sender, script = scripted(says(200, {"code": 503}), says(200, {"code": 200}))
    assert (await sender.send_with_retry(GET, status_of=status_of)).body == {"code": 200}
    assert len(script.requests) == 2


async def test_time_that_runs_out_while_a_refused_post_waits_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WAIT_INITIAL_SECONDS", 5.0)
    monkeypatch.setattr(client, "WAIT_MAX_SECONDS", 5.0)
    sender, script = scripted(says(429))
    assert (await sender.send_once(POST, 0.1)).status == 429
    assert len(script.requests) == 1


async def test_time_that_runs_out_before_a_connection_is_made_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WAIT_INITIAL_SECONDS", 5.0)
    monkeypatch.setattr(client, "WAIT_MAX_SECONDS", 5.0)
    sender, _ = scripted(breaks(httpx.ConnectError))
    with pytest.raises(NetworkError, match="nothing was sent"):
        await sender.send_once(POST, 0.1)


# --- what only asks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_poll_is_retried_on_passing_trouble_and_the_last_answer_stands(status: int) -> None:
    sender, script = scripted(says(status))
    assert (await sender.send_with_retry(GET)).status == status
    assert len(script.requests) == ATTEMPTS


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 422, 501])
async def test_a_poll_is_not_retried_on_a_verdict(status: int) -> None:
    sender, script = scripted(says(status))
    assert (await sender.send_with_retry(GET)).status == status
    assert len(script.requests) == 1


@pytest.mark.parametrize("error", [httpx.ReadError, httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
async def test_a_blip_never_fails_a_poll(error: type[httpx.TransportError]) -> None:
    sender, script = scripted(breaks(error), breaks(error), says(200))
    assert (await sender.send_with_retry(GET)).ok
    assert len(script.requests) == 3


async def test_a_poll_that_meets_no_one_says_so() -> None:
    sender, script = scripted(breaks(httpx.ReadError))
    with pytest.raises(NetworkError):
        await sender.send_with_retry(GET)
    assert len(script.requests) == ATTEMPTS


async def test_a_poll_ends_in_time() -> None:
    sender, _ = scripted(hangs)
    with pytest.raises(GatewayTimeout):
        await sender.send_with_retry(GET, 0.05)


async def test_a_poll_whose_time_runs_out_answers_with_what_was_said_last() -> None:
    sender, _ = scripted(says(503), hangs)
    assert (await sender.send_with_retry(GET, 0.1)).status == 503


async def test_an_endless_answer_is_cut_off_and_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_BYTES_MAX", 1000)
    sender, script = scripted(says_text(200, "x" * 1001))
    with pytest.raises(GatewayError):
        await sender.send_with_retry(GET)
    assert len(script.requests) == 1
    with pytest.raises(Unconfirmed):
        await sender.send_once(POST, 5)
    assert len(script.requests) == 2


async def test_a_deadline_is_a_gateway_timeout() -> None:
    with pytest.raises(GatewayTimeout, match="too slow"):
        async with deadline(0.01, "too slow"):
            await asyncio.Event().wait()


async def test_retries_are_logged_without_foreign_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sender, _ = scripted(breaks(httpx.ReadError))
    with pytest.raises(NetworkError):
        await sender.send_with_retry(GET)
    assert "ReadError" in caplog.text
    assert "while talking" not in caplog.text
    assert SECRET not in caplog.text


# --- over a real connection ---------------------------------------------------------------------------------------

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> "AsyncGenerator[str]":
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v2/x"


async def test_a_connection_cut_after_the_request_is_unconfirmed_and_the_request_came_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    heads: list[bytes] = []

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    sender = GatewayClient("Gateway")
    async with listening(cut) as url:
        with pytest.raises(Unconfirmed):
            await sender.send_once(Request("POST", url, body={"a": 1}, secrets={"x-api-key": SECRET}), 5)
        await sender.close()
    assert len(heads) == 1
    assert f"x-api-key: {SECRET}".encode() in heads[0]
    assert SECRET not in caplog.text


async def test_a_connection_cut_within_the_answer_is_unconfirmed() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"request_id": "r1"}')
        writer.close()

    sender = GatewayClient("Gateway")
    async with listening(half) as url:
        with pytest.raises(Unconfirmed):
            await sender.send_once(Request("POST", url, body={}), 5)
        await sender.close()


async def test_silence_after_the_request_is_unconfirmed_and_a_refused_connection_is_not() -> None:
    released = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await released.wait()
        writer.close()

    sender = GatewayClient("Gateway")
    async with listening(silent) as url:
        with pytest.raises(Unconfirmed, match="did not answer"):
            await sender.send_once(Request("POST", url, body={}), 0.2)
        released.set()
        await sender.close()
    with pytest.raises(NetworkError) as refused:
        await sender.send_once(Request("POST", url, body={}), 5)
    assert refused.value.problem.charged == "no"
    await sender.close()


async def test_an_address_that_no_client_can_use_was_sent_nothing() -> None:
    sender = GatewayClient("Gateway")
    for url in ("ftp://127.0.0.1/x", "https://[broken/x", "http://127.0.0.1:99999/"):
        with pytest.raises(NetworkError):
            await sender.send_once(Request("POST", url, body={}), 5)
    await sender.close()


async def test_a_connection_of_which_no_place_is_free_was_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CONNECTIONS", 1)
    asked = released = 0
    free = asyncio.Event()
    came = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked, released
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        came.set()
        await free.wait()
        released += 1
        writer.close()

    sender = GatewayClient("Gateway")
    async with listening(silent) as url:
        first = asyncio.create_task(sender.send_once(Request("POST", url, body={}), 5))
        await came.wait()
        with pytest.raises(NetworkError, match="nothing was sent"):
            await sender.send_once(Request("POST", url, body={}), 0.1)
        free.set()
        with pytest.raises(Unconfirmed):
            await first
        await sender.close()
    assert asked == released == 1


# --- how long a 429 asks to wait ----------------------------------------------------------------------------------

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
    ],
)
def test_a_wait_is_read_in_seconds(headers: dict[str, str], low: float, high: float) -> None:
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
def test_a_wait_is_read_from_a_moment_in_any_usual_form(write: Callable[[datetime], str]) -> None:
    for name in (RESET, "retry-after"):
        wait = parse_retry_after({name: write(datetime.now(UTC) + timedelta(seconds=60))}, RESET)
        assert wait is not None
        assert 57 < wait <= 61
    assert parse_retry_after({RESET: write(datetime.now(UTC) - timedelta(days=1))}, RESET) == 0


@pytest.mark.parametrize(
    "value", ["", "soon", "inf", "-inf", "nan", "2026-99-99T00:00:00Z", "Mon, 99 Foo", "٣ seconds"]
)
def test_a_wait_of_no_known_form_is_none(value: str) -> None:
    assert parse_retry_after({"retry-after": value, RESET: value}, RESET) is None
    assert parse_retry_after({}, RESET) is None


async def test_after_a_long_429_nothing_is_asked_until_the_pause_is_over() -> None:
    asked: list[str] = []

    def limited(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(429, headers={"retry-after": "60"}, json={"error": "slow down"})

    sender = GatewayClient("Segmind", lambda: httpx.MockTransport(limited))
    request = Request("GET", "https://api.segmind.com/v2/requests/1/status")
    answer = await sender.send_with_retry(request)
    assert answer.status == 429
    assert 50 < sender.retry_after <= 60
    with pytest.raises(RateLimited, match=r"pause of \d+ s more"):
        await sender.send_with_retry(request)
    assert len(asked) == 1
