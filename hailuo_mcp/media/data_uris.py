"""Files inside the call, as a `data:` URI or bare base64."""

import base64
import binascii
import re
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import unquote

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.files import FILE_BYTES_MAX, megabytes

_BASE64_MIN = 64
_BASE64URL = str.maketrans("-_", "+/")


def from_data_uri(parameter: str, text: str) -> bytes:
    head, comma, payload = text.partition(",")
    if not comma or not head.lower().rstrip().endswith(";base64"):
        raise InvalidImage(f"{parameter} is a data: URI without base64 content.", "Use data:image/png;base64,….")
    if len(payload) > FILE_BYTES_MAX * 4 // 3:
        raise InvalidImage(
            f"{parameter} is a data: URI of {megabytes(len(payload))}; no file over "
            f"{megabytes(FILE_BYTES_MAX)} is read.",
            "Make it smaller.",
        )
    try:
        return _decoded(unquote(payload))
    except (binascii.Error, ValueError):
        raise InvalidImage(
            f"{parameter} is a data: URI whose base64 is invalid or truncated.", "Encode the file again."
        ) from None


def _decoded(payload: str) -> bytes:
    """Base64 or base64url, padded or not, in one line or several. Raises ValueError."""
    plain = re.sub(r"\s+", "", payload).rstrip("=").translate(_BASE64URL)
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def bare_base64(text: str, detect: Callable[[bytes], object]) -> str | None:
    """The base64 of a file given without the prefix of a data: URI. A path can consist of the same characters, but does
    not decode to first bytes that `detect` knows."""
    payload = re.sub(r"^(?:(?:image|video|audio)/[\w.+-]+;)?base64,", "", text, count=1, flags=re.IGNORECASE)
    if len(payload) >= _BASE64_MIN:
        with suppress(ValueError):
            if detect(_decoded(re.sub(r"\s+", "", payload[:80])[:64])):
                return payload
    return None
