"""The tools: their definitions, derived from the specs, and what each does with its arguments."""

import base64
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_types import CallToolResult, ImageContent, TextContent, Tool, ToolAnnotations
from pydantic import BaseModel

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.errors import HailuoError, InvalidInput
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.core.parameters import JsonSchema
from hailuo_mcp.core.text import repr_name, repr_short
from hailuo_mcp.mcp import model_views, views
from hailuo_mcp.mcp.model_schema import inputs_sentence, merged_properties
from hailuo_mcp.mcp.player import tool_meta
from hailuo_mcp.mcp.resources import video_link
from hailuo_mcp.media.frames import poster
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX
from hailuo_mcp.service.session import Session
from hailuo_mcp.telemetry import annotate_span

Arguments = Mapping[str, Any]
Progress = Callable[[float, float | None, str], Awaitable[None]]
LIST_LIMIT, LIST_LIMIT_MAX = 10, 50
NAMED_MAX = 5
"""How many unknown arguments a refusal repeats."""
DIGITS_MAX = 20
"""A number in a string is no longer than this: Python refuses to read the longest."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool: its arguments, and where progress is told."""

    session: Session
    arguments: Arguments
    progress: Progress


Handler = Callable[[Call], Awaitable[CallToolResult]]


def definitions(catalog: Catalog) -> list[Tool]:
    """What `tools/list` answers. The parameters of generate_video are those of the usable models."""
    request_id: JsonSchema = {"type": "string", "description": "As generate_video returned it."}
    return [
        Tool(
            name="generate_video",
            title="Generate a video",
            description=(
                "Submit one video job; costs money, returns in seconds with a request_id, never waits for the clip. "
                "Then call get_status. Never submit again because of a slow or unclear answer."
            ),
            input_schema=_object(
                {
                    "model": _model_property(catalog),
                    **merged_properties(catalog),
                    "dry_run": {
                        "type": "boolean",
                        "description": "Only validate; return the request and price, send nothing.",
                    },
                    "force_new": {"type": "boolean", "description": "Submit although an identical recent job exists."},
                },
                required=["prompt"],
            ),
            output_schema=views.output_schema(views.JobView),
            annotations=_annotations(read_only=False, idempotent=False),
            _meta=tool_meta(),
        ),
        Tool(
            name="get_status",
            title="Get a job's status",
            description="How a job stands, and its clip once completed. A failed job is an ordinary answer.",
            input_schema=_object(
                {
                    "request_id": request_id,
                    "wait_seconds": {
                        "type": "integer",
                        "minimum": 0,
                        "maximum": WAIT_SECONDS_MAX,
                        "description": "Hold the answer until the job ends or this time is up (default 0).",
                    },
                },
                required=["request_id"],
            ),
            output_schema=views.output_schema(views.JobView),
            annotations=_annotations(read_only=True),
            _meta=tool_meta(),
        ),
        Tool(
            name="list_models",
            title="List models",
            description="The usable models with prices and times; with `model`, its full schema and rules.",
            input_schema=_object({"model": {"type": "string", "description": "One model id."}}),
            output_schema=views.output_schema(views.ModelList),
            annotations=_annotations(read_only=True, open_world=False),
        ),
        Tool(
            name="list_jobs",
            title="List jobs",
            description="Recent jobs, newest first: finds a lost request_id, and what was spent.",
            input_schema=_object(
                {
                    "state": {
                        "type": "string",
                        "enum": [s.value for s in State],
                        "description": "Only jobs in this state.",
                    },
                    "limit": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": LIST_LIMIT_MAX,
                        "description": f"How many (default {LIST_LIMIT}).",
                    },
                }
            ),
            output_schema=views.output_schema(views.JobList),
            annotations=_annotations(read_only=True, open_world=False),
        ),
        Tool(
            name="download_video",
            title="Save a clip",
            description="Save a completed job's clip in the output directory and return its path.",
            input_schema=_object({"request_id": request_id}, required=["request_id"]),
            output_schema=views.output_schema(views.Download),
            annotations=_annotations(read_only=False),
        ),
    ]


async def call(name: str, call: Call) -> CallToolResult:
    """Run a tool. Every error that it knows becomes a tool error; nothing else is caught here.

    Raises:
        KeyError: there is no such tool.
    """
    handler = HANDLERS[name]
    try:
        answer = await handler(call)
    except HailuoError as error:
        answer = failed(call.session.redact(error))
    _mark(answer.structured_content or {})
    return answer


def _mark(answered: Mapping[str, Any]) -> None:
    """Let the call's span say which job it was about, and what went wrong."""
    problem: Mapping[str, Any] = answered.get("error") or {}
    said = {
        "request_id": answered.get("request_id") or problem.get("request_id"),
        "model": answered.get("model"),
        "state": answered.get("state"),
        "problem": problem.get("code"),
    }
    annotate_span({f"hailuo_mcp.{name}": value for name, value in said.items() if isinstance(value, str)})


def failed(error: HailuoError) -> CallToolResult:
    """The one place where an error becomes a result."""
    text = views.error_text(error.problem) + (f" request_id: {error.request_id}" if error.request_id else "")
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content={"error": views.error_view(error)},
        is_error=True,
    )


async def _generate_video(call: Call) -> CallToolResult:
    arguments = dict(call.arguments)
    dry_run = _flag(arguments, "dry_run")
    force_new = _flag(arguments, "force_new")
    submitted = await call.session.generate(arguments, dry_run=dry_run, force_new=force_new)
    view = (
        views.dry_run_view(submitted)
        if dry_run
        else views.job_view(call.session.public_view(submitted.job), duplicate=submitted.duplicate)
    )
    return _answer(view, views.job_text(view))


