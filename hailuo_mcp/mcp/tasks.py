"""The tasks extension (`io.modelcontextprotocol/tasks`, SEP-2663): `generate_video` as a task, for clients that declare
the extension on the call.

A task is a job, and its id is the request id: no state is kept outside the ledger, so a task survives a restart. Other
clients, and all older protocol versions, get the ordinary result.
"""

import logging
from collections.abc import Mapping
from typing import Any

from mcp.server.context import HandlerResult
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    CallToolResult,
    ClientCapabilities,
    MissingRequiredClientCapabilityErrorData,
    RequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ConfigDict

from hailuo_mcp.core.errors import CallerError, HailuoError
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.mcp import texts, views
from hailuo_mcp.mcp.errors import Context, SessionFor, error_boundary, sanitize_errors
from hailuo_mcp.mcp.tools.base import answer
from hailuo_mcp.service.session import Session

log = logging.getLogger(__name__)

EXTENSION = "io.modelcontextprotocol/tasks"
NOTICE = "hailuo-mcp/notice"
"""Key in the `_meta` of an acknowledgement; its value is a sentence."""

Wire = dict[str, Any]


class TaskParams(RequestParams):
    """The parameters of tasks/get and tasks/cancel."""

    model_config = ConfigDict(defer_build=True)  # start-up time: few clients know tasks

    task_id: str


class UpdateParams(TaskParams):
    """The parameters of tasks/update. No task of ours ever asks for input, so all responses are ignored."""

    input_responses: Mapping[str, Any] = {}


def add_tasks(server: Server[Any], session_for: SessionFor) -> None:
    """Serve the extension on a server that already has `tools/call`."""
    ordinary = server.get_request_handler("tools/call")
    if ordinary is None:
        raise ValueError("tasks are tool calls: the server needs tools/call first")

    async def call_tool(ctx: Context, params: CallToolRequestParams) -> HandlerResult:
        result = await ordinary.handler(ctx, params)
        if params.name != "generate_video" or not isinstance(result, CallToolResult) or not is_declared(ctx):
            return result
        session = session_for(ctx)
        job = await _new_job(session, result)
        return {**_task(session, job, job.request_id), "resultType": "task"} if job else result

    async def get(ctx: Context, params: TaskParams) -> Wire:
        require(ctx)
        session = session_for(ctx)
        with error_boundary(session, message=_message_of):
            try:
                job = await session.status(params.task_id)
            except CallerError:
                raise
            except HailuoError as error:
                job = await _from_ledger(session, params.task_id)
                if job is None:
                    raise
                # A failed poll does not end a job: the client continues to poll, and sees why nothing is new.
                warning = texts.error_text(session.redact(error).problem)
                return _task(session, job.warned(warning), params.task_id)
        return _task(session, job, params.task_id, may_change=session.may_change(job))

    async def update(ctx: Context, params: UpdateParams) -> Wire:
        await _known(ctx, session_for(ctx), params.task_id)
        return {}

    async def cancel(ctx: Context, params: TaskParams) -> Wire:
        session = session_for(ctx)
        job = await _known(ctx, session, params.task_id)
        if job.is_final:
            return {}
        with error_boundary(session, message=_message_of):
            job = await session.cancel(params.task_id)
        if job.state.is_terminal:
            return {}
        return {"_meta": {NOTICE: f"{job.warnings[-1]} Continue to poll it with tasks/get."}}

    server.extensions[EXTENSION] = {}
    server.add_request_handler("tools/call", CallToolRequestParams, call_tool)
    server.add_request_handler("tasks/get", TaskParams, sanitize_errors("tasks/get", get))
    server.add_request_handler("tasks/update", UpdateParams, sanitize_errors("tasks/update", update))
    server.add_request_handler("tasks/cancel", TaskParams, sanitize_errors("tasks/cancel", cancel))


def is_declared(ctx: Context) -> bool:
    """Whether this request declares the extension; only the stateless protocol can."""
    capabilities = ctx.session.client_capabilities
    declared = (capabilities.extensions if capabilities else None) or {}
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and EXTENSION in declared


def require(ctx: Context) -> None:
    """Check that this request may use the extension.

    Raises:
        MCPError: the method does not exist in this protocol version, or the request does not declare the extension.
    """
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        raise MCPError(METHOD_NOT_FOUND, "Method not found")
    if not is_declared(ctx):
        missing = MissingRequiredClientCapabilityErrorData(
            required_capabilities=ClientCapabilities(extensions={EXTENSION: {}})
        )
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            f"This needs the client capability {EXTENSION}",
            missing.model_dump(by_alias=True, mode="json", exclude_none=True),
        )


async def _new_job(session: Session, result: CallToolResult) -> Job | None:
    """The job that this call submitted, if there is something to wait for. None for an error, a dry run, an earlier
    job, one that the ledger could not record, and one whose state can no longer change."""
    facts: Mapping[str, Any] = result.structured_content or {}
    if result.is_error or facts.get("duplicate") or not facts.get("request_id"):
        return None
    job = await _from_ledger(session, facts["request_id"])
    return job.warned(*facts.get("warnings", ())) if job and session.may_change(job) else None


async def _from_ledger(session: Session, request_id: str) -> Job | None:
    """The job from the ledger; None if it does not exist or the ledger cannot be read."""
    try:
        return await session.known(request_id)
    except HailuoError as error:
        log.warning("a task could not be read: %s", error.problem.code)
        return None


async def _known(ctx: Context, session: Session, task_id: str) -> Job:
    require(ctx)
    with error_boundary(session, message=_message_of):
        job = await session.known(task_id)
    if job is None:
        raise MCPError(INVALID_PARAMS, "Task not found")
    return job


def _message_of(error: HailuoError) -> str:
    if isinstance(error, CallerError):
        return f"Task not found: {error.problem.message}"
    return texts.error_text(error.problem)


def _task(session: Session, job: Job, task_id: str, *, may_change: bool = True) -> Wire:
    """The job as a task, under the id that the client used: once an unconfirmed job is found, it has a second id, and
    both are valid.

    The status `failed` is reserved for protocol errors. A failed job is a completed task whose result has the error; a
    job whose state can no longer change is also completed, with its last known state.
    """
    public = session.public_view(job)
    view = views.job_view(public, held_back=session.held_back(job))
    task: Wire = {
        "taskId": task_id,
        "status": "working",
        "statusMessage": _status_message(view),
        "createdAt": view.created_at,
        "lastUpdatedAt": view.updated_at,
        "ttlMs": _ttl_ms(public),
    }
    if may_change and not job.is_final:
        return {**task, "pollIntervalMs": (view.poll_after_seconds or 1) * 1000}
    if job.state is State.CANCELLED:
        return {**task, "status": "cancelled", "statusMessage": view.next_step}
    result = answer(view, texts.job_text(view))
    return {
        **task,
        "status": "completed",
        "statusMessage": job.state.value,
        "result": result.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def _status_message(view: views.JobView) -> str:
    estimate = f" of about {view.estimated_seconds:.0f} s" if view.estimated_seconds else ""
    return " ".join([f"{view.state}, {view.elapsed_seconds:.0f} s{estimate}.", *view.warnings])


def _ttl_ms(job: Job) -> int | None:
    """How long the gateway keeps the result, counted from the job's creation; None if it does not say."""
    return int((job.expires_at - job.created_at).total_seconds() * 1000) if job.expires_at else None
