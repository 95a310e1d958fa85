"""Ended jobs call their webhooks: once, with retries, on this machine only, and only if the sandbox has a port."""

from __future__ import annotations

import json
import queue
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from hailuo_mcp.sandbox import create_app
from hailuo_mcp.sandbox.callbacks import echoes_challenge, is_this_machine
from tests.cli.conftest import Cli

from .wire import APIXO_BODY, bearer

SUBMIT = "/api/v1/generateTask/hailuo-2-3-fast"
STATUS = "/api/v1/statusTask/hailuo-2-3-fast"
SOON = 10.0
"""Seconds within which an expected event must happen."""


class Receiver:
    """A webhook on this machine: stores what it receives, and returns the given statuses in turn."""

    def __init__(self) -> None:
        self.received: queue.Queue[dict[str, Any]] = queue.Queue()
        self.statuses: list[int] = [200]
        self.answer: Callable[[bytes], bytes] = lambda _: b""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = receiver.answer(body)
                self.send_response(receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0])
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                with suppress(BrokenPipeError):  # the caller gave up
                    self.wfile.write(answer)
                receiver.received.put(json.loads(body))

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


def callback_body(url: str, prompt: str = "Waves roll in") -> dict[str, Any]:
    return {**APIXO_BODY, "request_type": "callback", "callback_url": url} | {
        "input": {**APIXO_BODY["input"], "prompt": prompt}
    }


def submit(base: str, url: str, prompt: str = "Waves roll in") -> str:
    answer = httpx.post(f"{base}{SUBMIT}", json=callback_body(url, prompt), headers=bearer())
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["taskId"]


def stored_callbacks(state_dir: Path) -> list[tuple[int, float | None]]:
    """Attempts made and the time of the next, of every stored callback."""
    with closing(sqlite3.connect(state_dir / "sandbox.sqlite3")) as connection:
        return connection.execute("SELECT attempts, due_at FROM callbacks").fetchall()


def delivered_callbacks(state_dir: Path) -> list[tuple[int, float | None]]:
    """The stored callbacks, once none is pending."""
    end = time.monotonic() + SOON
    while any(due_at is not None for _, due_at in stored_callbacks(state_dir)):
        assert time.monotonic() < end
        time.sleep(0.02)
    return stored_callbacks(state_dir)


def test_an_ended_job_sends_its_webhook_what_a_poll_returns(
    tmp_path: Path, serve: Callable[..., str], receiver: Receiver
) -> None:
    base = serve(tmp_path, seconds=0.2, callbacks=True)
    task_id = submit(base, receiver.url)
    received = receiver.received.get(timeout=SOON)
    polled = httpx.get(f"{base}{STATUS}", params={"taskId": task_id}, headers=bearer()).json()
    assert received == polled
    assert received["data"]["state"] == "success"
    assert json.loads(received["data"]["resultJson"])["resultUrls"][0].startswith(base)
    assert delivered_callbacks(tmp_path) == [(1, None)]
    assert receiver.received.empty()


def test_a_failed_job_sends_the_reason(tmp_path: Path, serve: Callable[..., str], receiver: Receiver) -> None:
    submit(serve(tmp_path, seconds=0, callbacks=True), receiver.url, "sandbox:content_violation waves")
    assert receiver.received.get(timeout=SOON)["data"]["failCode"] == "CONTENT_VIOLATION"


def test_a_failing_webhook_is_called_again_until_it_returns_200(
    tmp_path: Path, serve: Callable[..., str], receiver: Receiver
) -> None:
    receiver.statuses = [500, 202, 200]
    submit(serve(tmp_path, seconds=0, callbacks=True, callback_retry_after=(0.05, 0.05, 0.05)), receiver.url)
    calls = [receiver.received.get(timeout=SOON) for _ in range(3)]
    assert calls == [calls[0]] * 3
    assert delivered_callbacks(tmp_path) == [(3, None)]


def test_webhook_is_abandoned_after_three_retries(
    tmp_path: Path, serve: Callable[..., str], receiver: Receiver
) -> None:
    receiver.statuses = [500]
    submit(serve(tmp_path, seconds=0, callbacks=True, callback_retry_after=(0.02, 0.02, 0.02)), receiver.url)
    for _ in range(4):
        receiver.received.get(timeout=SOON)
    assert delivered_callbacks(tmp_path) == [(4, None)]
    assert receiver.received.empty()


