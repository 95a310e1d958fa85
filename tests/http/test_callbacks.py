"""Callbacks: a call from a gateway triggers a poll immediately, and its content is not trusted."""

import json
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import pytest
from starlette.applications import Starlette

from hailuo_mcp.core.job import Job
from hailuo_mcp.http import routes
from hailuo_mcp.service.session import Session
from hailuo_mcp.service.signed_urls import SignedUrls
from tests.http.servers import serving
from tests.http.test_tokens import client_with_token
from tests.support import Wire, arguments_for, body_of, facts_of, sandbox_on_a_port, settings_for, wired

SECRET = b"s" * 32
PUBLIC_URL = "https://video.example"
RUNNING: dict[str, object] = {"code": 200, "data": {"taskId": "task_1", "state": "processing"}}
DONE: dict[str, object] = {
    "code": 200,
    "data": {"taskId": "task_1", "state": "success", "resultJson": '{"resultUrls": ["https://clips.example/1.mp4"]}'},
}


class Apixo:
    """Accepts every job, and returns a configurable status."""

    def __init__(self) -> None:
        self.status: dict[str, object] = RUNNING

    def __call__(self, request: httpx.Request) -> httpx.Response:
        accepted = {"code": 200, "message": "success", "data": {"taskId": "task_1"}}
        return httpx.Response(200, json=accepted if request.method == "POST" else self.status)


@asynccontextmanager
async def session_with_callbacks(
    directory: Path, **variables: str
) -> AsyncGenerator[tuple[Session, Wire, Apixo, httpx.AsyncClient]]:
    """A session whose gateways can call back, and a client for the server's routes."""
    apixo = Apixo()
    settings = settings_for(directory, APIXO_API_KEY="k", HAILUO_MCP_AUTO_DOWNLOAD="0", **variables)
    opened, wire = wired(settings, apixo)
    async with opened as open_session:
        urls = SignedUrls(PUBLIC_URL, SECRET, called_back=True)
        session = Session(replace(open_session.services, urls=urls))
        app = Starlette(routes=routes.routes(session.services, lambda: False))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC_URL) as client:
            yield session, wire, apixo, client


async def submit(session: Session) -> Job:
    return (await session.generate(arguments_for("apixo/hailuo-2.3-fast"))).job


async def test_job_is_submitted_with_its_own_callback_url(tmp_path: Path) -> None:
    async with session_with_callbacks(tmp_path) as (session, wire, _, _):
        job = await submit(session)
        sent = body_of(wire.posts[0])
        assert sent["request_type"] == "callback"
        assert sent["callback_url"] == SignedUrls(PUBLIC_URL, SECRET, called_back=True).callback("apixo", job.id)
        assert "callback_url" not in job.parameters
        assert "callback" not in str((await session.jobs()).jobs)


async def test_callback_url_given_by_the_caller_is_kept(tmp_path: Path) -> None:
    async with session_with_callbacks(tmp_path, HAILUO_MCP_CALLBACK_HOSTS="hooks.example") as (session, wire, _, _):
        await session.generate(arguments_for("apixo/hailuo-2.3-fast", callback_url="https://hooks.example/x"))
        assert body_of(wire.posts[0])["callback_url"] == "https://hooks.example/x"


async def test_callback_ends_a_wait_but_its_content_is_not_trusted(tmp_path: Path) -> None:
    async with session_with_callbacks(tmp_path) as (session, wire, apixo, client):
        job = await submit(session)
        address = body_of(wire.posts[0])["callback_url"]
        assert (await client.post(address, json=DONE)).status_code == 200  # not true: the job is still running
        assert (await session.status(job.request_id)).state == "processing"
        apixo.status = DONE
        assert (await client.post(address, content=b"no json")).status_code == 200
        assert (await session.status(job.request_id, 20)).state == "completed"


async def test_minimax_challenge_is_echoed_and_triggers_no_poll(tmp_path: Path) -> None:
    async with session_with_callbacks(tmp_path, MINIMAX_API_KEY="k") as (session, wire, _, client):
        address = SignedUrls(PUBLIC_URL, SECRET, called_back=True).callback("minimax", (await submit(session)).id)
        assert address
        before = len(wire.requests)
        answer = await client.post(address, json={"challenge": "c-1"})
        assert (answer.status_code, answer.json()) == (200, {"challenge": "c-1"})
        assert (await client.post(address[:-1] + "x", json={"challenge": "c-1"})).status_code == 404
        await anyio.wait_all_tasks_blocked()
        assert len(wire.requests) == before


@pytest.mark.slow
async def test_callback_starts_its_own_trace(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.http.traced_callback", str(tmp_path)]
    seen = json.loads((await anyio.run_process(program, stderr=None)).stdout)
    assert seen["about"]
    assert seen["parents"]["called back"] is None
    assert seen["parents"]["poll apixo"] == "called back"


async def test_forged_and_replayed_callbacks_trigger_no_requests(tmp_path: Path) -> None:
    async with session_with_callbacks(tmp_path) as (session, wire, apixo, client):
        job = await submit(session)
        address = body_of(wire.posts[0])["callback_url"]
        before = len(wire.requests)
        forged = [address[:-1], address + "0", address.replace(job.id, "0" * 32), address.replace("apixo", "segmind")]
        for wrong in forged:
            assert (await client.post(wrong, json=DONE)).status_code == 404
        assert (await client.get(address)).status_code == 405
        assert len(wire.requests) == before
        apixo.status = DONE
        assert (await session.status(job.request_id)).state == "completed"
        seen = len(wire.requests)
        for _ in range(20):
            assert (await client.post(address, json=DONE)).status_code == 200
        await session.status(job.request_id)
        assert len(wire.requests) == seen


async def test_oversized_callback_body_is_ignored(tmp_path: Path) -> None:
    async with session_with_callbacks(tmp_path) as (session, wire, _, client):
        await submit(session)
        address = body_of(wire.posts[0])["callback_url"]
        assert (await client.post(address, content=b"x" * (routes.CALLBACK_BYTES_MAX + 1))).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["apixo/hailuo-2.3-fast", "minimax/hailuo-2.3-fast", "minimax/h3"]
)  # MiniMax: challenge
async def test_sandbox_callback_ends_a_waiting_call(model: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with sandbox_on_a_port(tmp_path / "far", seconds=3, callbacks=True) as gateways:
        variables = {
            **gateways,
            "HAILUO_MCP_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "HAILUO_MCP_HTTP_TOKENS": "ann:ann-static-token",
        }
        async with (
            serving(tmp_path, port, **variables) as running,
            client_with_token(running.url, "ann-static-token") as ann,
        ):
            job = facts_of(await ann.call_tool("generate_video", arguments_for(model)))
            # Without the callback, the next poll would come after 8 s.
            arguments = {"request_id": job["request_id"], "wait_seconds": 7}
            assert facts_of(await ann.call_tool("get_status", arguments))["state"] == "completed"
