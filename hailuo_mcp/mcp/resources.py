"""The resources: models, jobs and saved clips by address, and the completion of ids.

An id in an address may be percent-encoded as one segment, which is how a template is filled in, or stand there as it
is: it is decoded once, so that both are the same.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import anyio
import anyio.to_thread
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    BlobResourceContents,
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ReadResourceResult,
    Resource,
    ResourceLink,
    ResourceTemplate,
    ResourceTemplateReference,
    TextResourceContents,
)
from pydantic import BaseModel

from hailuo_mcp.core.errors import CallerError, Expired, HailuoError, NotReady, UnknownRequest
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.core.text import repr_short
from hailuo_mcp.mcp import model_views, prompts, views
from hailuo_mcp.media.clips import MEDIA_TYPE
from hailuo_mcp.service.session import Session

SCHEME = "hailuo://"
MODELS, JOBS, VIDEOS = f"{SCHEME}models", f"{SCHEME}jobs", f"{SCHEME}videos"
MODEL_TEMPLATE, JOB_TEMPLATE, VIDEO_TEMPLATE = (
    f"{MODELS}/{{model}}",
    f"{JOBS}/{{request_id}}",
    f"{VIDEOS}/{{request_id}}",
)
JSON = "application/json"
VIDEO_MB_MAX = 25
"""A larger clip is not read into a message, where base64 adds a third to it."""
JOBS_MAX = 50
COMPLETIONS_MAX = 100
"""The protocol's own limit."""
COMPLETED_FROM = 200
"""How many of the newest jobs completion looks at."""
MODELS_KEPT_MS, VIDEO_KEPT_MS = 60_000, 3_600_000
"""How long a client may keep an answer; the next start may have other models. Jobs change at any moment."""

Suggest = Callable[[Session], Awaitable[Sequence[str]]]


def listed() -> list[Resource]:
    """What `resources/list` answers: always the same two. What grows is found through the templates."""
    return [
        Resource(
            uri=MODELS,
            name="models",
            title="Models",
            description="The usable models with prices, times and parameters, as list_models shows them.",
            mime_type=JSON,
        ),
        Resource(
            uri=JOBS,
            name="jobs",
            title="Jobs",
            description=f"The newest {JOBS_MAX} jobs, and what was spent, as list_jobs shows them.",
            mime_type=JSON,
        ),
    ]


def templates() -> list[ResourceTemplate]:
    """What `resources/templates/list` answers."""
    return [
        ResourceTemplate(
            uri_template=MODEL_TEMPLATE,
            name="model",
            title="One model",
            description="A model's full parameter schema, its constraints with their sources, prices and times.",
            mime_type=JSON,
        ),
        ResourceTemplate(
            uri_template=JOB_TEMPLATE,
            name="job",
            title="One job",
            description="How a job stands now, as get_status answers without waiting.",
            mime_type=JSON,
        ),
        ResourceTemplate(
            uri_template=VIDEO_TEMPLATE,
            name="video",
            title="A saved clip",
            description=f"The MP4 of a job whose clip is saved, up to {VIDEO_MB_MAX} MB; download_video saves it.",
            mime_type=MEDIA_TYPE,
        ),
    ]


def model_uri(model_id: str) -> str:
    return f"{MODELS}/{quote(model_id, safe='')}"


def job_uri(request_id: str) -> str:
    return f"{JOBS}/{quote(request_id, safe='')}"


def video_uri(request_id: str) -> str:
    return f"{VIDEOS}/{quote(request_id, safe='')}"


async def video_link(job: Job) -> ResourceLink | None:
    """A link to the saved clip, for the result of a tool; None where there is no clip that could be read by it."""
    if not job.video_path:
        return None
    try:
        size = (await anyio.Path(job.video_path).stat()).st_size
    except OSError:
        return None
    if size > VIDEO_MB_MAX * 1024 * 1024:
        return None
    return ResourceLink(
        uri=video_uri(job.request_id),
        name=Path(job.video_path).name,
        title=job.excerpt or None,
        mime_type=MEDIA_TYPE,
        size=size,
    )


async def read(session: Session, uri: str) -> ReadResourceResult:
    """What an address stands for now.

    Raises:
        MCPError: INVALID_PARAMS, with the address in `data`, where nothing is there; INTERNAL_ERROR where it cannot be
            had.
    """
    kind, slash, encoded = uri.removeprefix(SCHEME).partition("/") if uri.startswith(SCHEME) else ("", "", "")
    try:
        match kind, slash:
            case "models", "":
                models = model_views.model_list(session.catalog, session.settings.in_sandbox)
                return _kept(session, _json(uri, models))
            case "models", "/":
                model = session.catalog.model(_decoded(encoded))
                return _kept(session, _json(uri, model_views.model_details(model, session.catalog.gateway(model))))
            case "jobs", "":
                return _json(uri, views.job_list(session.shown_page(await session.jobs(limit=JOBS_MAX))))
            case "jobs", "/":
                return _json(uri, views.job_view(session.public_view(await session.status(_decoded(encoded)))))
            case "videos", "/":
                job = await session.status(_decoded(encoded))
                return await _video(uri, job, session.public_view(job))
            case _:
                raise MCPError(INVALID_PARAMS, f"Resource not found: {repr_short(uri)}", {"uri": uri})
    except HailuoError as error:
        code = INVALID_PARAMS if isinstance(error, CallerError) else INTERNAL_ERROR
        told = session.redact(error)
        data = {"uri": uri, "error": views.error_view(told)}
        raise MCPError(code, views.error_text(told.problem), data) from None


