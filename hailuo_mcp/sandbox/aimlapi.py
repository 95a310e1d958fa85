"""Stand-in for the AI/ML API's two video routes: the older one of minimax/hailuo-02, and the unified one of the newer
models, which has other field names.
"""

import uuid
from collections.abc import Mapping
from functools import partial
from typing import cast

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox import body
from hailuo_mcp.sandbox.body import Field, Invalid
from hailuo_mcp.sandbox.context import SandboxContext, accepted_key, bearer_key, check_account, timestamp
from hailuo_mcp.sandbox.jobs import Fault, Job, Phase, Shot

GATEWAY = "aimlapi"
MODEL = "minimax/hailuo-02"
PATH = "/v2/generate/video/minimax/generation"
HAILUO_23, HAILUO_23_FAST = "minimax/hailuo-2.3", "minimax/hailuo-2.3-fast"
H3, H3_MAX = "minimax/h3", "minimax/h3-max"
UNIFIED_PATH = "/v2/video/generations"

CREDITS_PER_USD = 2_000_000
_USD = {
    # Only one of these is published: 6 s of 2.3-fast at 768P. The others assume the same 5 % on top of what MiniMax
    # charges.
    HAILUO_23: {(768, 6): 0.294, (768, 10): 0.588, (1080, 6): 0.5145},
    HAILUO_23_FAST: {(768, 6): 0.1995, (768, 10): 0.336, (1080, 6): 0.3465},
}

_H3_DEFAULTS = {H3: ("2K", 6), H3_MAX: ("768p", 5)}
_H3_USD_PER_SECOND = {"2K": 0.1365, "480p": 0.0525, "768p": 0.084}
"""None of these is published: they assume the same 5 %."""
_SIDES = {"2K": 1440, "1080P": 1080, "768P": 768, "768p": 768, "480p": 480}

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


_COMMON: Mapping[str, Field] = {
    "prompt": Field(body.prompt, required=True),
    "duration": Field(body.whole(6, 10)),
    "resolution": Field(body.one_of("768P", "1080P")),
}
_FIELDS: Mapping[str, Field] = {
    **_COMMON,
    "model": Field(body.one_of(MODEL), required=True),
    "prompt_optimizer": Field(body.boolean),
    "first_frame_image": Field(_image),
    "last_image_url": Field(_image),  # newer than the page; documented for URLs, base64 is inferred
}
_UNIFIED_FIELDS: Mapping[str, Field] = {
    **_COMMON,
    "model": Field(body.one_of(HAILUO_23, HAILUO_23_FAST), required=True),
    "image_url": Field(_image),
    "enhance_prompt": Field(body.boolean),
}
_REFERENCES = {"reference_image_urls": 9, "video_urls": 3, "audio_urls": 3}
_H3_COMMON: Mapping[str, Field] = {
    "image_url": Field(_image),
    "last_image_url": Field(_image),
    **{name: Field(body.list_of(body.web_url, most)) for name, most in _REFERENCES.items()},
    "ratio": Field(body.one_of("adaptive", *body.RATIOS)),
}
_H3_FIELDS: Mapping[str, Mapping[str, Field]] = {
    H3: {
        "model": Field(body.one_of(H3), required=True),
        "prompt": Field(body.prompt_of(7000), required=True),
        **_H3_COMMON,
        "duration": Field(body.between(4, 15)),
        "resolution": Field(body.one_of("2K")),
    },
    H3_MAX: {
        "model": Field(body.one_of(H3_MAX), required=True),
        "prompt": Field(body.prompt_of(50_000), required=True),
        **_H3_COMMON,
        "duration": Field(body.between(5, 15)),
        "resolution": Field(body.one_of("480p", "768p")),
        "prompt_expansion_mode": Field(body.one_of("balanced", "quality")),
        "enable_safety_checker": Field(body.boolean),
        "seed": Field(body.integer),
    },
}


