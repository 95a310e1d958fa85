"""Images on the machine of a remote caller: the caller gets a link, uploads the image with one PUT, and names it in the
next call as `upload:NAME`.
"""

import logging
import re
import shlex
from collections.abc import AsyncIterable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import anyio
import anyio.to_thread

from hailuo_mcp.core.errors import HailuoError, InternalError, InvalidImage
from hailuo_mcp.core.job import utc_now
from hailuo_mcp.core.text import repr_short
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.media.files import megabytes, reason_of
from hailuo_mcp.media.given import FileRules, LoadedFile
from hailuo_mcp.media.images import BYTES_MAX, image_from_frame
from hailuo_mcp.media.paths import unwrapped
from hailuo_mcp.media.upload_store import KEPT_FOR, WANTED_FOR, UploadStore
from hailuo_mcp.service.signed_urls import SignedUrls

log = logging.getLogger(__name__)

T = TypeVar("T")

UPLOAD = "upload:"
"""Prefix of the name of an image that the caller has uploaded."""
AT_ONCE = 8
"""Concurrent uploads per server: each takes up to 20 MB of memory while it is checked."""
SWEEP_SECONDS = 60.0
NAME_MAX = 80
_FORMATS = tuple(dict.fromkeys(kind for gateway in GATEWAYS for kind in gateway.image_formats))


@dataclass(frozen=True, slots=True)
class UploadLink:
    """Where an image is uploaded, and how a call then names it."""

    parameter: str
    path: str
    """The path that the caller gave; empty if it was not a path."""
    image: str
    url: str
    expires_at: datetime

    def facts(self) -> dict[str, Any]:
        return {
            "parameter": self.parameter,
            "image": self.image,
            "method": "PUT",
            "url": self.url,
            "expires_at": self.expires_at.isoformat().replace("+00:00", "Z"),
            "bytes_max": BYTES_MAX,
        }


class UploadNeeded(InvalidImage):
    """An image is on the caller's machine; the error says where to upload it."""

    def __init__(self, links: Sequence[UploadLink]) -> None:
        which = " and ".join(
            f"{link.parameter} ({link.path!r})" if link.path else f"{link.parameter} ({link.image})" for link in links
        )
        commands = "; ".join(
            f"curl -T {_in_shell(link.path or link.image.removeprefix(UPLOAD))} '{link.url}'" for link in links
        )
        named = " and ".join(f'{link.parameter} "{link.image}"' for link in links)
        until = min(link.expires_at for link in links)
        super().__init__(
            f"Upload {which} first: this server cannot read files of your machine. Nothing was sent.",
            f"Run this, or let the user run it: {commands} (a PUT of at most 20 MB, once, until {until:%H:%M} UTC). "
            f"Then call generate_video again with {named}.",
        )
        self.links = tuple(links)


class UploadRefused(HailuoError):
    """The link is invalid, used, replaced or expired; `busy` if it will work again in a moment."""

    def __init__(self, message: str, hint: str = "Call generate_video again for a new one.", *, busy: bool = False):
        super().__init__(message, hint, safe_to_retry=busy)
        self.busy = busy


class UploadTooLarge(InvalidImage):
    def __init__(self) -> None:
        super().__init__(f"The file has more than {megabytes(BYTES_MAX)}.", "Make the image smaller, then upload it.")


