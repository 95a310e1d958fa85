"""A tenant sees nothing of another, with any request and any id: another tenant's job and a nonexistent one get the
same response, after the same ledger calls."""

import base64
import io
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import pytest
from PIL import Image

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.ledger.sqlite import SqliteLedger
from hailuo_mcp.mcp import resources
from hailuo_mcp.mcp.player import PLAYER_URI
from hailuo_mcp.service.session import Session
from tests.http.servers import serving
from tests.http.test_tokens import ANN, BEN, TOKENS
from tests.http.wire import RawClient, headers_of, message
from tests.support import Era, RecordedRequest, arguments_for, sandbox_on_a_port, server, settings_for, wired

MODEL = "segmind/minimax-hailuo-2"
PROMPT = "annas secret lighthouse"
ERAS: tuple[Era, ...] = ("legacy", "auto")
UNKNOWN_IDS = {
    "remote": f"{MODEL}/00000000-0000-4000-8000-000000000000",
    "unconfirmed": f"{MODEL}/unconfirmed-{'0' * 32}",
}
Probe = tuple[str, Mapping[str, Any]]


def probes(request_id: str, era: Era) -> dict[str, Probe]:
    """Every request that takes the id of a job."""
    encoded = quote(request_id, safe="")
    tools: dict[str, Mapping[str, Any]] = {
        "get_status": {"request_id": request_id},
        "download_video": {"request_id": request_id},
        "cancel_job": {"request_id": request_id},
        "generate_video": {"prompt": "on and on", "model": MODEL, "first_frame_image": f"last-frame:{request_id}"},
    }
    calls: dict[str, Probe] = {
        name: ("tools/call", {"name": name, "arguments": given}) for name, given in tools.items()
    }
    waits = {"request_id": request_id, "wait_seconds": 5}
    calls["waiting"] = ("tools/call", {"name": "get_status", "arguments": waits})
    for kind in ("jobs", "videos"):
        calls[f"{kind} encoded"] = ("resources/read", {"uri": f"hailuo://{kind}/{encoded}"})
        calls[f"{kind} plain"] = ("resources/read", {"uri": f"hailuo://{kind}/{request_id}"})
    if era == "auto":
        calls |= {f"tasks/{verb}": (f"tasks/{verb}", {"taskId": request_id}) for verb in ("get", "update", "cancel")}
    return calls


VIEWS: dict[str, Probe] = {
    "list_jobs": ("tools/call", {"name": "list_jobs", "arguments": {"limit": 50}}),
    "hailuo://jobs": ("resources/read", {"uri": "hailuo://jobs"}),
    "the player": ("resources/read", {"uri": PLAYER_URI}),
    "rescue_clips": ("prompts/get", {"name": "rescue_clips"}),
    **{
        f"completion of {template} by {typed!r}": (
            "completion/complete",
            {"ref": {"type": "ref/resource", "uri": template}, "argument": {"name": "request_id", "value": typed}},
        )
        for template in (resources.JOB_TEMPLATE, resources.VIDEO_TEMPLATE)
        for typed in ("", "segmind")
    },
    "completion of a picture": (
        "completion/complete",
        {
            "ref": {"type": "ref/prompt", "name": "animate_picture"},
            "argument": {"name": "picture", "value": ""},
        },
    ),
}
"""Requests that show jobs and take no id."""


def without_id(answer: Mapping[str, Any], request_id: str) -> str:
    """The response without the requested id."""
    text = json.dumps(answer, sort_keys=True)
    for written in (quote(request_id, safe=""), request_id):
        text = text.replace(written, "ID")
    return text


@dataclass(frozen=True, slots=True)
class Scene:
    """A server with two tenants; Ann has a finished job and a running one."""

    ann: RawClient
    ben: RawClient
    requests: list[RecordedRequest]
    ids: Mapping[str, str]
    """The ids of Ann's finished job, by form."""
    running: str


