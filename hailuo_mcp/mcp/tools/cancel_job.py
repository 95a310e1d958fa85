"""cancel_job: cancel a job that is still queued, if its gateway supports it."""

from mcp_types import CallToolResult

from hailuo_mcp.mcp import views
from hailuo_mcp.mcp.tools.base import Arguments, Call, RequestIdText, Tool, answer


class CancelJob(Arguments):
    request_id: RequestIdText


async def cancel_job(arguments: CancelJob, call: Call) -> CallToolResult:
    job = await call.session.cancel(arguments.request_id)
    view = views.cancellation(call.session.public_view(job), wait_seconds=call.wait_limit.seconds)
    return answer(view, "\n".join([f"{view.request_id}: {view.state}.", *view.warnings, view.next_step]))


TOOL = Tool(
    name="cancel_job",
    title="Cancel a job",
    description="Cancel a queued job, if its gateway supports it; the result says whether it was.",
    arguments=CancelJob,
    result=views.Cancellation,
    run=cancel_job,
    read_only=False,
)
