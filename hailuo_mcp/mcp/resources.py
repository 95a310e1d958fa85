"""The resources: models, jobs, saved clips and posters by URI.

According to the templates, an id is percent-encoded as one segment, but clients also send ids unencoded. Both work: an
id is decoded once.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import anyio.to_thread
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    BlobResourceContents,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)
from pydantic import BaseModel

from hailuo_mcp.core.errors import Expired, HailuoError, NotReady, UnknownRequest
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.core.text import repr_short
from hailuo_mcp.mcp import model_views, views
from hailuo_mcp.mcp.errors import error_boundary
from hailuo_mcp.media import posters
from hailuo_mcp.media.clips import MEDIA_TYPE
from hailuo_mcp.service.downloads import without_clip
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX
from hailuo_mcp.service.session import Session

SCHEME = "hailuo://"
MODELS, JOBS, VIDEOS, POSTERS = f"{SCHEME}models", f"{SCHEME}jobs", f"{SCHEME}videos", f"{SCHEME}posters"
MODEL_TEMPLATE, JOB_TEMPLATE, VIDEO_TEMPLATE, POSTER_TEMPLATE = (
    f"{MODELS}/{{model}}",
    f"{JOBS}/{{request_id}}",
    f"{VIDEOS}/{{request_id}}",
    f"{POSTERS}/{{request_id}}",
)
JSON = "application/json"
VIDEO_MB_MAX = 25
"""Larger clips are not sent in a message, where base64 adds a third to their size."""
JOBS_MAX = 50
MODELS_TTL_MS, FILE_TTL_MS = 60_000, 3_600_000
"""How long a client may cache a result: after a restart there may be other models. Jobs may change at any time."""


def listed() -> list[Resource]:
    """The resources of `resources/list`: always the same two. Single models and jobs are found through templates."""
    models = "The usable models with prices, times and parameters, as in list_models."
    jobs = f"The newest {JOBS_MAX} jobs and the amount spent, as in list_jobs."
    return [
        Resource(uri=MODELS, name="models", title="Models", description=models, mime_type=JSON),
        Resource(uri=JOBS, name="jobs", title="Jobs", description=jobs, mime_type=JSON),
    ]


def templates() -> list[ResourceTemplate]:
    """The templates of `resources/templates/list`."""
    model = "A model's full parameter schema, its constraints with their sources, prices and times."
    video = f"The MP4 of a job whose clip is saved, up to {VIDEO_MB_MAX} MB; download_video saves it."
    found = (
        (MODEL_TEMPLATE, "model", "One model", model, JSON),
        (JOB_TEMPLATE, "job", "One job", "A job's current state, as in get_status without waiting.", JSON),
        (VIDEO_TEMPLATE, "video", "A saved clip", video, MEDIA_TYPE),
        (
            POSTER_TEMPLATE,
            "poster",
            "A job's first frame",
            "A small JPEG of the first frame of a job's clip, for views.",
            posters.MEDIA_TYPE,
        ),
    )
    return [
        ResourceTemplate(uri_template=uri, name=name, title=title, description=description, mime_type=kind)
        for uri, name, title, description, kind in found
    ]


async def read(session: Session, uri: str, wait_seconds: int = WAIT_SECONDS_MAX) -> ReadResourceResult:
    """The resource at this URI. A job's `next_step` advises `wait_seconds`.

    Raises:
        MCPError: INVALID_PARAMS: there is no such resource; INTERNAL_ERROR: it cannot be read. `data` has the URI.
    """
    kind, slash, encoded = uri.removeprefix(SCHEME).partition("/") if uri.startswith(SCHEME) else ("", "", "")
    with error_boundary(session, uri=uri):
        match kind, slash:
            case "models", "":
                models = model_views.model_list(session.catalog, session.settings.in_sandbox)
                return _cacheable(session, _json(uri, models))
            case "models", "/":
                model = session.catalog.model(_decoded(encoded))
                return _cacheable(session, _json(uri, model_views.model_details(model, session.catalog.gateway(model))))
            case "jobs", "":
                return _json(uri, views.job_list(session.public_page(await session.jobs(limit=JOBS_MAX))))
            case "jobs", "/":
                job = await session.status(_decoded(encoded))
                return _json(uri, views.public_job_view(session, job, wait_seconds))
            case "videos", "/":
                return await _video(session, uri, await session.status(_decoded(encoded)))
            case "posters", "/":
                return _file(uri, posters.MEDIA_TYPE, await session.poster(_decoded(encoded)))
            case _:
                raise MCPError(INVALID_PARAMS, f"Resource not found: {repr_short(uri)}", {"uri": uri})


def _decoded(encoded: str) -> str:
    try:
        return unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise UnknownRequest(f"{repr_short(encoded)} is not an id: its percent-encoding is not UTF-8.") from None


def _json(uri: str, facts: BaseModel | Mapping[str, object]) -> ReadResourceResult:
    plain = facts.model_dump(mode="json") if isinstance(facts, BaseModel) else facts
    text = json.dumps(plain, ensure_ascii=False)
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=JSON, text=text)])


def _cacheable(session: Session, models: ReadResourceResult) -> ReadResourceResult:
    """The models are the same for every caller, unless callers may have keys of their own."""
    scope = "private" if session.settings.callers_have_keys else "public"
    return models.model_copy(update={"ttl_ms": MODELS_TTL_MS, "cache_scope": scope})


async def _video(session: Session, uri: str, job: Job) -> ReadResourceResult:
    """The saved file; a job's link is never fetched here.

    Raises:
        NotReady, Expired: there is no file.
        MCPError: it is too large for a message.
    """
    if not job.video_path:
        raise _without_file(job)
    path = Path(job.video_path)
    try:
        size = await anyio.to_thread.run_sync(lambda: path.stat().st_size)
        if size <= VIDEO_MB_MAX * 1024 * 1024:
            return await anyio.to_thread.run_sync(lambda: _file(uri, MEDIA_TYPE, path.read_bytes()))
    except OSError:
        raise NotReady(
            f"The saved clip of {job.request_id} was moved or deleted.",
            "Call download_video to save it again.",
            request_id=job.request_id,
        ) from None
    public = session.public_view(job)
    where = public.video_path or public.video_url
    raise MCPError(
        INTERNAL_ERROR,
        f"The clip has {size / 1024 / 1024:.1f} MB; a resource may have at most {VIDEO_MB_MAX} MB. Open {where}",
        {"uri": uri, "video_path": public.video_path, "bytes": size},
    )


def _file(uri: str, mime_type: str, content: bytes) -> ReadResourceResult:
    contents = BlobResourceContents(uri=uri, mime_type=mime_type, blob=base64.b64encode(content).decode())
    return ReadResourceResult(contents=[contents], ttl_ms=FILE_TTL_MS, cache_scope="private")


def _without_file(job: Job) -> HailuoError:
    """The error that explains why there is no saved clip."""
    if job.state is State.COMPLETED:
        return NotReady(
            f"The clip of {job.request_id} is not saved yet.", "Call download_video first.", request_id=job.request_id
        )
    if job.state is State.EXPIRED:
        return Expired(f"{job.request_id} has expired; its clip was not saved.", request_id=job.request_id)
    return without_clip(job)
