"""The wait that `next_step` suggests: long for hosts known to allow it, learned for all others."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import SocketAttribute, SocketStream
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, Implementation

from hailuo_mcp.mcp.server import build_server
from hailuo_mcp.mcp.wait_limit import KNOWN_CLIENTS, START_SECONDS, WaitLimit, waits_long
from tests.http.servers import SANDBOX, serving
from tests.http.test_tokens import ANN, BEN, TOKENS
from tests.http.wire import RawClient
from tests.support import (
    KEYS,
    Era,
    arguments_for,
    facts_of,
    open_session,
    says,
    segmind,
    server,
    settings_for,
    wired,
)

NEVER = arguments_for("segmind/hailuo-02-fast", prompt="a kite sandbox:never")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _wait(limit: WaitLimit, clock: Clock, requested: int, seconds: float | None = None) -> None:
    with limit.track("job", requested):
        clock.now += requested if seconds is None else seconds


def _suggested_wait(result: CallToolResult) -> int:
    return _wait_in(facts_of(result))


def _wait_in(facts: Mapping[str, Any]) -> int:
    """The wait that a job's next step suggests."""
    found = re.search(r"wait_seconds (\d+)", str(facts["next_step"]))
    assert found
    return int(found[1])


# --- learning -------------------------------------------------------------------------------------------------------


def test_the_wait_doubles_while_no_call_is_abandoned() -> None:
    clock = Clock()
    limit = WaitLimit(clock=clock)
    suggested = [limit.seconds]
    for _ in range(5):
        _wait(limit, clock, limit.seconds)
        suggested.append(limit.seconds)
    assert suggested == [4, 8, 16, 32, 45, 45]


def test_a_call_that_did_not_wait_to_the_end_changes_nothing() -> None:
    clock = Clock()
    limit = WaitLimit(clock=clock)
    _wait(limit, clock, 0)
    _wait(limit, clock, 4, seconds=1)  # the job ended
    assert limit.seconds == START_SECONDS


async def test_an_abandoned_call_shortens_the_wait() -> None:
    clock = Clock()
    limit = WaitLimit(clock=clock)
    _wait(limit, clock, 4)
    with anyio.CancelScope() as scope, limit.track("job", 8):
        clock.now += 5
        scope.cancel()
        await anyio.lowlevel.checkpoint()
    assert limit.seconds == 4
    assert limit.cap(8) == 4
    _wait(limit, clock, 4)
    assert limit.seconds == 4


async def test_abandoning_a_call_that_does_not_wait_changes_nothing() -> None:
    limit = WaitLimit()
    with anyio.CancelScope() as scope, limit.track("job", 0):
        scope.cancel()
        await anyio.lowlevel.checkpoint()
    assert limit.cap(45) == 45


def test_a_second_call_for_a_job_counts_the_first_as_abandoned() -> None:
    """Not every client cancels a call that it abandons."""
    clock = Clock()
    limit = WaitLimit(clock=clock)
    with limit.track("job", 8):
        clock.now += 6
        _wait(limit, clock, 0)
        assert limit.cap(8) == 8
        _wait(limit, clock, 8, seconds=1)
        assert limit.cap(8) == 4


@pytest.mark.slow
async def test_a_result_does_not_wait_for_a_clip_longer_than_its_caller_allows(tmp_path: Path) -> None:
    async def stall(stream: SocketStream) -> None:
        async with stream:
            await anyio.sleep_forever()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    address = f"http://127.0.0.1:{listener.extra_attributes[SocketAttribute.local_port]()}"
    settings = settings_for(tmp_path, **{**KEYS, "SEGMIND_BASE_URL": address})
    opened, _ = wired(settings, segmind(status=says(200, {"status": "COMPLETED", "output": f"{address}/clip.mp4"})))
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, stall)
        async with opened as session, Client(build_server(session.services, "0")) as client:
            submitted = await client.call_tool("generate_video", arguments_for("segmind/hailuo-02-fast"))
            with anyio.fail_after(5):
                result = await client.call_tool("get_status", {"request_id": facts_of(submitted)["request_id"]})
            assert facts_of(result)["state"] == "completed"
            assert "still being saved" in str(facts_of(result)["warnings"])
        tasks.cancel_scope.cancel()


