"""Errors do not reveal the server's paths and addresses to remote callers; the local user sees them."""

import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import CompletionArgument, ResourceTemplateReference
from starlette.applications import Starlette

from hailuo_mcp.core.caller import LOCAL, Caller
from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import State, utc_now
from hailuo_mcp.http import routes
from hailuo_mcp.ledger import open_ledger
from hailuo_mcp.mcp import completion, prompts, resources, tools
from hailuo_mcp.service.session import Session
from hailuo_mcp.service.signed_urls import SignedUrls
from tests.support import arguments_for, settings_for, wired

MODEL = "segmind/minimax-hailuo-2"
PUBLIC_URL = "https://video.example"


async def call(session: Session, tool: str, **arguments: Any) -> str:
    return (await tools.call(tool, tools.Call(session, arguments, None))).model_dump_json()


async def refused(work: Awaitable[object]) -> str:
    try:
        return str(await work)
    except MCPError as error:
        return error.error.model_dump_json()


Access = Callable[[Session], Awaitable[str]]
ACCESSES: dict[str, Access] = {
    "list_jobs": lambda session: call(session, "list_jobs"),
    "get_status": lambda session: call(session, "get_status", request_id=f"{MODEL}/x"),
    "download_video": lambda session: call(session, "download_video", request_id=f"{MODEL}/x"),
    "cancel_job": lambda session: call(session, "cancel_job", request_id=f"{MODEL}/x"),
    "generate_video": lambda session: call(session, "generate_video", prompt="a kite", model=MODEL),
    "a job": lambda session: refused(resources.read(session, f"hailuo://jobs/{MODEL}/x")),
    "jobs": lambda session: refused(resources.read(session, "hailuo://jobs")),
    "a prompt": lambda session: refused(prompts.get(session, "rescue_clips", None)),
    "completion": lambda session: refused(
        completion.complete(
            session,
            ResourceTemplateReference(type="ref/resource", uri=resources.JOB_TEMPLATE),
            CompletionArgument(name="request_id", value=""),
        )
    ),
}


def completed(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"request_id": "r-1", "status": "COMPLETED", "output": "https://127.0.0.1:9/x.mp4"})


@asynccontextmanager
async def opened(directory: Path, **variables: str) -> AsyncGenerator[Session]:
    opened, _ = wired(settings_for(directory, SEGMIND_API_KEY="k", **variables), completed)
    async with opened as session:
        yield Session(replace(session.services, urls=SignedUrls(PUBLIC_URL, b"s" * 32)))


@pytest.mark.parametrize("access", ACCESSES)
async def test_path_of_an_unusable_ledger_is_hidden_from_remote_callers(
    access: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file, where a directory should be")
    async with opened(tmp_path) as session:
        with caplog.at_level(logging.ERROR):
            answer = await ACCESSES[access](Session(session.services, Caller("ann")))
        assert "internal_error" in answer or "-32603" in answer
        assert str(tmp_path) not in answer
        assert "HAILUO_MCP" not in answer
        assert str(tmp_path) in caplog.text, "the operator finds it in the log"
        assert str(tmp_path) in await ACCESSES[access](Session(session.services, LOCAL))


async def test_address_of_an_unreachable_database_is_hidden_from_remote_callers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = "postgresql://somebody@127.0.0.1:9/video"
    ledger = open_ledger(settings_for(tmp_path, HAILUO_MCP_DATABASE_URL=url))
    with pytest.raises(HailuoError) as raised:
        await ledger.ready()
    assert "127.0.0.1" in raised.value.problem.message
    answer = Caller("ann").redact(raised.value).problem
    assert "127.0.0.1" not in answer.message + answer.hint
    assert "video" not in answer.message + answer.hint


@pytest.mark.parametrize("auto", ["0", "1"])
async def test_path_of_an_unwritable_output_directory_is_hidden_from_remote_callers(auto: str, tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("a file, where a directory should be")
    async with opened(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0") as session:
        own = Session(session.services, Caller("ann"))
        job = (await own.generate(arguments_for(MODEL))).job
        await session.ledger.change(
            job.id,
            lambda j: j.model_copy(update={"state": State.COMPLETED, "video_url": f"data:video/mp4,{'A' * 40}"}),
        )
    async with opened(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD=auto) as session:
        for caller in (Caller("ann"), LOCAL):
            own = Session(session.services, caller)
            answer = await call(own, "generate_video", prompt="another", model=MODEL)
            if caller == LOCAL:
                assert auto == "0" or str(tmp_path) in answer
                continue
            answer += await call(own, "get_status", request_id=job.request_id)
            answer += await call(own, "download_video", request_id=job.request_id)
            assert "could not be saved on the server" in answer
            assert str(tmp_path) not in answer


async def test_path_of_a_saved_clip_is_hidden_from_remote_callers_who_cancel_its_job(tmp_path: Path) -> None:
    path = tmp_path / "clips" / "kite.mp4"
    async with opened(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0") as session:
        for caller, shows_path in ((Caller("ann"), False), (LOCAL, True)):
            own = Session(session.services, caller)
            job = (await own.generate(arguments_for(MODEL))).job
            update = {"state": State.COMPLETED, "video_url": "https://x.example/x.mp4", "video_path": str(path)}
            await session.ledger.change(job.id, lambda j, update=update: j.model_copy(update=update))
            answer = await call(own, "cancel_job", request_id=job.request_id)
            assert (str(path) in answer) is shows_path


async def test_routes_answer_503_without_details_if_the_ledger_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, where a directory should be")
    async with opened(tmp_path) as session:
        assert session.services.urls
        link, _ = session.services.urls.clip("k", utc_now())
        stopping = False
        app = Starlette(routes=routes.routes(session.services, lambda: stopping))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC_URL) as client:
            assert (await client.get("/health")).json() == {"status": "ok"}
            for path in ("/ready", link):
                answer = await client.get(path)
                assert answer.status_code == 503
                assert str(tmp_path) not in answer.text
            stopping = True
            assert (await client.get("/ready")).json() == {"status": "stopping"}


async def test_health_and_ready_need_no_token(tmp_path: Path) -> None:
    async with opened(tmp_path, HAILUO_MCP_HTTP_TOKENS="ann:a-token") as session:
        app = Starlette(routes=routes.routes(session.services, lambda: False))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC_URL) as client:
            for path, word in (("/health", "ok"), ("/ready", "ready")):
                answer = await client.get(path)
                assert (answer.status_code, json.loads(answer.text)) == (200, {"status": word})
                assert (await client.post(path)).status_code == 405
