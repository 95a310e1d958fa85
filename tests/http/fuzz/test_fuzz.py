"""Whatever is sent over HTTP, the server responds quickly and correctly: no 5xx, no traceback, no local paths, nothing
left open.

`FUZZ_SCALE=20 uv run pytest tests/http/fuzz -m slow -n 0` runs twenty times as many examples as CI does.
"""

import json
import os
import re
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from hailuo_mcp.http.app import BODY_BYTES_MAX
from tests.http.fuzz import strategies
from tests.http.servers import SANDBOX, serving
from tests.http.test_access import ACCEPT, INITIALIZE
from tests.http.wire import answer_in, answer_of, headers_of, message
from tests.support import Era, log_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SCALE = float(os.environ.get("FUZZ_SCALE", "1"))
ANSWERED_WITHIN_SECONDS = 10.0
PARSE_ERROR, HEADER_MISMATCH = -32700, -32020
TOKEN = "ann-token-0123456789"
LEAK = re.compile(r'Traceback|File "|/site-packages/|line \d+, in |sqlite3?\.|asyncpg')


def examples(number: int) -> Callable[..., Any]:
    """This many examples, the same in each run; a failing one is shrunk."""
    return settings(
        max_examples=max(5, int(number * SCALE)),
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )


@dataclass
class Target:
    """A server in a separate process, and statistics of its responses."""

    url: str
    process: subprocess.Popen[str]
    directory: Path
    figures: Callable[[str], None]
    statuses: Counter[int] = field(default_factory=Counter[int])
    slowest: float = 0.0

    @property
    def base(self) -> str:
        return self.url.removesuffix("/mcp")

    @property
    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def send(self, web: httpx.Client, verb: str, url: str, **request: Any) -> tuple[int, str]:
        """The status and the text of a response; for a stream that stays open, only its beginning."""
        began = time.monotonic()
        text = ""
        try:
            with web.stream(verb, url, **request) as answer:
                streams = answer.headers.get("content-type", "").startswith("text/event-stream")
                for part in answer.iter_raw():
                    text += part.decode(errors="replace")
                    if streams and ("acknowledged" in text or len(text) > 100_000):
                        break
                status = answer.status_code
        except httpx.RemoteProtocolError:
            status = 0  # closed without a response, as for input that is not HTTP
        self.check(status, text, time.monotonic() - began)
        return status, text

    def check(self, status: int, text: str, seconds: float) -> None:
        self.statuses[status] += 1
        self.slowest = max(self.slowest, seconds)
        assert status < 500, text
        assert not LEAK.search(text), text
        assert str(self.directory) not in text, text
        assert seconds < ANSWERED_WITHIN_SECONDS

    def report(self) -> None:
        """Report the statuses at the end of a test; 0 means a connection closed without a response."""
        total, statuses = sum(self.statuses.values()), dict(sorted(self.statuses.items()))
        self.figures(f"{total} requests, slowest {self.slowest:.2f} s; statuses {statuses}")


@pytest.fixture
def target(tmp_path: Path, figures: Callable[[str], None]) -> Generator[Target]:
    """After the test, the server still runs, has no more files open than before, and has logged no unexpected error."""
    variables = {
        **SANDBOX,
        "HAILUO_MCP_HTTP_TOKENS": f"ann:{TOKEN}",
        "HAILUO_MCP_KEYS_FROM_HEADERS": "1",
        "HAILUO_MCP_OAUTH_ISSUER": "http://127.0.0.1:9",
        "HAILUO_MCP_OAUTH_JWKS_URL": "http://127.0.0.1:9/jwks",
        "HAILUO_MCP_OAUTH_AUDIENCE": "https://video.example/mcp",
    }
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serving(tmp_path, **variables)) as running,
    ):
        target = Target(running.url, running.process, tmp_path, figures)
        check_serves(target)
        before = target.open_files
        yield target
        assert target.process.poll() is None
        deadline = time.monotonic() + 20
        while target.open_files > before + 2 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert target.open_files <= before + 2, "connections or files were left open"
        check_serves(target)
    log_text = log_of(tmp_path).read_text()
    assert "Traceback" not in log_text
    assert [line for line in log_text.splitlines() if " ERROR " in line] == []


