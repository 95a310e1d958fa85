"""Gateway keys of tenants over HTTP: from the operator's file or with each call. The sandbox on a port sees which key
came with what."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from tests.http.servers import serving
from tests.http.test_tokens import ANN, BEN, TOKENS
from tests.http.wire import Line
from tests.support import KEYS, Asked, log_of, sandbox_on_a_port

pytestmark = pytest.mark.slow

SEGMIND, APIXO = "segmind/minimax-hailuo-2", "apixo/hailuo-2.3-fast"
SERVERS = KEYS["SEGMIND_API_KEY"]
ANNS, SENT = "anns-own-key-in-the-file", "a-key-sent-along-0123456789"
SENDING = (("X-Segmind-Api-Key", SENT),)
PICTURE = "https://pictures.example/first.png"


@dataclass(frozen=True, slots=True)
class Scene:
    ann: Line
    ben: Line
    asked: list[Asked]
    directory: Path

    def keys_since(self, before: int) -> set[str]:
        return {one.key for one in self.asked[before:]}

    def holds(self, secret: str) -> list[str]:
        """The files of the server in which this stands: its ledger, its log, its clips."""
        files = [path for path in self.directory.rglob("*") if path.is_file() and "far" not in path.parts]
        return [path.name for path in files if secret.encode() in path.read_bytes()]


@asynccontextmanager
async def serving_two(directory: Path, *, file: str = "", **variables: str) -> AsyncGenerator[Scene]:
    asked: list[Asked] = []
    if file:
        (directory / "tenants.toml").write_text(file)
        variables["HAILUO_MCP_TENANTS_FILE"] = str(directory / "tenants.toml")
    with sandbox_on_a_port(directory / "far", asked=asked) as far:
        given = {**far, "HAILUO_MCP_HTTP_TOKENS": TOKENS, "HAILUO_MCP_LOG_LEVEL": "DEBUG", **variables}
        async with (
            serving(directory, **{name: value for name, value in given.items() if value}) as running,
            httpx.AsyncClient(timeout=30) as web,
        ):
            ann, ben = (Line(web, running.url, token) for token in (ANN, BEN))
            yield Scene(ann, ben, asked, directory)


async def models_of(line: Line) -> set[str]:
    """The gateways whose models each way of asking offers: they agree."""
    listed = await line.ask("tools/list", {})
    tool = next(tool for tool in listed["result"]["tools"] if tool["name"] == "generate_video")
    offered = tool["inputSchema"]["properties"]["model"]["description"]
    shown = {model["model"] for model in (await line.call("list_models"))["structuredContent"]["models"]}
    gateways = {model.split("/")[0] for model in shown}
    names, _, others = offered.removeprefix("One of ").partition(". ") if shown else ("", "", "")
    assert set(filter(None, names.split(", "))) == {model.split("/")[1] for model in shown}
    assert all(gateway in others for gateway in gateways) or len(gateways) == 1
    return gateways


def scope_of(answer: Mapping[str, Mapping[str, object]]) -> object:
    return answer["result"].get("cacheScope")


async def test_tenants_own_key_is_used_only_for_that_tenant_without_fallback(tmp_path: Path) -> None:
    file = f'[tenants.ann]\nmax_jobs_per_day = 2\nkeys.segmind = "{ANNS}"\n'
    async with serving_two(tmp_path, file=file) as scene:
        assert await models_of(scene.ann) == {"segmind"}
        assert "apixo" in await models_of(scene.ben)
        for method, params in {"tools/list": dict[str, str](), "resources/read": {"uri": "hailuo://models"}}.items():
            assert scope_of(await scene.ann.ask(method, params)) == "private", "what one has, no cache shows another"
        before = len(scene.asked)
        job = (await scene.ann.call("generate_video", prompt="a kite", model=SEGMIND))["structuredContent"]
        done = await scene.ann.call("get_status", request_id=job["request_id"], wait_seconds=20)
        assert done["structuredContent"]["state"] == "completed"
        lost = await scene.ann.call("generate_video", prompt="a kite sandbox:lost_answer", model=SEGMIND)
        assert lost["structuredContent"]["state"] == "unconfirmed"
        await scene.ann.call("get_status", request_id=lost["structuredContent"]["request_id"])  # asks the history
        paths = {one.path.split("/")[1] for one in scene.asked[before:] if not one.path.startswith("/clips")}
        assert len(paths) > 1, f"the history was asked too: {paths}"
        assert scene.keys_since(before) - {""} == {ANNS}
        refused = await scene.ann.call("generate_video", prompt="x", model=APIXO, first_frame_image=PICTURE)
        assert refused["structuredContent"]["error"]["code"] == "unknown_model"
        spent = await scene.ann.call("generate_video", prompt="a third", model=SEGMIND)
        assert spent["structuredContent"]["error"]["code"] == "budget_exceeded"
        before = len(scene.asked)
        bens = (await scene.ben.call("generate_video", prompt="a kite", model=SEGMIND))["structuredContent"]
        assert not bens["duplicate"]
        assert scene.keys_since(before) == {SERVERS}
        assert scene.holds(ANNS) == ["tenants.toml"]


@pytest.mark.parametrize("tokens", [True, False], ids=["with tokens", "without"])
async def test_key_from_a_header_is_sent_to_its_gateway_and_not_stored(tokens: bool, tmp_path: Path) -> None:
    variables = {"HAILUO_MCP_KEYS_FROM_HEADERS": "1", **({} if tokens else {"HAILUO_MCP_HTTP_TOKENS": ""})}
    async with serving_two(tmp_path, **variables) as scene:
        plain = scene.ann if tokens else replace(scene.ann, token=None)
        sender = replace(plain, headers=SENDING)
        assert await models_of(sender) == {"segmind"}
        assert "apixo" in await models_of(plain)
        refused = await sender.call("generate_video", prompt="x", model=APIXO, first_frame_image=PICTURE)
        error = refused["structuredContent"]["error"]
        assert error["code"] == "unknown_model"
        assert "X-Apixo-Api-Key" in error["hint"]
        before = len(scene.asked)
        job = (await sender.call("generate_video", prompt="a kite", model=SEGMIND))["structuredContent"]
        assert scene.keys_since(before) == {SENT}
        asked = len(scene.asked)
        told = (await plain.call("get_status", request_id=job["request_id"], wait_seconds=4))["structuredContent"]
        assert told["state"] == "queued"
        assert any("X-Segmind-Api-Key" in warning for warning in told["warnings"])
        assert len(scene.asked) == asked, "neither for a call without the key, nor by the watcher"
        done = await sender.call("get_status", request_id=job["request_id"], wait_seconds=20)
        assert done["structuredContent"]["state"] == "completed"
        saved = await sender.call("download_video", request_id=job["request_id"])
        assert not saved["isError"]
        assert scene.keys_since(before) - {""} == {SENT}
        before = len(scene.asked)
        other = (await plain.call("generate_video", prompt="another", model=SEGMIND))["structuredContent"]
        await sender.call("get_status", request_id=other["request_id"])
        assert scene.keys_since(before) == {SERVERS}, "the server's job is asked for with the server's key"
        assert scene.holds(SENT) == []
        assert scene.holds("a kite"), "where the job is kept is looked at"


async def test_key_with_invalid_characters_is_refused_and_not_shown(tmp_path: Path) -> None:
    async with serving_two(tmp_path, HAILUO_MCP_KEYS_FROM_HEADERS="1") as scene:
        for wrong in (b"two words", b"k\xc3\xa9y", b"tab\there"):
            headers = [(b"authorization", f"Bearer {ANN}".encode()), (b"x-segmind-api-key", wrong)]
            answer = await scene.ann.web.post(scene.ann.url, json={}, headers=headers)
            assert answer.status_code == 400
            assert "X-Segmind-Api-Key" in answer.text
            assert wrong.decode() not in answer.text
        assert scene.asked == []


async def test_key_from_a_header_is_ignored_unless_the_operator_allows_it(tmp_path: Path) -> None:
    async with serving_two(tmp_path) as scene:
        sender = replace(scene.ann, headers=SENDING)
        await sender.call("generate_video", prompt="a kite", model=SEGMIND)
        assert scene.keys_since(0) == {SERVERS}


async def test_caller_without_a_key_learns_which_header_to_send(tmp_path: Path) -> None:
    none = dict.fromkeys(KEYS, "")
    async with serving_two(tmp_path, **none, HAILUO_MCP_KEYS_FROM_HEADERS="1") as scene:
        refused = await scene.ann.call("generate_video", prompt="a kite")
        assert "X-Segmind-Api-Key" in refused["structuredContent"]["error"]["hint"]
        sender = replace(scene.ann, headers=SENDING)
        assert not (await sender.call("generate_video", prompt="a kite", model=SEGMIND))["isError"]
        assert scene.keys_since(0) == {SENT}
        assert SENT not in log_of(tmp_path).read_text()
