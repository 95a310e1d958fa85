"""Everything is real except the gateways: the server as a process over stdio, the sandbox on a port, clips on disk."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import av
import pytest
from mcp import Client

from tests.support import (
    KEYS,
    MODEL_IDS,
    arguments_for,
    environment,
    facts_of,
    jobs_in,
    log_of,
    sandbox_on_a_port,
    sent_to,
    server,
)


async def _saved(client: Client, request_id: str) -> str:
    """The path of a job's clip, however long it takes to be saved."""
    arguments = {"request_id": request_id, "wait_seconds": 45}
    job = facts_of(await client.call_tool("get_status", arguments))
    assert (job["request_id"], job["state"], job["sandbox"]) == (request_id, "completed", True)
    assert request_id.startswith(f"{job['model']}/")
    return facts_of(await client.call_tool("download_video", {"request_id": request_id}))["video_path"]


def _codec(path: str) -> str:
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert next(container.decode(stream)).width > 0
        return stream.codec_context.name


@pytest.mark.slow
async def test_jobs_of_every_model_survive_a_restart_and_the_loss_of_the_ledger(tmp_path: Path) -> None:
    small = {"segmind/hailuo-2.3-fast": {"resolution": "768p"}}
    with sandbox_on_a_port(tmp_path) as gateways:
        async with server(tmp_path, **gateways, HAILUO_MCP_AUTO_DOWNLOAD="0") as client:
            request_ids: list[str] = []
            for model_id in MODEL_IDS:
                call = arguments_for(model_id, **small.get(model_id, {}))
                job = facts_of(await client.call_tool("generate_video", call))
                assert (job["state"], job["sandbox"]) == ("queued", True)
                request_ids.append(job["request_id"])

        async with server(tmp_path, **gateways) as client:
            for request_id in request_ids:
                assert _codec(await _saved(client, request_id)) == "h264"
            assert len(jobs_in(tmp_path)) == len(MODEL_IDS)
            listed = facts_of(await client.call_tool("list_jobs", {"limit": 50}))
            assert {row["request_id"] for row in listed["jobs"]} == set(request_ids)

        shutil.rmtree(tmp_path / "state")
        shutil.rmtree(tmp_path / "clips")
        async with server(tmp_path, **gateways) as client:
            assert facts_of(await client.call_tool("list_jobs"))["total"] == 0
            for request_id in request_ids:
                assert _codec(await _saved(client, request_id)) == "h264"
            assert facts_of(await client.call_tool("list_jobs"))["total"] == len(MODEL_IDS)
    assert not any(key in log_of(tmp_path).read_text() for key in KEYS.values())


async def test_lost_response_over_a_real_socket_is_found_in_the_history(tmp_path: Path) -> None:
    with sandbox_on_a_port(tmp_path) as gateways:
        async with server(tmp_path, **gateways, HAILUO_MCP_AUTO_DOWNLOAD="0") as client:
            call = arguments_for("segmind/hailuo-02-fast", prompt="a kite sandbox:lost_answer")
            lost = facts_of(await client.call_tool("generate_video", call))
            assert lost["state"] == "unconfirmed"
            assert lost["error"]["charged"] == "unknown"
            found = facts_of(await client.call_tool("get_status", {"request_id": lost["request_id"]}))
            assert (found["state"], found["error"], found["sandbox"]) == ("completed", None, True)
            assert found["request_id"] != lost["request_id"]


@pytest.mark.slow
async def test_server_killed_before_the_response_has_recorded_the_job(tmp_path: Path) -> None:
    posted = asyncio.Event()
    connections: list[asyncio.StreamWriter] = []

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        if (await reader.readline()).startswith(b"POST /v2/minimax-hailuo-2 "):
            posted.set()

    gateway = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    variables = {**KEYS, **sent_to(gateway.sockets[0].getsockname()[1])}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hailuo_mcp"), stdin=pipe, stdout=pipe, env=environment(tmp_path, **variables)
    )
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "0"}}
    call = {"name": "generate_video", "arguments": {"prompt": "the only kite", "model": "segmind/minimax-hailuo-2"}}
    assert process.stdin
    for message in (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": call},
    ):
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    async with asyncio.timeout(20):
        await posted.wait()
    process.kill()
    await process.communicate()

    async with server(tmp_path, **variables) as client:
        listed = facts_of(await client.call_tool("list_jobs", {"state": "unconfirmed"}))
        (job,) = listed["jobs"]
        assert (job["model"], job["prompt"]) == ("segmind/minimax-hailuo-2", "the only kite")
        status = facts_of(await client.call_tool("get_status", {"request_id": job["request_id"]}))
        assert (status["state"], status["error"]["charged"]) == ("unconfirmed", "unknown")
        assert status["error"]["safe_to_retry"] is False
    for connection in connections:
        connection.close()
    gateway.close()
    await gateway.wait_closed()
