"""download_video: save a completed job's clip."""

from mcp_types import CallToolResult

from hailuo_mcp.mcp import texts, views
from hailuo_mcp.mcp.tools.base import Arguments, Call, RequestIdText, Tool, answer


class DownloadVideo(Arguments):
    request_id: RequestIdText


async def download_video(arguments: DownloadVideo, call: Call) -> CallToolResult:
    job, path = await call.session.download(arguments.request_id)
    view = await views.download(call.session.public_view(job), path)
    return answer(view, texts.download_text(view), exclude_none=True)


TOOL = Tool(
    name="download_video",
    title="Save a clip",
    description="Save a completed job's clip and return its path.",
    arguments=DownloadVideo,
    result=views.Download,
    run=download_video,
    read_only=False,
)
