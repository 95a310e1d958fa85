"""Sending files to a gateway before a job that uses them."""

import base64
import binascii
import mimetypes
from uuid import uuid4

from hailuo_mcp.core.errors import GatewayError, HailuoError, InvalidImage, InvalidInput
from hailuo_mcp.gateways.base import Gateway
from hailuo_mcp.gateways.client import Response

_UNCHANGED = "nothing was submitted."


def decode(data_uri: str) -> tuple[str, bytes]:
    """The media type and the bytes of a `data:` URI.

    Raises:
        InvalidImage: it is not in base64.
    """
    head, _, data = data_uri.partition(",")
    try:
        return head.removeprefix("data:").partition(";")[0], base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidImage(f"The image is not in base64; {_UNCHANGED}") from None


def file_name(media_type: str) -> str:
    return f"upload{mimetypes.guess_extension(media_type) or ''}"


def multipart(field: str, media_type: str, data: bytes) -> tuple[str, bytes]:
    """The content type and the body of a form with one file."""
    boundary = uuid4().hex
    disposition = f'form-data; name="{field}"; filename="{file_name(media_type)}"'
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: {media_type}\r\n\r\n"
    return f"multipart/form-data; boundary={boundary}", head.encode() + data + f"\r\n--{boundary}--\r\n".encode()


def not_uploaded(gateway: Gateway, response: Response) -> HailuoError:
    """The gateway's refusal of an upload; an invalid argument means an invalid image here."""
    refusal = gateway.refusal(response.status, response)
    message = f"{refusal.problem.message} The image was not uploaded, and {_UNCHANGED}"
    if isinstance(refusal, InvalidInput):
        return InvalidImage(message)
    if response.status in (404, 410):
        variable = f"{gateway.name.upper()}_UPLOAD_URL" if "upload" in gateway.hosts else "the gateway's address"
        return GatewayError(message, f"Check {variable}, or pass the image as a web address.")
    return type(refusal)(message, refusal.problem.hint)


def without_address(gateway: Gateway) -> GatewayError:
    return GatewayError(f"{gateway.title} took the image but answered without its address; {_UNCHANGED}")