def check_serves(target: Target) -> None:
    """A well-behaved client gets its results."""
    with httpx.Client(timeout=ANSWERED_WITHIN_SECONDS) as web:
        for era in ("legacy", "auto"):
            body = message("tools/call", {"name": "list_jobs", "arguments": {}}, era)
            answer = web.post(target.url, json=body, headers=headers_of(body, era, TOKEN))
            assert "result" in answer_in(answer)
            dry = message("tools/call", {"name": "generate_video", "arguments": {"prompt": "x", "dry_run": True}}, era)
            assert web.post(target.url, json=dry, headers=headers_of(dry, era, TOKEN)).status_code == 200


def printable(header: Mapping[str, str]) -> dict[str, str]:
    """The headers without characters that cannot be sent."""
    return {name: re.sub(r"[\x00-\x1f\x7f]", "", value).strip() for name, value in header.items()}


def encoded(header: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in header.items()]


def test_almost_valid_requests(target: Target) -> None:
    with httpx.Client(timeout=ANSWERED_WITHIN_SECONDS) as web:

        @seed(0)
        @examples(700)
        @given(body=strategies.requests(), era=st.sampled_from(("legacy", "auto")))
        def fuzz(body: dict[str, Any], era: Era) -> None:
            header = {**ACCEPT, "Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
            if era == "auto":
                method = str(body.get("method"))
                params: object = body.get("params")
                name = next(
                    (str(params[one]) for one in ("name", "uri") if isinstance(params, dict) and one in params),  # pyright: ignore[reportUnknownArgumentType]
                    "",
                )
                header |= {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method, "Mcp-Name": name}
            content = json.dumps(body).encode()
            status, text = target.send(web, "POST", target.url, content=content, headers=encoded(printable(header)))
            assert status
            assert "internal_error" not in text, text
            assert "unexpected error" not in text, text

        fuzz()
    target.report()


def test_tools_answer_any_arguments(target: Target) -> None:
    answers: Counter[str] = Counter()
    with httpx.Client(timeout=ANSWERED_WITHIN_SECONDS) as web:

        @seed(0)
        @examples(600)
        @given(call=strategies.almost_valid_calls() | strategies.calls(), era=st.sampled_from(("legacy", "auto")))
        def fuzz(call: tuple[str, dict[str, Any]], era: Era) -> None:
            body = message(*call, era)
            header = headers_of(body, era, TOKEN)
            status, text = target.send(web, "POST", target.url, content=json.dumps(body).encode(), headers=header)
            answer = answer_of(text)
            if "error" in answer:  # invalid JSON, such as NaN or half a surrogate, does not reach a tool
                assert (status, answer["error"]["code"]) == (400, PARSE_ERROR), text
                answers["no JSON"] += 1
                return
            result = answer["result"]
            code = result["structuredContent"]["error"]["code"] if result.get("isError") else "answered"
            assert code != "internal_error", text
            answers[code] += 1

        fuzz()
    target.figures(f"answers of the tools: {dict(answers.most_common())}")
    target.report()
    assert answers.total() - answers["no JSON"] > answers.total() * 0.7, "most reach a tool"
    assert {"answered", "invalid_input", "unknown_request", "unknown_model"} <= set(answers)


def test_resources_prompts_and_tasks_answer_any_parameters(target: Target) -> None:
    handled = 0
    with httpx.Client(timeout=ANSWERED_WITHIN_SECONDS) as web:

        @seed(0)
        @examples(400)
        @given(request=strategies.own_requests)
        def fuzz(request: tuple[str, dict[str, Any]]) -> None:
            nonlocal handled
            body = message(*request, "auto")
            header = headers_of({**body, "params": {"name": "", "uri": "", **request[1]}}, "auto", TOKEN)
            content = json.dumps(body).encode()
            status, text = target.send(web, "POST", target.url, content=content, headers=encoded(printable(header)))
            assert status
            assert "internal_error" not in text, text
            handled += str(HEADER_MISMATCH) not in text and str(PARSE_ERROR) not in text

        fuzz()
    target.figures(f"{handled} reached a handler")
    target.report()
    assert handled > sum(target.statuses.values()) * 0.6


def test_malformed_bodies_and_headers(target: Target) -> None:
    with httpx.Client(timeout=ANSWERED_WITHIN_SECONDS) as web:

        @seed(0)
        @examples(300)
        @given(body=strategies.malformed_bodies, header=strategies.headers, verb=st.just("POST") | strategies.verbs)
        def fuzz(body: bytes, header: dict[str, str], verb: str) -> None:
            valid = {"Authorization": f"Bearer {TOKEN}", **ACCEPT, "Content-Type": "application/json"}
            sent = {name: value.strip() for name, value in {**valid, **header}.items()}
            if verb == "GET":
                return  # a stream of notifications, which stays open: see below
            target.send(web, verb, target.url, content=body, headers=encoded(sent))

        fuzz()
    target.report()


def test_routes_other_than_mcp(target: Target) -> None:
    with httpx.Client(timeout=ANSWERED_WITHIN_SECONDS) as web:

        @seed(0)
        @examples(250)
        @given(
            path=strategies.paths,
            verb=strategies.verbs,
            header=strategies.headers,
            span=strategies.ranges,
            body=st.binary(max_size=100),
        )
        def fuzz(path: str, verb: str, header: dict[str, str], span: str, body: bytes) -> None:
            sent = {name: value.strip() for name, value in {**header, "Range": span}.items()}
            if verb == "GET" and path.startswith("/mcp"):
                return
            target.send(web, verb, target.base + path, content=body, headers=encoded(sent))

        fuzz()
    target.report()


def test_byte_ranges_of_a_clip(target: Target) -> None:
    with httpx.Client(timeout=ANSWERED_WITHIN_SECONDS) as web:

        def call(tool: str, **arguments: Any) -> dict[str, Any]:
            body = message("tools/call", {"name": tool, "arguments": arguments}, "legacy")
            answer = web.post(target.url, json=body, headers=headers_of(body, "legacy", TOKEN), timeout=60)
            return answer_in(answer)["result"]["structuredContent"]

        job = call("generate_video", prompt="a kite", model="segmind/minimax-hailuo-2")["request_id"]
        assert call("get_status", request_id=job, wait_seconds=20)["state"] == "completed"
        while "video_url" not in (saved := call("download_video", request_id=job)):
            assert "bytes" in saved, saved  # still being saved, on a slow machine
        link = saved["video_url"]
        whole = web.get(link)
        assert whole.status_code == 200

        @seed(0)
        @examples(60)
        @given(
            span=strategies.ranges | st.text("bytes=-,0123456789 ", max_size=30), verb=st.sampled_from(("GET", "HEAD"))
        )
        def fuzz(span: str, verb: str) -> None:
            status, text = target.send(web, verb, link, headers={"Range": span.strip()})
            assert status in (200, 206, 400, 416, 431), (status, span)
            assert len(text) <= 2 * len(whole.content) + 100_000

        fuzz()
        for name, value in (("if-range", "x"), ("if-none-match", whole.headers["etag"]), ("if-modified-since", "x")):
            assert target.send(web, "GET", link, headers={name: value})[0] in (200, 304)
    target.report()


def raw_response(target: Target, raw: bytes, *, wait: float = ANSWERED_WITHIN_SECONDS) -> bytes:
    """The response to these bytes, after which nothing more is sent."""
    parts = urlsplit(target.url)
    answer = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=wait) as connection, suppress(OSError):
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            answer += part
    return answer


