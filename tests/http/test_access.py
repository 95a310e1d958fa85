"""What the HTTP server refuses: other machines, other names, local files, and a sandbox that was not requested."""

import json
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from mcp import Client

from tests.cli.conftest import InProcessCli
from tests.http.servers import SANDBOX, SERVE, Running, over_http, serving
from tests.support import KEYS, environment, facts_of, text_of

INITIALIZE: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "0"}},
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "0"},
}
DISCOVER: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": META}}
ACCEPT = {"Accept": "application/json, text/event-stream"}
MODERN = {**ACCEPT, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "server/discover"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def running(home: Path) -> Generator[Running]:
    """A server with the sandbox. No test changes its state."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serving(home, **SANDBOX)) as running:
        yield running


@pytest.mark.parametrize(("body", "headers"), [(INITIALIZE, ACCEPT), (DISCOVER, MODERN)], ids=["old", "new"])
async def test_only_requests_with_a_loopback_host_are_answered(
    body: dict[str, Any], headers: dict[str, str], running: Running
) -> None:
    async with httpx.AsyncClient() as web:

        async def status(**more: str) -> int:
            return (await web.post(running.url, json=body, headers={**headers, **more})).status_code

        port = httpx.URL(running.url).port
        assert await status() == 200
        for name in ("127.0.0.1", "localhost", "[::1]"):
            assert await status(Host=f"{name}:{port}", Origin=f"http://{name}:5173") == 200
        for name in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", f"10.0.0.1:{port}"):
            assert await status(Host=name) == 421
        for origin in ("http://evil.example", "https://localhost.evil.example", "null", "file://"):
            assert await status(Origin=origin) == 403


async def test_local_files_are_not_read(home: Path, running: Running) -> None:
    picture = home / "pictures" / "first.png"
    picture.parent.mkdir()
    picture.write_bytes(b"\x89PNG")
    async with Client(running.url) as client:
        for given in (str(picture), picture.as_uri(), "first.png", "~/pictures/first.png", "/etc/passwd"):
            refused = await client.call_tool("generate_video", {"prompt": "a kite", "first_frame_image": given})
            assert refused.is_error
            assert facts_of(refused)["error"]["code"] == "invalid_image"
            assert facts_of(refused)["error"]["charged"] == "no"
        assert facts_of(await client.call_tool("list_jobs"))["total"] == 0


@pytest.mark.slow
async def test_sandbox_is_not_used_without_a_key_unless_requested(tmp_path: Path) -> None:
    async with over_http(tmp_path) as connect, connect() as client:
        assert facts_of(await client.call_tool("list_models"))["sandbox"] is False
        refused = await client.call_tool("generate_video", {"prompt": "a kite"})
        assert refused.is_error
        assert all(variable in text_of(refused) for variable in KEYS)


OPEN_HOSTS = ["0.0.0.0", "::", "192.168.1.5", "example.com", "127.0.0.1.example.com", ""]  # noqa: S104  refused


@pytest.mark.parametrize("host", OPEN_HOSTS)
def test_public_host_is_refused_with_one_line(host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = InProcessCli(environment(tmp_path), capsys)("serve", "--http", "--host", host)
    assert refused.returncode == 2
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"error: --host {host} is refused")
    for variable in ("HTTP_TOKENS", "OAUTH_ISSUER", "ALLOWED_HOSTS", "PUBLIC_URL", "ALLOWED_ORIGINS"):
        assert f"HAILUO_MCP_{variable}" in line


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"HAILUO_MCP_HTTP_TOKENS": "ann:a-secret-token"}, "HAILUO_MCP_ALLOWED_HOSTS"),
        ({"HAILUO_MCP_ALLOWED_HOSTS": "video.example"}, "HAILUO_MCP_HTTP_TOKENS"),
    ],
    ids=["tokens alone", "hosts alone"],
)
def test_public_host_needs_both_tokens_and_allowed_hosts(
    given: dict[str, str], missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = "0.0.0.0"  # noqa: S104  refused
    refused = InProcessCli(environment(tmp_path), capsys)("serve", "--http", "--host", host, **given)
    assert refused.returncode == 2
    assert missing in refused.stderr
    assert not any(name in refused.stderr for name in given)
    assert "a-secret-token" not in refused.stderr


@pytest.mark.slow
def test_invalid_command_exits_with_one_line_and_a_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without_http = subprocess.run(SERVE[:-1], env=environment(tmp_path), capture_output=True, text=True, timeout=30)
    assert (without_http.returncode, len(without_http.stderr.splitlines())) == (2, 1)
    assert "serve --http" in without_http.stderr
    wrong_setting = InProcessCli(environment(tmp_path), capsys)("serve", "--http", HAILUO_MCP_SANDBOX="perhaps")
    assert wrong_setting.returncode == 2
    assert "HAILUO_MCP_SANDBOX" in wrong_setting.stderr


async def test_mcp_is_served_only_at_its_path(running: Running) -> None:
    async with httpx.AsyncClient() as web:
        assert running.url.endswith("/mcp")
        answer = await web.post(httpx.URL(running.url).join("/"), content=json.dumps(INITIALIZE), headers=ACCEPT)
        assert answer.status_code == 404


PROXIED = (
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-IP", "Forwarded"),
    *("Via", "CF-Connecting-IP", "CF-Ray", "True-Client-IP", "Fly-Client-IP", "Fastly-Client-IP", "X-Client-IP"),
    *("CDN-Loop", "X-Amzn-Trace-Id", "X-Cloud-Trace-Context", "X-Envoy-External-Address"),
)


async def over_http_1_0(url: httpx.URL, headers: dict[str, str]) -> bytes:
    """The response to a request as a plain reverse proxy forwards it: HTTP/1.0, the server's own Host, nothing else."""
    body = json.dumps(INITIALIZE).encode()
    sent = {**headers, "Host": url.netloc.decode(), "Content-Type": "application/json", "Content-Length": len(body)}
    lines = [f"POST {url.path} HTTP/1.0", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    async with await anyio.connect_tcp(url.host, url.port or 80) as stream:
        await stream.send("\r\n".join(lines).encode() + body)
        return await stream.receive()


async def test_proxied_request_is_not_treated_as_local(tmp_path: Path, running: Running) -> None:
    async with httpx.AsyncClient() as web:
        for header in PROXIED:
            answer = await web.post(running.url, json=INITIALIZE, headers={**ACCEPT, header: "x"})
            assert answer.status_code == 403
            assert header.lower() in answer.text
            assert "HAILUO_MCP_HTTP_TOKENS" in answer.text
        url = httpx.URL(running.url)
        assert (await over_http_1_0(url, ACCEPT)).startswith(b"HTTP/1.1 403 ")
        assert (await web.get(url.join("/health"), headers={"Via": "x"})).status_code == 403
    tokens = {"HAILUO_MCP_HTTP_TOKENS": "ann:ann-token"}
    async with serving(tmp_path, **SANDBOX, **tokens) as with_tokens, httpx.AsyncClient() as web:
        headers = {**ACCEPT, **dict.fromkeys(PROXIED, "x"), "Authorization": "Bearer ann-token"}
        assert (await web.post(with_tokens.url, json=INITIALIZE, headers=headers)).status_code == 200
        assert (await over_http_1_0(httpx.URL(with_tokens.url), headers)).startswith(b"HTTP/1.1 200 ")
        assert (await web.post(with_tokens.url, json=INITIALIZE, headers={**ACCEPT, "Via": "x"})).status_code == 401


@pytest.mark.parametrize(
    ("options", "given"),
    [
        (("--public-url", "https://video.example"), {}),
        ((), {"HAILUO_MCP_ALLOWED_HOSTS": "video.example"}),
        ((), {"HAILUO_MCP_ALLOWED_ORIGINS": "https://app.example"}),
    ],
)
def test_public_name_without_tokens_is_refused_at_start(
    options: tuple[str, ...], given: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = InProcessCli(environment(tmp_path), capsys)("serve", "--http", "--port", "0", *options, **given)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "HAILUO_MCP_HTTP_TOKENS" in line
    assert ".example" in line
