"""Stand-in for APIXO's `generateTask` and `statusTask` of hailuo-2-3-fast.

A request of the type `callback` is accepted like any other. When its job has ended, the response that `statusTask`
would give is POSTed to its `callback_url`, within the limits of `callbacks.py`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox import body
from hailuo_mcp.sandbox.body import Field, Invalid
from hailuo_mcp.sandbox.context import BAD_KEY, FORBIDDEN_KEY, SandboxContext, bearer_key, check_account, clip_link
from hailuo_mcp.sandbox.faults import Refusal
from hailuo_mcp.sandbox.jobs import Fault, Job, Phase, Shot

GATEWAY = "apixo"
MODEL = "hailuo-2-3-fast"

_STANDARD = "standard-image-to-video"
_PRO = "pro-image-to-video"
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
# The documents print the first two, and say that there are others without listing them.
_FAIL_CODES = {
    Fault.CONTENT: "CONTENT_VIOLATION",
    Fault.IMAGE: "INVALID_IMAGE_URL",
    Fault.OTHER: "GENERATION_FAILED",
}


def _mode(value: object) -> None:
    if value not in (_STANDARD, _PRO):
        raise Invalid("is invalid. Invalid mode type.")


def _one_image(value: object) -> None:
    if not isinstance(value, list):
        raise Invalid("must be a list")
    urls = cast("list[object]", value)
    if len(urls) != 1:
        raise Invalid("must hold exactly one image URL")
    body.web_url(urls[0])


_FIELDS: Mapping[str, Field] = {
    "request_type": Field(body.one_of("async", "callback"), required=True),
    "callback_url": Field(body.web_url),
    "provider": Field(body.one_of("auto", "value", "official")),
    "input": Field(body.anything, required=True),
}
_INPUT_FIELDS: Mapping[str, Field] = {
    "mode": Field(_mode, required=True),
    "prompt": Field(body.prompt, required=True),
    "image_urls": Field(_one_image, required=True),
    "duration": Field(body.anything),
}


def routes(context: SandboxContext) -> list[Route]:
    async def generate(request: Request) -> Response:
        key = _authorize(request)
        try:
            values, shot = _read(await body.read_json(request))
        except Invalid as refusal:
            return _error(400, str(refusal))
        check_account(
            key,
            shot.prompt,
            no_credits=_error(402, "The account has no credits left"),
            rate_limited=_error(429, "Too many requests, try again later"),
        )
        task_id = f"task_{uuid.uuid4().hex[:24]}"
        callback_url = cast("str | None", values.get("callback_url"))
        await context.take(GATEWAY, task_id, key, MODEL, values, shot, callback_url=callback_url, request=request)
        return JSONResponse(_envelope({"taskId": task_id}))

    async def status(request: Request) -> Response:
        key = _authorize(request)
        task_id = request.query_params.get("taskId")
        if not task_id:
            return _error(400, "taskId is required")
        found = await context.find_with_phase(GATEWAY, task_id, key)
        if found is None:
            return _error(404, f"Task {task_id} not found")
        return JSONResponse(_status(context.base(request), *found))

    return [
        Route(f"/api/v1/generateTask/{MODEL}", generate, methods=["POST"]),
        Route(f"/api/v1/statusTask/{MODEL}", status, methods=["GET"]),
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


def _read(value: object) -> tuple[dict[str, object], Shot]:
    values = body.read_fields(value, _FIELDS)
    called_back = values["request_type"] == "callback"
    if called_back != ("callback_url" in values):
        raise Invalid("callback_url is required for request_type callback, and only then allowed")
    given = body.read_fields(values["input"], _INPUT_FIELDS, within="input")
    standard = given["mode"] == _STANDARD
    if standard:
        body.read_fields(
            {"duration": given["duration"]} if "duration" in given else {},
            {"duration": Field(body.whole(6, 10), required=True)},
            within="input",
        )
    return values, Shot(
        prompt=str(given["prompt"]),
        # "pro-image-to-video ignores duration even if included."
        seconds=cast("int", given["duration"]) if standard else 6,
        short_side=768 if standard else 1080,
        first=cast("list[str]", given["image_urls"])[0],
    )


def _authorize(request: Request) -> str:
    key = bearer_key(request)
    if not key or key == BAD_KEY:
        raise Refusal(_error(401, "The API key is missing or not known"))
    if key == FORBIDDEN_KEY:
        raise Refusal(_error(403, "This key may not use this model"))
    return key


def _envelope(data: Mapping[str, object]) -> Mapping[str, object]:
    return {"code": 200, "message": "success", "data": data}


def _error(code: int, detail: str) -> Response:
    return JSONResponse({"code": code, "message": _MESSAGES[code], "data": {"error": detail}}, code)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