async def complete(
    session: Session,
    ref: ResourceTemplateReference | PromptReference,
    argument: CompletionArgument,
    context: CompletionContext | None = None,
) -> Completion:
    """Values for a variable of a template or an argument of a prompt: first those that begin with what was typed, then
    those that hold it.

    Raises:
        MCPError: INVALID_PARAMS: there is no such template, prompt or argument; INTERNAL_ERROR: the ledger cannot be
            read.
    """
    try:
        if isinstance(ref, PromptReference):
            given = (context.arguments if context else None) or {}
            values = await prompts.suggestions(session, ref.name, argument.name, given)
        else:
            suggest = _VARIABLES.get((ref.uri, argument.name))
            if suggest is None:
                raise MCPError(INVALID_PARAMS, f"{repr_short(ref.uri)} has no variable {repr_short(argument.name)}.")
            values = await suggest(session)
    except HailuoError as error:
        raise MCPError(INTERNAL_ERROR, views.error_text(session.redact(error).problem)) from None
    typed = argument.value.strip().lower()
    fitting = sorted(
        (value for value in values if typed in value.lower()), key=lambda value: not value.lower().startswith(typed)
    )
    return Completion(values=fitting[:COMPLETIONS_MAX], total=len(fitting), has_more=len(fitting) > COMPLETIONS_MAX)


async def _model_ids(session: Session) -> Sequence[str]:
    return [model.id for model in session.catalog.usable]


async def _request_ids(session: Session) -> Sequence[str]:
    return [job.request_id for job in (await session.jobs(limit=COMPLETED_FROM)).jobs]


async def _saved_request_ids(session: Session) -> Sequence[str]:
    page = await session.jobs(State.COMPLETED, COMPLETED_FROM)
    return [job.request_id for job in page.jobs if job.video_path]


_VARIABLES: Mapping[tuple[str, str], Suggest] = {
    (MODEL_TEMPLATE, "model"): _model_ids,
    (JOB_TEMPLATE, "request_id"): _request_ids,
    (VIDEO_TEMPLATE, "request_id"): _saved_request_ids,
}


def _decoded(encoded: str) -> str:
    try:
        return unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise UnknownRequest(f"{repr_short(encoded)} is no id: its percent-encoding is not UTF-8.") from None


def _json(uri: str, facts: BaseModel | Mapping[str, object]) -> ReadResourceResult:
    plain = facts.model_dump(mode="json") if isinstance(facts, BaseModel) else facts
    text = json.dumps(plain, ensure_ascii=False)
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=JSON, text=text)])


def _kept(session: Session, models: ReadResourceResult) -> ReadResourceResult:
    """What follows from the settings alone is the same for every caller, unless some have keys of their own."""
    scope = "private" if session.settings.callers_have_keys else "public"
    return models.model_copy(update={"ttl_ms": MODELS_KEPT_MS, "cache_scope": scope})


async def _video(uri: str, job: Job, shown: Job) -> ReadResourceResult:
    """The saved file, and nothing else: a link is never followed from here. `shown` is the job as its caller sees it.

    Raises:
        NotReady, Expired: there is no file.
        MCPError: it is too large for a message.
    """
    if not job.video_path:
        raise _without_file(job)
    try:
        blob, size = await anyio.to_thread.run_sync(_blob, Path(job.video_path))
    except OSError:
        raise NotReady(
            f"The clip of {job.request_id} is no longer where it was saved.",
            "Call download_video to save it again.",
            request_id=job.request_id,
        ) from None
    if blob is None:
        where = shown.video_path or shown.video_url
        raise MCPError(
            INTERNAL_ERROR,
            f"The clip has {size / 1024 / 1024:.1f} MB, and a resource at most {VIDEO_MB_MAX} MB. Open {where}",
            {"uri": uri, "video_path": shown.video_path, "bytes": size},
        )
    contents = BlobResourceContents(uri=uri, mime_type=MEDIA_TYPE, blob=blob)
    return ReadResourceResult(contents=[contents], ttl_ms=VIDEO_KEPT_MS, cache_scope="private")


def _blob(path: Path) -> tuple[str | None, int]:
    """The file in base64, and its size; None where it is too large."""
    size = path.stat().st_size
    if size > VIDEO_MB_MAX * 1024 * 1024:
        return None, size
    return base64.b64encode(path.read_bytes()).decode(), size


def _without_file(job: Job) -> HailuoError:
    """Why there is no saved clip, and what can be done."""
    if job.state is State.COMPLETED:
        return NotReady(
            f"The clip of {job.request_id} is not saved yet.", "Call download_video first.", request_id=job.request_id
        )
    if job.state is State.EXPIRED:
        return Expired(f"{job.request_id} has expired; its clip was not saved.", request_id=job.request_id)
    if job.state is State.FAILED:
        return NotReady(
            f"{job.request_id} failed; it has no clip.",
            "Call get_status to see why.",
            safe_to_retry=False,
            request_id=job.request_id,
        )
    return NotReady(f"{job.request_id} is {job.state}; it has no clip yet.", request_id=job.request_id)
