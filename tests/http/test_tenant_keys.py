"""Gateway keys of tenants over HTTP: from the operator's file or with each call. The sandbox on a port records the key
of each request."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from tests.http.servers import serving
from tests.http.test_tokens import ANN, BEN, TOKENS
from tests.http.wire import RawClient
from tests.support import KEYS, PICTURE, RecordedRequest, log_of, sandbox_on_a_port

pytestmark = pytest.mark.slow

SEGMIND, APIXO = "segmind/minimax-hailuo-2", "apixo/hailuo-2.3-fast"
SERVER_KEY = KEYS["SEGMIND_API_KEY"]
ANN_KEY, CALLER_KEY = "anns-own-key-in-the-file", "a-key-sent-along-0123456789"
KEY_HEADERS = (("X-Segmind-Api-Key", CALLER_KEY),)


@dataclass(frozen=True, slots=True)
class Scene:
    ann: RawClient
    ben: RawClient
    requests: list[RecordedRequest]
    directory: Path

    def keys_since(self, before: int) -> set[str]:
        return {request.key for request in self.requests[before:]}

    def files_containing(self, secret: str) -> list[str]:
        """The server's files that contain this: ledger, log and clips."""
        files = [path for path in self.directory.rglob("*") if path.is_file() and "far" not in path.parts]
        return [path.name for path in files if secret.encode() in path.read_bytes()]


@asynccontextmanager
async def serving_two(directory: Path, *, file: str = "", **variables: str) -> AsyncGenerator[Scene]:
    requests: list[RecordedRequest] = []
    if file:
        (directory / "tenants.toml").write_text(file)
        variables["HAILUO_MCP_TENANTS_FILE"] = str(directory / "tenants.toml")
    with sandbox_on_a_port(directory / "far", requests=requests) as gateways:
        given = {**gateways, "HAILUO_MCP_HTTP_TOKENS": TOKENS, "HAILUO_MCP_LOG_LEVEL": "DEBUG", **variables}
        async with (
            serving(directory, **{name: value for name, value in given.items() if value}) as running,
            httpx.AsyncClient(timeout=30) as web,
        ):
            ann, ben = (RawClient(web, running.url, token) for token in (ANN, BEN))
            yield Scene(ann, ben, requests, directory)


async def offered_gateways(client: RawClient) -> set[str]:
    """The gateways whose models are offered: the same ones in `tools/list` and in `list_models`."""
    listed = await client.ask("tools/list", {})
    tool = next(tool for tool in listed["result"]["tools"] if tool["name"] == "generate_video")
    offered = tool["inputSchema"]["properties"]["model"]["description"]
    shown = {model["model"] for model in (await client.call("list_models"))["structuredContent"]["models"]}
    gateways = {model.split("/")[0] for model in shown}
    names, _, others = offered.removeprefix("One of ").partition(". ") if shown else ("", "", "")
    assert set(filter(None, names.split(", "))) == {model.split("/")[1] for model in shown}
    assert all(gateway in others for gateway in gateways) or len(gateways) == 1
    return gateways


def scope_of(answer: Mapping[str, Mapping[str, object]]) -> object:
    return answer["result"].get("cacheScope")


async def test_tenants_own_key_is_used_only_for_that_tenant_without_fallback(tmp_path: Path) -> None:
    file = f'[tenants.ann]\nmax_jobs_per_day = 2\nkeys.segmind = "{ANN_KEY}"\n'
    async with serving_two(tmp_path, file=file) as scene:
        assert await offered_gateways(scene.ann) == {"segmind"}
        assert "apixo" in await offered_gateways(scene.ben)
        for method, params in {"tools/list": dict[str, str](), "resources/read": {"uri": "hailuo://models"}}.items():
            assert scope_of(await scene.ann.ask(method, params)) == "private", "caches may not share a tenant's list"
        before = len(scene.requests)
        job = (await scene.ann.call("generate_video", prompt="a kite", model=SEGMIND))["structuredContent"]
        done = await scene.ann.call("get_status", request_id=job["request_id"], wait_seconds=20)
        assert done["structuredContent"]["state"] == "completed"
        lost = await scene.ann.call("generate_video", prompt="a kite sandbox:lost_answer", model=SEGMIND)
        assert lost["structuredContent"]["state"] == "unconfirmed"
        await scene.ann.call("get_status", request_id=lost["structuredContent"]["request_id"])  # looks in the history
        paths = {
            request.path.split("/")[1] for request in scene.requests[before:] if not request.path.startswith("/clips")
        }
        assert len(paths) > 1, f"the history was requested too: {paths}"
        assert scene.keys_since(before) - {""} == {ANN_KEY}
        refused = await scene.ann.call("generate_video", prompt="x", model=APIXO, first_frame_image=PICTURE)
        assert refused["structuredContent"]["error"]["code"] == "unknown_model"
        spent = await scene.ann.call("generate_video", prompt="a third", model=SEGMIND)
        assert spent["structuredContent"]["error"]["code"] == "budget_exceeded"
        before = len(scene.requests)
        bens = (await scene.ben.call("generate_video", prompt="a kite", model=SEGMIND))["structuredContent"]
        assert not bens["duplicate"]
        assert scene.keys_since(before) == {SERVER_KEY}
        assert scene.files_containing(ANN_KEY) == ["tenants.toml"]