@dataclass(slots=True)
class ImageUploads:
    """Upload links and uploaded images, in a store that all servers of a team share."""

    store: UploadStore
    urls: SignedUrls
    rules: FileRules
    _receiving: set[str] = field(default_factory=set[str])
    """The keys of the uploads under way."""

    async def ask_for(self, tenant: str, images: Mapping[str, str]) -> UploadNeeded:
        """The error with a new link for each of a tenant's images. `images` maps each parameter to what was given for
        it: a path on the caller's machine or `upload:NAME`.

        Raises:
            InvalidImage: a name is not valid, or the tenant has too many images here.
            InternalError: the store cannot be written.
        """
        links: dict[str, UploadLink] = {}
        for parameter, text in images.items():
            given = unwrapped(text)
            given = unquote(urlsplit(given).path) if given[:7].lower() == "file://" else given
            named = is_upload(given)
            image = _name_in(parameter, given) if named else _name_for(parameter, given)
            if image in links and not named:  # another file of the same name, from another folder
                image = f"{_plain(parameter)}-{image}"[-NAME_MAX:]
            owner, name = self._digests(tenant, image)
            key = await self._run(partial(self.store.want, owner, name, image))
            url, until = self.urls.upload(key, utc_now(), WANTED_FOR)
            links[image] = UploadLink(parameter, "" if named else given, f"{UPLOAD}{image}", url, until)
        return UploadNeeded(tuple(links.values()))

    async def read(self, tenant: str, parameter: str, given: str) -> bytes | None:
        """The content of `upload:NAME`, if this tenant has uploaded it in the last hour.

        Raises:
            InvalidImage: the name is not one.
            InternalError: the store cannot be read.
        """
        return await self._run(partial(self.store.read, *self._digests(tenant, _name_in(parameter, given))))

    async def receive(
        self, key: str, until: str, signature: str, body: AsyncIterable[bytes], bytes_announced: int = 0
    ) -> dict[str, Any]:
        """Accept an upload: the image is checked like any other and stored without its metadata. If this fails, the
        link still works. Returns the message for the uploader.

        Raises:
            UploadRefused: the link is invalid, used up or busy.
            UploadTooLarge, InvalidImage: the content is not an image that a gateway accepts.
            InternalError: the store cannot be written.
        """
        signed = self.urls.is_upload(key, until, signature, utc_now())
        image = await self._run(partial(self.store.wanted, key)) if signed else None
        if image is None:
            raise UploadRefused("This upload link was used or replaced, has expired, or is invalid.")
        if bytes_announced > BYTES_MAX:
            raise UploadTooLarge
        with self._turn(key):
            part = await self._run(self.store.part)
            try:
                checked = await self._checked(image, body, part)
                if not await self._run(partial(self.store.put, key, part)):
                    raise UploadRefused("This upload link was used or replaced meanwhile.")
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.Path(part).unlink(missing_ok=True)
        minutes = KEPT_FOR.total_seconds() / 60
        return {
            "image": f"{UPLOAD}{image}",
            "bytes": len(checked.content),
            "next_step": f'Within {minutes:.0f} minutes, call generate_video with the image "{UPLOAD}{image}".',
        }

    async def sweep_forever(self) -> None:
        """Delete expired images, until cancelled."""
        while True:
            try:
                await self._run(self.store.sweep)
            except HailuoError:
                log.warning("expired uploaded images could not be deleted")
            await anyio.sleep(SWEEP_SECONDS)

    def _digests(self, tenant: str, image: str) -> tuple[str, str]:
        return self.urls.digest("owner", tenant), self.urls.digest("image", tenant, image)

    @contextmanager
    def _turn(self, key: str) -> Generator[None]:
        """One upload at a time per link, and few in total: each takes memory and disk space."""
        if key in self._receiving:
            raise UploadRefused("An upload by this link is under way.", "Wait for it to end.", busy=True)
        if len(self._receiving) >= AT_ONCE:
            raise UploadRefused("Too many uploads are under way.", "Try again in a moment.", busy=True)
        self._receiving.add(key)
        try:
            yield
        finally:
            self._receiving.discard(key)

    async def _checked(self, image: str, body: AsyncIterable[bytes], part: Path) -> LoadedFile:
        """The checked content of an upload, which is also written to this file as it will be sent.

        Raises:
            UploadTooLarge, InvalidImage, InternalError: as `receive`.
        """
        size = 0
        try:
            async with await anyio.open_file(part, "wb") as file:
                async for chunk in body:
                    size += len(chunk)
                    if size > BYTES_MAX:
                        raise UploadTooLarge
                    await file.write(chunk)
            content = await anyio.Path(part).read_bytes()
            checked = await image_from_frame(image, content, "upload", replace(self.rules, formats=_FORMATS))
            await anyio.Path(part).write_bytes(checked.content)
        except OSError as error:
            raise _unusable(error) from None
        return checked

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await anyio.to_thread.run_sync(work)
        except OSError as error:
            raise _unusable(error) from None


def _in_shell(path: str) -> str:
    """The text quoted for a shell, except a tilde, which the shell must expand."""
    home, rest = ("~/", path[2:]) if path.startswith("~/") else ("", path)
    return home + shlex.quote(rest)


def is_upload(given: str) -> bool:
    return given[: len(UPLOAD)].lower() == UPLOAD


def _name_in(parameter: str, given: str) -> str:
    """The name in `upload:NAME`. Raises InvalidImage."""
    name = given[len(UPLOAD) :].strip()
    if not 0 < len(name) <= NAME_MAX or _plain(name) != name:
        raise InvalidImage(
            f"{parameter}: {repr_short(given)} is not the name of an upload.",
            f"Name it upload:NAME, where NAME is at most {NAME_MAX} letters, digits, dots, dashes and underscores.",
        )
    return name


def _name_for(parameter: str, path: str) -> str:
    """The name of an image on the caller's machine: that of its file."""
    return _plain(re.split(r"[/\\]", path)[-1])[-NAME_MAX:].lstrip("-") or _plain(parameter)


def _plain(text: str) -> str:
    return re.sub(r"[^\w.]+|-+", "-", text).strip("-")


def _unusable(error: OSError) -> InternalError:
    reason = reason_of(error)
    return InternalError(
        f"Uploaded images cannot be kept in the output directory: {reason}. Nothing was sent.",
        "Make the directory writable and free some space (HAILUO_MCP_OUTPUT_DIR).",
        remote=f"The server cannot keep uploaded images: {reason}. Nothing was sent.",
    )
