"""How requests are sent: what is sent once, what is retried, and what is known after a timeout."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from hailuo_mcp.core.errors import GatewayError, GatewayTimeout, NetworkError, Unconfirmed
from hailuo_mcp.gateways.client import ClientLimits, GatewayClient, Request, Response, RetryPolicy
from tests.gateways.wire import ATTEMPTS, KEY, QUICK, Script, Step, breaks, hangs, says, says_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

POST = Request("POST", "https://gateway.example/v2/x", {"a": "b"}, {"prompt": "é"}, {"x-api-key": KEY})
GET = Request("GET", "https://gateway.example/v2/x", {}, None, {"x-api-key": KEY})


SLOW = RetryPolicy(wait_initial=5.0, wait_max=5.0)


def scripted(*steps: Step, retry: RetryPolicy = QUICK) -> tuple[GatewayClient, Script]:
    script = Script(*steps)
    return GatewayClient("Gateway", transport=lambda: httpx.MockTransport(script), retry=retry), script


# --- one response ---------------------------------------------------------------------------------------------------


async def test_a_response_has_a_status_headers_and_json() -> None:
    client, _ = scripted(says(201, {"a": [1]}, {"X-Hailuo-Sandbox": "1"}))
    response = await client.send_once(POST, 5)
    assert (response.status, response.body, response.ok, response.sandbox) == (201, {"a": [1]}, True, True)


@pytest.mark.parametrize("text", ["", "<html>", "{", "[" * 100_000, "9" * 5000])
async def test_a_body_that_is_not_json_is_none(text: str) -> None:
    client, _ = scripted(says_text(200, text, "application/json"))
    assert (await client.send_once(POST, 5)).body is None


async def test_the_body_is_sent_as_utf8_json_with_the_key() -> None:
    client, script = scripted(says())
    await client.send_once(POST, 5)
    assert script.requests[0].content == '{"prompt": "é"}'.encode()
    assert script.requests[0].headers["x-api-key"] == KEY


async def test_responses_are_requested_without_compression() -> None:
    client, script = scripted(says())
    await client.send_with_retry(GET)
    await client.send_once(POST, 5)
    assert [request.headers["accept-encoding"] for request in script.requests] == ["identity", "identity"]


def test_a_request_is_shown_without_its_key() -> None:
    assert KEY not in repr(POST)
    assert POST.public() == {
        "method": "POST",
        "url": "https://gateway.example/v2/x",
        "headers": {"a": "b", "x-api-key": "***"},
        "body": {"prompt": "é"},
    }


async def test_redirects_are_not_followed() -> None:
    client, script = scripted(says(307, None, {"location": "https://evil.example/"}))
    assert (await client.send_once(POST, 5)).status == 307
    assert (await client.send_with_retry(GET)).status == 307
    assert len(script.requests) == 2


# --- the paid POST ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 500, 502, 503, 504])
async def test_a_post_is_sent_once_whatever_the_status(status: int) -> None:
    client, script = scripted(says(status))
    assert (await client.send_once(POST, 5)).status == status
    assert len(script.requests) == 1


def raises_value_error(_: httpx.Request) -> httpx.Response:
    raise ValueError(KEY)


@pytest.mark.parametrize(
    "step",
    [*map(breaks, (httpx.ReadError, httpx.WriteTimeout, httpx.RemoteProtocolError)), raises_value_error],
)
async def test_a_post_that_may_have_arrived_is_unconfirmed_whatever_the_error(step: Step) -> None:
    client, script = scripted(step)
    with pytest.raises(Unconfirmed) as lost:
        await client.send_once(POST, 5)
    assert KEY not in str(lost.value)
    assert len(script.requests) == 1


async def test_a_post_is_retried_while_no_connection_is_made() -> None:
    client, script = scripted(breaks(httpx.ConnectError), breaks(httpx.ConnectTimeout), says(200))
    assert (await client.send_once(POST, 5)).ok
    assert len(script.requests) == 3


async def test_a_post_is_abandoned_after_the_configured_attempts() -> None:
    client, script = scripted(breaks(httpx.ConnectError))
    with pytest.raises(NetworkError, match="nothing was sent"):
        await client.send_once(POST, 5)
    assert len(script.requests) == ATTEMPTS


async def test_a_429_that_outlasts_the_retries_is_returned() -> None:
    client, script = scripted(says(429, {"error": "slow"}))
    assert (await client.send_once(POST, 5)).body == {"error": "slow"}
    assert len(script.requests) == ATTEMPTS


async def test_a_429_is_returned_at_once_if_its_wait_exceeds_the_time_limit() -> None:
    client, script = scripted(says(429, None, {"retry-after": "8"}))
    started = time.monotonic()
    assert (await client.send_once(POST, 5)).status == 429
    assert time.monotonic() - started < 1
    assert len(script.requests) == 1


async def test_the_effective_status_may_be_in_the_body() -> None:
    def status_of(response: Response) -> int:
        return response.body["code"]

    client, script = scripted(says(200, {"code": 429}), says(200, {"code": 200}))
    assert (await client.send_once(POST, 5, status_of)).body == {"code": 200}
    client, script = scripted(says(200, {"code": 503}), says(200, {"code": 200}))
    assert (await client.send_with_retry(GET, status_of=status_of)).body == {"code": 200}
    assert len(script.requests) == 2


async def test_a_timeout_before_a_refused_post_is_retried_is_a_refusal() -> None:
    client, script = scripted(says(429), retry=SLOW)
    assert (await client.send_once(POST, 0.1)).status == 429
    assert len(script.requests) == 1


async def test_a_timeout_before_connecting_costs_nothing() -> None:
    client, _ = scripted(breaks(httpx.ConnectError), retry=SLOW)
    with pytest.raises(NetworkError, match="nothing was sent"):
        await client.send_once(POST, 0.1)


# --- free requests ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_poll_is_retried_on_temporary_errors_and_the_last_response_is_returned(status: int) -> None:
    client, script = scripted(says(status))
    assert (await client.send_with_retry(GET)).status == status
    assert len(script.requests) == ATTEMPTS


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 422, 501])
async def test_a_poll_is_not_retried_on_a_final_status(status: int) -> None:
    client, script = scripted(says(status))
    assert (await client.send_with_retry(GET)).status == status
    assert len(script.requests) == 1


@pytest.mark.parametrize("error", [httpx.ReadError, httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
async def test_a_poll_survives_single_network_errors(error: type[httpx.TransportError]) -> None:
    client, script = scripted(breaks(error), breaks(error), says(200))
    assert (await client.send_with_retry(GET)).ok
    assert len(script.requests) == 3


async def test_a_poll_that_gets_no_response_is_a_network_error() -> None:
    client, script = scripted(breaks(httpx.ReadError))
    with pytest.raises(NetworkError):
        await client.send_with_retry(GET)
    assert len(script.requests) == ATTEMPTS


async def test_a_poll_ends_at_its_time_limit() -> None:
    client, _ = scripted(hangs)
    with pytest.raises(GatewayTimeout):
        await client.send_with_retry(GET, 0.05)


async def test_a_poll_that_times_out_returns_the_last_response() -> None:
    client, _ = scripted(says(503), hangs)
    assert (await client.send_with_retry(GET, 0.1)).status == 503


async def test_a_response_that_is_too_large_is_cut_off_and_not_requested_again() -> None:
    script = Script(says_text(200, "x" * 2_000_000))
    limits = ClientLimits(response_bytes=1 << 20)
    client = GatewayClient("Gateway", transport=lambda: httpx.MockTransport(script), limits=limits)
    with pytest.raises(GatewayError, match="more than 1 MB"):
        await client.send_with_retry(GET)
    assert len(script.requests) == 1
    with pytest.raises(Unconfirmed):
        await client.send_once(POST, 5)
    assert len(script.requests) == 2


async def test_several_requests_can_share_a_time_limit() -> None:
    client, _ = scripted()
    with pytest.raises(GatewayTimeout, match="Gateway did not answer within 0 s"), client.time_limit(0.01):
        await asyncio.Event().wait()


async def test_errors_are_logged_without_their_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client, _ = scripted(breaks(httpx.ReadError))
    with pytest.raises(NetworkError):
        await client.send_with_retry(GET)
    assert "ReadError" in caplog.text
    assert "while talking" not in caplog.text
    assert KEY not in caplog.text


# --- over a real connection ---------------------------------------------------------------------------------------

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> "AsyncGenerator[str]":
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v2/x"


async def test_a_connection_closed_after_the_request_is_unconfirmed_and_not_retried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    heads: list[bytes] = []

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    client = GatewayClient("Gateway")
    async with listening(cut) as url:
        with pytest.raises(Unconfirmed):
            await client.send_once(Request("POST", url, body={"a": 1}, secrets={"x-api-key": KEY}), 5)
        await client.close()
    assert len(heads) == 1
    assert f"x-api-key: {KEY}".encode() in heads[0]
    assert KEY not in caplog.text


async def test_a_connection_closed_during_the_response_is_unconfirmed() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"request_id": "r1"}')
        writer.close()

    client = GatewayClient("Gateway")
    async with listening(half) as url:
        with pytest.raises(Unconfirmed):
            await client.send_once(Request("POST", url, body={}), 5)
        await client.close()


async def test_no_response_is_unconfirmed_and_a_refused_connection_is_not() -> None:
    released = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await released.wait()
        writer.close()

    client = GatewayClient("Gateway", retry=QUICK)
    async with listening(silent) as url:
        with pytest.raises(Unconfirmed, match="did not answer"):
            await client.send_once(Request("POST", url, body={}), 0.5)
        released.set()
        await client.close()
    with pytest.raises(NetworkError) as refused:
        await client.send_once(Request("POST", url, body={}), 5)
    assert refused.value.problem.charged == "no"
    await client.close()


async def test_a_post_to_an_unusable_address_was_not_sent() -> None:
    client = GatewayClient("Gateway", retry=QUICK)
    for url in ("ftp://127.0.0.1/x", "https://[broken/x", "http://127.0.0.1:99999/"):
        with pytest.raises(NetworkError):
            await client.send_once(Request("POST", url, body={}), 5)
    await client.close()


async def test_a_post_that_gets_no_free_connection_was_not_sent() -> None:
    received = released = 0
    free = asyncio.Event()
    arrived = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received, released
        received += 1
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await free.wait()
        released += 1
        writer.close()

    client = GatewayClient("Gateway", limits=ClientLimits(connections=1))
    async with listening(silent) as url:
        first = asyncio.create_task(client.send_once(Request("POST", url, body={}), 5))
        await arrived.wait()
        with pytest.raises(NetworkError, match="nothing was sent"):
            await client.send_once(Request("POST", url, body={}), 0.1)
        free.set()
        with pytest.raises(Unconfirmed):
            await first
        await client.close()
    assert received == released == 1