@asynccontextmanager
async def two_tenants(directory: Path, **variables: str) -> AsyncGenerator[Scene]:
    requests: list[RecordedRequest] = []
    with sandbox_on_a_port(directory / "far", requests=requests) as gateways:
        async with (
            serving(directory, **gateways, HAILUO_MCP_HTTP_TOKENS=TOKENS, **variables) as running,
            httpx.AsyncClient(timeout=30) as web,
        ):
            ann, ben = (RawClient(web, running.url, token) for token in (ANN, BEN))
            job = (await ann.call("generate_video", prompt=PROMPT, model=MODEL))["structuredContent"]
            await ann.call("get_status", request_id=job["request_id"], wait_seconds=20)
            saved = (await ann.call("download_video", request_id=job["request_id"]))["structuredContent"]
            key = saved["video_url"].rpartition("/")[2].partition(".")[0]
            running_job = await ann.call("generate_video", prompt=f"{PROMPT} sandbox:never", model=MODEL)
            ids = {"remote": job["request_id"], "unconfirmed": f"{MODEL}/unconfirmed-{key}"}
            yield Scene(ann, ben, requests, ids, running_job["structuredContent"]["request_id"])


@pytest.mark.slow
async def test_ids_of_another_tenant_are_answered_like_unknown_ids(tmp_path: Path, ledger_url: str) -> None:
    async with two_tenants(tmp_path, HAILUO_MCP_DATABASE_URL=ledger_url) as scene:
        before = list(scene.requests)
        differences: list[str] = []
        found = 0
        for era in ERAS:
            ben, ann = replace(scene.ben, era=era), replace(scene.ann, era=era)
            for form, mine in [*scene.ids.items(), ("remote", scene.running)]:
                unknown_id = UNKNOWN_IDS[form]
                for name, (method, params) in probes(mine, era).items():
                    others = await ben.ask(method, params)
                    unknown = await ben.ask(*probes(unknown_id, era)[name])
                    if without_id(others, mine) != without_id(unknown, unknown_id):
                        differences.append(f"{era}, {form}, {name}: {others} and not {unknown}")
                    if mine != scene.running and name not in ("generate_video",):
                        own = await ann.ask(method, params)
                        found += "error" not in own and not own["result"].get("isError")
        assert differences == []
        assert found == 2 * 8 * len(ERAS) + 2 * 3, "each of these shows the job to its owner"
        assert [one for one in scene.requests[len(before) :] if one.method == "POST"] == []
        assert scene.requests == before, "no request to a gateway, for another tenant or for a finished job"


@pytest.mark.slow
async def test_job_lists_show_nothing_of_another_tenant(tmp_path: Path, ledger_url: str) -> None:
    async with two_tenants(tmp_path, HAILUO_MCP_DATABASE_URL=ledger_url) as scene:
        for era in ERAS:
            for name, (method, params) in VIEWS.items():
                text = json.dumps(await replace(scene.ben, era=era).ask(method, params))
                assert '"error"' not in text, f"{name}: {text}"
                for mark in ("lighthouse", "clips/", *(part.rpartition("/")[2] for part in scene.ids.values())):
                    assert mark not in text, f"{name}, {era}: {mark}"
        listed = (await scene.ben.call("list_jobs"))["structuredContent"]
        assert (listed["total"], listed["spent_usd"]) == (0, 0)
        own = json.dumps(await scene.ann.ask(*VIEWS["hailuo://jobs"]))
        assert "lighthouse" in own  # the marks would be found if they were there
        table = (await scene.ann.call("list_jobs"))["content"][0]["text"]
        assert ", saved, video_url http" in table
        assert "not saved" not in table