def routes(context: SandboxContext) -> list[Route]:
    async def generate(request: Request) -> Response:
        key = _authorize(context, request)
        try:
            values = _read(await body.read_json(request), unified=request.url.path == UNIFIED_PATH)
            images = await to_thread.run_sync(partial(context.assets.keep_inline, values, _FRAMES, bare_base64=True))
        except Invalid as refusal:
            return _error(context, request, 400, str(refusal))
        shot = _shot(values, images)
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
        if model in _H3_FIELDS:
            cost = _H3_USD_PER_SECOND[str(values.get("resolution", _H3_DEFAULTS[model][0]))] * shot.seconds
        job = await context.take(GATEWAY, generation_id, key, model, values | images, shot, cost=cost)
        # `tokens_used` as in the printed sample; prices are not published, so the number is arbitrary.
        meta = {"usage": {"tokens_used": 1}}
        return JSONResponse({"generation_id": job.remote_id, "status": "queued", "meta": meta}, 201)

    async def poll(request: Request) -> Response:
        key = _authorize(context, request)
        generation_id = request.query_params.get("generation_id")
        if not generation_id:
            return _error(context, request, 400, "generation_id is required")
        unified = request.url.path == UNIFIED_PATH
        unknown = _error(context, request, 404, f"Generation {generation_id} not found")
        job, phase = await context.find(GATEWAY, generation_id, key, unknown)
        if (job.model != MODEL) != unified:
            return unknown
        failure = job.failure if phase is Phase.FAILED else None
        video = {"url": context.clip_link(request, job)} if phase is Phase.COMPLETED else None
        return JSONResponse(
            {
                "id": generation_id,
                "status": _STATUSES[phase],
                "video": [video] if video and job.model == H3_MAX else video,  # its page allows both
                "error": failure and {"name": _ERROR_NAMES[failure.fault], "message": failure.message},
                **(_used(job) if unified and phase is Phase.COMPLETED else {}),
            }
        )

    return [
        Route(path, answer, methods=[method])
        for path in (PATH, UNIFIED_PATH)
        for answer, method in ((generate, "POST"), (poll, "GET"))
    ]


def _read(given: object, *, unified: bool) -> dict[str, object]:
    """Raises `Invalid`."""
    values = cast("dict[str, object]", given) if isinstance(given, dict) else {}
    model = values.get("model")
    if unified and isinstance(model, str) and model in _H3_FIELDS:
        values = body.read_fields(values, _H3_FIELDS[model])
        counts = body.count_references(values, _REFERENCES)
        if 0 < sum(counts.values()) == counts["audio_urls"]:
            raise Invalid("audio_urls cannot be the only reference")
        if values.get("ratio") == "adaptive" and not any(name in values for name in (*_REFERENCES, *_FRAMES)):
            raise Invalid("ratio cannot be adaptive for text to video")
        return values
    values = body.read_fields(cast("object", given), _UNIFIED_FIELDS if unified else _FIELDS)
    if values.get("duration") == 10 and values.get("resolution") == "1080P":
        raise Invalid("duration 10 is available at 768P only")
    if values["model"] == HAILUO_23_FAST and "image_url" not in values:
        raise Invalid(f"image_url is required by {HAILUO_23_FAST}")
    return values


def _shot(values: Mapping[str, object], images: Mapping[str, str]) -> Shot:
    model = str(values["model"])
    resolution, seconds = _H3_DEFAULTS.get(model, ("768P", 6))
    first = next((images[name] for name in _FIRST_FRAMES if name in images), None)
    references = cast("list[str]", values.get("reference_image_urls") or [None])
    ratio = values.get("ratio", "16:9" if model in _H3_FIELDS and not images else None)
    return Shot(
        prompt=str(values["prompt"]),
        seconds=cast("int", values.get("duration", seconds)),
        short_side=_SIDES[str(values.get("resolution", resolution))],
        first=first or references[0],
        last=images.get("last_image_url"),
        ratio=None if ratio == "adaptive" else cast("str | None", ratio),
        sound=model in _H3_FIELDS,
    )


def _used(job: Job) -> dict[str, object]:
    spent = {"usd_spent": round(job.cost, 6)} if job.model in _H3_FIELDS else {}
    return {"meta": {"usage": {"credits_used": round(job.cost * CREDITS_PER_USD), **spent}}}


def _authorize(context: SandboxContext, request: Request) -> str:
    return accepted_key(
        bearer_key(request),
        _error(context, request, 401, "Unauthorized: the API key is missing or not known"),
        _error(context, request, 403, "This key may not use this model"),
    )


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