def test_an_unreachable_webhook_does_not_stop_the_deliveries(
    tmp_path: Path, serve: Callable[..., str], receiver: Receiver
) -> None:
    base = serve(tmp_path, seconds=0, callbacks=True, callback_retry_after=(0.02, 0.02, 0.02))
    submit(base, "https://127.0.0.1:1/hook")
    assert delivered_callbacks(tmp_path) == [(4, None)]
    submit(base, receiver.url)
    assert receiver.received.get(timeout=SOON)["code"] == 200


def test_another_machine_is_never_called(
    tmp_path: Path, serve: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    submit(serve(tmp_path, seconds=0, callbacks=True), "https://hook.example/x")
    assert stored_callbacks(tmp_path) == []
    assert "hook.example will not be called" in caplog.text


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        ("http://127.0.0.1:9/x", True),
        ("https://127.8.8.8/x", True),
        ("http://[::1]:9/x", True),
        ("http://LocalHost/x", True),
        ("http://127.0.0.1.nip.io/x", False),
        ("http://localhost.example/x", False),
        ("http://127.0.0.1@hook.example/x", False),
        ("http://10.0.0.1/x", False),
        ("http://0.0.0.0/x", False),
        ("http://[::ffff:10.0.0.1]/x", False),
    ],
)
def test_only_loopback_addresses_count_as_this_machine(url: str, is_ours: bool) -> None:
    assert is_this_machine(url) is is_ours


@pytest.mark.parametrize("prompt", ["sandbox:never waves", "sandbox:expire waves"])
def test_job_that_never_ends_or_expires_does_not_call_its_webhook(
    tmp_path: Path, serve: Callable[..., str], receiver: Receiver, prompt: str
) -> None:
    submit(serve(tmp_path, seconds=0, callbacks=True), receiver.url, prompt)
    assert stored_callbacks(tmp_path) == []


async def test_pending_callback_of_one_process_is_delivered_by_the_next(
    tmp_path: Path, serve: Callable[..., str], receiver: Receiver
) -> None:
    dead = create_app(tmp_path, seconds=0, callbacks=True)  # its lifespan never runs, so that it delivers nothing
    async with httpx.AsyncClient(transport=httpx.ASGITransport(dead), base_url="http://127.0.0.1:8765") as client:
        await client.post(SUBMIT, json=callback_body(receiver.url), headers=bearer())
    assert [attempts for attempts, _ in stored_callbacks(tmp_path)] == [0]
    serve(tmp_path, callbacks=True)
    assert receiver.received.get(timeout=SOON)["data"]["state"] == "success"


async def test_in_process_sandbox_stores_no_callbacks(tmp_path: Path, receiver: Receiver) -> None:
    app = create_app(tmp_path, seconds=0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        assert (await client.post(SUBMIT, json=callback_body(receiver.url), headers=bearer())).status_code == 200
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        stored_callbacks(tmp_path)


@pytest.mark.slow
def test_sandbox_command_calls_the_webhook(cli: Cli, receiver: Receiver) -> None:
    with cli.start("sandbox", "--port", "0", "--seconds", "0.2") as server:
        assert server.stdout is not None
        submit(server.stdout.readline().strip(), receiver.url)
        assert receiver.received.get(timeout=SOON)["data"]["state"] == "success"
        server.send_signal(signal.SIGINT)
        server.communicate()
    assert server.returncode == 0


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


# --- challenges ---------------------------------------------------------------------------------------------------


async def test_a_receiver_that_echoes_the_challenge_passes(receiver: Receiver) -> None:
    receiver.answer = lambda body: body
    assert await echoes_challenge(receiver.url)
    assert receiver.received.get(timeout=SOON)["challenge"]


@pytest.mark.parametrize("answer", [b"", b"[]", b'"challenge"', b"{}", b'{"challenge": "another"}'])
async def test_receiver_that_does_not_echo_the_challenge_fails(receiver: Receiver, answer: bytes) -> None:
    receiver.answer = lambda _: answer
    assert not await echoes_challenge(receiver.url)


async def test_receiver_that_is_too_slow_or_unreachable_fails(receiver: Receiver) -> None:
    released = threading.Event()

    def slow(body: bytes) -> bytes:
        released.wait(SOON)
        return body

    receiver.answer = slow
    assert not await echoes_challenge(receiver.url, 0.1)
    released.set()
    assert not await echoes_challenge("http://127.0.0.1:1/hook")


async def test_another_machine_is_never_challenged(caplog: pytest.LogCaptureFixture) -> None:
    assert await echoes_challenge("https://hook.example/x")
    assert "no challenge is sent to hook.example" in caplog.text