@pytest.mark.slow
async def test_duplicate_check_uploads_and_budget_are_separate_for_each_tenant(tmp_path: Path, ledger_url: str) -> None:
    async with two_tenants(tmp_path, HAILUO_MCP_DATABASE_URL=ledger_url, HAILUO_MCP_MAX_JOBS_PER_DAY="3") as scene:
        picture = io.BytesIO()
        Image.effect_noise((400, 400), 60).convert("RGB").save(picture, "JPEG")
        frame = f"data:image/jpeg;base64,{base64.b64encode(picture.getvalue()).decode()}"
        equal: dict[str, Any] = {"prompt": "a kite", "model": "segmind/hailuo-2.3-fast", "first_frame_image": frame}

        def uploads() -> int:
            return sum(one.method == "POST" and "upload" in one.path for one in scene.requests)

        first = (await scene.ann.call("generate_video", **equal))["structuredContent"]
        assert uploads() == 1
        used_up = (await scene.ann.call("generate_video", **{**equal, "prompt": "one too many"}))["structuredContent"]
        assert used_up["error"]["code"] == "budget_exceeded"
        second = (await scene.ben.call("generate_video", **equal))["structuredContent"]
        assert uploads() == 2, "an uploaded image is not shared between tenants"
        assert not second["duplicate"]
        assert second["request_id"] != first["request_id"]
        again = (await scene.ben.call("generate_video", **equal))["structuredContent"]
        assert (again["duplicate"], again["request_id"]) == (True, second["request_id"])
        for line, total in ((scene.ann, 3), (scene.ben, 1)):
            assert (await line.call("list_jobs"))["structuredContent"]["total"] == total


@pytest.mark.slow
async def test_local_user_and_tenant_see_nothing_of_each_other(tmp_path: Path) -> None:
    requests: list[RecordedRequest] = []
    with sandbox_on_a_port(tmp_path / "far", requests=requests) as gateways:
        tokens = {"HAILUO_MCP_HTTP_TOKENS": TOKENS}
        async with (
            serving(tmp_path, **gateways, **tokens) as running,
            server(tmp_path, **gateways) as local,
            httpx.AsyncClient(timeout=30) as web,
        ):
            ann = RawClient(web, running.url, ANN)
            local_job = (
                await local.call_tool("generate_video", {"prompt": "at home", "model": MODEL})
            ).structured_content
            remote = (await ann.call("generate_video", prompt="abroad", model=MODEL))["structuredContent"]
            assert local_job
            before = len(requests)
            refused = await ann.call("get_status", request_id=local_job["request_id"])
            assert refused["structuredContent"]["error"]["code"] == "unknown_request"
            assert len(requests) == before
            assert (await ann.call("list_jobs"))["structuredContent"]["total"] == 1
            listed = (await local.call_tool("list_jobs")).structured_content
            assert listed
            assert [job["request_id"] for job in listed["jobs"]] == [local_job["request_id"]]
            unsaved = f"last-frame:{remote['request_id']}"
            call = {"prompt": "on", "model": MODEL, "first_frame_image": unsaved}
            assert (await local.call_tool("generate_video", call)).is_error


@pytest.mark.slow
async def test_subscription_gets_no_updates_about_jobs_of_another_tenant(tmp_path: Path, ledger_url: str) -> None:
    async with two_tenants(tmp_path, HAILUO_MCP_DATABASE_URL=ledger_url) as scene:
        mine = scene.running
        uris = ["hailuo://jobs", f"hailuo://jobs/{mine}", f"hailuo://jobs/{quote(mine, safe='')}"]
        body = message("subscriptions/listen", {"notifications": {"resourceSubscriptions": uris}}, "auto")
        received: dict[str, list[str]] = {ANN: [], BEN: []}
        listening = {token: anyio.Event() for token in received}
        ann_notified = anyio.Event()
        before = len(scene.requests)

        async def listen(token: str) -> None:
            headers = headers_of(body, "auto", token)
            async with scene.ann.web.stream("POST", scene.ann.url, json=body, headers=headers) as stream:
                async for line in stream.aiter_lines():
                    if line.startswith("data: {"):
                        received[token].append(line)
                        listening[token].set()
                        if token == ANN and "hailuo://jobs" in line and "updated" in line:
                            ann_notified.set()

        async with anyio.create_task_group() as streams:
            for token in received:
                streams.start_soon(listen, token)
            with anyio.fail_after(20):
                for token in received:
                    await listening[token].wait()
                await scene.ann.call("generate_video", prompt="one more", model=MODEL)
                await ann_notified.wait()
            await scene.ben.call("list_jobs")  # everything that was sent to Ben before has arrived
            streams.cancel_scope.cancel()
        assert len(received[BEN]) == 1, received[BEN]  # only the acknowledgement
        assert "acknowledged" in received[BEN][0]
        polls = [one for one in scene.requests[before:] if one.method == "GET"]
        assert all(mine.rpartition("/")[2] in one.path for one in polls), "the job was polled only for Ann"


