"""Pictures the sandbox keeps: uploads, and those that came inside a request. Stored under the digest of their bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox.jobs import Failure, Fault

ROUTE = "/sandbox/assets/"
STORED = "store:"

_SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
}
_NAME = re.compile(r"[0-9a-f]{64}\.(png|jpg|webp|gif|bmp)")
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)


class BadDataUrl(ValueError):
    """The string is not a base64 picture; the message says what is wrong with it."""


def read_data_url(value: str) -> tuple[bytes, str]:
    """The bytes and the file ending of a `data:image/…;base64,…` URL."""
    match = _DATA_URL.fullmatch(value)
    if match is None:
        raise BadDataUrl("must be a data URL like data:image/png;base64,…")
    suffix = _SUFFIXES.get(match[1].lower())
    if suffix is None:
        raise BadDataUrl(f"has the type {match[1]}, which is not a supported image type")
    return read_base64(match[2]), suffix


def read_base64(value: str) -> bytes:
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise BadDataUrl("is not valid base64") from None
    if not data:
        raise BadDataUrl("is empty")
    return data


class Assets:
    """Blocking: call it from a worker thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def keep(self, data: bytes, suffix: str) -> str:
        """Stores a picture and returns its name, which is the same for the same bytes."""
        name = hashlib.sha256(data).hexdigest() + suffix
        path = self._directory / name
        if not path.exists():
            # Written beside and renamed, so that another process never reads half a picture.
            handle, part = tempfile.mkstemp(dir=self._directory, suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(part).replace(path)
        return name

    def find(self, name: str) -> Path | None:
        path = self._directory / name
        return path if _NAME.fullmatch(name) and path.is_file() else None

    def read(self, source: str) -> bytes | None:
        """The bytes of a picture that is the sandbox's own; None for anybody else's, which is never fetched."""
        name = _own_name(source)
        path = self.find(name) if name else None
        return path.read_bytes() if path else None

    def trouble(self, source: str | None) -> Failure | None:
        """What the gateway would hold against a picture, as far as the sandbox can know without fetching it."""
        if source is None or source.startswith(STORED) or _own_name(source) is None:
            return None  # what came inside a request was looked at when it came
        data = self.read(source)
        if data is None:
            return Failure(Fault.IMAGE, "Cannot access the provided image URL")
        # Pillow is loaded when a picture is first looked at: a server in sandbox mode starts without it.
        from hailuo_mcp.sandbox.render.images import broken_rule

        rule = broken_rule(data)
        return Failure(Fault.IMAGE, f"Invalid image: {rule}") if rule else None


def _own_name(source: str) -> str | None:
    """The stored name a source refers to. The host does not matter: it may have been another port then."""
    if source.startswith(STORED):
        return source.removeprefix(STORED)
    path = urlsplit(source).path
    return path.rpartition(ROUTE)[2] if ROUTE in path else None


def asset_route(assets: Assets) -> Route:
    def serve(request: Request) -> Response:
        path = assets.find(request.path_params["name"])
        return FileResponse(path) if path else JSONResponse({"error": "No such asset"}, 404)

    return Route(ROUTE + "{name}", serve, methods=["GET"])
