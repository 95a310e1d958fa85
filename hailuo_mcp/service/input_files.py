"""The files of a call: read and checked, or taken from saved clips."""

from dataclasses import replace
from pathlib import Path

import anyio

from hailuo_mcp.core.errors import HailuoError, InvalidImage, InvalidInput, NotReady, UnknownRequest
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.core.parameters import MEDIA_PARAMETERS, Medium
from hailuo_mcp.core.request_id import RequestId
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.media.frames import last_frame
from hailuo_mcp.media.given import FileRules, LoadedFile, LocalFile, is_url
from hailuo_mcp.media.images import image_from_frame, read_image
from hailuo_mcp.media.paths import unwrapped
from hailuo_mcp.media.recordings import check_together, read_recording, recording_at, rule_for
from hailuo_mcp.service.access import Access
from hailuo_mcp.service.downloads import save_clip
from hailuo_mcp.service.image_uploads import is_upload
from hailuo_mcp.service.lookup import known_job

LAST_FRAME = "last-frame:"
"""Prefix of a request id: the last frame of that saved clip, so that shots can be chained."""
CLIP = "clip:"
"""Prefix of a request id: the whole clip as a video; it is saved first if necessary."""
SAVE_SECONDS = 25.0
"""How long a call waits for a clip that it names; saving continues after that."""


async def read_files(access: Access, spec: ModelSpec, gateway: Gateway) -> dict[str, tuple[LoadedFile, ...]]:
    """The files of this call by parameter, checked.

    Raises:
        UploadNeeded: an image is on the caller's machine; it has links.
        HailuoError: the model or its gateway does not accept one of them, or it names a clip that does not exist.
    """
    files: dict[str, tuple[LoadedFile, ...]] = {}
    uploads = access.services.uploads if access.caller.may_generate else None
    elsewhere: dict[str, str] = {}
    for name, medium in MEDIA_PARAMETERS.items():
        given = getattr(spec, name, None)
        if not given:
            continue
        many = not isinstance(given, str)
        named = {f"{name}[{place}]": text for place, text in enumerate(given)} if many else {name: given}
        rules = replace(access.services.file_rules, formats=gateway.image_formats, rule=spec.media.get(medium))
        for label, text in named.items():
            if not is_url(text) and gateway.transfer(type(spec), name, 0) == "url":
                raise _only_urls(label, text, medium, spec.id, gateway)
        found: list[LoadedFile] = []
        for label, text in named.items():
            try:
                found.append(await _read(access, label, text, medium, rules))
            except LocalFile:
                if medium != "image" or not uploads:
                    raise
                elsewhere[label] = text
        files[name] = tuple(found)
        if medium != "image":
            check_together(name, files[name], rule_for(medium, rules))
    if elsewhere and uploads:
        raise await uploads.ask_for(access.tenant, elsewhere)
    return files


async def _read(access: Access, name: str, given: str, medium: Medium, rules: FileRules) -> LoadedFile:
    text, uploads = unwrapped(given), access.services.uploads
    if medium == "image" and uploads and is_upload(text):
        content = await uploads.read(access.tenant, name, text)
        if content is None:
            raise LocalFile(f"{name}: nothing is uploaded as {given!r}.", "Give a URL or a data: URI.")
        return await image_from_frame(name, content, text, rules)
    if medium == "image" and text.startswith(LAST_FRAME):
        wanted = RequestId.parse(text.removeprefix(LAST_FRAME))
        return await image_from_frame(name, await _last_frame(access, name, wanted), f"last frame of {wanted}", rules)
    if medium == "video" and text.startswith(CLIP):
        wanted = RequestId.parse(text.removeprefix(CLIP))
        return await recording_at(name, await _clip(access, name, wanted), f"clip of {wanted}", medium, rules)
    if text.startswith((LAST_FRAME, CLIP)):
        raise InvalidInput(
            f"{name} does not take {text[:60]!r}.",
            f"{LAST_FRAME}<request_id> is an image, {CLIP}<request_id> a video for reference_videos.",
        )
    if medium == "image":
        return await read_image(name, given, rules)
    return await read_recording(name, given, medium, rules)


async def _last_frame(access: Access, name: str, wanted: RequestId) -> bytes:
    """The last frame of a saved clip of this caller.

    Raises:
        InvalidImage: there is none.
    """
    job = await known_job(access, wanted)
    if job is None or not job.video_path or not await anyio.Path(job.video_path).is_file():
        message = f"{name} asks for the last frame of {wanted}, whose clip is not saved here."
        raise InvalidImage(message, _how_to_save(wanted, job))
    return await last_frame(Path(job.video_path))


async def _clip(access: Access, name: str, wanted: RequestId) -> Path:
    """The path of a clip of this caller, saved if necessary.

    Raises:
        UnknownRequest, NotReady, Expired, HailuoError: there is none.
    """
    job = await known_job(access, wanted)
    if job is None:
        raise UnknownRequest(f"{name}: there is no job {wanted}.", "Call list_jobs to see the existing ids.")
    try:
        with anyio.move_on_after(SAVE_SECONDS):
            _, path = await save_clip(access, job)
            return path
    except HailuoError as error:
        error.problem = error.problem.model_copy(update={"message": f"{name}: {error.problem.message}"})
        raise
    raise NotReady(f"{name}: the clip of {wanted} is still being saved.", "Make the same call again.")


def _only_urls(name: str, given: str, medium: Medium, model: str, gateway: Gateway) -> HailuoError:
    kind = InvalidImage if medium == "image" else InvalidInput
    is_clip = given.startswith(CLIP)
    fix = "pass the clip's own link, video_url of get_status" if is_clip else "put it on a web address and pass that"
    return kind(f"{name} must be a URL for {model}.", f"{gateway.title} takes no local file there: {fix}.")


def _how_to_save(wanted: RequestId, job: Job | None) -> str:
    """What to do for a clip that is not on disk."""
    if job is None:
        return f'Call list_jobs to see the existing ids, or download_video with "{wanted}" if it is from elsewhere.'
    if job.state is State.COMPLETED:
        return f'Call download_video with request_id "{wanted}" first.'
    if job.state.is_terminal:
        return f"That job is {job.state} and has no clip: chain from another shot, or make this one again."
    return f'That job is {job.state}: call get_status with request_id "{wanted}" until it is completed.'
