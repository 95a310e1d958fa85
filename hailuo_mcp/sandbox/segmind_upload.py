"""Stand-in for Segmind's storage (`workflows-api.segmind.com`): images in, links out.

The SDK reads `file_urls`; other documents print `urls`. How large an upload may be is documented nowhere.
"""

from collections.abc import Mapping
from typing import cast

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox import body
from hailuo_mcp.sandbox.assets import read_data_url
from hailuo_mcp.sandbox.body import Field, Invalid
from hailuo_mcp.sandbox.context import SandboxContext
from hailuo_mcp.sandbox.segmind import authorize, error


def _data_urls(value: object) -> None:
    if not isinstance(value, list) or not value:
        raise Invalid("must be a list of at least one data URL")
    for item in cast("list[object]", value):
        body.text(item)


_FIELDS: Mapping[str, Field] = {"data_urls": Field(_data_urls, required=True)}


def routes(context: SandboxContext) -> list[Route]:
    def keep(data_urls: list[str]) -> list[str]:
        # All are read before any is stored, so that a refused request leaves nothing behind.
        try:
            images = [read_data_url(url) for url in data_urls]
        except Invalid as refusal:
            raise Invalid(f"a data URL {refusal}") from None
        return [context.assets.keep(data, suffix) for data, suffix in images]

    async def upload(request: Request) -> Response:
        authorize(request)
        try:
            values = body.read_fields(await body.read_json(request), _FIELDS)
            names = await to_thread.run_sync(keep, cast("list[str]", values["data_urls"]))
        except Invalid as refusal:
            return error(400, f"Invalid request: {refusal}")
        links = [context.asset_link(request, name) for name in names]
        return JSONResponse({"file_urls": links, "message": "Files uploaded successfully"})

    return [Route("/upload-asset", upload, methods=["POST"])]
