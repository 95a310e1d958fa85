"""Several accounts of one gateway over the same connections, the pace that a gateway documents, and callbacks."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from pydantic import SecretStr

from hailuo_mcp.core.errors import RateLimited
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.client import GatewayClient, Request
from tests.gateways.wire import A_MODEL_OF, GATEWAYS, KEY, MODELS, Script, connect, says, spec

OTHER_KEY = "sk-Other-9876543210"
UNFINISHED = says(200, {"status": "active", "code": 200, "data": {"state": "processing"}})


class FarEnd:
    """A gateway on a socket that hands out a cookie with every answer, and keeps what it hears."""

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
async def far_end() -> AsyncGenerator[tuple[FarEnd, str]]:
    heard = FarEnd()
    server = await asyncio.start_server(heard.serve, "127.0.0.1", 0)
    async with server:
        yield heard, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/x"
        for _ in range(heard.connections):
            await heard.closed.acquire()


async def test_no_cookie_of_a_gateway_is_ever_sent_back_also_not_with_another_accounts_request() -> None:
    async with far_end() as (heard, url):
        first = GatewayClient("Gateway")
        second = first.for_another_account()
        for sender, key in ((first, "one"), (first, "one"), (second, "two"), (first, "one")):
            await sender.send_with_retry(Request("GET", url, secrets={"x-api-key": key}))
        await first.send_once(Request("POST", url, body={}, secrets={"x-api-key": "one"}), 5)
        await first.close()
    assert len(heard.heads) == 5
    assert not [head for head in heard.heads if "cookie" in head]
    assert heard.connections == 1, "both accounts go over the same connection"


async def test_closing_the_original_closes_the_connections_and_closing_the_other_does_not() -> None:
    async with far_end() as (heard, url):
        first = GatewayClient("Gateway")
        second = first.for_another_account()
        await second.send_with_retry(Request("GET", url))
        await second.close()
        await first.send_with_retry(Request("GET", url))
        assert heard.connections == 1
        await first.close()
        await first.send_with_retry(Request("GET", url))
        await first.close()
        assert heard.connections == 2


@pytest.mark.parametrize("name", sorted(GATEWAYS))
async def test_a_gateway_with_another_key_is_the_same_but_for_the_key(name: str) -> None:
    gateway, script = connect(name, UNFINISHED)
    other = gateway.with_key(SecretStr(OTHER_KEY))
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


async def test_a_pause_is_an_accounts_own() -> None:
    gateway, _ = connect("segmind", says(429, None, {"retry-after": "30"}))
    other = gateway.with_key(SecretStr(OTHER_KEY))
    with pytest.raises(RateLimited):
        await gateway.poll(MODELS[A_MODEL_OF["segmind"]], "r1")
    assert gateway.sender.retry_after > 25
    assert other.sender.retry_after == 0
    assert gateway.with_key(SecretStr(OTHER_KEY)).sender.retry_after == 0


async def test_a_documented_pace_lets_half_go_at_once_and_then_holds() -> None:
    sender = GatewayClient("Gateway", transport=lambda: httpx.MockTransport(Script(says())))
    sender.limit_rate(20)
    get = Request("GET", "https://gateway.example/x")
    for _ in range(10):
        assert sender.retry_after == 0
        await sender.send_with_retry(get)
    assert 5 < sender.retry_after <= 6
    await sender.send_once(Request("POST", "https://gateway.example/x", body={}), 5)  # counted, and not held
    assert 11 < sender.retry_after <= 12
    with pytest.raises(RateLimited):
        await sender.send_with_retry(get, 5)
    assert 11 < sender.retry_after <= 12, "what is not sent does not count"


@pytest.mark.parametrize("gateway", GATEWAYS.values(), ids=lambda gateway: gateway.name)
def test_a_gateway_that_calls_back_takes_an_address_to_call_and_others_do_not(gateway: type[Gateway]) -> None:
    assert {model.accepts("callback_url") for model in gateway.models} == {gateway.callbacks}


def test_only_minimax_wants_its_challenge_back() -> None:
    for name in GATEWAYS:
        gateway, _ = connect(name)
        wanted = {"challenge": "abc"} if name == "minimax" else {}
        assert gateway.callback_answer({"challenge": "abc", "task_id": "1"}) == wanted
        assert gateway.callback_answer({"task_id": "1", "status": "Success"}) == {}


async def test_minimax_is_asked_no_more_often_than_it_documents() -> None:
    gateway, script = connect("minimax", says(200, {"task_id": "1", "status": "Processing"}))
    for _ in range(10):
        await gateway.poll(MODELS["minimax/hailuo-02"], "1")
    assert 5 < gateway.sender.retry_after <= 6
    assert gateway.with_key(SecretStr(OTHER_KEY)).sender.retry_after == 0
    with anyio.move_on_after(0.05) as given_up:
        await gateway.poll(MODELS["minimax/hailuo-02"], "1")
    assert given_up.cancelled_caught, "it waits for its turn"
    assert len(script.requests) == 10