async def _get_status(call: Call) -> CallToolResult:
    _only(call.arguments, "request_id", "wait_seconds")
    wait = _whole(call.arguments, "wait_seconds", 0, 0, WAIT_SECONDS_MAX)

    async def report(job: Job) -> None:
        view = views.job_view(job)
        total = (
            job.estimated_seconds if job.estimated_seconds and job.estimated_seconds > view.elapsed_seconds else None
        )
        await call.progress(view.elapsed_seconds, total, f"{job.state}, {view.elapsed_seconds:.0f} s")

    job = await call.session.status(_request_id(call.arguments), wait, report)
    view = views.job_view(call.session.public_view(job))
    return await _with_link(_answer(view, views.job_text(view)), job)


async def _list_models(call: Call) -> CallToolResult:
    _only(call.arguments, "model")
    catalog = call.session.catalog
    wanted = call.arguments.get("model")
    model = None if wanted is None else catalog.model(wanted)
    view = model_views.model_list(catalog, call.session.settings.in_sandbox, model)
    return _answer(view, model_views.model_list_text(view, catalog))


async def _list_jobs(call: Call) -> CallToolResult:
    _only(call.arguments, "state", "limit")
    state = call.arguments.get("state")
    states = [s.value for s in State]
    if state is not None and (not isinstance(state, str) or state.lower() not in states):
        raise InvalidInput(
            f"state must be one of {', '.join(states)}, got {repr_short(state)}.", "Leave state out to see all jobs."
        )
    page = await call.session.jobs(
        State(state.lower()) if state else None, _whole(call.arguments, "limit", LIST_LIMIT, 1, LIST_LIMIT_MAX)
    )
    view = views.job_list(call.session.shown_page(page))
    return _answer(view, views.job_list_text(view, page, sandbox=call.session.settings.in_sandbox))


async def _download_video(call: Call) -> CallToolResult:
    _only(call.arguments, "request_id")
    job, path = await call.session.download(_request_id(call.arguments))
    view = await views.download(call.session.public_view(job), path)
    where = f"Saved at {view.video_path}" if view.video_path else f"Saved; it is at {view.video_url}"
    answer = _answer(view, f"{where} ({view.bytes / 1e6:.1f} MB).", exclude_none=True)
    if still := await poster(path):
        answer.content.append(ImageContent(type="image", data=base64.b64encode(still).decode(), mime_type="image/png"))
    return await _with_link(answer, job)


async def _with_link(answer: CallToolResult, job: Job) -> CallToolResult:
    """The answer with a link to the saved clip's resource, where there is one."""
    if link := await video_link(job):
        answer.content.append(link)
    return answer


HANDLERS: Mapping[str, Handler] = {
    "generate_video": _generate_video,
    "get_status": _get_status,
    "list_models": _list_models,
    "list_jobs": _list_jobs,
    "download_video": _download_video,
}


def _answer(view: BaseModel, text: str, *, exclude_none: bool = False) -> CallToolResult:
    facts = view.model_dump(mode="json", exclude_none=exclude_none)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=facts, is_error=False)


def _object(properties: JsonSchema, required: list[str] | None = None) -> JsonSchema:
    schema: JsonSchema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _model_property(catalog: Catalog) -> JsonSchema:
    schema: JsonSchema = {"type": "string", "description": "Default: the cheapest that fits. list_models tells more."}
    if catalog.usable:
        schema["enum"] = [model.id for model in catalog.usable]
        schema["description"] = f"Default: the cheapest that fits. {inputs_sentence(catalog)}"
    return schema


def _annotations(*, read_only: bool, idempotent: bool = True, open_world: bool = True) -> ToolAnnotations:
    return ToolAnnotations(
        read_only_hint=read_only, destructive_hint=False, idempotent_hint=idempotent, open_world_hint=open_world
    )


def _only(arguments: Arguments, *names: str) -> None:
    if extra := [name for name in arguments if name not in names]:
        unknown = ", ".join(repr_name(name) for name in extra[:NAMED_MAX])
        missing = " request_id is missing." if "request_id" in names and "request_id" not in arguments else ""
        raise InvalidInput(f"There is no argument {unknown}.{missing}", f"This tool takes {', '.join(names)}.")


def _request_id(arguments: Arguments) -> object:
    if "request_id" not in arguments:
        raise InvalidInput(
            "request_id is missing.", "Pass the request_id of generate_video; list_jobs shows recent ones."
        )
    return arguments["request_id"]


def _flag(arguments: dict[str, Any], name: str) -> bool:
    value = arguments.pop(name, False)
    if not isinstance(value, bool):
        raise InvalidInput(
            f"{name} must be true or false, got {repr_short(value)}.", f"Pass {name} as true or false, or leave it out."
        )
    return value


def _whole(arguments: Arguments, name: str, default: int, least: int, most: int) -> int:
    """A whole number; models send numbers as strings, and these are taken."""
    value = arguments.get(name, default)
    number = value
    if isinstance(value, str) and re.fullmatch(rf"\s*[0-9]{{1,{DIGITS_MAX}}}\s*", value):
        number = int(value)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise InvalidInput(
            f"{name} must be a whole number from {least} to {most}, got {repr_short(value)}.",
            f"Pass {name} between {least} and {most}.",
        )
    return number
