"""The HTTP routes besides MCP: saved clips, uploads, gateway callbacks, and health checks."""

import logging
from collections.abc import Callable
from pathlib import Path

import anyio
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.core.caller import LOCAL
from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import Job, utc_now
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways.answers import mapping, parse_json
from hailuo_mcp.http.auth import READ, caller_of
from hailuo_mcp.http.bodies import read_body
from hailuo_mcp.http.uploads import upload_routes
from hailuo_mcp.media.clips import MEDIA_TYPE
from hailuo_mcp.service.services import Services
from hailuo_mcp.service.signed_urls import CALLBACKS, CLIPS

log = logging.getLogger(__name__)

HEALTH, READY = "/health", "/ready"
CALLBACK_BYTES_MAX = 64 * 1024
CLIP_HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "Referrer-Policy": "no-referrer",  # anyone who has the URL can see the clip
    "X-Content-Type-Options": "nosniff",
}
NOT_FOUND = {"error": "There is nothing here, or not for you."}
"""The same whether something does not exist, belongs to another tenant, or has expired."""


def routes(services: Services, is_stopping: Callable[[], bool]) -> list[Route]:
    """The routes other than `/mcp`. The services need a base URL."""
    urls, gateways = services.urls, services.credentials.gateways_for(LOCAL)
    if urls is None:
        raise ValueError("routes need services with a base URL")

    async def clip(request: Request) -> Response:
        key = request.path_params["key"]
        query = request.query_params
        signed = urls.is_clip(key, query.get("until", ""), query.get("signature", ""), utc_now())
        tenant = _tenant_of(request, services.settings)
        if not signed and not tenant:
            return _not_found()
        try:
            job = await services.ledger.get(key)
        except HailuoError as error:
            return JSONResponse({"error": error.for_remote_callers().problem.message}, 503)
        if job is None or not (signed or job.tenant == tenant):
            return _not_found()
        path = await anyio.to_thread.run_sync(_saved_file, services.settings.output_dir, job)
        if path is None:
            return _not_found()
        return FileResponse(
            path, media_type=MEDIA_TYPE, filename=path.name, headers=CLIP_HEADERS, content_disposition_type="inline"
        )

    async def called_back(request: Request) -> Response:
        gateway = gateways.get(request.path_params["gateway"])
        key = urls.called_for(gateway.name, request.path_params["secret"]) if gateway and gateway.callbacks else None
        if gateway is None or key is None:
            return _not_found()
        raw = await read_body(request, CALLBACK_BYTES_MAX)
        if gateway.signs_callbacks and not await _is_genuine(services, key, request, raw):
            return _not_found()
        answer = gateway.callback_answer(mapping(parse_json(raw)))
        if not answer:
            services.poller.on_webhook(key)
        return JSONResponse(dict(answer))

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_request: Request) -> Response:
        if is_stopping():
            return JSONResponse({"status": "stopping"}, 503)
        try:
            await services.ledger.ready()
        except HailuoError as error:
            return JSONResponse({"status": "not ready", "error": error.problem.code}, 503)
        return JSONResponse({"status": "ready"})

    return [
        Route(f"{CLIPS}/{{key}}.mp4", clip, methods=["GET"]),
        Route(f"{CALLBACKS}/{{gateway}}/{{secret}}", called_back, methods=["POST"]),
        *upload_routes(services),
        Route(HEALTH, health, methods=["GET"]),
        Route(READY, ready, methods=["GET"]),
    ]


def _tenant_of(request: Request, settings: Settings) -> str:
    """The tenant of the request's token, if it has the scope to read jobs; otherwise empty."""
    credentials = request.scope.get("auth")
    return caller_of(request, (), settings).tenant if credentials and READ in credentials.scopes else ""


def _not_found() -> Response:
    return JSONResponse(NOT_FOUND, 404)


def _saved_file(output_dir: Path, job: Job) -> Path | None:
    """The clip's file, if it exists and is inside the output directory. A path from the ledger is not trusted beyond
    that."""
    if not job.video_path:
        return None
    path = Path(job.video_path).resolve()
    return path if path.is_relative_to(output_dir.resolve()) and path.is_file() else None


async def _is_genuine(services: Services, key: str, request: Request, raw: bytes) -> bool:
    """Whether the gateway signed this callback, for the account that the job was submitted with. If the account or the
    job cannot be looked up, the secret in the URL suffices."""
    try:
        job = await services.ledger.get(key)
    except HailuoError:
        return True
    gateway = services.credentials.gateway_for(job, LOCAL) if job else None
    return gateway is None or await gateway.is_genuine(request.headers, raw)
