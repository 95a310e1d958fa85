"""Two thousand callers wait for one job at once, on one real server: all are answered, and memory stays small.

uv run pytest tests/load/test_many_waiting.py -m slow -n 0 -s
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from tests.http.servers import serving
from tests.support import sandbox_on_a_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="reads the highest memory use from /proc"),
]

CALLERS = 2000
JOB_SECONDS, WAIT_SECONDS = 26.0, 45
MEMORY_MB = 400
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "0"},
}


async def call(web: httpx.AsyncClient, url: str, tool: str, **arguments: object) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments, "_meta": META}
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    text = (await web.post(url, json=body, headers=headers)).text
    if not text.startswith("{"):
        text = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")][-1]
    return json.loads(text)["result"]["structuredContent"]


def peak_mb(process_id: int) -> int:
    return int(Path(f"/proc/{process_id}/status").read_text().split("VmHWM:")[1].split()[0]) // 1024


async def test_two_thousand_callers_that_wait_at_once_are_all_answered_in_little_memory(tmp_path: Path) -> None:
    answers: list[tuple[float, str]] = []
    with sandbox_on_a_port(tmp_path / "far", seconds=JOB_SECONDS) as far:
        variables = {**far, "HAILUO_MCP_AUTO_DOWNLOAD": "0", "HAILUO_MCP_MIN_POLL_SECONDS": "2"}
        limits = httpx.Limits(max_connections=None)
        async with serving(tmp_path, **variables) as running, httpx.AsyncClient(limits=limits, timeout=180) as web:
            job = await call(web, running.url, "generate_video", prompt="a kite", model="segmind/minimax-hailuo-2")
            began = time.monotonic()

            async def wait() -> None:
                asked = {"request_id": job["request_id"], "wait_seconds": WAIT_SECONDS}
                state = (await call(web, running.url, "get_status", **asked))["state"]
                answers.append((time.monotonic() - began, state))

            async with anyio.create_task_group() as callers:
                for _ in range(CALLERS):
                    callers.start_soon(wait)
            peak = peak_mb(running.process.pid)
    first, last = answers[0][0], answers[-1][0]
    print(f"{CALLERS} callers: {peak} MB, the job ended at {JOB_SECONDS:.0f} s, told from {first:.1f} to {last:.1f} s")
    assert [state for _, state in answers] == ["completed"] * CALLERS
    assert peak < MEMORY_MB
