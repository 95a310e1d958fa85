"""The structured content of results: jobs, models and errors as plain facts, and one sentence on what to do next."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import anyio
from pydantic import BaseModel, ConfigDict

from hailuo_mcp.core.errors import HailuoError, Problem
from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.ledger import JobPage
from hailuo_mcp.media.clips import MEDIA_TYPE
from hailuo_mcp.service.downloads import DownloadProgress
from hailuo_mcp.service.image_uploads import UploadNeeded
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX
from hailuo_mcp.service.poll_policy import POLICY
from hailuo_mcp.service.session import Session, Submitted


class View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class JobView(View):
    """The job in the results of generate_video and get_status."""

    request_id: str | None
    model: str
    state: Literal["queued", "processing", "completed", "failed", "expired", "cancelled", "unconfirmed", "dry_run"]
    created_at: str
    updated_at: str
    elapsed_seconds: float
    estimated_seconds: float | None
    poll_after_seconds: int | None
    video_url: str | None
    video_path: str | None
    expires_at: str | None
    error: Problem | None
    estimated_cost_usd: float | None
    cost_usd: float | None
    warnings: list[str]
    parameters: dict[str, Any]
    duplicate: bool
    sandbox: bool
    next_step: str
    request: dict[str, Any] | None


class JobRow(View):
    request_id: str
    model: str
    state: str
    created_at: str
    prompt: str
    video_url: str | None
    video_path: str | None
    expires_at: str | None


class JobList(View):
    jobs: list[JobRow]
    total: int
    spent_usd: float


class Cancellation(View):
    request_id: str
    state: str
    cancelled: bool
    warnings: list[str]
    next_step: str


class Download(View):
    request_id: str
    video_path: str | None
    video_url: str | None
    """Instead of the path, for callers on other machines."""
    bytes: int
    """The size; while the clip is not complete, the number received so far."""
    total: int | None
    media_type: str
    next_step: str


class ModelList(View):
    models: list[dict[str, Any]]
    """Each with the `balance` of its gateway's account, if known."""
    default_model: str | None
    best_for: dict[str, list[str]]
    """Compares all usable models; empty if one model is shown."""
    sold_by: dict[str, list[dict[str, Any]]]
    """Model name to its offers at the gateways, cheapest first; empty if one model is shown."""
    sandbox: bool


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def is_reachable(link: str) -> bool:
    """Whether the link can be opened: those of the in-process sandbox have a host in `.invalid`, which never resolves
    (RFC 2606)."""
    return not (urlsplit(link).hostname or "").endswith(".invalid")


def _expiry(job: Job) -> str | None:
    """When the link expires; None while there is no link."""
    return timestamp(job.expires_at) if job.expires_at and job.video_url else None


def job_view(
    job: Job, *, duplicate: bool = False, wait_seconds: int = WAIT_SECONDS_MAX, held_back: float = 0.0
) -> JobView:
    """The view of a job. `wait_seconds` is the wait that `next_step` advises. `held_back` is the number of seconds for
    which our rate limit delays the next poll: calling sooner returns nothing new."""
    now = utc_now()
    is_over = job.is_final or POLICY.link_is_given_up(job, now)
    return JobView(
        request_id=job.request_id,
        model=job.model,
        state=job.state.value,
        created_at=timestamp(job.created_at),
        updated_at=timestamp(job.updated_at),
        elapsed_seconds=round(job.elapsed_seconds(now), 1),
        estimated_seconds=job.estimated_seconds,
        poll_after_seconds=None if is_over else math.ceil(max(POLICY.come_back_after(job, now), held_back)),
        video_url=job.video_url,
        video_path=job.video_path,
        expires_at=_expiry(job),
        error=job.error,
        estimated_cost_usd=_usd(job.estimated_cost_usd),
        cost_usd=_usd(job.cost_usd),
        warnings=list(job.warnings),
        parameters=dict(job.parameters),
        duplicate=duplicate,
        sandbox=job.sandbox,
        next_step=next_step(job, wait_seconds),
        request=None,
    )


