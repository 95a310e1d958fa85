"""Stand-in for Replicate: predictions, their list, cancelling, files and the key of its webhooks.

Written from the HTTP reference and the gateway's own client. Inputs, outputs and files are deleted an hour after a
prediction has ended; its record stays.
"""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from functools import partial

from anyio import to_thread
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox import body
from hailuo_mcp.sandbox.assets import SUFFIXES
from hailuo_mcp.sandbox.body import Field, Invalid
from hailuo_mcp.sandbox.context import (
    SandboxContext,
    accepted_key,
    bearer_key,
    check_account,
    clip_link,
    submitted_within,
    timestamp,
)
from hailuo_mcp.sandbox.jobs import Job, Phase, Shot

GATEWAY = "replicate"
PAGE_SIZE = 100
_KEPT_SECONDS = 3600
_SIGNING_KEY = hashlib.sha256(b"hailuo sandbox").digest()
_STATUSES = {
    Phase.QUEUED: "starting",
    Phase.PROCESSING: "processing",
    Phase.COMPLETED: "succeeded",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "canceled",
}
_SIDES = {"512p": 512, "768p": 768, "1080p": 1080}
_FRAMES = ("first_frame_image", "last_frame_image")
_COMMON = {
    "prompt": Field(body.prompt, required=True),
    "duration": Field(body.whole(6, 10)),
    "prompt_optimizer": Field(body.boolean),
}
_COMMON_23 = {**_COMMON, "resolution": Field(body.one_of("768p", "1080p"))}
MODELS: Mapping[str, Mapping[str, Field]] = {
    "hailuo-2.3": {**_COMMON_23, "first_frame_image": Field(body.text)},
    "hailuo-2.3-fast": {**_COMMON_23, "first_frame_image": Field(body.text, required=True)},
    "hailuo-02": {
        **_COMMON,
        "first_frame_image": Field(body.text),
        "last_frame_image": Field(body.text),
        "resolution": Field(body.one_of(*_SIDES)),
    },
}
_DEFAULT_SIDES = {"hailuo-02": 1080}
_OUTER: Mapping[str, Field] = {
    "input": Field(body.anything, required=True),
    "webhook": Field(body.web_url),
    "webhook_events_filter": Field(body.anything),
}


def routes(context: SandboxContext) -> list[Route]:
    async def create(request: Request) -> Response:
        key, name = _authorize(request), request.path_params["name"]
        if name not in MODELS:
            return _error(404, "The requested resource could not be found.")
        try:
            outer = body.read_fields(await body.read_json(request), _OUTER)
            values = body.read_fields(outer["input"], MODELS[name], "input")
            images = await to_thread.run_sync(partial(context.assets.keep_inline, values, _FRAMES, webp=True))
        except Invalid as refusal:
            return _error(422, f"- {refusal}", "Input validation failed")
        side = _SIDES.get(str(values.get("resolution")), _DEFAULT_SIDES.get(name, 768))
        shot = Shot(
            prompt=str(values["prompt"]),
            seconds=10 if values.get("duration") == 10 else 6,
            short_side=side,
            first=images.get("first_frame_image"),
            last=images.get("last_frame_image"),
        )
        check_account(
            key,
            shot.prompt,
            no_credits=_error(402, "You have insufficient credit to run this model.", "Insufficient credit"),
            rate_limited=_error(429, "Request was throttled.", "Too many requests"),
        )
        # The model behind the gateway fails such a job; no document says that the submission is refused.
        unmade = "10 seconds are not available at 1080p" if (shot.seconds, side) == (10, 1080) else None
        callback = context.callback(request, outer.get("webhook"))
        prediction_id = uuid.uuid4().hex[:26]
        job = await context.take(GATEWAY, prediction_id, key, name, values, shot, rejected=unmade, callback=callback)
        return JSONResponse(_prediction(context, request, job), 201)

    async def get(request: Request) -> Response:
        job, _ = await _find(context, request)
        return JSONResponse(_prediction(context, request, job))

    async def cancel(request: Request) -> Response:
        job, phase = await _find(context, request)
        if phase in (Phase.QUEUED, Phase.PROCESSING):
            await context.cancel(job)
            job, _ = await _find(context, request)
        return JSONResponse(_prediction(context, request, job))

    async def listing(request: Request) -> Response:
        key = _authorize(request)
        jobs = [job for job in await context.jobs_of(GATEWAY, key) if job.phase(context.clock()) is not Phase.GONE]
        chosen = list(reversed(submitted_within(jobs, request.query_params, "created_after", "created_before")))
        start = int(request.query_params.get("cursor", "0"))
        more = f"/v1/predictions?cursor={start + PAGE_SIZE}" if len(chosen) > start + PAGE_SIZE else None
        rows = [_prediction(context, request, job) for job in chosen[start : start + PAGE_SIZE]]
        return JSONResponse({"previous": None, "next": more and context.link(request, more), "results": rows})

    async def upload(request: Request) -> Response:
        _authorize(request)
        async with request.form() as form:
            file = form.get("content")
            if not isinstance(file, UploadFile):
                return _error(400, "Missing content")
            suffix, data = SUFFIXES.get(file.content_type or "", ".png"), await file.read()
        name = await to_thread.run_sync(context.assets.keep, data, suffix)
        now = context.clock()
        urls = {"get": context.asset_link(request, name)}
        facts = {"id": name, "name": file.filename, "content_type": file.content_type, "size": len(data)}
        facts |= {"etag": name, "checksums": {"sha256": name.partition(".")[0]}, "metadata": {}}
        times = {"created_at": timestamp(now), "expires_at": timestamp(now + _KEPT_SECONDS)}
        return JSONResponse({**facts, **times, "urls": urls}, 201)

    async def signing_key(request: Request) -> Response:
        _authorize(request)
        return JSONResponse({"key": f"whsec_{base64.b64encode(_SIGNING_KEY).decode()}"})

    return [
        Route("/v1/models/minimax/{name}/predictions", create, methods=["POST"]),
        Route("/v1/predictions", listing, methods=["GET"]),
        Route("/v1/predictions/{id}", get, methods=["GET"]),
        Route("/v1/predictions/{id}/cancel", cancel, methods=["POST"]),
        Route("/v1/files", upload, methods=["POST"]),
        Route("/v1/webhooks/default/secret", signing_key, methods=["GET"]),
    ]


