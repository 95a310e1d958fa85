"""Uploading files to a gateway before the job that uses them."""

import mimetypes
from collections.abc import Mapping
from dataclasses import replace

from hailuo_mcp.core.errors import GatewayError, HailuoError, InvalidImage, InvalidInput
from hailuo_mcp.core.setting_values import url_variable
from hailuo_mcp.gateways.base import Gateway
from hailuo_mcp.gateways.client import Request, Response


def file_name(media_type: str) -> str:
    return f"upload{mimetypes.guess_extension(media_type) or ''}"


def form_request(
    gateway: Gateway,
    path: str,
    field: str,
    media_type: str,
    data: bytes,
    texts: Mapping[str, str] | None = None,
    *,
    host: str = "base",
) -> Request:
    """A multipart form POST with text fields and then one file."""
    import httpx  # start-up time

    request = gateway.post(path, {}, host=host)
    form = httpx.Request("POST", request.url, data=texts, files={field: (file_name(media_type), data, media_type)})
    headers = {**request.headers, "Content-Type": form.headers["content-type"]}
    return replace(request, headers=headers, body=None, content=form.read())


def uploaded_link(gateway: Gateway, response: Response, link: str | None) -> str:
    """The link in the response to an upload. Raises HailuoError if the upload was refused or there is no link."""
    if not 200 <= gateway.submission_status_of(response) < 300:
        raise _not_uploaded(gateway, response)
    if link is None or link.startswith("data:"):
        raise GatewayError(f"{gateway.title} accepted the file but returned no URL for it; nothing was submitted.")
    return link


def _not_uploaded(gateway: Gateway, response: Response) -> HailuoError:
    """The error for a refused upload; an invalid argument means an invalid file here."""
    refusal = gateway.refusal(gateway.submission_status_of(response), response)
    message = f"{refusal.problem.message} The file was not uploaded, and nothing was submitted."
    if isinstance(refusal, InvalidInput):
        return InvalidImage(message, "Give another file, or pass it as a web address.")
    if response.status in (404, 410):
        variable = url_variable(gateway.name, "upload") if "upload" in gateway.hosts else "the gateway's address"
        return GatewayError(message, f"Check {variable}, or pass the file as a web address.")
    return type(refusal)(message, refusal.problem.hint)
