"""A job from submission to clip over HTTP, in both protocol eras, and what the server announces."""

import json
from pathlib import Path

import anyio
import pytest
from mcp_types import TextResourceContents

from tests.http.servers import SANDBOX, Transport, over_http
from tests.support import Era, facts_of, text_of

ERAS: dict[Era, str] = {"legacy": "2025-11-25", "auto": "2026-07-28"}
PNG = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("era", ERAS)
async def test_job_runs_from_submission_to_clip_over_http(era: Era, tmp_path: Path) -> None:
    async with over_http(tmp_path, **SANDBOX) as connect, connect(era) as client:
        assert client.protocol_version == ERAS[era]
        tools = await client.list_tools()
        assert [tool.name for tool in tools.tools][:2] == ["generate_video", "get_status"]

        submitted = facts_of(await client.call_tool("generate_video", {"prompt": "a red kite rises"}))
        assert (submitted["state"], submitted["sandbox"]) == ("queued", True)
        arguments = {"request_id": submitted["request_id"], "wait_seconds": 30}
        done = facts_of(await client.call_tool("get_status", arguments))
        assert done["state"] == "completed"
        assert done["video_url"]
        assert done["video_path"] is None  # over HTTP, nothing is saved automatically

        saved = facts_of(await client.call_tool("download_video", {"request_id": submitted["request_id"]}))
        assert (await anyio.Path(saved["video_path"]).read_bytes())[4:8] == b"ftyp"
        (contents,) = (await client.read_resource(f"hailuo://jobs/{submitted['request_id']}")).contents
        assert isinstance(contents, TextResourceContents)
        assert json.loads(contents.text)["video_path"] == saved["video_path"]


async def test_clients_of_both_eras_share_one_ledger(tmp_path: Path) -> None:
    async with over_http(tmp_path, **SANDBOX) as connect, connect("legacy") as old, connect("auto") as new:
        first = facts_of(await old.call_tool("generate_video", {"prompt": "a red kite rises"}))
        second = facts_of(await new.call_tool("generate_video", {"prompt": "a red kite rises"}))
        assert (second["duplicate"], second["request_id"]) == (True, first["request_id"])


async def test_finished_clips_are_saved_automatically_if_set(tmp_path: Path) -> None:
    async with over_http(tmp_path, **SANDBOX, HAILUO_MCP_AUTO_DOWNLOAD="1") as connect, connect() as client:
        await client.call_tool("generate_video", {"prompt": "a red kite rises"})
        with anyio.fail_after(30):
            # The worker saves it without a call.
            while not list((tmp_path / "clips").glob("*.mp4")):  # noqa: ASYNC110  another process
                await anyio.sleep(0.2)


async def test_server_announces_its_capabilities_without_list_changes(transport: Transport, tmp_path: Path) -> None:
    async with transport(tmp_path, **SANDBOX) as connect:
        async with connect("auto") as client:
            new = client.server_capabilities
        async with connect("legacy") as client:
            old = client.server_capabilities
    for capabilities in (new, old):
        for lists in (capabilities.tools, capabilities.prompts, capabilities.resources):
            assert lists
            assert lists.list_changed is False
    assert new.resources
    assert new.resources.subscribe is True
    assert set(new.extensions or {}) >= {"io.modelcontextprotocol/tasks"}
    assert old.resources
    assert old.resources.subscribe is False
    assert "io.modelcontextprotocol/tasks" not in (old.extensions or {})


async def test_lists_may_be_cached_and_jobs_may_not(transport: Transport, tmp_path: Path) -> None:
    async with transport(tmp_path, **SANDBOX) as connect, connect() as client:
        for listed in (
            await client.list_tools(),
            await client.list_prompts(),
            await client.list_resources(),
            await client.list_resource_templates(),
            await client.read_resource("hailuo://models"),
        ):
            assert (listed.ttl_ms, listed.cache_scope) == (60_000, "public")
        jobs = await client.read_resource("hailuo://jobs")
        assert (jobs.ttl_ms, jobs.cache_scope) == (0, "private")


async def test_image_is_accepted_as_a_data_uri(tmp_path: Path) -> None:
    call = {"prompt": "a kite", "first_frame_image": PNG, "dry_run": True}
    async with over_http(tmp_path, **SANDBOX) as connect, connect() as client:
        answer = await client.call_tool("generate_video", call)
        # The image was read: it is refused for its size, not for its source.
        assert facts_of(answer)["error"]["code"] == "invalid_image"
        assert "1 x 1 px" in text_of(answer)
