"""Graceful shutdown: submissions get their responses, waits end immediately, streams are closed properly."""

from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from mcp import Client

from tests.http.servers import SANDBOX, serving
from tests.http.wire import RawClient
from tests.slow_gateway import MODEL, SlowGateway
from tests.support import Era, facts_of

pytestmark = pytest.mark.slow

ERAS = ["legacy", "auto"]


@pytest.mark.parametrize("era", ERAS)
async def test_submission_in_flight_gets_its_response(era: Era, tmp_path: Path) -> None:
    answers: list[dict[str, Any]] = []
    with SlowGateway().serving() as gateway:
        async with serving(tmp_path, **gateway.environment) as running, Client(running.url, mode=era) as client:

            async def submit() -> None:
                await client.list_tools()  # otherwise the client requests them after the call, to validate its result
                call = {"prompt": "a kite", "model": MODEL}
                answers.append(dict(facts_of(await client.call_tool("generate_video", call))))

            async with anyio.create_task_group() as calls:
                calls.start_soon(submit)
                assert await anyio.to_thread.run_sync(gateway.arrived.wait, 20)
                running.signal()
                await anyio.sleep(0.5)  # the stop has begun
                gateway.answer.set()
            assert [(answer["state"], answer["request_id"]) for answer in answers] == [("queued", f"{MODEL}/r-1")]


@pytest.mark.parametrize("era", ERAS)
async def test_many_submissions_in_flight_are_answered_while_the_server_stops(era: Era, tmp_path: Path) -> None:
    many = 16  # the limit of concurrent requests to one gateway; four more wait for a slot
    answers: list[dict[str, Any]] = []
    states: list[tuple[int, str]] = []
    with SlowGateway(many).serving() as gateway:
        async with (
            serving(tmp_path, **gateway.environment) as running,
            httpx.AsyncClient(timeout=30) as web,
            anyio.create_task_group() as calls,
        ):
            client, base = RawClient(web, running.url, None, era), running.url.removesuffix("/mcp")

            async def submit(number: int) -> None:
                call = {"prompt": f"kite {number}", "model": MODEL}
                answers.append((await client.call("generate_video", **call))["structuredContent"])

            assert (await web.get(f"{base}/ready")).status_code == 200
            for number in range(many + 4):
                calls.start_soon(submit, number)
            assert await anyio.to_thread.run_sync(gateway.arrived.wait, 20)
            running.signal()
            with anyio.fail_after(2):
                while not states or states[-1][0] == 200:  # the signal has not arrived yet
                    answer = await web.get(f"{base}/ready")
                    states.append((answer.status_code, answer.json()["status"]))
            assert states[-1] == (503, "stopping")
            assert answers == []
            assert (await web.get(f"{base}/health")).status_code == 200
            gateway.answer.set()
        assert await running.exit_code() == 0
    assert {answer["state"] for answer in answers} == {"queued"}
    assert len({answer["request_id"] for answer in answers}) == many + 4 == len(gateway.taken)


@pytest.mark.parametrize("era", ERAS)
async def test_wait_returns_the_last_known_state_when_the_server_stops(era: Era, tmp_path: Path) -> None:
    async with serving(tmp_path, **SANDBOX) as running, Client(running.url, mode=era) as client:
        submitted = facts_of(await client.call_tool("generate_video", {"prompt": "a kite sandbox:never"}))

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            running.signal()

        arguments = {"request_id": submitted["request_id"], "wait_seconds": 45}
        with anyio.fail_after(10):
            answer = facts_of(await client.call_tool("get_status", arguments, progress_callback=on_progress))
        assert answer["state"] in ("queued", "processing")


async def test_streams_are_closed_properly(tmp_path: Path) -> None:
    async with serving(tmp_path, **SANDBOX) as running, Client(running.url) as client:
        with anyio.fail_after(10):
            async with client.listen(resource_subscriptions=["hailuo://jobs"]) as events:
                running.signal()
                assert [event async for event in events] == []  # a stream that breaks off would raise