@pytest.mark.slow
async def test_clip_of_another_tenant_is_answered_like_an_unknown_clip(tmp_path: Path, ledger_url: str) -> None:
    async with two_tenants(tmp_path, HAILUO_MCP_DATABASE_URL=ledger_url) as scene:
        saved = (await scene.ann.call("download_video", request_id=scene.ids["remote"]))["structuredContent"]
        link = saved["video_url"]
        bare, _, query = link.partition("?")
        unknown_url = f"{bare.rpartition('/')[0]}/{'0' * 32}.mp4"
        web = scene.ann.web
        for token in (BEN, "wrong", None):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answers = [
                await web.request(verb, url, headers=headers) for verb in ("GET", "HEAD") for url in (bare, unknown_url)
            ]
            assert {one.status_code for one in answers} == {404}
            assert answers[0].text == answers[1].text
            assert set(answers[0].headers) == set(answers[1].headers)
        assert (await web.get(f"{unknown_url}?{query}")).status_code == 404  # signed for another clip


# --- without a network: the calls of the ledger --------------------------------------------------------------------


class RecordingLedger(SqliteLedger):
    """A ledger that records the names of the methods that are called."""

    RECORDED = ("get", "find", "page", "change", "create_if_absent", "import_job", "upload", "usual_seconds")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in RecordingLedger.RECORDED:
            self.calls.append(name)
        return super().__getattribute__(name)


@asynccontextmanager
async def opened(directory: Path, **variables: str) -> AsyncGenerator[tuple[Session, Session, Session, list[str]]]:
    """The sessions of the server's owner, Ann and Ben, and the names of the ledger's methods that are called."""

    def accept(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"request_id": "r-1", "status": "QUEUED"})

    ledger = RecordingLedger(directory / "ledger.sqlite3")
    opened, _ = wired(settings_for(directory, SEGMIND_API_KEY="k", **variables), accept, ledger=ledger)
    calls = ledger.calls
    async with opened as session:
        yield session, Session(session.services, Caller("ann")), Session(session.services, Caller("ben")), calls


async def test_ledger_calls_are_the_same_for_another_tenants_and_an_unknown_id(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, ann, ben, calls):
        job = (await ann.generate(arguments_for(MODEL))).job
        pairs = {job.request_id: UNKNOWN_IDS["remote"], f"{MODEL}/unconfirmed-{job.id}": UNKNOWN_IDS["unconfirmed"]}

        async def ledger_calls(session: Session, request_id: str) -> list[list[str]]:
            each: list[list[str]] = []
            last_frame = arguments_for(MODEL, first_frame_image=f"last-frame:{request_id}")
            for use in (
                lambda: session.status(request_id),
                lambda: session.status(request_id, 5),
                lambda: session.download(request_id),
                lambda: session.known(request_id),
                lambda: session.generate(last_frame),
            ):
                calls.clear()
                try:
                    assert await use() is None
                except HailuoError as error:
                    each.append([error.problem.code, *calls])
                else:
                    each.append(list(calls))
            return each

        for others, unknown_id in pairs.items():
            assert await ledger_calls(ben, others) == await ledger_calls(ben, unknown_id)
        assert await ledger_calls(ben, job.request_id) == [
            ["unknown_request", "find"],
            ["unknown_request", "find"],
            ["unknown_request", "find"],
            ["find"],
            ["invalid_image", "find"],
        ]
