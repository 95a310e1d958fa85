"""Stand-in for fal: the queue, its history, the upload and the keys of its webhooks.

Written from the queue's documents, the pages of the models and the gateway's own client. A job with invalid input is
accepted and fails when it would be rendered.
"""

import base64
import hashlib
import uuid
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, cast

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox import body, fal_endpoints
from hailuo_mcp.sandbox.assets import SUFFIXES
from hailuo_mcp.sandbox.body import Field, Invalid
from hailuo_mcp.sandbox.context import (
    SandboxContext,
    accepted_key,
    check_account,
    clip_link,
    submitted_within,
    timestamp,
)
from hailuo_mcp.sandbox.faults import Refusal
from hailuo_mcp.sandbox.jobs import Fault, Job, Phase

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

GATEWAY = "fal"
PAGE_SIZE = 100
UPLOADS = "/sandbox/uploads/"
_STATUSES = {Phase.QUEUED: "IN_QUEUE", Phase.PROCESSING: "IN_PROGRESS"}


def routes(context: SandboxContext) -> list[Route]:
    async def submit(request: Request) -> Response:
        key, endpoint = _authorize(request), request.url.path.strip("/")
        try:
            given = await body.read_json(request)
        except Invalid as refusal:
            return _error(422, str(refusal))
        values = cast("dict[str, object]", given) if isinstance(given, dict) else {}
        wrong: str | None = None
        try:
            fal_endpoints.check(endpoint, cast("object", given))
        except Invalid as refusal:
            wrong = str(refusal)
        shot = fal_endpoints.shot(endpoint, values)
        check_account(
            key,
            shot.prompt,
            no_credits=_error(403, "User is locked. Reason: Exhausted balance."),
            rate_limited=_error(429, "Too many requests"),
        )
        callback = context.callback(request, request.query_params.get("fal_webhook"))
        request_id = str(uuid.uuid4())
        job = await context.take(GATEWAY, request_id, key, endpoint, values, shot, rejected=wrong, callback=callback)
        return JSONResponse({"status": "IN_QUEUE", "queue_position": 0, **_links(context.base(request), job)})

    async def status(request: Request) -> Response:
        job, phase = await _find(context, request)
        links = _links(context.base(request), job)
        if word := _STATUSES.get(phase):
            more = {"queue_position": 0} if phase is Phase.QUEUED else {"logs": None}
            return JSONResponse({"status": word, **more, **links}, 202)
        return JSONResponse({"status": "COMPLETED", **links, **_error_of(job, phase), "logs": None, "metrics": {}})

    async def result(request: Request) -> Response:
        job, phase = await _find(context, request)
        if phase in _STATUSES:
            return _error(400, "Request is still in progress")
        if phase is Phase.FAILED and job.failure:
            kind = "content_policy_violation" if job.failure.fault is Fault.CONTENT else "value_error"
            return JSONResponse({"detail": [{"loc": ["body"], "msg": job.failure.message, "type": kind}]}, 422)
        return JSONResponse(_output(context.base(request), job))

    async def cancel(request: Request) -> Response:
        job, phase = await _find(context, request)
        if phase not in _STATUSES:
            return JSONResponse({"status": "ALREADY_COMPLETED"}, 400)
        if phase is Phase.QUEUED:
            await context.cancel(job)
        return JSONResponse({"status": "CANCELLATION_REQUESTED"}, 202)

    async def history(request: Request) -> Response:
        key, query, now = _authorize(request), request.query_params, context.clock()
        jobs = submitted_within(await context.jobs_of(GATEWAY, key), query, "start", "end")
        rows = [
            _row(context.base(request), job, job.phase(now), payloads=query.get("expand") == "payloads")
            for job in reversed(jobs)
            if job.model == query.get("endpoint_id") and query.get("request_id") in (None, job.remote_id)
        ]
        start, size = int(query.get("cursor", "0")), min(int(query.get("limit", "50")), PAGE_SIZE)
        more = len(rows) > start + size
        following = str(start + size) if more else None
        return JSONResponse({"items": rows[start : start + size], "next_cursor": following, "has_more": more})

    async def initiate(request: Request) -> Response:
        _authorize(request)
        try:
            wanted = {"file_name": Field(body.text, required=True), "content_type": Field(body.text, required=True)}
            values = body.read_fields(await body.read_json(request), wanted)
        except Invalid as refusal:
            return _error(422, str(refusal))
        token = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
        name = token + SUFFIXES.get(str(values["content_type"]), ".png")
        addresses = {"upload_url": context.link(request, UPLOADS + name), "file_url": context.asset_link(request, name)}
        return JSONResponse(addresses)

    async def put(request: Request) -> Response:
        stem, _, suffix = request.path_params["name"].partition(".")
        await to_thread.run_sync(context.assets.keep, await request.body(), f".{suffix}", stem)
        return Response(status_code=200)

    async def jwks(_: Request) -> Response:
        public = _private_key().public_key().public_bytes_raw()
        x = base64.urlsafe_b64encode(public).decode().rstrip("=")
        return JSONResponse({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]})

    of_apps = [
        route
        for app in fal_endpoints.APPS
        for route in (
            Route(f"/{app}/requests/{{id}}/status", status, methods=["GET"]),
            Route(f"/{app}/requests/{{id}}/cancel", cancel, methods=["PUT"]),
            Route(f"/{app}/requests/{{id}}", result, methods=["GET"]),
        )
    ]
    return [
        *(Route(f"/{endpoint}", submit, methods=["POST"]) for endpoint in fal_endpoints.FIELDS),
        *of_apps,
        Route("/v1/models/requests/by-endpoint", history, methods=["GET"]),
        Route("/storage/upload/initiate", initiate, methods=["POST"]),
        Route(UPLOADS + "{name}", put, methods=["PUT"]),
        Route("/.well-known/jwks.json", jwks, methods=["GET"]),
    ]


