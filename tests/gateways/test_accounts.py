"""Several accounts over the connections of one client, their rate limits, and callbacks."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from pydantic import SecretStr

from hailuo_mcp.core.errors import HeldBack, RateLimited
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.client import ClientLimits, GatewayClient, Request
from hailuo_mcp.gateways.rate_limits import RateLimit
from tests.core.models import MODELS
from tests.gateways.wire import A_MODEL_OF, EVERY_GATEWAY, GATEWAYS, KEY, Script, connect, says, spec

OTHER_KEY = "sk-Other-9876543210"
UNFINISHED = says(200, {"status": "active", "code": 200, "data": {"state": "processing"}})


class CookieServer:
    """A server on a socket that sets a cookie with every response, and records the head of every request."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.connections = 0
        self.closed = asyncio.Semaphore(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode("ascii").lower())
                cookie = f"set-cookie: session={len(self.heads)}; path=/; max-age=3600"
                writer.write(f"HTTP/1.1 200 OK\r\n{cookie}\r\ncontent-length: 2\r\n\r\n{{}}".encode())
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()
            await writer.wait_closed()
            self.closed.release()


@asynccontextmanager
async def cookie_server() -> AsyncGenerator[tuple[CookieServer, str]]:
    server = CookieServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        yield server, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1/x"
        for _ in range(server.connections):
            await server.closed.acquire()


async def test_cookies_are_never_sent_back_and_accounts_share_connections() -> None:
    async with cookie_server() as (server, url):
        client = GatewayClient("Gateway")
        for key in ("one", "one", "two", "one"):
            await client.send_with_retry(Request("GET", url, secrets={"x-api-key": key}))
        await client.send_once(Request("POST", url, body={}, secrets={"x-api-key": "one"}), 5)
        await client.close()
    assert len(server.heads) == 5
    assert not [head for head in server.heads if "cookie" in head]
    assert server.connections == 1


async def test_a_closed_client_opens_new_connections() -> None:
    async with cookie_server() as (server, url):
        client = GatewayClient("Gateway")
        for connections in (1, 2):
            await client.send_with_retry(Request("GET", url))
            await client.send_with_retry(Request("GET", url))
            assert server.connections == connections
            await client.close()


@EVERY_GATEWAY
async def test_a_gateway_for_another_key_differs_only_in_its_key(name: str) -> None:
    gateway, script = connect(name, UNFINISHED)
    other = gateway.for_key(SecretStr(OTHER_KEY))
    assert (type(other), other.origin, other.usable) == (type(gateway), gateway.origin, True)
    for one in (gateway, other):
        await one.poll(MODELS[A_MODEL_OF[name]], "r1")
        assert (
            one.submit_request(spec(A_MODEL_OF[name])).public()
            == gateway.submit_request(spec(A_MODEL_OF[name])).public()
        )
    sent = [str(sorted(request.headers.items())) for request in script.requests]
    assert [KEY in head for head in sent] == [True, False]
    assert [OTHER_KEY in head for head in sent] == [False, True]
    assert OTHER_KEY not in other.clean(f"no {OTHER_KEY}")
    assert OTHER_KEY not in repr(other.settings)


async def test_a_pause_applies_to_one_account_only() -> None:
    gateway, _ = connect("segmind", says(429, None, {"retry-after": "30"}))
    other = gateway.for_key(SecretStr(OTHER_KEY))
    with pytest.raises(RateLimited):
        await gateway.observe(MODELS[A_MODEL_OF["segmind"]], "r1")
    assert gateway.retry_after > 25
    assert other.retry_after == 0
    assert other.for_key(SecretStr(KEY)).retry_after > 25, "the same key is the same account"


async def test_nothing_is_sent_until_a_long_pause_is_over() -> None:
    script = Script(says(429, {"error": "slow down"}, {"retry-after": "60"}))
    client = GatewayClient("Segmind", transport=lambda: httpx.MockTransport(script))
    request = Request("GET", "https://api.segmind.com/v2/requests/1/status")
    assert (await client.send_with_retry(request)).status == 429
    assert 50 < client.rate_limit(request.secrets).retry_after <= 60
    with pytest.raises(HeldBack, match=r"too many requests, and asks again in \d+ s .* its own pace"):
        await client.send_with_retry(request)
    assert len(script.requests) == 1


@pytest.mark.parametrize("wait", ["86400", "86400000", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_a_429_pauses_an_account_for_at_most_two_minutes(wait: str) -> None:
    gateway, _ = connect("segmind", says(429, None, {"retry-after": wait}))
    with pytest.raises(RateLimited) as limited:
        await gateway.observe(MODELS[A_MODEL_OF["segmind"]], "r1")
    assert 119 < gateway.retry_after <= 120
    assert "Wait 120 s" in limited.value.problem.hint


async def test_many_submissions_delay_a_poll_by_at_most_two_minutes() -> None:
    limit = RateLimit(20)
    for _ in range(1000):
        limit.book()
    assert 119 < limit.retry_after <= 120


async def test_rate_limits_are_kept_for_the_most_recently_used_accounts() -> None:
    client = GatewayClient("Gateway", limits=ClientLimits(accounts=2))
    for key in ("one", "two"):
        client.rate_limit({"x-api-key": key}).back_off(60)
    assert client.rate_limit({"x-api-key": "one"}).retry_after > 50
    client.rate_limit({"x-api-key": "three"})
    assert client.rate_limit({"x-api-key": "one"}).retry_after > 50
    assert client.rate_limit({"x-api-key": "two"}).retry_after == 0


async def test_half_of_a_documented_rate_is_sent_at_once_and_the_rest_is_spread() -> None:
    client = GatewayClient("Gateway", transport=lambda: httpx.MockTransport(Script(says())), requests_per_minute=20)
    limit = client.rate_limit({})
    get = Request("GET", "https://gateway.example/x")
    for _ in range(10):
        assert limit.retry_after == 0
        await client.send_with_retry(get)
    assert 5 < limit.retry_after <= 6
    await client.send_once(Request("POST", "https://gateway.example/x", body={}), 5)  # counted, but not held back
    assert 11 < limit.retry_after <= 12
    with pytest.raises(HeldBack, match="keeps to the number of requests that Gateway allows"):
        await client.send_with_retry(get, 5)
    assert 11 < limit.retry_after <= 12, "a request that is not sent does not count"


@pytest.mark.parametrize("gateway", GATEWAYS.values(), ids=lambda gateway: gateway.name)
def test_callback_url_is_a_parameter_only_if_the_gateway_supports_callbacks(gateway: type[Gateway]) -> None:
    assert {model.accepts("callback_url") for model in gateway.models} == {gateway.callbacks}


def test_only_minimax_gets_its_challenge_back() -> None:
    for name in GATEWAYS:
        gateway, _ = connect(name)
        expected = {"challenge": "abc"} if name == "minimax" else {}
        assert gateway.callback_answer({"challenge": "abc", "task_id": "1"}) == expected
        assert gateway.callback_answer({"task_id": "1", "status": "Success"}) == {}


async def test_minimax_is_polled_at_most_at_its_documented_rate() -> None:
    gateway, script = connect("minimax", says(200, {"task_id": "1", "status": "Processing"}))
    for _ in range(10):
        await gateway.observe(MODELS["minimax/hailuo-02"], "1")
    assert 5 < gateway.retry_after <= 6
    assert gateway.for_key(SecretStr(OTHER_KEY)).retry_after == 0
    with anyio.move_on_after(0.05) as waiting:
        await gateway.observe(MODELS["minimax/hailuo-02"], "1")
    assert waiting.cancelled_caught
    assert len(script.requests) == 10
