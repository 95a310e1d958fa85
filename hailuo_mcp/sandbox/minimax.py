"""Stand-in for MiniMax's own API: submission, query and file.

Errors have HTTP status 200 and a code in `base_resp`. A finished job names a file; each query for it returns a new
link, which expires after an hour. A `callback_url` must echo a challenge at once, and is called when the job has ended.
"""

import uuid
from collections.abc import Mapping
from functools import partial

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox import body
from hailuo_mcp.sandbox.body import Field, Invalid
from hailuo_mcp.sandbox.context import BAD_KEY, FORBIDDEN_KEY, SandboxContext, bearer_key, check_account
from hailuo_mcp.sandbox.faults import Refusal
from hailuo_mcp.sandbox.jobs import Failure, Fault, Job, Phase, Shot

GATEWAY = "minimax"
SUBMIT = "/v1/video_generation"
QUERY = "/v1/query/video_generation"
RETRIEVE = "/v1/files/retrieve"
BALANCE = "/account/query_balance"

S2V_01 = "S2V-01"
HAILUO_23, HAILUO_23_FAST, HAILUO_02 = "MiniMax-Hailuo-2.3", "MiniMax-Hailuo-2.3-Fast", "MiniMax-Hailuo-02"
RATE_LIMIT, NO_LOGIN, NO_BALANCE, OUTPUT_SENSITIVE, BAD_PARAMETERS, BAD_API_KEY = 1002, 1004, 1008, 1027, 2013, 2049

_SHORT_SIDES = {"512P": 512, "768P": 768, "1080P": 1080}
_WIDTHS = {512: 910, 720: 1280, 768: 1366, 1080: 1920}
_STATUSES = {
    Phase.QUEUED: "Queueing",
    Phase.PROCESSING: "Processing",
    Phase.COMPLETED: "Success",
    Phase.FAILED: "Fail",
}
_PREPARING_SHARE = 0.05
"""The fraction of a job's time before it enters the queue."""
_SUBJECT = "subject_reference"
_IMAGES = ("first_frame_image", "last_frame_image", _SUBJECT)
_TASKS_FROM, _FILES_FROM = 10**17, 3 * 10**18
"""Ids as long as the real ones: 18 and 19 digits, more than a floating-point number holds."""

_FIELDS: Mapping[str, Field] = {
    "model": Field(body.one_of(HAILUO_23, HAILUO_23_FAST, HAILUO_02, S2V_01), required=True),
    "prompt": Field(body.prompt),
    "first_frame_image": Field(body.text),
    "last_frame_image": Field(body.text),
    "subject_reference": Field(body.anything),
    "prompt_optimizer": Field(body.boolean),
    "fast_pretreatment": Field(body.boolean),
    "duration": Field(body.whole(6, 10)),
    "resolution": Field(body.one_of(*_SHORT_SIDES)),
    "callback_url": Field(body.web_url),
}


def routes(context: SandboxContext) -> list[Route]:
    async def submit(request: Request) -> Response:
        key = _authorize(request)
        try:
            values = body.read_fields(await body.read_json(request), _FIELDS)
            _check_matrix(values)
            values |= _subject(values)
            images = await to_thread.run_sync(partial(context.assets.keep_inline, values, _IMAGES, webp=True))
        except Invalid as refusal:
            return _answer(BAD_PARAMETERS, f"invalid params, {refusal}", task_id="")
        shot = Shot(
            prompt=str(values.get("prompt", "")),
            seconds=10 if values.get("duration") == 10 else 6,
            short_side=720 if values["model"] == S2V_01 else _SHORT_SIDES[str(values.get("resolution", "768P"))],
            first=images.get("first_frame_image") or images.get(_SUBJECT),
            last=images.get("last_frame_image"),
        )
        check_account(
            key,
            shot.prompt,
            no_credits=_answer(NO_BALANCE, "insufficient balance", task_id=""),
            rate_limited=_answer(RATE_LIMIT, "rate limit exceeded(RPM)", task_id=""),
        )
        unechoed = _answer(BAD_PARAMETERS, "invalid params, callback_url did not answer the challenge", task_id="")
        callback = await context.challenged_callback(request, values.get("callback_url"), unechoed)
        task_id = str(_TASKS_FROM + uuid.uuid4().int % _TASKS_FROM)
        model = str(values["model"])
        await context.take(GATEWAY, task_id, key, model, values | images, shot, callback=callback)
        return _answer(task_id=task_id)

    async def query(request: Request) -> Response:
        key = _authorize(request)
        # The documented code for this query that fits best.
        unknown = _answer(BAD_PARAMETERS, "invalid params, task_id is not known", task_id="", status="", file_id="")
        job, phase = await context.find(GATEWAY, request.query_params.get("task_id", ""), key, unknown)
        preparing = context.clock() - job.submitted_at < job.takes * _PREPARING_SHARE
        return JSONResponse(_status(job, phase, preparing=preparing))

    async def retrieve(request: Request) -> Response:
        key = _authorize(request)
        file_id = request.query_params.get("file_id", "")
        task_id = (
            str(int(file_id) - _FILES_FROM) if file_id.isascii() and file_id.isdigit() and len(file_id) == 19 else ""
        )
        unknown = _answer(BAD_PARAMETERS, "invalid params, file_id is not known")
        job, phase = await context.find(GATEWAY, task_id, key, unknown)
        if phase is not Phase.COMPLETED:
            return unknown
        file = {
            "file_id": _file_id(job),  # a number here, a string in the response to a query
            "bytes": 0,  # unknown: the clip is rendered when it is first fetched
            "created_at": int(job.ended_at),
            "filename": "output.mp4",
            "purpose": "video_generation",
            "download_url": context.expiring_clip_link(request, job),
        }
        return _answer(file=file)

    async def balance(request: Request) -> Response:
        _authorize(request)
        return _answer(available_amount="100.00", credit_balance="0.00")

    return [
        Route(SUBMIT, submit, methods=["POST"]),
        Route(QUERY, query, methods=["GET"]),
        Route(RETRIEVE, retrieve, methods=["GET"]),
        Route(BALANCE, balance, methods=["GET"]),
    ]


