"""Stand-in for the AI/ML API's two video routes: the older one of minimax/hailuo-02, and the unified one of the newer
models, which has other field names.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import partial

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox import body
from hailuo_mcp.sandbox.body import Field, Invalid
from hailuo_mcp.sandbox.context import BAD_KEY, FORBIDDEN_KEY, SandboxContext, bearer_key, check_account, timestamp
from hailuo_mcp.sandbox.faults import Refusal
from hailuo_mcp.sandbox.jobs import Failure, Fault, Job, Phase, Shot

GATEWAY = "aimlapi"
MODEL = "minimax/hailuo-02"
PATH = "/v2/generate/video/minimax/generation"
HAILUO_23, HAILUO_23_FAST = "minimax/hailuo-2.3", "minimax/hailuo-2.3-fast"
UNIFIED_PATH = "/v2/video/generations"

CREDITS_PER_USD = 2_000_000
_USD = {
    # One of these is published: 6 s of 2.3-fast at 768P. The others have the same 5 % on top of what MiniMax charges.
    HAILUO_23: {(768, 6): 0.294, (768, 10): 0.588, (1080, 6): 0.5145},
    HAILUO_23_FAST: {(768, 6): 0.1995, (768, 10): 0.336, (1080, 6): 0.3465},
}

_STATUSES = {
    Phase.QUEUED: "queued",
    Phase.PROCESSING: "generating",
    Phase.COMPLETED: "completed",
    Phase.FAILED: "error",
}
_ERROR_NAMES = {
    Fault.CONTENT: "ContentViolation",
    Fault.IMAGE: "InvalidImage",
    Fault.OTHER: "GenerationError",
}
_FIRST_FRAMES = ("first_frame_image", "image_url")
_FRAMES = (*_FIRST_FRAMES, "last_image_url")


def _image(value: object) -> None:
    """A URL, or the image itself in base64; its content is checked once the rest is valid."""
    body.text(value)
    if not str(value):
        raise Invalid("must not be empty")


_FIELDS: Mapping[str, Field] = {
    "model": Field(body.one_of(MODEL), required=True),
    "prompt": Field(body.prompt, required=True),
    "prompt_optimizer": Field(body.boolean),
    "first_frame_image": Field(_image),
    "last_image_url": Field(_image),  # newer than the page; documented with the URL form, base64 is inferred
    "duration": Field(body.whole(6, 10)),
    "resolution": Field(body.one_of("768P", "1080P")),
}
_UNIFIED_FIELDS: Mapping[str, Field] = {
    "model": Field(body.one_of(HAILUO_23, HAILUO_23_FAST), required=True),
    "prompt": Field(body.prompt, required=True),
    "image_url": Field(_image),
    "enhance_prompt": Field(body.boolean),
    "duration": Field(body.whole(6, 10)),
    "resolution": Field(body.one_of("768P", "1080P")),
}


def routes(context: SandboxContext) -> list[Route]:
    async def generate(request: Request) -> Response:
        key = _authorize(context, request)
        try:
            fields = _UNIFIED_FIELDS if request.url.path == UNIFIED_PATH else _FIELDS
            values = body.read_fields(await body.read_json(request), fields)
            if values.get("duration") == 10 and values.get("resolution") == "1080P":
                raise Invalid("duration 10 is available at 768P only")
            if values["model"] == HAILUO_23_FAST and "image_url" not in values:
                raise Invalid(f"image_url is required by {HAILUO_23_FAST}")
            images = await to_thread.run_sync(partial(context.assets.keep_inline, values, _FRAMES, bare_base64=True))
        except Invalid as refusal:
            return _error(context, request, 400, str(refusal))
        shot = Shot(
            prompt=str(values["prompt"]),
            seconds=10 if values.get("duration") == 10 else 6,
            short_side=1080 if values.get("resolution") == "1080P" else 768,
            first=next((images[name] for name in _FIRST_FRAMES if name in images), None),
            last=images.get("last_image_url"),
        )
        top_up = "You've run out of credits. Please top up your balance to continue."
        check_account(
            key,
            shot.prompt,
            no_credits=_error(context, request, 403, top_up),
            rate_limited=_error(context, request, 429, "Too many requests"),
        )
        model = str(values["model"])
        generation_id = f"{uuid.uuid4().hex}:{model}"
        cost = _USD.get(model, {}).get((shot.short_side, shot.seconds), 0.0)
        job = await context.take(GATEWAY, generation_id, key, model, values | images, shot, cost=cost)
        # `tokens_used` as in the printed sample; prices are published nowhere, so the number means nothing.
        meta = {"usage": {"tokens_used": 1}}
        return JSONResponse({"generation_id": job.remote_id, "status": "queued", "meta": meta}, 201)

    async def poll(request: Request) -> Response:
        key = _authorize(context, request)
        generation_id = request.query_params.get("generation_id")
        if not generation_id:
            return _error(context, request, 400, "generation_id is required")
        unified = request.url.path == UNIFIED_PATH
        found = await context.find_with_phase(GATEWAY, generation_id, key)
        if found is None or (found[0].model != MODEL) != unified:
            return _error(context, request, 404, f"Generation {generation_id} not found")
        job, phase = found
        return JSONResponse(
            {
                "id": generation_id,
                "status": _STATUSES[phase],
                "video": {"url": context.clip_link(request, job)} if phase is Phase.COMPLETED else None,
                "error": _fault(job.failure) if phase is Phase.FAILED and job.failure else None,
                **(_used(job) if unified and phase is Phase.COMPLETED else {}),
            }
        )

    return [
        Route(path, answer, methods=[method])
        for path in (PATH, UNIFIED_PATH)
        for answer, method in ((generate, "POST"), (poll, "GET"))
    ]


def _used(job: Job) -> dict[str, object]:
    return {"meta": {"usage": {"credits_used": round(job.cost * CREDITS_PER_USD)}}}


def _fault(failure: Failure) -> dict[str, str]:
    return {"name": _ERROR_NAMES[failure.fault], "message": failure.message}


def _authorize(context: SandboxContext, request: Request) -> str:
    key = bearer_key(request)
    if not key or key == BAD_KEY:
        raise Refusal(_error(context, request, 401, "Unauthorized: the API key is missing or not known"))
    if key == FORBIDDEN_KEY:
        raise Refusal(_error(context, request, 403, "This key may not use this model"))
    return key


def _error(context: SandboxContext, request: Request, status: int, message: str) -> Response:
    return JSONResponse(
        {
            "message": message,
            "path": request.url.path,
            "requestId": str(uuid.uuid4()),
            "statusCode": status,
            "timestamp": timestamp(context.clock()),
        },
        status,
    )
