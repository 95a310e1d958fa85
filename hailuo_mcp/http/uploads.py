"""The upload route: callers on other machines PUT an image to a link that generate_video returned."""

import logging
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.core.errors import HailuoError, InvalidImage
from hailuo_mcp.service.image_uploads import UploadRefused, UploadTooLarge
from hailuo_mcp.service.services import Services
from hailuo_mcp.service.signed_urls import UPLOADS

log = logging.getLogger(__name__)

HEADERS = {
    "Cache-Control": "no-store",
    # The signed URL is the only authorization: a page that has it, such as the player, may use it from any origin.
    "Access-Control-Allow-Origin": "*",
}
PREFLIGHT_HEADERS = {
    **HEADERS,
    "Access-Control-Allow-Methods": "PUT",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": "600",
}


def upload_routes(services: Services) -> list[Route]:
    """The upload routes; empty if callers cannot upload."""
    uploads = services.uploads
    if uploads is None:
        return []

    async def upload(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=PREFLIGHT_HEADERS)
        query, length = request.query_params, request.headers.get("content-length", "")
        try:
            stored = await uploads.receive(
                request.path_params["key"],
                query.get("until", ""),
                query.get("signature", ""),
                request.stream(),
                int(length[:20]) if length.isdigit() else 0,
            )
        except ClientDisconnect:
            return Response(status_code=400)
        except HailuoError as error:
            return _refusal(error)
        return _json(stored, 201)

    return [Route(f"{UPLOADS}/{{key}}", upload, methods=["PUT", "OPTIONS"])]


def _refusal(error: HailuoError) -> Response:
    public = error.for_remote_callers()
    if public is not error:
        log.error("%s %s", error.problem.message, error.problem.hint)
    message = f"{public.problem.message} {public.problem.hint}".strip()
    return _json({"error": message}, _status(error))


def _status(error: HailuoError) -> int:
    match error:
        case UploadRefused():
            return 409 if error.busy else 404
        case UploadTooLarge():
            return 413
        case InvalidImage():
            return 422
        case _:
            return 503


def _json(content: Mapping[str, Any], status: int) -> Response:
    return JSONResponse(content, status, headers=HEADERS)