@pytest.mark.parametrize("tokens", [True, False], ids=["with tokens", "without"])
async def test_key_from_a_header_is_sent_to_its_gateway_and_not_stored(tokens: bool, tmp_path: Path) -> None:
    variables = {"HAILUO_MCP_KEYS_FROM_HEADERS": "1", **({} if tokens else {"HAILUO_MCP_HTTP_TOKENS": ""})}
    async with serving_two(tmp_path, **variables) as scene:
        plain = scene.ann if tokens else replace(scene.ann, token=None)
        sender = replace(plain, headers=KEY_HEADERS)
        assert await offered_gateways(sender) == {"segmind"}
        assert "apixo" in await offered_gateways(plain)
        refused = await sender.call("generate_video", prompt="x", model=APIXO, first_frame_image=PICTURE)
        error = refused["structuredContent"]["error"]
        assert error["code"] == "unknown_model"
        assert "X-Apixo-Api-Key" in error["hint"]
        before = len(scene.requests)
        job = (await sender.call("generate_video", prompt="a kite", model=SEGMIND))["structuredContent"]
        assert scene.keys_since(before) == {CALLER_KEY}
        count = len(scene.requests)
        status = (await plain.call("get_status", request_id=job["request_id"], wait_seconds=4))["structuredContent"]
        assert status["state"] == "queued"
        assert any("X-Segmind-Api-Key" in warning for warning in status["warnings"])
        assert len(scene.requests) == count, "no request for a call without the key, and none by the worker"
        done = await sender.call("get_status", request_id=job["request_id"], wait_seconds=20)
        assert done["structuredContent"]["state"] == "completed"
        saved = await sender.call("download_video", request_id=job["request_id"])
        assert not saved["isError"]
        assert scene.keys_since(before) - {""} == {CALLER_KEY}
        before = len(scene.requests)
        other = (await plain.call("generate_video", prompt="another", model=SEGMIND))["structuredContent"]
        await sender.call("get_status", request_id=other["request_id"])
        assert scene.keys_since(before) == {SERVER_KEY}, "the server's job is polled with the server's key"
        assert scene.files_containing(CALLER_KEY) == []
        assert scene.files_containing("a kite"), "the search covers the file with the job"


async def test_key_with_invalid_characters_is_refused_and_not_shown(tmp_path: Path) -> None:
    async with serving_two(tmp_path, HAILUO_MCP_KEYS_FROM_HEADERS="1") as scene:
        for wrong in (b"two words", b"k\xc3\xa9y", b"tab\there"):
            headers = [(b"authorization", f"Bearer {ANN}".encode()), (b"x-segmind-api-key", wrong)]
            answer = await scene.ann.web.post(scene.ann.url, json={}, headers=headers)
            assert answer.status_code == 400
            assert "X-Segmind-Api-Key" in answer.text
            assert wrong.decode() not in answer.text
        assert scene.requests == []


async def test_key_from_a_header_is_ignored_unless_the_operator_allows_it(tmp_path: Path) -> None:
    async with serving_two(tmp_path) as scene:
        sender = replace(scene.ann, headers=KEY_HEADERS)
        await sender.call("generate_video", prompt="a kite", model=SEGMIND)
        assert scene.keys_since(0) == {SERVER_KEY}


async def test_caller_without_a_key_learns_which_header_to_send(tmp_path: Path) -> None:
    none = dict.fromkeys(KEYS, "")
    async with serving_two(tmp_path, **none, HAILUO_MCP_KEYS_FROM_HEADERS="1") as scene:
        refused = await scene.ann.call("generate_video", prompt="a kite")
        assert "X-Segmind-Api-Key" in refused["structuredContent"]["error"]["hint"]
        sender = replace(scene.ann, headers=KEY_HEADERS)
        assert not (await sender.call("generate_video", prompt="a kite", model=SEGMIND))["isError"]
        assert scene.keys_since(0) == {CALLER_KEY}
        assert CALLER_KEY not in log_of(tmp_path).read_text()
