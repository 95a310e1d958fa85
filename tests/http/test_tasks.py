"""The tasks extension with the SDK's client, over both transports, and that other clients are not affected."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolResult,
    Request,
    RequestParams,
    Result,
)

from hailuo_mcp.mcp import tasks
from tests.http.servers import SANDBOX, Transport
from tests.support import Era, facts_of, text_of

pytestmark = pytest.mark.slow

KITE = {"prompt": "a red kite rises", "model": "segmind/minimax-hailuo-2"}


class Created(Result):
    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    status_message: str
    created_at: str
    last_updated_at: str
    ttl_ms: int | None
    poll_interval_ms: int


class Params(RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


class TaskRequest(Request[Params, str]):
    name_param = "taskId"
    method: str
    params: Params


class Task(Result):
    task_id: str
    status: str
    status_message: str
    ttl_ms: int | None
    poll_interval_ms: int | None = None
    result: dict[str, Any] | None = None


class Ack(Result):
    pass


class Tasks(ClientExtension):
    """Polls a task to its end as a host does, and records the responses."""

    identifier = tasks.EXTENSION

    def __init__(self, before_polling: Callable[[ClaimContext, Created], Any] | None = None) -> None:
        self.created: list[Created] = []
        self.polls: list[Task] = []
        self._before_polling = before_polling

    def claims(self) -> list[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Created, resolve=self._resolve)]

    async def _resolve(self, created: Created, ctx: ClaimContext) -> CallToolResult:
        self.created.append(created)
        if self._before_polling:
            await self._before_polling(ctx, created)
        while True:
            request = TaskRequest(method="tasks/get", params=Params(task_id=created.task_id))
            task = await ctx.session.send_request(request, Task)
            self.polls.append(task)
            if task.status != "working":
                assert task.status == "completed"
                return CallToolResult.model_validate(task.result)
            assert task.poll_interval_ms
            await anyio.sleep(task.poll_interval_ms / 1000)


async def _request(client: Client, method: str, task_id: str) -> Ack:
    params = Params(task_id=task_id, input_responses={} if method == "tasks/update" else None)
    return await client.session.send_request(TaskRequest(method=method, params=params), Ack)


async def test_client_with_the_extension_gets_the_clip_from_one_call(transport: Transport, tmp_path: Path) -> None:
    extension = Tasks()
    async with transport(tmp_path, **SANDBOX) as connect, connect(extensions=[extension]) as client:
        result = await client.call_tool("generate_video", KITE)
        job = facts_of(result)
        assert (result.is_error, job["state"], job["sandbox"]) == (False, "completed", True)
        (created,) = extension.created
        assert created.task_id == job["request_id"]
        assert (created.status, created.poll_interval_ms) == ("working", 2000)
        assert created.ttl_ms is None or created.ttl_ms > 0
        assert created.created_at == job["created_at"]
        assert created.status_message.startswith("queued, 0 s")
        assert {task.task_id for task in extension.polls} == {job["request_id"]}
        ordinary = await client.call_tool("get_status", {"request_id": job["request_id"]})
        assert facts_of(ordinary)["video_url"] == job["video_url"]


async def test_failed_job_is_a_completed_task_with_the_error(transport: Transport, tmp_path: Path) -> None:
    async with transport(tmp_path, **SANDBOX) as connect, connect(extensions=[Tasks()]) as client:
        result = await client.call_tool("generate_video", {**KITE, "prompt": "a kite sandbox:fail"})
        assert not result.is_error  # as in get_status: a failed job is a normal result
        assert facts_of(result)["state"] == "failed"
        assert facts_of(result)["error"]["code"] in text_of(result)


async def test_cancelled_task_is_acknowledged_and_continues(transport: Transport, tmp_path: Path) -> None:
    acks: list[Ack] = []

    async def cancel(ctx: ClaimContext, created: Created) -> None:
        for method in ("tasks/cancel", "tasks/update"):
            request = TaskRequest(method=method, params=Params(task_id=created.task_id, input_responses={"x": {}}))
            acks.append(await ctx.session.send_request(request, Ack))

    extension = Tasks(cancel)
    async with transport(tmp_path, **SANDBOX) as connect, connect(extensions=[extension]) as client:
        result = await client.call_tool("generate_video", KITE)
        assert facts_of(result)["state"] == "completed"
        assert "Segmind cannot cancel a job; it goes on" in str((acks[0].meta or {})[tasks.NOTICE])
        again = await _request(client, "tasks/cancel", extension.created[0].task_id)
        assert tasks.NOTICE not in (again.meta or {})


async def test_task_finds_the_job_of_a_submission_whose_response_was_lost(transport: Transport, tmp_path: Path) -> None:
    extension = Tasks()
    async with transport(tmp_path, **SANDBOX) as connect, connect(extensions=[extension]) as client:
        result = await client.call_tool("generate_video", {**KITE, "prompt": "a kite sandbox:lost_answer"})
        assert facts_of(result)["state"] == "completed"
        (created,) = extension.created
        assert "/unconfirmed-" in created.task_id
        assert {task.task_id for task in extension.polls} == {created.task_id}
        assert "/unconfirmed-" not in facts_of(result)["request_id"]


async def test_call_without_a_new_job_is_answered_without_a_task(transport: Transport, tmp_path: Path) -> None:
    extension = Tasks()
    async with transport(tmp_path, **SANDBOX) as connect, connect(extensions=[extension]) as client:
        dry_run = await client.call_tool("generate_video", {**KITE, "dry_run": True})
        assert facts_of(dry_run)["state"] == "dry_run"
        refused = await client.call_tool("generate_video", {**KITE, "prompt": ""})
        assert refused.is_error
        without_credits = await client.call_tool("generate_video", {**KITE, "prompt": "a kite sandbox:no_credits"})
        assert facts_of(without_credits)["error"]["code"] == "insufficient_credits"
        assert extension.created == []
        await client.call_tool("generate_video", KITE)
        again = await client.call_tool("generate_video", KITE)
        assert facts_of(again)["duplicate"] is True
        assert len(extension.created) == 1


async def test_task_survives_a_server_restart(transport: Transport, tmp_path: Path) -> None:
    async with transport(tmp_path, **SANDBOX) as connect, connect(extensions=[Tasks()]) as client:
        task = await client.session.call_tool("generate_video", KITE, allow_claimed=True)
        assert isinstance(task, Created)
    async with transport(tmp_path, **SANDBOX) as connect, connect(extensions=[Tasks()]) as client:
        request = TaskRequest(method="tasks/get", params=Params(task_id=task.task_id))
        with anyio.fail_after(20):
            known = await client.session.send_request(request, Task)
            while known.status == "working":
                await anyio.sleep(0.5)
                known = await client.session.send_request(request, Task)
        assert known.result
        assert known.result["structuredContent"]["request_id"] == task.task_id


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_an_unknown_task_is_an_invalid_parameter(method: str, transport: Transport, tmp_path: Path) -> None:
    async with transport(tmp_path, **SANDBOX) as connect, connect(extensions=[Tasks()]) as client:
        for task_id in ("nonsense", "segmind/hailuo-02-fast/none-such", "nobody/nothing/x"):
            with pytest.raises(MCPError, match="Task not found") as refused:
                await _request(client, method, task_id)
            assert refused.value.code == INVALID_PARAMS


@pytest.mark.parametrize(
    ("era", "code"), [("auto", MISSING_REQUIRED_CLIENT_CAPABILITY), ("legacy", METHOD_NOT_FOUND)], ids=["new", "old"]
)
async def test_client_without_the_extension_gets_no_tasks(
    era: Era, code: int, transport: Transport, tmp_path: Path
) -> None:
    async with transport(tmp_path, **SANDBOX) as connect, connect(era) as client:
        submitted = facts_of(await client.call_tool("generate_video", KITE))
        assert submitted["state"] == "queued"
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            with pytest.raises(MCPError) as refused:
                await _request(client, method, submitted["request_id"])
            assert refused.value.code == code