def test_calls_may_wait_for_two_jobs_at_once() -> None:
    clock = Clock()
    limit = WaitLimit(clock=clock)
    with limit.track("job", 8):
        clock.now += 6
        with limit.track("another", 8):
            pass
    assert limit.cap(45) == 45


@pytest.mark.parametrize(
    ("name", "long_wait"),
    [
        ("claude-ai", True),
        ("claude-ai (via mcp-remote 0.1.37)", True),
        ("Visual Studio Code - Insiders", True),
        ("Visual-Studio-Code", True),
        ("cursor-vscode", True),
        ("mcp", False),
        ("", False),
        ("openai-agents-mcp", False),
    ],
)
def test_hosts_that_allow_a_long_wait_are_recognized_by_name(name: str, long_wait: bool) -> None:
    assert waits_long(name) is long_wait


def test_every_host_with_a_long_wait_has_a_source() -> None:
    assert all(source for source in KNOWN_CLIENTS.values())


# --- suggestions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ["legacy", "auto"])
@pytest.mark.parametrize(("name", "seconds"), [("mcp", 4), ("claude-ai", 45), ("Visual Studio Code", 45)])
async def test_a_new_job_suggests_a_wait_that_fits_the_host(name: str, seconds: int, era: Era, tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        info = Implementation(name=name, version="1")
        async with Client(build_server(session.services, "0"), mode=era, client_info=info) as client:
            assert _suggested_wait(await client.call_tool("generate_video", NEVER)) == seconds


@pytest.mark.parametrize("era", ["auto", pytest.param("legacy", marks=pytest.mark.slow)])
async def test_a_call_with_progress_gets_the_longest_wait(era: Era, tmp_path: Path) -> None:
    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        del progress, total, message

    async with server(tmp_path, era) as client:
        submitted = await client.call_tool("generate_video", NEVER, progress_callback=on_progress)
        assert _suggested_wait(submitted) == 45
        request_id = facts_of(submitted)["request_id"]
        assert _suggested_wait(await client.call_tool("get_status", {"request_id": request_id})) == 4


@pytest.mark.slow
@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_a_client_that_times_out_after_five_seconds_loses_only_one_answer(era: Era, tmp_path: Path) -> None:
    """Frameworks do so by default: the model sees a timeout, and calls again with the same wait."""
    async with server(tmp_path, era) as client:
        submitted = await client.call_tool("generate_video", NEVER)
        request_id = facts_of(submitted)["request_id"]
        wait = _suggested_wait(submitted)
        timeouts = 0
        for _ in range(4):
            arguments = {"request_id": request_id, "wait_seconds": wait}
            try:
                wait = _suggested_wait(await client.call_tool("get_status", arguments, read_timeout_seconds=5))
            except MCPError:
                timeouts += 1
    assert (timeouts, wait) == (1, 4)


@pytest.mark.slow
async def test_the_wait_limit_over_http_is_separate_for_each_tenant(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, **SANDBOX, HAILUO_MCP_HTTP_TOKENS=TOKENS) as running,
        httpx.AsyncClient(timeout=30) as web,
    ):
        ann, ben = (RawClient(web, running.url, token) for token in (ANN, BEN))
        submitted = (await ann.call("generate_video", **NEVER))["structuredContent"]
        waited = await ann.call("get_status", request_id=submitted["request_id"], wait_seconds=4)
        bens_job = (await ben.call("generate_video", **NEVER))["structuredContent"]
    assert [_wait_in(facts) for facts in (submitted, waited["structuredContent"], bens_job)] == [4, 8, 4]