def callback(base: str, job: Job) -> Mapping[str, object]:
    failed = job.final_phase is Phase.FAILED
    payload = {} if failed else _output(base, job)
    facts = {"request_id": job.remote_id, "gateway_request_id": job.remote_id}
    return {**facts, "status": "ERROR" if failed else "OK", "payload": payload, **_error_of(job, job.final_phase)}


def sign(job: Job, content: bytes, now: float) -> Mapping[str, str]:
    """The signature of a webhook's body."""
    facts = {"request-id": job.remote_id, "user-id": "sandbox", "timestamp": str(int(now))}
    signed = "\n".join([*facts.values(), hashlib.sha256(content).hexdigest()]).encode()
    headers = {f"x-fal-webhook-{name}": value for name, value in facts.items()}
    return {**headers, "x-fal-webhook-signature": _private_key().sign(signed).hex()}


@cache
def _private_key() -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # start-up time

    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"hailuo sandbox").digest())


async def _find(context: SandboxContext, request: Request) -> tuple[Job, Phase]:
    """Raises `Refusal`: there is no such request, or it was removed from the queue."""
    key, request_id = _authorize(request), request.path_params["id"]
    unknown = JSONResponse({"status": "NOT_FOUND", "detail": f"Request {request_id} not found"}, 404)
    job, phase = await context.find(GATEWAY, request_id, key, unknown)
    if phase is Phase.CANCELLED:
        raise Refusal(unknown)
    return job, phase


def _links(base: str, job: Job) -> dict[str, object]:
    request_url = f"{base}/{'/'.join(job.model.split('/')[:2])}/requests/{job.remote_id}"
    urls = {"response_url": request_url, "status_url": f"{request_url}/status", "cancel_url": f"{request_url}/cancel"}
    return {"request_id": job.remote_id, **urls}


def _output(base: str, job: Job) -> dict[str, object]:
    video = {"url": clip_link(base, job), "content_type": "video/mp4", "file_name": "output.mp4", "file_size": 0}
    return {"video": video}


def _error_of(job: Job, phase: Phase) -> dict[str, object]:
    if phase is not Phase.FAILED or job.failure is None:
        return {}
    kind = "content_policy_violation" if job.failure.fault is Fault.CONTENT else "internal_error"
    return {"error": job.failure.message, "error_type": kind}


def _row(base: str, job: Job, phase: Phase, *, payloads: bool) -> dict[str, object]:
    codes = {Phase.COMPLETED: 200, Phase.FAILED: 422}
    row: dict[str, object] = {
        "request_id": job.remote_id,
        "endpoint_id": job.model,
        "sent_at": timestamp(job.submitted_at),
        "started_at": None if phase is Phase.QUEUED else timestamp(job.started_at),
        "ended_at": timestamp(job.ended_at) if phase in codes else None,
        "status_code": codes.get(phase),
    }
    if payloads:
        row["json_input"] = dict(job.body)
        row["json_output"] = _output(base, job) if phase is Phase.COMPLETED else None
    return row


def _authorize(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return accepted_key(
        key.strip() if scheme.lower() == "key" else "",
        _error(401, "No user found for Key ID and Secret"),
        _error(403, "User is not authorized for this endpoint"),
    )


def _error(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status)
