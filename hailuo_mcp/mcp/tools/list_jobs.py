"""list_jobs: the newest jobs, for an assistant that lost a request_id."""

from typing import Annotated

from mcp_types import CallToolResult
from pydantic import BeforeValidator, Field

from hailuo_mcp.core.job import State
from hailuo_mcp.mcp import texts, views
from hailuo_mcp.mcp.player import GALLERY_META, list_meta
from hailuo_mcp.mcp.tools.base import ACCEPT_STRINGS, Arguments, Call, Hint, Tool, answer

LIMIT, LIMIT_MAX = 10, 50


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class ListJobs(Arguments):
    state: Annotated[
        State | None,
        BeforeValidator(_lower),
        Field(description="Only this state."),
        Hint("Leave state out to see all jobs."),
    ] = None
    limit: Annotated[
        int,
        Field(strict=True, ge=1, le=LIMIT_MAX, description=f"How many (default {LIMIT})."),
        ACCEPT_STRINGS,
        Hint(f"Pass limit between 1 and {LIMIT_MAX}."),
    ] = LIMIT


async def list_jobs(arguments: ListJobs, call: Call) -> CallToolResult:
    session = call.session
    page = await session.jobs(arguments.state, arguments.limit)
    view = views.job_list(session.public_page(page))
    text = texts.job_list_text(view, page, sandbox=session.settings.in_sandbox)
    return answer(view, text, meta=list_meta(session, page.jobs))


TOOL = Tool(
    name="list_jobs",
    title="List jobs",
    description="Newest jobs first, with request_ids and what was spent.",
    arguments=ListJobs,
    result=views.JobList,
    run=list_jobs,
    read_only=True,
    open_world=False,
    meta=GALLERY_META,
)