def head(length: str, *more: str, verb: str = "POST", token: str = TOKEN) -> bytes:
    lines = (
        f"{verb} /mcp HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token}",
        "Accept: application/json, text/event-stream",
        "Content-Type: application/json",
        length,
        *more,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def test_broken_stalled_and_oversized_connections(target: Target) -> None:
    valid = json.dumps(INITIALIZE).encode()
    parts = urlsplit(target.url)
    address = (parts.hostname, parts.port)
    host = f"Host: 127.0.0.1:{parts.port}"

    def opening(length: str, *more: str) -> bytes:
        return head(length, *more).replace(b"Host: 127.0.0.1", host.encode(), 1)

    broken = {
        "nothing": b"",
        "no HTTP": b"\x16\x03\x01" + bytes(range(256)),
        "cut in the head": opening("Content-Length: 5")[:40],
        "cut body": opening(f"Content-Length: {len(valid) + 10}") + valid,
        "cut chunk": opening("Transfer-Encoding: chunked") + b"ff\r\n{",
        "no last chunk": opening("Transfer-Encoding: chunked") + b"%x\r\n%s\r\n" % (len(valid), valid),
        "chunk of no size": opening("Transfer-Encoding: chunked") + b"zz\r\n",
        "negative length": opening("Content-Length: -1") + valid,
        "two lengths": opening("Content-Length: 5", "Content-Length: 6") + valid,
        "length and chunks": opening("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        "too long by its word": opening(f"Content-Length: {BODY_BYTES_MAX + 1}") + valid,
        "a head without an end": opening("X: " + "a" * 200_000),
        "ten thousand headers": opening("Content-Length: 0", *("X: y" for _ in range(10_000))),
        "an expectation": opening(f"Content-Length: {len(valid)}", "Expect: 100-continue") + valid,
        "another protocol": opening("Content-Length: 0", "Connection: Upgrade", "Upgrade: websocket"),
        "old": opening(f"Content-Length: {len(valid)}").replace(b"HTTP/1.1", b"HTTP/1.0", 1) + valid,
    }
    for name, raw in broken.items():
        began = time.monotonic()
        answer = raw_response(target, raw)
        status = int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0
        assert status < 500, (name, answer)
        target.check(status, answer.decode(errors="replace"), time.monotonic() - began)
    assert b" 413 " in raw_response(target, broken["too long by its word"]).split(b"\r\n")[0]

    oversized = b"%x\r\n%s\r\n" % (1 << 20, b"x" * (1 << 20))
    with socket.create_connection(address, timeout=ANSWERED_WITHIN_SECONDS) as connection:  # too long, in chunks
        connection.sendall(opening("Transfer-Encoding: chunked"))
        with suppress(OSError):
            for _ in range((BODY_BYTES_MAX >> 20) + 8):
                connection.sendall(oversized)
        with suppress(ConnectionResetError):
            assert b" 413 " in connection.recv(65536).split(b"\r\n")[0]

    stalled = [socket.create_connection(address, timeout=ANSWERED_WITHIN_SECONDS) for _ in range(100)]
    streams = [socket.create_connection(address, timeout=ANSWERED_WITHIN_SECONDS) for _ in range(20)]
    try:
        for connection in stalled:
            connection.sendall(opening("Content-Length: 1000") + b'{"')
        for connection in streams:
            connection.sendall(opening("Content-Length: 0").replace(b"POST", b"GET", 1))
        check_serves(target)  # all these wait, and delay no other client
    finally:
        for connection in (*stalled, *streams):
            connection.close()
    target.report()


def test_simultaneous_clients(target: Target) -> None:
    def client(number: int) -> None:
        with httpx.Client(timeout=60) as web:
            for turn in range(5):
                era: Era = "auto" if (number + turn) % 2 else "legacy"
                body = message("tools/call", {"name": "list_models", "arguments": {}}, era)
                answer = web.post(
                    target.url, json=body, headers=headers_of(body, era, TOKEN if number % 5 else "wrong")
                )
                target.statuses[answer.status_code] += 1
                assert answer.status_code == (200 if number % 5 else 401)

    with ThreadPoolExecutor(40) as clients:
        list(clients.map(client, range(int(40 * max(1.0, SCALE)))))
    target.report()
