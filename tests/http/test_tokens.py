"""Bearer tokens over HTTP: who gets in, whose jobs they see, and where their clips are."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.http.servers import SANDBOX, serving
from tests.http.test_access import ACCEPT, INITIALIZE
from tests.support import facts_of, text_of

pytestmark = pytest.mark.slow

ANN, BEN = "ann-token-0123456789", "ben-token-0123456789"
TOKENS = f"ann:{ANN},ben:sha256:{hashlib.sha256(BEN.encode()).hexdigest()}"
TWO_TENANTS = {**SANDBOX, "HAILUO_MCP_HTTP_TOKENS": TOKENS}


@asynccontextmanager
async def client_with_token(url: str, token: str) -> AsyncGenerator[Client]:
    """A client that sends this token."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as web,
        Client(streamable_http_client(url, http_client=web), mode="auto") as client,
    ):
        yield client


async def submitted(client: Client, **more: Any) -> str:
    answer = await client.call_tool(
        "generate_video", {"prompt": "a red kite", "model": "segmind/minimax-hailuo-2", **more}
    )
    assert not answer.is_error, text_of(answer)
    return facts_of(answer)["request_id"]


async def test_missing_or_wrong_token_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, **TWO_TENANTS) as running, httpx.AsyncClient() as web:
        for given in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": f"Basic {ANN}"},
            {"Authorization": f"Bearer ann:{ANN}"},
        ):
            answer = await web.post(running.url, json=INITIALIZE, headers={**ACCEPT, **given})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
        accepted = await web.post(running.url, json=INITIALIZE, headers={**ACCEPT, "Authorization": f"Bearer {BEN}"})
        assert accepted.status_code == 200


async def test_wrong_token_is_refused_before_the_body_is_read(tmp_path: Path) -> None:
    async with serving(tmp_path, **TWO_TENANTS) as running:
        url = httpx.URL(running.url)
        head = f"POST /mcp HTTP/1.1\r\nHost: {url.netloc.decode()}\r\nAuthorization: Bearer wrong\r\n"
        async with await anyio.connect_tcp(url.host, url.port or 80) as stream:
            await stream.send(f"{head}Content-Length: 60000000\r\n\r\n".encode())
            with anyio.fail_after(5):
                assert (await stream.receive()).startswith(b"HTTP/1.1 401 ")


async def test_finished_clip_is_a_link_that_its_owner_can_open_and_seek(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, **TWO_TENANTS) as running,
        client_with_token(running.url, ANN) as ann,
        httpx.AsyncClient() as web,
    ):
        request_id = await submitted(ann)
        status = facts_of(await ann.call_tool("get_status", {"request_id": request_id, "wait_seconds": 20}))
        assert status["state"] == "completed"
        saved = facts_of(await ann.call_tool("download_video", {"request_id": request_id}))
        link = saved["video_url"]
        assert "video_path" not in saved
        assert link.startswith(running.url.removesuffix("/mcp") + "/clips/")
        whole = await web.get(link)
        assert (whole.status_code, whole.headers["content-type"], len(whole.content)) == (
            200,
            "video/mp4",
            saved["bytes"],
        )
        part = await web.get(link, headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        bare = link.partition("?")[0]
        assert (await web.get(bare)).status_code == 404
        assert (await web.get(bare, headers={"Authorization": f"Bearer {ANN}"})).status_code == 200
        assert (await web.get(bare, headers={"Authorization": f"Bearer {BEN}"})).status_code == 404
        assert (await web.get(link[:-1] + ("0" if link[-1] != "0" else "1"))).status_code == 404
        later = facts_of(await ann.call_tool("get_status", {"request_id": request_id}))
        assert later["video_path"] is None
        assert later["video_url"].startswith(bare)
