"""download_video: save a completed job's clip."""

from mcp_types import CallToolResult

from hailuo_mcp.mcp import texts, views
from hailuo_mcp.mcp.tools.base import Arguments, Call, RequestIdText, Tool, answer

ANSWER_SECONDS = 25.0
"""How long a call waits for the clip: some hosts end calls after 30 s. A larger clip is saved meanwhile."""


class DownloadVideo(Arguments):
    request_id: RequestIdText


async def download_video(arguments: DownloadVideo, call: Call) -> CallToolResult:
    async def report(received: int, total: int | None) -> None:
        await call.progress(received, total, views.megabytes(received, total))

    download = await call.session.download_within(arguments.request_id, ANSWER_SECONDS, report)
    job, path = download.job, download.path
    if path is None:
        unfinished = views.unfinished_download(download)
        return answer(unfinished, views.unfinished_download_text(unfinished), exclude_none=True)
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
