"""Stand-in for APIXO's `generateTask` and `statusTask` of hailuo-2-3-fast and hailuo-2-3.

A request of the type `callback` is accepted like any other. When its job has ended, the response that `statusTask`
would give is POSTed to its `callback_url`, within the limits of `callbacks.py`.
"""

import json
import uuid
from collections.abc import Mapping
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox import body
from hailuo_mcp.sandbox.body import Check, Field, Invalid
from hailuo_mcp.sandbox.context import SandboxContext, accepted_key, bearer_key, check_account, clip_link
from hailuo_mcp.sandbox.jobs import Fault, Job, Phase, Shot

GATEWAY = "apixo"
FAST, HAILUO_23 = "hailuo-2-3-fast", "hailuo-2-3"

_SOURCES = {FAST: ("image",), HAILUO_23: ("image", "text")}
_PRO_SECONDS = {FAST: 6, HAILUO_23: 5}
_MESSAGES = {
    400: "Invalid parameters or request error",
    401: "Invalid or missing API Key",
    402: "Insufficient credits",
    403: "Forbidden",
    404: "Task not found",
    429: "Rate limit exceeded",
}
_STATES = {
    Phase.QUEUED: "pending",
    Phase.PROCESSING: "processing",
    Phase.COMPLETED: "success",
    Phase.FAILED: "failed",
}
# The documents print the first two and mention others without listing them.
_FAIL_CODES = {
    Fault.CONTENT: "CONTENT_VIOLATION",
    Fault.IMAGE: "INVALID_IMAGE_URL",
    Fault.OTHER: "GENERATION_FAILED",
}


def _mode(model: str) -> Check:
    modes = [f"{tier}-{source}-to-video" for tier in ("standard", "pro") for source in _SOURCES[model]]

    def check(value: object) -> None:
        if value not in modes:
            raise Invalid("is invalid. Invalid mode type.")

    return check


def _one_image(value: object) -> None:
    if not isinstance(value, list):
        raise Invalid("must be a list")
    urls = cast("list[object]", value)
    if len(urls) != 1:
        raise Invalid("must hold exactly one image URL")
    body.web_url(urls[0])


_COMMON: Mapping[str, Field] = {
    "request_type": Field(body.one_of("async", "callback"), required=True),
    "callback_url": Field(body.web_url),
    "input": Field(body.anything, required=True),
}
_FIELDS: Mapping[str, Mapping[str, Field]] = {
    FAST: {**_COMMON, "provider": Field(body.one_of("auto", "value", "official"))},
    HAILUO_23: _COMMON,  # older versions of its page also have a provider
}


def routes(context: SandboxContext) -> list[Route]:
    async def generate(request: Request) -> Response:
        key, model = _authorize(request), request.url.path.rpartition("/")[2]
        try:
            values, shot = _read(model, await body.read_json(request))
        except Invalid as refusal:
            return _error(400, str(refusal))
        check_account(
            key,
            shot.prompt,
            no_credits=_error(402, "The account has no credits left"),
            rate_limited=_error(429, "Too many requests, try again later"),
        )
        task_id = f"task_{uuid.uuid4().hex[:24]}"
        callback = context.callback(request, values.get("callback_url"))
        await context.take(GATEWAY, task_id, key, model, values, shot, callback=callback)
        return JSONResponse(_envelope({"taskId": task_id}))

    async def status(request: Request) -> Response:
        key = _authorize(request)
        task_id = request.query_params.get("taskId")
        if not task_id:
            return _error(400, "taskId is required")
        unknown = _error(404, f"Task {task_id} not found")
        job, phase = await context.find(GATEWAY, task_id, key, unknown)
        if job.model != request.url.path.rpartition("/")[2]:
            return unknown
        return JSONResponse(_status(context.base(request), job, phase))

    return [
        route
        for model in _FIELDS
        for route in (
            Route(f"/api/v1/generateTask/{model}", generate, methods=["POST"]),
            Route(f"/api/v1/statusTask/{model}", status, methods=["GET"]),
        )
    ]


def callback(base: str, job: Job) -> Mapping[str, object]:
    """The status envelope of an ended job."""
    return _status(base, job, job.final_phase)


def _status(base: str, job: Job, phase: Phase) -> Mapping[str, object]:
    data: dict[str, object] = {
        "taskId": job.remote_id,
        "state": _STATES[phase],
        "createTime": _milliseconds(job.submitted_at),
    }
    if phase is Phase.COMPLETED:
        data |= {
            "resultJson": json.dumps({"resultUrls": [clip_link(base, job)]}),
            "costTime": _milliseconds(job.takes),
            "completeTime": _milliseconds(job.ended_at),
        }
    if phase is Phase.FAILED and job.failure:
        data |= {"failCode": _FAIL_CODES[job.failure.fault], "failMsg": job.failure.message}
    return _envelope(data)


def _read(model: str, value: object) -> tuple[dict[str, object], Shot]:
    values = body.read_fields(value, _FIELDS[model])
    called_back = values["request_type"] == "callback"
    if called_back != ("callback_url" in values):
        raise Invalid("callback_url is required for request_type callback, and only then allowed")
    fields = {
        "mode": Field(_mode(model), required=True),
        "prompt": Field(body.prompt, required=True),
        "image_urls": Field(_one_image),
        "duration": Field(body.anything),
    }
    given = body.read_fields(values["input"], fields, within="input")
    mode = str(given["mode"])
    if mode.endswith("-image-to-video") != ("image_urls" in given):
        raise Invalid("input.image_urls is required for image-to-video, and only then allowed")
    standard = mode.startswith("standard-")
    if standard:
        body.read_fields(given, fields | {"duration": Field(body.whole(6, 10), required=True)}, within="input")
    return values, Shot(
        prompt=str(given["prompt"]),
        # "pro-image-to-video ignores duration even if included.", and so does text-to-video.
        seconds=cast("int", given["duration"]) if standard else _PRO_SECONDS[model],
        short_side=768 if standard else 1080,
        first=cast("list[str]", given.get("image_urls", [None]))[0],
    )


def _authorize(request: Request) -> str:
    return accepted_key(
        bearer_key(request),
        _error(401, "The API key is missing or not known"),
        _error(403, "This key may not use this model"),
    )


def _envelope(data: Mapping[str, object]) -> Mapping[str, object]:
    return {"code": 200, "message": "success", "data": data}


def _error(code: int, detail: str) -> Response:
    return JSONResponse({"code": code, "message": _MESSAGES[code], "data": {"error": detail}}, code)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