def public_job_view(session: Session, job: Job, wait_seconds: int, *, duplicate: bool = False) -> JobView:
    """The view of a job as the session's caller may see it."""
    return job_view(
        session.public_view(job), duplicate=duplicate, wait_seconds=wait_seconds, held_back=session.held_back(job)
    )


def _usd(amount: float | None) -> float | None:
    """Rounded to a millionth, to remove floating-point noise."""
    return None if amount is None else round(amount, 6)


def dry_run_view(submitted: Submitted) -> JobView:
    view = job_view(submitted.job)
    return view.model_copy(
        update={
            "request_id": None,
            "state": "dry_run",
            "elapsed_seconds": 0.0,
            "poll_after_seconds": None,
            "error": None,
            "request": submitted.request.public() if submitted.request else None,
            "next_step": "Nothing was sent. Call generate_video with the same arguments without dry_run to submit.",
        }
    )


def next_step(job: Job, wait_seconds: int) -> str:
    """One sentence: what to call next."""
    ask = f'Call get_status with request_id "{job.request_id}"'
    match job.state:
        case State.COMPLETED if job.video_path:
            return f"The clip is saved at {job.video_path}; tell the user where it is."
        case State.COMPLETED if job.video_url:
            until = f" before {timestamp(job.expires_at)}" if job.expires_at else " soon, before it expires"
            save = f'all download_video with request_id "{job.request_id}"{until}.'
            return f"Give the user video_url, or c{save}" if is_reachable(job.video_url) else f"C{save}"
        case State.COMPLETED if POLICY.link_is_given_up(job, utc_now()):
            minutes = POLICY.linkless_for.total_seconds() / 60
            return (
                f"The gateway completed the job but has given no link for {minutes:.0f} minutes. Tell the user to ask "
                f'its support for the clip of job "{job.remote_id}", which is paid for. {ask} later to check again.'
            )
        case State.COMPLETED:
            return f"{ask} again; the link is not available yet."
        case State.FAILED | State.EXPIRED:
            return job.error.hint if job.error else "Call generate_video to submit a new job."
        case State.CANCELLED:
            return "The job was cancelled before it started; generate_video submits a new one."
        case State.UNCONFIRMED:
            return f"{ask} in a moment; do not submit again: this job may already be charged."
        case _:
            return f"{ask} and wait_seconds {wait_seconds}; repeat until it ends."


def error_view(error: HailuoError) -> dict[str, Any]:
    facts = {**error.problem.model_dump(), **({"request_id": error.request_id} if error.request_id else {})}
    return {**facts, "uploads": [link.facts() for link in error.links]} if isinstance(error, UploadNeeded) else facts


def job_list(page: JobPage) -> JobList:
    rows = [
        JobRow(
            request_id=job.request_id,
            model=job.model,
            state=job.state.value,
            created_at=timestamp(job.created_at),
            prompt=job.excerpt,
            video_url=job.video_url,
            video_path=job.video_path,
            expires_at=_expiry(job),
        )
        for job in page.jobs
    ]
    return JobList(jobs=rows, total=page.total, spent_usd=round(page.spent_usd, 4))


def cancellation(job: Job, *, wait_seconds: int = WAIT_SECONDS_MAX) -> Cancellation:
    return Cancellation(
        request_id=job.request_id,
        state=job.state.value,
        cancelled=job.state is State.CANCELLED,
        warnings=list(job.warnings),
        next_step=next_step(job, wait_seconds),
    )


async def download(job: Job, path: Path) -> Download:
    status = await anyio.Path(path).stat()
    return Download(
        request_id=job.request_id,
        video_path=job.video_path,
        video_url=None if job.video_path else job.video_url,
        bytes=status.st_size,
        total=status.st_size,
        media_type=MEDIA_TYPE,
        next_step="Tell the user where the clip is.",
    )


def unfinished_download(download: DownloadProgress) -> Download:
    request_id = download.job.request_id
    return Download(
        request_id=request_id,
        video_path=None,
        video_url=None,
        bytes=download.received,
        total=download.total,
        media_type=MEDIA_TYPE,
        next_step=f'Call download_video again with request_id "{request_id}"; the download continues meanwhile.',
    )
