"""`subscriptions/listen`: notifications about jobs, without any client polling them."""

from pathlib import Path
from urllib.parse import quote

import anyio
import httpx
import pytest
from mcp.client.subscriptions import ResourceUpdated

from tests.http.servers import SANDBOX, Transport, serving
from tests.http.test_access import META, MODERN
from tests.support import facts_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("encoded", [True, False], ids=["encoded", "as it is"])
async def test_listener_of_a_job_is_notified_when_it_ends(encoded: bool, transport: Transport, tmp_path: Path) -> None:
    async with transport(tmp_path, **SANDBOX, HAILUO_MCP_AUTO_DOWNLOAD="0") as connect, connect() as client:
        submitted = facts_of(await client.call_tool("generate_video", {"prompt": "a kite"}))
        other = facts_of(await client.call_tool("generate_video", {"prompt": "another kite"}))
        request_id = submitted["request_id"]
        states: dict[str, str] = {}
        uri = f"hailuo://jobs/{quote(request_id, safe='') if encoded else request_id}"
        with anyio.fail_after(30):
            async with client.listen(resource_subscriptions=[uri]) as events:
                async for event in events:
                    assert event == ResourceUpdated(uri)
                    known = facts_of(await client.call_tool("list_jobs"))["jobs"]
                    states = {job["request_id"]: job["state"] for job in known}
                    if states[request_id] == "completed":
                        break
        assert states[other["request_id"]] == "queued"  # no client follows that one


async def test_listener_of_the_job_list_is_notified_of_a_new_job(transport: Transport, tmp_path: Path) -> None:
    async with transport(tmp_path, **SANDBOX) as connect, connect() as client:
        with anyio.fail_after(20):
            async with client.listen(resource_subscriptions=["hailuo://jobs"]) as events:
                await client.call_tool("generate_video", {"prompt": "a kite"})
                assert await anext(aiter(events)) == ResourceUpdated("hailuo://jobs")


async def test_subscription_to_an_unknown_job_is_accepted(transport: Transport, tmp_path: Path) -> None:
    async with transport(tmp_path, **SANDBOX) as connect, connect() as client:
        async with client.listen(resource_subscriptions=["hailuo://jobs/nonsense", "hailuo://jobs/%FF", "x:y"]) as one:
            assert len(one.honored.resource_subscriptions or ()) == 3
        assert (await client.list_tools()).tools


async def test_task_notifications_need_the_extension(tmp_path: Path) -> None:
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "subscriptions/listen",
        "params": {"_meta": META, "notifications": {"taskIds": ["segmind/hailuo-02-fast/x"]}},
    }
    async with serving(tmp_path, **SANDBOX) as running, httpx.AsyncClient() as web:
        answer = await web.post(running.url, json=body, headers={**MODERN, "Mcp-Method": "subscriptions/listen"})
    assert answer.json()["error"]["code"] == -32021
    assert "io.modelcontextprotocol/tasks" in answer.text
