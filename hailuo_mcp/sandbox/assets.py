"""Files that the sandbox stores: uploads, and images sent inside a request. Their names are digests of their bytes."""

import base64
import binascii
import hashlib
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from hailuo_mcp.sandbox import body
from hailuo_mcp.sandbox.body import Invalid
from hailuo_mcp.sandbox.jobs import Failure, Fault

ROUTE = "/sandbox/assets/"
STORED = "store:"

SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "audio/wav": ".wav",
    "audio/mpeg": ".mp3",
    "audio/mp3": ".mp3",
}
_NAME = re.compile(r"[0-9a-f]{64}\.(png|jpg|webp|gif|bmp|mp4|mov|wav|mp3)")
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)


def read_data_url(value: str) -> tuple[bytes, str]:
    """The bytes and the file suffix of a `data:…;base64,…` URL.

    Raises:
        Invalid: as for a `body.Check`.
    """
    match = _DATA_URL.fullmatch(value)
    if match is None:
        raise Invalid("must be a data URL like data:image/png;base64,…")
    suffix = SUFFIXES.get(match[1].lower())
    if suffix is None:
        raise Invalid(f"has the type {match[1]}, which is not a supported type")
    return _read_base64(match[2]), suffix


def _read_base64(value: str) -> bytes:
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("is not valid base64") from None
    if not data:
        raise Invalid("is empty")
    return data


class Assets:
    """Blocking: call it from a worker thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def keep(self, data: bytes, suffix: str, stem: str = "") -> str:
        """Store a file. Returns its name: a digest of the bytes, unless a `stem` is given."""
        name = (stem or hashlib.sha256(data).hexdigest()) + suffix
        path = self._directory / name
        if not path.exists():
            # Written under a temporary name and renamed, so that another process never reads half an image.
            handle, part = tempfile.mkstemp(dir=self._directory, suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(part).replace(path)
        return name

    def keep_inline(
        self, values: Mapping[str, object], names: Sequence[str], *, webp: bool = False, bare_base64: bool = False
    ) -> dict[str, str]:
        """The image fields of a body, by name: a URL is kept, an inline image is checked and stored (`store:<name>`).

        `webp`: whether that format is accepted. `bare_base64`: whether base64 without `data:` is.

        Raises:
            Invalid: one is not a URL or an acceptable image; the message names the field.
        """
        return {
            name: self._keep_inline(name, str(values[name]), webp=webp, bare_base64=bare_base64)
            for name in names
            if name in values
        }

    def _keep_inline(self, name: str, value: str, *, webp: bool, bare_base64: bool) -> str:
        # Pillow is loaded with the first image: a server in sandbox mode starts without it.
        from hailuo_mcp.sandbox.images import broken_rule

        is_data_url = value.startswith("data:")
        is_base64 = bare_base64 and not value.startswith(("http://", "https://"))
        try:
            if not is_data_url and not is_base64:
                body.web_url(value)
                return value
            data, suffix = read_data_url(value) if is_data_url else (_read_base64(value), ".png")
        except Invalid as refusal:
            raise Invalid(f"{name} {refusal}") from None
        if rule := broken_rule(data, webp=webp):
            raise Invalid(f"{name}: {rule}")
        return STORED + self.keep(data, suffix)

    def with_stem(self, stem: str) -> str | None:
        """The name of the file that was stored under a stem."""
        return next((stem + suffix for suffix in SUFFIXES.values() if self.find(stem + suffix)), None)

    def find(self, name: str) -> Path | None:
        path = self._directory / name
        return path if _NAME.fullmatch(name) and path.is_file() else None

    def read(self, source: str) -> bytes | None:
        """The bytes of a file stored here; None for any other, which is never fetched."""
        name = _own_name(source)
        path = self.find(name) if name else None
        return path.read_bytes() if path else None

    def failure(self, source: str | None) -> Failure | None:
        """Why the gateway would reject an image, as far as can be determined without fetching it."""
        if source is None or source.startswith(STORED) or _own_name(source) is None:
            return None  # an inline image was checked at submission
        data = self.read(source)
        if data is None:
            return Failure(Fault.IMAGE, "Cannot access the provided image URL")
        from hailuo_mcp.sandbox.images import broken_rule  # start-up time, as above

        rule = broken_rule(data)
        return Failure(Fault.IMAGE, f"Invalid image: {rule}") if rule else None


def _own_name(source: str) -> str | None:
    """The stored name that a source refers to. The host is ignored, because the sandbox may have had another port."""
    if source.startswith(STORED):
        return source.removeprefix(STORED)
    path = urlsplit(source).path
    return path.rpartition(ROUTE)[2] if ROUTE in path else None


def asset_route(assets: Assets) -> Route:
    def serve(request: Request) -> Response:
        path = assets.find(request.path_params["name"])
        return FileResponse(path) if path else JSONResponse({"error": "No such asset"}, 404)

    return Route(ROUTE + "{name}", serve, methods=["GET"])
