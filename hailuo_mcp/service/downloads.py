"""A finished clip for one caller: its file, the progress of saving it, or why there is none."""

import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import anyio

from hailuo_mcp.core.errors import Expired, HailuoError, NotReady
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.service.access import Access
from hailuo_mcp.service.background import background_tasks
from hailuo_mcp.service.clip_saver import can_be_saved
from hailuo_mcp.service.follower import poll_if_due

log = logging.getLogger(__name__)

DownloadReport = Callable[[int, int | None], Awaitable[None]]
"""Called with the bytes received, and the total if known."""

SAVE_GRACE_SECONDS = 8.0
"""How long a status call waits for the clip to be saved; a larger clip is saved in the background."""
SAVE_GRACE_SECONDS_MIN = 0.3
"""The same for a caller whose waiting time is used up."""
DOWNLOAD_REPORT_EVERY = 2.0


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far saving a clip got."""

    job: Job
    path: Path | None
    """The path of the complete clip; None while it is being downloaded."""
    received: int = 0
    """Bytes received of an incomplete clip. `total` is in bytes too; None if unknown."""
    total: int | None = None


async def save_clip(access: Access, job: Job) -> tuple[Job, Path]:
    """The finished clip's file in the output directory, fetched if it is not there yet.

    Raises:
        NotReady, Expired, HailuoError: there is no clip to save, or it could not be saved; the job is untouched.
    """
    job = await poll_if_due(access, job)
    if job.state is State.EXPIRED:
        raise Expired(f"{job.request_id} has expired at the gateway.", request_id=job.request_id)
    if job.state is not State.COMPLETED or not job.has_clip:
        raise without_clip(job)
    job = await access.services.poller.save(job, access.caller)
    return job, Path(job.video_path or "")


async def save_reporting(access: Access, job: Job, report: DownloadReport | None) -> DownloadProgress:
    """As `save_clip`; progress is reported meanwhile."""
    async with background_tasks() as tasks:
        if report:
            tasks.start_soon(_report_progress, access, job, report)
        job, path = await save_clip(access, job)
    return DownloadProgress(job, path)


def progress_of(access: Access, job: Job) -> DownloadProgress:
    """How far saving this clip has got."""
    clip = access.services.clips.progress(job.id)
    return DownloadProgress(job, None, clip.received, clip.total) if clip else DownloadProgress(job, None)


async def _report_progress(access: Access, job: Job, report: DownloadReport) -> None:
    """Report until cancelled. If a report fails, the caller still gets the result."""
    reported = 0
    try:
        while True:
            now = progress_of(access, job)
            if now.received > reported:
                reported = now.received
                await report(now.received, now.total)
            await anyio.sleep(DOWNLOAD_REPORT_EVERY)
    except Exception as error:
        log.debug("progress could not be reported: %s", type(error).__name__)


async def with_clip(access: Access, job: Job, seconds: float = math.inf) -> Job:
    """A completed job, with its clip saved if that is wanted; a long save continues in the background."""
    if not access.settings.auto_download or not can_be_saved(job):
        return job
    with anyio.move_on_after(min(SAVE_GRACE_SECONDS, max(seconds, SAVE_GRACE_SECONDS_MIN))):
        try:
            return await access.services.poller.save(job, access.caller)
        except HailuoError as error:
            log.warning("%s could not be saved: %s", job.request_id, error.problem.code)
            problem = access.caller.redact(error).problem
            return job.warned(f"The clip is not saved yet: {problem.message} {problem.hint}")
    return job.warned("The clip is still being saved; the next get_status has its path.")


def without_clip(job: Job) -> NotReady:
    """Why a job has no clip, or none yet."""
    if not job.state.ended_without_clip:
        return NotReady(f"{job.request_id} is {job.state}; it has no clip yet.", request_id=job.request_id)
    how = "was cancelled" if job.state is State.CANCELLED else "failed"
    message = f"{job.request_id} {how}; it has no clip."
    return NotReady(message, "Call get_status to see why.", safe_to_retry=False, request_id=job.request_id)
