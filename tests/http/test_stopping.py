"""Graceful shutdown: submissions get their responses, waits end immediately, streams are closed properly."""

import asyncio
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
import uvicorn
from mcp import Client

from hailuo_mcp.cli.ports import listener_on
from tests.http.servers import SANDBOX, serving
from tests.http.wire import RawClient
from tests.support import KEYS, Era, facts_of, sent_to

pytestmark = pytest.mark.slow

ERAS = ["legacy", "auto"]


class SlowGateway:
    """Segmind, which delays its responses until `go` is set. `arrived` is set when the expected number of jobs has
    arrived."""

    def __init__(self, expected: int = 1) -> None:
        self.arrived, self.go = threading.Event(), threading.Event()
        self.jobs, self._expected = 0, expected

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.jobs += 1
        job = self.jobs
        if job == self._expected:
            self.arrived.set()
        while not self.go.is_set():  # noqa: ASYNC110  it is set by another thread
            await asyncio.sleep(0.05)
        body = json.dumps({"request_id": f"r-{job}", "status": "QUEUED"}).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def on_a_port(gateway: SlowGateway) -> Generator[dict[str, str]]:
    config = uvicorn.Config(gateway, log_level="error", ws="none", lifespan="off", log_config=None)
    listening = listener_on("127.0.0.1", 0)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, args=([listening],))
    thread.start()
    try:
        yield {**KEYS, **sent_to(listening.getsockname()[1])}
    finally:
        gateway.go.set()
        running.should_exit = True
        thread.join()


@pytest.mark.parametrize("era", ERAS)
async def test_submission_in_flight_gets_its_response(era: Era, tmp_path: Path) -> None:
    gateway, answers = SlowGateway(), list[dict[str, Any]]()
    with on_a_port(gateway) as variables:
        async with serving(tmp_path, **variables) as running, Client(running.url, mode=era) as client:

            async def submit() -> None:
                await client.list_tools()  # otherwise the client requests them after the call, to validate its result
                call = {"prompt": "a kite", "model": "segmind/minimax-hailuo-2"}
                answers.append(dict(facts_of(await client.call_tool("generate_video", call))))

            async with anyio.create_task_group() as calls:
                calls.start_soon(submit)
                assert await anyio.to_thread.run_sync(gateway.arrived.wait, 20)
                running.signal()
                await anyio.sleep(0.5)  # the stop has begun
                gateway.go.set()
            assert [(answer["state"], answer["request_id"]) for answer in answers] == [
                ("queued", "segmind/minimax-hailuo-2/r-1")
            ]


@pytest.mark.parametrize("era", ERAS)
async def test_many_submissions_in_flight_are_answered_while_the_server_stops(era: Era, tmp_path: Path) -> None:
    many = 16  # the limit of concurrent requests to one gateway; four more wait for a slot
    gateway, answers, states = SlowGateway(many), list[dict[str, Any]](), list[tuple[int, str]]()
    with on_a_port(gateway) as variables:
        async with (
            serving(tmp_path, **variables) as running,
            httpx.AsyncClient(timeout=30) as web,
            anyio.create_task_group() as calls,
        ):
            client, base = RawClient(web, running.url, None, era), running.url.removesuffix("/mcp")

            async def submit(number: int) -> None:
                call = {"prompt": f"kite {number}", "model": "segmind/minimax-hailuo-2"}
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
            gateway.go.set()
        assert await running.exit_code() == 0
    assert {answer["state"] for answer in answers} == {"queued"}
    assert len({answer["request_id"] for answer in answers}) == many + 4 == gateway.jobs


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
