"""What holds for every stand-in: keys, the marker header, links and imports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from hailuo_mcp.sandbox import MARKER_HEADER, create_app

from .wire import GATEWAYS, SEGMIND, in_process, segmind_key, status_of


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_job_belongs_to_the_key_that_submitted_it(tmp_path: Path, name: str) -> None:
    async with in_process(tmp_path) as client:
        submitted = await GATEWAYS[name].submit(client)
        assert status_of(await GATEWAYS[name].poll(client, submitted)) == 200
        assert status_of(await GATEWAYS[name].poll(client, submitted, key="another")) == 404


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize(("key", "status"), [("", 401), ("bad-key", 401), ("forbidden", 403)])
async def test_unauthorized_key_is_refused_on_every_route(tmp_path: Path, name: str, key: str, status: int) -> None:
    async with in_process(tmp_path) as client:
        submitted = await GATEWAYS[name].submit(client)
        assert status_of(await GATEWAYS[name].submit(client, key=key)) == status
        assert status_of(await GATEWAYS[name].poll(client, submitted, key=key)) == status


async def test_every_response_has_the_marker_header(tmp_path: Path) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        submitted = await SEGMIND.submit(client)
        result = await client.get(submitted.json()["response_url"], headers=segmind_key())
        answers = [
            submitted,
            result,
            await client.get(result.json()["output"], headers={"range": "bytes=0-9"}),
            await client.get("/no/such/path"),
            await client.delete("/v2/hailuo-02-fast"),
            await client.get("/sandbox/clips/none.mp4"),
            await client.get("/sandbox/assets/none.png"),
            await client.post("/v2/hailuo-02-fast", headers=segmind_key("bad-key")),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 206, 404, 405, 404, 404, 401]
    assert {answer.headers[MARKER_HEADER] for answer in answers} == {"1"}


async def test_a_response_to_an_internal_error_has_the_marker_header_too(tmp_path: Path) -> None:
    app = create_app(tmp_path)
    (tmp_path / "sandbox.sqlite3").write_bytes(b"no database at all")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        answer = await SEGMIND.submit(client)
    assert (answer.status_code, answer.headers[MARKER_HEADER]) == (500, "1")


async def test_links_start_with_the_public_url_when_there_is_one(tmp_path: Path) -> None:
    async with in_process(tmp_path, public_url="https://demo.example/") as client:
        answer = await SEGMIND.submit(client)
    assert answer.json()["status_url"].startswith("https://demo.example/v2/requests/")


def test_the_sandbox_starts_without_loading_pillow_or_pyav(run_python: Callable[[str], str]) -> None:
    code = (
        "import pathlib, sys, tempfile; from hailuo_mcp.sandbox import create_app;"
        "create_app(pathlib.Path(tempfile.mkdtemp())); print(sorted({'PIL', 'av', 'uvicorn'} & set(sys.modules)))"
    )
    assert run_python(code) == "[]"


def test_sandbox_imports_nothing_else_from_the_package(run_python: Callable[[str], str]) -> None:
    code = (
        "import pathlib, sys, tempfile, hailuo_mcp.sandbox.preview; from hailuo_mcp.sandbox import create_app;"
        "create_app(pathlib.Path(tempfile.mkdtemp()));"
        "print([m for m in sys.modules if m.startswith('hailuo_mcp.') and not m.startswith('hailuo_mcp.sandbox')])"
    )
    assert run_python(code) == "[]"
