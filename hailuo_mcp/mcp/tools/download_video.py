"""download_video: save a completed job's clip."""

from base64 import b64encode
from functools import partial
from typing import Annotated

from mcp_types import CallToolResult, ImageContent
from pydantic import Field

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.parameters import Flag
from hailuo_mcp.mcp import texts, views
from hailuo_mcp.mcp.tools.base import Arguments, Call, Progress, RequestIdText, Tool, answer
from hailuo_mcp.media.contact_sheet import MEDIA_TYPE, contact_sheet

ANSWER_SECONDS = 25.0
"""How long a call waits for the clip: some hosts end calls after 30 s. The download continues in the background."""


class DownloadVideo(Arguments):
    request_id: RequestIdText
    preview: Annotated[Flag, Field(description="Also return four frames as one image.")] = False


async def download_video(arguments: DownloadVideo, call: Call) -> CallToolResult:
    report = partial(_report, call.progress) if call.progress else None
    download = await call.session.download_within(arguments.request_id, ANSWER_SECONDS, report)
    job, path = download.job, download.path
    if path is None:
        unfinished = views.unfinished_download(download)
        return answer(unfinished, texts.unfinished_download_text(unfinished), exclude_none=True)
    view = await views.download(call.session.public_view(job), path)
    saved = texts.saved_text(view)
    result = answer(view, f"{saved}\nrequest_id: {view.request_id}", exclude_none=True)
    if arguments.preview:
        # Only on request: many frameworks fail on an image, or send it to a model that cannot see it.
        try:
            sheet = await contact_sheet(path)
        except HailuoError as error:
            error.problem = error.problem.model_copy(update={"message": f"{saved} {error.problem.message}"})
            raise
        result.content.append(ImageContent(type="image", data=b64encode(sheet).decode(), mime_type=MEDIA_TYPE))
    return result


async def _report(progress: Progress, received: int, total: int | None) -> None:
    await progress(received, total, texts.megabytes(received, total))


TOOL = Tool(
    name="download_video",
    title="Save a clip",
    description="Save a completed job's clip and return its path.",
    arguments=DownloadVideo,
    result=views.Download,
    run=download_video,
    read_only=False,
)
