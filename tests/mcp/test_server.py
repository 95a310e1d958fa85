"""The server as hosts start it: a separate process, used over stdio by the SDK's client, in both protocol eras."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from tests.load.processes import free_ports
from tests.mcp.calling import FAST_02
from tests.support import (
    KEYS,
    MODEL_IDS,
    Era,
    arguments_for,
    environment,
    facts_of,
    log_of,
    sent_to,
    server,
    text_of,
    without_pyav,
)

ERAS: dict[Era, str] = {"legacy": "2025-11-25", "auto": "2026-07-28"}
TEXT_CALL = {"model": "segmind/minimax-hailuo-2", "prompt": "a red kite rises"}


@pytest.mark.parametrize("era", ["auto", pytest.param("legacy", marks=pytest.mark.slow)])
async def test_a_whole_conversation_from_the_list_of_tools_to_the_saved_clip(era: Era, tmp_path: Path) -> None:
    progress_seen: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        progress_seen.append((progress, total, message))

    async with server(tmp_path, era, HAILUO_MCP_SANDBOX_SECONDS="0.8", **without_pyav(tmp_path)) as client:
        assert client.protocol_version == ERAS[era]
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["generate_video", "get_status", "list_models", "list_jobs", "download_video", "cancel_job"]

        submitted = facts_of(await client.call_tool("generate_video", arguments_for(FAST_02)))
        assert (submitted["state"], submitted["sandbox"]) == ("queued", True)
        request_id = submitted["request_id"]

        waiting = {"request_id": request_id, "wait_seconds": 30}
        done = facts_of(await client.call_tool("get_status", waiting, progress_callback=on_progress))
        assert (done["state"], done["error"]) == ("completed", None)
        assert progress_seen
        assert all(message for _, _, message in progress_seen)

        saved = await client.call_tool("download_video", {"request_id": request_id})
        path = anyio.Path(facts_of(saved)["video_path"])
        assert done["video_path"] == str(path)
        assert (await path.read_bytes())[4:8] == b"ftyp"
        assert facts_of(await client.call_tool("list_jobs"))["jobs"][0]["video_path"] == str(path)

        refused = await client.call_tool("generate_video", {**TEXT_CALL, "duration": 10})
        assert refused.is_error
        assert "does not take duration" in text_of(refused)
        assert set(facts_of(refused)) == {"error"}
        with pytest.raises(MCPError, match="Unknown tool: make_video"):
            await client.call_tool("make_video", {})


async def _state_of(client: Client, request_id: str) -> str:
    return facts_of(await client.call_tool("get_status", {"request_id": request_id}))["state"]


@pytest.mark.parametrize("era", ["auto", pytest.param("legacy", marks=pytest.mark.slow)])
async def test_a_cancelled_wait_leaves_the_server_and_the_job_running(era: Era, tmp_path: Path) -> None:
    async with server(tmp_path, era, HAILUO_MCP_SANDBOX_SECONDS="5") as client:
        call = {**TEXT_CALL, "prompt": "a kite sandbox:never"}
        request_id = facts_of(await client.call_tool("generate_video", call))["request_id"]
        with anyio.fail_after(20):
            async with anyio.create_task_group() as waiting:

                async def give_up(progress: float, total: float | None, message: str | None) -> None:
                    waiting.cancel_scope.cancel()

                async def wait() -> None:
                    arguments = {"request_id": request_id, "wait_seconds": 45}
                    await client.call_tool("get_status", arguments, progress_callback=give_up)

                waiting.start_soon(wait)
            assert await _state_of(client, request_id) in ("queued", "processing")
            assert len((await client.list_tools()).tools) == 6
    assert "Traceback" not in log_of(tmp_path).read_text()


@pytest.mark.slow
async def test_a_job_survives_a_restart_of_the_server(tmp_path: Path) -> None:
    async with server(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0") as client:
        request_id = facts_of(await client.call_tool("generate_video", arguments_for(FAST_02)))["request_id"]
    async with server(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0") as client:
        assert await _state_of(client, request_id) == "completed"
        again = facts_of(await client.call_tool("generate_video", arguments_for(FAST_02)))
        assert (again["duplicate"], again["request_id"]) == (True, request_id)


@pytest.mark.slow
async def test_no_key_appears_in_any_answer_or_in_the_log(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    variables = {**KEYS, **sent_to(port), "HAILUO_MCP_LOG_LEVEL": "DEBUG"}
    answers: list[str] = []
    async with server(tmp_path, **variables) as client:
        calls: list[tuple[str, dict[str, Any]]] = [("list_models", {}), ("list_jobs", {})]
        calls += [("list_models", {"model": model_id}) for model_id in MODEL_IDS]
        calls += [("generate_video", arguments_for(model_id, dry_run=True)) for model_id in MODEL_IDS]
        calls += [("generate_video", {**TEXT_CALL, "api_key": KEYS["SEGMIND_API_KEY"]})]
        answers += [(await client.call_tool(tool, arguments)).model_dump_json() for tool, arguments in calls]
        failing_calls = [
            ("generate_video", TEXT_CALL),
            ("generate_video", arguments_for("aimlapi/hailuo-02")),
            ("get_status", {"request_id": "apixo/hailuo-2.3-fast/x"}),
        ]
        async with anyio.create_task_group() as tasks:

            async def call(tool: str, arguments: dict[str, Any]) -> None:
                answer = await client.call_tool(tool, arguments)
                assert facts_of(answer)["error"]["code"] == "network_error"
                answers.append(answer.model_dump_json())

            for tool, arguments in failing_calls:
                tasks.start_soon(call, tool, arguments)
    for key in KEYS.values():
        assert key not in "".join(answers)
        assert key not in log_of(tmp_path).read_text()


async def test_stdout_carries_the_protocol_and_nothing_else(tmp_path: Path) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hailuo_mcp"), stdin=pipe, stdout=pipe, stderr=pipe, env=environment(tmp_path)
    )
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "0"}}
    wrong = {"name": "generate_video", "arguments": {"prompt": ""}}
    right = {"name": "generate_video", "arguments": {"prompt": "a kite"}}
    requests: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
        {"id": 3, "method": "tools/call", "params": wrong},
        {"id": 4, "method": "tools/call", "params": right},
        {"id": 5, "method": "tools/nothing"},
    ]
    assert process.stdin
    assert process.stdout
    assert process.stderr
    lines: list[bytes] = []
    for request in requests:
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **request}).encode() + b"\n")
        await process.stdin.drain()
        if "id" in request:
            lines.append(await process.stdout.readline())
    process.stdin.close()
    rest = await process.stdout.read()
    log = (await process.stderr.read()).decode()
    assert await process.wait() == 0
    assert rest == b""
    answers = [json.loads(line) for line in lines]
    assert [(answer["jsonrpc"], answer["id"]) for answer in answers] == [("2.0", n) for n in range(1, 6)]
    submitted = answers[3]["result"]["structuredContent"]
    assert submitted["state"] == "queued"
    assert f"submitted {submitted['request_id']} [" in log
    assert "Traceback" not in log