def callback(base: str, job: Job) -> Mapping[str, object]:
    return _facts(base, job, job.final_phase, removed=False)


def sign(job: Job, content: bytes, now: float) -> Mapping[str, str]:
    """The signature of a webhook's body."""
    identity, moment = f"msg_{job.id}", str(int(now))
    digest = hmac.digest(_SIGNING_KEY, f"{identity}.{moment}.".encode() + content, "sha256")
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": identity, "webhook-timestamp": moment, "webhook-signature": signature}


async def _find(context: SandboxContext, request: Request) -> tuple[Job, Phase]:
    """Raises `Refusal`."""
    unknown = _error(404, "Prediction not found")
    return await context.find(GATEWAY, request.path_params["id"], _authorize(request), unknown)


def _prediction(context: SandboxContext, request: Request, job: Job) -> Mapping[str, object]:
    now = context.clock()
    removed = job.ends and now - job.ended_at >= _KEPT_SECONDS
    return _facts(context.base(request), job, job.phase(now), removed=removed)


def _facts(base: str, job: Job, phase: Phase, *, removed: bool) -> Mapping[str, object]:
    ended = phase in (Phase.COMPLETED, Phase.FAILED)
    prediction_url = f"{base}/v1/predictions/{job.remote_id}"
    return {
        "id": job.remote_id,
        "model": f"minimax/{job.model}",
        "version": "hidden",
        "input": {} if removed else dict(job.body),
        "logs": "",
        "output": clip_link(base, job) if phase is Phase.COMPLETED and not removed else None,
        "data_removed": removed,
        "error": job.failure.message if phase is Phase.FAILED and job.failure else None,
        "status": _STATUSES[phase],
        "created_at": timestamp(job.submitted_at),
        "started_at": None if phase is Phase.QUEUED else timestamp(job.started_at),
        "completed_at": timestamp(job.ended_at) if ended else None,
        "urls": {"get": prediction_url, "cancel": f"{prediction_url}/cancel"},
        "metrics": {"predict_time": job.ended_at - job.started_at} if ended else {},
    }


def _authorize(request: Request) -> str:
    return accepted_key(
        bearer_key(request),
        _error(401, "You did not pass a valid authentication token", "Unauthenticated"),
        _error(403, "You do not have permission to perform this action.", "Forbidden"),
    )


def _error(status: int, detail: str, title: str = "") -> Response:
    return JSONResponse({**({"title": title} if title else {}), "detail": detail, "status": status}, status)
