"""Two thousand callers wait for one job simultaneously, on one real server: each is answered quickly, and memory use
stays low.

uv run pytest tests/load/test_many_waiting.py -m slow -n 0 -s
"""

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest

from hailuo_mcp.service.poll_policy import POLICY
from tests.http.servers import serving
from tests.support import peak_mb, sandbox_on_a_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="reads memory and processor time from /proc"),
]

CALLERS = 2000
CONNECTING = 100
"""How many of them connect at the same moment: more would only measure this client."""
JOB_SECONDS, WAIT_SECONDS = 20.0, 45
"""The server polls 9, 18 and 20.4 s after the submission."""
MEMORY_MB = 400
ANSWERED_WITHIN_SECONDS = 2.0
"""After the poll that sees the end, which may come up to the policy's interval later."""
CPU_MS_EACH_MAX = 4.0
"""Processor time of a call until the job's end; a poll for each call takes more."""
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "0"},
}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used so far."""

    cpu: float
    starved: float
    """Seconds in which it was ready to run while other processes had the processor."""

    @classmethod
    def of(cls, process_id: int) -> "Usage":
        fields = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()
        starved = int(Path(f"/proc/{process_id}/schedstat").read_text().split()[1]) / 1e9
        return cls((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), starved)


def call_request(url: str, tool: str, **arguments: object) -> bytes:
    """The HTTP request of a call. Written by hand: an HTTP client for two thousand connections takes more time than
    the server that is measured."""
    params = {"name": tool, "arguments": arguments, "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        f"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n\r\n"
    )
    return head.encode() + body


async def send(url: str, request: bytes, connecting: anyio.CapacityLimiter) -> bytes:
    parts = urlsplit(url)
    async with connecting:
        stream = await anyio.connect_tcp(str(parts.hostname), parts.port or 80)
        await stream.send(request)
    async with stream:
        return b"".join([chunk async for chunk in stream])


def facts_in(response: bytes) -> dict[str, Any]:
    """The structured content, whether the response is JSON or a stream of events."""
    text = response[response.index(b'{"jsonrpc"') :].decode()
    return json.JSONDecoder().raw_decode(text)[0]["result"]["structuredContent"]


async def test_two_thousand_waiting_callers_are_answered_quickly_in_little_memory(tmp_path: Path) -> None:
    answers: list[tuple[float, bytes]] = []
    connecting = anyio.CapacityLimiter(CONNECTING)
    with sandbox_on_a_port(tmp_path / "far", seconds=JOB_SECONDS) as far:
        variables = {**far, "HAILUO_MCP_AUTO_DOWNLOAD": "0", "HAILUO_MCP_MIN_POLL_SECONDS": "2"}
        async with serving(tmp_path, **variables) as running:
            server = running.process.pid
            submit = call_request(running.url, "generate_video", prompt="a kite", model="segmind/minimax-hailuo-2")
            job = facts_in(await send(running.url, submit, connecting))
            began = time.monotonic()
            before = at_end = Usage.of(server)
            ask = call_request(running.url, "get_status", request_id=job["request_id"], wait_seconds=WAIT_SECONDS)

            async def wait() -> None:
                response = await send(running.url, ask, connecting)
                answers.append((time.monotonic() - began, response))

            async with anyio.create_task_group() as callers:
                for _ in range(CALLERS):
                    callers.start_soon(wait)
                await anyio.sleep(JOB_SECONDS)
                at_end = Usage.of(server)
            after, peak = Usage.of(server), peak_mb(server)
    first, last = answers[0][0] - JOB_SECONDS, answers[-1][0] - JOB_SECONDS
    starved = after.starved - at_end.starved
    each = [(used.cpu - since.cpu) / CALLERS * 1e3 for used, since in ((at_end, before), (after, at_end))]
    print(
        f"{CALLERS} callers: {peak} MB; ms of processor time each: {each[0]:.2f} until the end, {each[1]:.2f} after; "
        f"answered from {first:.1f} to {last:.1f} s after the end, {starved:.1f} s of which the server could not run"
    )
    assert [facts_in(response)["state"] for _, response in answers] == ["completed"] * CALLERS
    assert first - starved < POLICY.every
    assert last - first - starved < ANSWERED_WITHIN_SECONDS
    assert each[0] < CPU_MS_EACH_MAX
    assert peak < MEMORY_MB
