"""Uploading files to a gateway before the job that uses them."""

import mimetypes
from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

from hailuo_mcp.core.errors import GatewayError, HailuoError, InvalidImage, InvalidInput
from hailuo_mcp.gateways.base import Gateway
from hailuo_mcp.gateways.client import Request, Response

_UNCHANGED = "nothing was submitted."


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
    boundary = uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in (texts or {}).items()
    ]
    disposition = f'form-data; name="{field}"; filename="{file_name(media_type)}"'
    parts.append(f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: {media_type}\r\n\r\n")
    content = "".join(parts).encode() + data + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Accept": "application/json"}
    return replace(gateway.post(path, {}, host=host), headers=headers, body=None, content=content)


def not_uploaded(gateway: Gateway, response: Response, status: int | None = None) -> HailuoError:
    """The error for a refused upload; an invalid argument means an invalid file here. `status`: replaces the status of
    the response, if that does not count."""
    refusal = gateway.refusal(response.status if status is None else status, response)
    message = f"{refusal.problem.message} The file was not uploaded, and {_UNCHANGED}"
    if isinstance(refusal, InvalidInput):
        return InvalidImage(message, "Give another file, or pass it as a web address.")
    if response.status in (404, 410):
        variable = f"{gateway.name.upper()}_UPLOAD_URL" if "upload" in gateway.hosts else "the gateway's address"
        return GatewayError(message, f"Check {variable}, or pass the file as a web address.")
    return type(refusal)(message, refusal.problem.hint)


def uploaded_link(gateway: Gateway, response: Response, link: str | None) -> str:
    """The link in the response to an upload. Raises HailuoError if the upload was refused or there is no link."""
    if not response.ok:
        raise not_uploaded(gateway, response)
    if link is None or link.startswith("data:"):
        raise without_address(gateway)
    return link


def without_address(gateway: Gateway) -> GatewayError:
    return GatewayError(f"{gateway.title} accepted the file but returned no URL for it; {_UNCHANGED}")
