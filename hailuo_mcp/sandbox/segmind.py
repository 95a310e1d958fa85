"""Stand-in for Segmind's inference API, v2 (submit and poll) and the synchronous v1, and for its storage.

Written from the model pages and the gateway's own SDK. A body that the page's parameter table forbids is refused
at submission; what only the model behind it can know (a bad image, 10 s at 1080p) fails the job later.

The SDK reads `file_urls` of an upload; other documents print `urls`. The size limit is not documented.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox import body
from hailuo_mcp.sandbox.assets import Assets, read_data_url
from hailuo_mcp.sandbox.body import Field, Invalid
from hailuo_mcp.sandbox.clips import MEDIA_TYPE
from hailuo_mcp.sandbox.context import SandboxContext, accepted_key, check_account, timestamp
from hailuo_mcp.sandbox.faults import Refusal
from hailuo_mcp.sandbox.jobs import Fault, Job, Phase, Shot

GATEWAY = "segmind"

_CREDITS = 100.0
"""US$ that every key starts with."""
_V1_TIMEOUT_FACTOR = 5
"""How many times the usual time the synchronous route waits before it returns 504."""


@dataclass(frozen=True, slots=True)
class Model:
    fields: Mapping[str, Field]
    side: int
    """The shorter side of a clip, if neither resolution nor mode says another."""
    usd: Mapping[tuple[int, int], float]
    """Seconds and shorter side to the published price of a clip."""
    first_frame: str = "first_frame_image"


_DURATION = Field(body.whole(6, 10, as_string=True))  # the printed sample sends "6"
_COMMON = {"prompt": Field(body.prompt, required=True), "prompt_optimizer": Field(body.boolean)}
_RESOLUTION = Field(body.one_of("768p", "1080p"))
_SIDES = {"768p": 768, "1080p": 1080, "standard": 768, "pro": 1080}
_URL, _REQUIRED_URL = Field(body.web_url), Field(body.web_url, required=True)
_URL_OR_NULL = Field(body.nullable(body.web_url), required=True)  # "required", with the default null
_UPLOAD = {"data_urls": Field(body.list_of(body.text), required=True)}

MODELS: Mapping[str, Model] = {
    "hailuo-02-fast": Model(
        fields={
            **_COMMON,
            "first_frame_image": _REQUIRED_URL,
            "last_frame_image": _URL_OR_NULL,
            "duration": _DURATION,
            "go_fast": Field(body.boolean),
        },
        side=512,
        usd={(6, 512): 0.125, (10, 512): 0.188},
    ),
    "hailuo-2.3-fast": Model(
        fields={**_COMMON, "first_frame_image": _REQUIRED_URL, "duration": _DURATION, "resolution": _RESOLUTION},
        side=1080,
        usd={(6, 768): 0.24, (10, 768): 0.41, (6, 1080): 0.41},
    ),
    "hailuo-2.3": Model(
        fields={**_COMMON, "first_frame_image": _URL, "duration": _DURATION, "resolution": _RESOLUTION},
        side=768,
        usd={(6, 768): 0.35, (10, 768): 0.7, (6, 1080): 0.6125},  # the last is only published as between the others
    ),
    "minimax-hailuo-2": Model(
        fields={
            **_COMMON,
            "mode": Field(body.one_of("standard", "pro"), required=True),
            "last_frame_image": _URL_OR_NULL,
            "image_url": _URL,
        },
        side=768,
        usd={(6, 768): 0.3875, (6, 1080): 0.3875},
        first_frame="image_url",
    ),
}


def routes(context: SandboxContext) -> list[Route]:
    async def submit(request: Request) -> Response:
        job = await _take(context, request)
        links = _links(context, request, job.remote_id)
        return JSONResponse({"request_id": job.remote_id, "status": "QUEUED", "poll_url": links["status_url"], **links})

    async def status(request: Request) -> Response:
        return await _poll(context, request, with_result=False)

    async def result(request: Request) -> Response:
        return await _poll(context, request, with_result=True)

    async def run(request: Request) -> Response:
        job = await _take(context, request)
        if not job.ends:
            await anyio.sleep(job.takes * _V1_TIMEOUT_FACTOR)
            return error(504, "Request timed out")
        await anyio.sleep(job.takes)
        if job.failure:
            # The status of a failed v1 generation is not documented; the page's table leaves only 400 and 500.
            return error(500 if job.failure.fault is Fault.OTHER else 400, job.failure.message)
        return FileResponse(await context.clips.path(job), media_type=MEDIA_TYPE)

    async def upload(request: Request) -> Response:
        authorize(request)
        try:
            values = body.read_fields(await body.read_json(request), _UPLOAD)
            names = await to_thread.run_sync(_keep, context.assets, cast("list[str]", values["data_urls"]))
        except Invalid as refusal:
            return error(400, f"Invalid request: {refusal}")
        links = [context.asset_link(request, name) for name in names]
        return JSONResponse({"file_urls": links, "message": "Files uploaded successfully"})

    return [
        Route("/upload-asset", upload, methods=["POST"]),
        Route("/v2/requests/{id}/status", status, methods=["GET"]),
        Route("/v2/requests/{id}", result, methods=["GET"]),
        Route("/v2/{slug}", submit, methods=["POST"]),
        Route("/v1/{slug}", run, methods=["POST"]),
    ]


def _keep(assets: Assets, data_urls: list[str]) -> list[str]:
    """Store files and return their names. All are read before any is stored, so that a refused request leaves nothing
    behind."""
    try:
        images = [read_data_url(url) for url in data_urls]
    except Invalid as refusal:
        raise Invalid(f"a data URL {refusal}") from None
    return [assets.keep(data, suffix) for data, suffix in images]


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status, headers=headers)


def authorize(request: Request) -> str:
    """The key of a request, or `Refusal`. Only `x-api-key` is documented; a bearer token is not read."""
    key = request.headers.get("x-api-key", "").strip()
    description = "The API key is invalid" if key else "Send your API key in the x-api-key header"
    unknown = {"error": "Unauthorized", "error_description": description, "status_code": 401}
    forbidden = {"error": "Forbidden", "error_description": "This key may not use this endpoint", "status_code": 403}
    return accepted_key(key, JSONResponse(unknown, 401), JSONResponse(forbidden, 403))


async def _take(context: SandboxContext, request: Request) -> Job:
    """Record the job that a submission asks for. Raises `Refusal`."""
    key = authorize(request)
    slug = request.path_params["slug"]
    model = MODELS.get(slug)
    if model is None:
        raise Refusal(error(404, f"Model {slug} not found"))
    try:
        values = body.read_fields(await body.read_json(request), model.fields)
    except Invalid as refusal:
        raise Refusal(error(400, f"Invalid request: {refusal}")) from None
    reset = {"x-rate-limit-reset-at-utc": timestamp(context.clock() + 60)}
    check_account(
        key,
        str(values["prompt"]),
        no_credits=error(406, "Insufficient credits to process this request"),
        rate_limited=error(429, "Rate limit exceeded", reset),
    )
    shot = Shot(
        prompt=str(values["prompt"]),
        seconds=int(str(values.get("duration", 6))),
        short_side=_SIDES.get(str(values.get("resolution", values.get("mode"))), model.side),
        first=cast("str | None", values.get(model.first_frame)),
        last=cast("str | None", values.get("last_frame_image")),
    )
    # The vendor's own API makes no 10 s clip at 1080p; Segmind's page does not say so, so this is no 400.
    unmade = "10 seconds are not available at 1080p" if (shot.seconds, shot.short_side) == (10, 1080) else None
    cost = model.usd.get((shot.seconds, shot.short_side), 0.0)
    return await context.take(GATEWAY, str(uuid.uuid4()), key, slug, values, shot, cost=cost, rejected=unmade)


async def _poll(context: SandboxContext, request: Request, *, with_result: bool) -> Response:
    key, remote_id, now = authorize(request), request.path_params["id"], context.clock()
    spent = sum(other.cost for other in await context.jobs_of(GATEWAY, key) if other.phase(now) is Phase.COMPLETED)
    credits_header = {"x-remaining-credits": str(round(_CREDITS - spent, 4))}
    unknown = error(404, f"Request {remote_id} not found", credits_header)
    job, phase = await context.find(GATEWAY, remote_id, key, unknown, context.retention_seconds)
    answer: dict[str, object] = {"status": phase.upper(), "request_id": remote_id}
    metrics = _metrics(job, phase, now)
    if phase in (Phase.COMPLETED, Phase.FAILED):
        charged = job.cost if phase is Phase.COMPLETED else 0
        metrics |= {"cost": charged, "remaining_credits": round(_CREDITS - spent, 4)}
    answer["metrics"] = metrics
    if phase is Phase.FAILED:
        return JSONResponse(answer | {"error": job.failure and job.failure.message}, 422, credits_header)
    if with_result and phase is Phase.COMPLETED:
        return JSONResponse(answer | {"error": None, "output": context.clip_link(request, job)}, headers=credits_header)
    # The result of a running job is not documented: here it is the same as its status.
    return JSONResponse(answer | _links(context, request, remote_id), headers=credits_header)


def _metrics(job: Job, phase: Phase, now: float) -> dict[str, object]:
    """The times known so far, in seconds."""
    if phase is Phase.QUEUED:
        return {"queue_time": round(max(0.0, now - job.submitted_at), 3)}
    ended = min(now, job.ended_at) if job.ends else now
    return {
        "queue_time": round(job.started_at - job.submitted_at, 3),
        "inference_time": round(ended - job.started_at, 3),
        "total_time": round(ended - job.submitted_at, 3),
    }


def _links(context: SandboxContext, request: Request, remote_id: str) -> dict[str, str]:
    response_url = context.link(request, f"/v2/requests/{remote_id}")
    return {"status_url": f"{response_url}/status", "response_url": response_url}
