"""get_status: the state of a job, now or as soon as it ends."""

from typing import Annotated

import anyio
from mcp_types import CallToolResult
from pydantic import Field

from hailuo_mcp.core.job import Job, utc_now
from hailuo_mcp.mcp import texts, views
from hailuo_mcp.mcp.player import JOB_META, job_meta
from hailuo_mcp.mcp.tools.base import ACCEPT_STRINGS, Arguments, Call, Hint, Progress, RequestIdText, Tool, answer
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX


class GetStatus(Arguments):
    request_id: RequestIdText
    wait_seconds: Annotated[
        int,
        Field(strict=True, ge=0, le=WAIT_SECONDS_MAX, description="Wait up to this long for it to end (default 0)."),
        ACCEPT_STRINGS,
        Hint(f"Pass wait_seconds between 0 and {WAIT_SECONDS_MAX}."),
    ] = 0


class ThrottledProgress:
    """Reports a job's progress, at most once every `GAP_SECONDS`."""

    GAP_SECONDS = 2.0

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._next = float("-inf")

    async def __call__(self, job: Job) -> None:
        now = anyio.current_time()
        if now < self._next:
            return
        self._next = now + self.GAP_SECONDS
        elapsed, estimate = round(job.elapsed_seconds(utc_now()), 1), job.estimated_seconds
        total = estimate if estimate and estimate > elapsed else None
        await self._progress(elapsed, total, f"{job.state}, {elapsed:.0f} s")


async def get_status(arguments: GetStatus, call: Call) -> CallToolResult:
    wait_seconds = call.wait_limit.cap(arguments.wait_seconds)
    report = ThrottledProgress(call.progress) if wait_seconds and call.progress else None
    with call.wait_limit.track(str(arguments.request_id), wait_seconds):
        job = await call.session.status(
            arguments.request_id, wait_seconds, report, hold_seconds=call.wait_limit.hold_seconds(wait_seconds)
        )
    view = views.public_job_view(call.session, job, call.wait_limit.seconds)
    return answer(view, texts.job_text(view), meta=job_meta(call.session, job))


TOOL = Tool(
    name="get_status",
    title="Get a job's status",
    description="A job's state, and its clip once completed.",
    arguments=GetStatus,
    result=views.JobView,
    run=get_status,
    read_only=True,
    meta=JOB_META,
)