def callback(_base: str, job: Job) -> Mapping[str, object]:
    """The response to a query for the ended job. The documents print no link in it."""
    return _status(job, job.final_phase)


def _status(job: Job, phase: Phase, *, preparing: bool = False) -> Mapping[str, object]:
    if phase is Phase.FAILED and job.failure:
        code, message = _reason(job.failure)
        return _envelope(code, message, task_id=job.remote_id, status="Fail", file_id="")
    done = phase is Phase.COMPLETED
    return _envelope(
        0,
        "success",
        task_id=job.remote_id,
        status="Preparing" if preparing else _STATUSES[phase],
        file_id=str(_file_id(job)) if done else "",
        video_width=_WIDTHS[job.shot.short_side] if done else 0,
        video_height=job.shot.short_side if done else 0,
    )


def _check_matrix(values: Mapping[str, object]) -> None:
    """Check that the model supports these inputs, resolution and length."""
    model, resolution = values["model"], values.get("resolution", "768P")
    if (model == S2V_01) != ("subject_reference" in values):
        raise Invalid(f"subject_reference is required by {S2V_01}, and is a parameter of no other model")
    if model == S2V_01 and {"duration", "resolution", "first_frame_image", "last_frame_image"} & set(values):
        raise Invalid(f"{S2V_01} takes neither frames nor a duration or resolution")
    first, last = "first_frame_image" in values, "last_frame_image" in values
    if model == HAILUO_23_FAST and not first:
        raise Invalid(f"first_frame_image is required by {model}")
    if not first and "prompt" not in values:
        raise Invalid("prompt is required without first_frame_image")
    if resolution == "1080P" and values.get("duration") == 10:
        raise Invalid("duration 10 is not available at 1080P")
    if resolution == "512P" and (model != HAILUO_02 or not first):
        raise Invalid(f"resolution 512P is available from a first frame on {HAILUO_02} only")
    if last:
        if model != HAILUO_02:
            raise Invalid(f"last_frame_image is available on {HAILUO_02} only")
        if not first:
            raise Invalid("first_frame_image is required with last_frame_image")
        if resolution == "512P":
            raise Invalid("last_frame_image is not available at 512P")
        if "fast_pretreatment" in values:
            raise Invalid("fast_pretreatment is not a parameter with last_frame_image")


def _subject(values: Mapping[str, object]) -> Mapping[str, object]:
    """The image in `subject_reference`, which is one character with one image."""
    if _SUBJECT not in values:
        return {}
    match values[_SUBJECT]:
        case [{"type": "character", "image": [str() as image]}]:
            return {_SUBJECT: image}
        case _:
            raise Invalid(f'{_SUBJECT} must be [{{"type": "character", "image": [one URL]}}]')


def _file_id(job: Job) -> int:
    return _FILES_FROM + int(job.remote_id)


def _reason(failure: Failure) -> tuple[int, str]:
    """Why a task failed. The documents name no code for failures of the vendor itself."""
    if failure.fault is Fault.CONTENT:
        return OUTPUT_SENSITIVE, "output new_sensitive"
    return (BAD_PARAMETERS, f"invalid params, {failure.message}") if failure.fault is Fault.IMAGE else (0, "success")


def _authorize(request: Request) -> str:
    key = bearer_key(request)
    if not key:
        no_login = "login fail: Please carry the API secret key in the 'Authorization' field"
        raise Refusal(_answer(NO_LOGIN, no_login))
    if key == BAD_KEY:
        raise Refusal(_answer(BAD_API_KEY, "invalid api key"))
    if key == FORBIDDEN_KEY:  # no code is documented for it; a proxy in front of the API may also refuse a key
        raise Refusal(JSONResponse({"message": "This key may not use this API"}, 403))
    return key


def _answer(code: int = 0, message: str = "success", **values: object) -> Response:
    return JSONResponse(_envelope(code, message, **values))


def _envelope(code: int, message: str, **values: object) -> Mapping[str, object]:
    return {**values, "base_resp": {"status_code": code, "status_msg": message}}
