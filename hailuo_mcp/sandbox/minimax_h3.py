"""Stand-in for MiniMax's second API, for H3: submission, query, list, cancellation and upload.

Errors are HTTP statuses with an error object. Each query for a finished task returns a new link. The request that
cancels a queued task deletes an ended one.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import cast

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox import body
from hailuo_mcp.sandbox.body import Field, Invalid
from hailuo_mcp.sandbox.context import SandboxContext, accepted_key, bearer_key, check_account, owner_of
from hailuo_mcp.sandbox.jobs import Fault, Job, Phase, Shot
from hailuo_mcp.sandbox.references import FILE, Reference, keep_upload, read_references

GATEWAY = "minimax_h3"
"""Not that of the first API, which does not know these tasks."""
SUBMIT, QUERY, UPLOAD = "/v2/video_generation", "/v2/query/video_generation", "/v1/files/upload"
H3, H3_MAX = "MiniMax-H3", "MiniMax-H3-Max"
_SHORT_SIDES = {H3: {"768P": 768, "2K": 1440}, H3_MAX: {"480P": 480, "768P": 768}}
_USD = {(H3, "768P"): 0.08, (H3, "2K"): 0.13, (H3_MAX, "480P"): 0.05, (H3_MAX, "768P"): 0.08}
_USD_PER_IMAGE, _FREE_IMAGES = 0.04, 5
_ROLES = {
    "image_url": ("first_frame", "last_frame", "reference_image"),
    "video_url": ("reference_video",),
    "audio_url": ("reference_audio",),
}
_MOST = {"first_frame": 1, "last_frame": 1, "reference_image": 9, "reference_video": 3, "reference_audio": 3}
_TEXT_MAX = 7000
_STATUSES = {
    Phase.QUEUED: "queued",
    Phase.PROCESSING: "running",
    Phase.COMPLETED: "succeeded",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "cancelled",
}
_TYPES = {
    400: "bad_request_error",
    401: "authorized_error",
    402: "insufficient_balance_error",
    403: "forbidden_error",
    422: "unprocessable_entity_error",
    429: "rate_limit_error",
}


def _extra(value: object) -> None:
    mode = Field(body.one_of("disabled", "balanced", "quality"))
    body.read_fields(value, {"prompt_expansion_mode": mode}, "extra")


_FIELDS: Mapping[str, Field] = {
    "model": Field(body.one_of(H3, H3_MAX), required=True),
    "content": Field(body.list_of(body.anything), required=True),
    "resolution": Field(body.text),
    "duration": Field(body.between(4, 15)),
    "ratio": Field(body.one_of("adaptive", *body.RATIOS)),
    "callback_url": Field(body.web_url),
    "extra": Field(_extra),
}


def routes(context: SandboxContext) -> list[Route]:
    async def submit(request: Request) -> Response:
        key = _authorize(request)
        try:
            values = body.read_fields(await body.read_json(request), _FIELDS)
            text, inputs = _content(values)
            _check(values, inputs)
            files = await to_thread.run_sync(read_references, context.assets, owner_of(key), inputs)
        except Invalid as refusal:
            return _refused(400, f"invalid params, {refusal} (2013)")
        model, resolution = str(values["model"]), str(values.get("resolution", "768P"))
        seconds = cast("int", values.get("duration", 5))
        ratio = str(values.get("ratio", "adaptive"))
        shot = Shot(
            prompt=text,
            seconds=seconds,
            short_side=_SHORT_SIDES[model][resolution],
            first=_source_of(files, "first_frame") or _source_of(files, "reference_image"),
            last=_source_of(files, "last_frame"),
            ratio=None if ratio == "adaptive" else ratio,
            sound=True,
        )
        check_account(
            key,
            text,
            no_credits=_refused(402, "insufficient balance (1008)"),
            rate_limited=_refused(429, "rate limit exceeded (1002)"),
        )
        unechoed = _refused(400, "invalid params, callback_url did not answer the challenge (2013)")
        callback = await context.challenged_callback(request, values.get("callback_url"), unechoed)
        usage = _usage(seconds, files)
        cost = _USD[model, resolution] * (seconds + usage["input_seconds"])
        cost += _USD_PER_IMAGE * max(0, usage["input_image_count"] - _FREE_IMAGES)
        task_id = f"h3-{uuid.uuid4().hex}"
        facts = {"resolution": resolution, "duration": seconds, "ratio": ratio, "usage": usage}
        await context.take(GATEWAY, task_id, key, model, facts, shot, cost=cost, callback=callback)
        return JSONResponse({"task_id": task_id})

    async def query(request: Request) -> Response:
        job, phase = await _find(context, request)
        return JSONResponse({"task": _task(context, request, job, phase)})

    async def tasks(request: Request) -> Response:
        key = _authorize(request)
        query = request.query_params
        ids = [one for one in query.get("filter.task_ids", "").split(",") if one]
        size, page = int(query.get("page_size", "20")), int(query.get("page_num", "1"))
        rows: list[Mapping[str, object]] = []
        for job in reversed(await context.jobs_of(GATEWAY, key)):
            phase = job.phase(context.clock())
            matches = query.get("filter.model", job.model) == job.model and (not ids or job.remote_id in ids)
            if matches and phase is not Phase.GONE:
                rows.append(_task(context, request, job, phase))
        return JSONResponse({"items": rows[(page - 1) * size : page * size], "total": len(rows)})

    async def cancel(request: Request) -> Response:
        job, phase = await _find(context, request)
        if phase in (Phase.PROCESSING, Phase.CANCELLED):
            return _refused(400, f"a task that is {_STATUSES[phase]} cannot be cancelled (2013)")
        if phase is not Phase.QUEUED:
            await to_thread.run_sync(context.store.delete, job)
            return JSONResponse({"task_id": job.remote_id, "action": "delete", "status": _STATUSES[phase]})
        await context.cancel(job)
        return JSONResponse({"task_id": job.remote_id, "action": "cancel", "status": "cancelled"})

    async def upload(request: Request) -> Response:
        key = _authorize(request)
        async with request.form() as form:
            file = form.get("file")
            if form.get("purpose") != "video_generation_input" or file is None or isinstance(file, str):
                return _refused(400, "invalid params, purpose or file (2013)")
            data = await file.read()
        try:
            file_id = await to_thread.run_sync(keep_upload, context.assets, owner_of(key), data)
        except Invalid as refusal:
            return _refused(400, f"invalid params, {refusal} (2013)")
        known = {"file_id": file_id, "bytes": len(data), "purpose": "video_generation_input"}
        return JSONResponse({"file": known, "base_resp": {"status_code": 0, "status_msg": "success"}})

    return [
        Route(SUBMIT, submit, methods=["POST"]),
        Route(SUBMIT + "/{task_id}", cancel, methods=["DELETE"]),
        Route(QUERY, tasks, methods=["GET"]),
        Route(QUERY + "/{task_id}", query, methods=["GET"]),
        Route(UPLOAD, upload, methods=["POST"]),
    ]


def callback(_base: str, job: Job) -> Mapping[str, object]:
    """The body of the webhook for an ended task."""
    return {"task": {"id": job.remote_id, "model": job.model, "status": _STATUSES[job.final_phase]}}


async def _find(context: SandboxContext, request: Request) -> tuple[Job, Phase]:
    """Raises `Refusal`."""
    unknown = _refused(400, "invalid task_id (2013)")
    return await context.find(GATEWAY, request.path_params["task_id"], _authorize(request), unknown)


def _task(context: SandboxContext, request: Request, job: Job, phase: Phase) -> Mapping[str, object]:
    facts = {name: job.body[name] for name in ("resolution", "duration", "ratio")}
    task: dict[str, object] = {
        "id": job.remote_id,
        "model": job.model,
        "status": _STATUSES[phase],
        "created_at": int(job.submitted_at),
        "updated_at": int(min(context.clock(), job.ended_at)),
        "task_type": "generation",
        **facts,
    }
    if phase is Phase.COMPLETED:
        task |= {"content": {"url": context.expiring_clip_link(request, job)}, "usage": job.body["usage"]}
    if phase is Phase.FAILED and job.failure:
        code = {Fault.CONTENT: "1027", Fault.IMAGE: "2013"}.get(job.failure.fault, "1000")
        task["error"] = {"code": code, "message": job.failure.message}
    return task


def _content(values: Mapping[str, object]) -> tuple[str, Mapping[str, Sequence[str]]]:
    """The text of a body and its URLs by role."""
    texts: list[str] = []
    inputs: dict[str, list[str]] = {}
    for place, item in enumerate(cast("list[object]", values["content"])):
        within = f"content[{place}]"
        kind = cast("dict[str, object]", item).get("type") if isinstance(item, dict) else None
        if kind == "text":
            fields = {"type": Field(body.text), "text": Field(body.text, required=True)}
            texts.append(str(body.read_fields(cast("object", item), fields, within)["text"]))
        elif isinstance(kind, str) and kind in _ROLES:
            fields = {
                "type": Field(body.text),
                kind: Field(body.anything, required=True),
                "role": Field(body.one_of(*_ROLES[kind]), required=True),
            }
            read = body.read_fields(cast("object", item), fields, within)
            holder = body.read_fields(read[kind], {"url": Field(_url, required=True)}, f"{within}.{kind}")
            inputs.setdefault(str(read["role"]), []).append(str(holder["url"]))
        else:
            raise Invalid(f"{within}.type is not one of text, image_url, video_url, audio_url")
    if len(texts) != 1 or not texts[0].strip() or len(texts[0]) > _TEXT_MAX:
        raise Invalid(f"content must have one text of 1 to {_TEXT_MAX} characters")
    return texts[0], inputs


def _url(value: object) -> None:
    body.text(value)
    if not str(value).startswith((FILE, "data:")):
        body.web_url(value)


def _check(values: Mapping[str, object], inputs: Mapping[str, Sequence[str]]) -> None:
    """Check the combination of inputs, and the model's resolutions and ratios."""
    model = str(values["model"])
    if values.get("resolution", "768P") not in _SHORT_SIDES[model]:
        raise Invalid(f"resolution must be one of {', '.join(_SHORT_SIDES[model])}")
    if model == H3_MAX and values.get("duration", 5) == 4:
        raise Invalid("duration must be an integer from 5 to 15")
    if "extra" in values and model != H3_MAX:
        raise Invalid(f"extra is a parameter of {H3_MAX} only")
    for role, urls in inputs.items():
        if len(urls) > _MOST[role]:
            raise Invalid(f"content has more than {_MOST[role]} of the role {role}")
    frames = [role for role in inputs if role.endswith("_frame")]
    references = [role for role in inputs if role.startswith("reference_")]
    if frames and references:
        raise Invalid("frames and references cannot be combined")
    if references == ["reference_audio"]:
        raise Invalid("audio cannot be the only reference")
    body.count_references(inputs, references)
    ratio = values.get("ratio")
    if not inputs and ratio in (None, "adaptive"):
        raise Invalid("ratio is required for text to video, and must not be adaptive")
    if frames and ratio not in (None, "adaptive"):
        raise Invalid("ratio must be adaptive with a frame")


def _source_of(files: Mapping[str, Sequence[Reference]], role: str) -> str | None:
    """The first file with a role."""
    return next((file.source for file in files.get(role, ())), None)


def _usage(seconds: int, files: Mapping[str, Sequence[Reference]]) -> dict[str, int]:
    return {
        "input_seconds": sum(video.seconds for video in files.get("reference_video", ())),
        "output_seconds": seconds,
        "input_image_count": sum(len(of) for role, of in files.items() if role.endswith(("_frame", "_image"))),
    }


def _authorize(request: Request) -> str:
    return accepted_key(
        bearer_key(request), _refused(401, "invalid api key (2049)"), _refused(403, "This key may not use this API")
    )


def _refused(status: int, message: str) -> Response:
    error = {"type": _TYPES[status], "message": message, "http_code": str(status)}
    return JSONResponse({"type": "error", "error": error, "request_id": uuid.uuid4().hex}, status)
