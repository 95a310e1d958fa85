"""download_video: save a completed job's clip."""

from base64 import b64encode

from mcp_types import CallToolResult, ImageContent

from hailuo_mcp.mcp import views
from hailuo_mcp.mcp.tools.base import Arguments, Call, RequestIdText, Tool, answer, with_video_link
from hailuo_mcp.media.frames import poster


class DownloadVideo(Arguments):
    request_id: RequestIdText


async def download_video(arguments: DownloadVideo, call: Call) -> CallToolResult:
    job, path = await call.session.download(arguments.request_id)
    view = await views.download(call.session.public_view(job), path)
    where = f"Saved at {view.video_path}" if view.video_path else f"Saved; it is at {view.video_url}"
    result = answer(view, f"{where} ({view.bytes / 1e6:.1f} MB).", exclude_none=True)
    if png := await poster(path):
        result.content.append(ImageContent(type="image", data=b64encode(png).decode(), mime_type="image/png"))
    return await with_video_link(result, job)


TOOL = Tool(
    name="download_video",
    title="Save a clip",
    description="Save a completed job's clip and return its path.",
    arguments=DownloadVideo,
    result=views.Download,
    run=download_video,
    read_only=False,
)
