"""Clips out: fetched whole or not at all, checked, and put in the output directory under a name a person can read."""

import base64
import binascii
import errno
import os
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import anyio
import anyio.to_thread

from hailuo_mcp.errors import Expired, GatewayError, HailuoError, InternalError, InvalidInput, NetworkError
from hailuo_mcp.jobs import Job
from hailuo_mcp.media.fetching import REDIRECTS_MAX, LinkPolicy, LinkRefused, guarded_client

if TYPE_CHECKING:
    import httpx

ATTEMPTS = 5
"""Each goes on where the last was cut."""
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
TOTAL_SECONDS = 900.0
MEDIA_TYPE = "video/mp4"
_CHUNK = 256 * 1024
_WORDS_MAX = 6


class _CutError(Exception):
    """The connection broke, or the server has passing trouble: worth another attempt."""


class ClipStore:
    """The output directory.

    Files are written under a temporary name, one for each process, and renamed when they are whole; an existing other
    file is never replaced. `stand_in` answers for `stand_in_host` in place of the network.
    """

    def __init__(
        self,
        directory: Path,
        *,
        own_hosts: frozenset[str] = frozenset(),
        max_bytes: int = 500 * 1024 * 1024,
        stand_in: "Callable[[], httpx.AsyncBaseTransport] | None" = None,
        stand_in_host: str = "",
    ) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._policy = LinkPolicy(own_hosts)
        self._stand_in = stand_in
        self._stand_in_host = stand_in_host

    async def check(self) -> None:
        """Try the output directory, before money is spent on a clip that could not be saved.

        Raises:
            InvalidInput: it cannot be written; the hint names the setting.
        """

        def probe() -> None:
            self.directory.mkdir(parents=True, exist_ok=True)
            path = self.directory / f".{os.getpid()}.probe"
            path.write_bytes(b"x" * 4096)
            path.unlink()

        try:
            await anyio.to_thread.run_sync(probe)
        except OSError as error:
            raise InvalidInput(
                f"Clips could not be saved in {self.directory}: {_reason(error)}. Nothing was submitted.",
                "Make that directory writable, or name another in HAILUO_MCP_OUTPUT_DIR.",
            ) from None

    async def save(self, job: Job) -> Path:
        """Put the job's clip in the output directory; a clip that is there already is not fetched again.

        Raises:
            Expired: the link is gone. LinkRefused: it leads inside. NetworkError, GatewayError: the download failed.
            InternalError: the directory cannot take it. The job is untouched in every case.
        """
        if job.video_path and await anyio.Path(job.video_path).is_file():
            return Path(job.video_path)
        if not job.video_url:
            raise GatewayError("The clip has no link yet.", "Call get_status; it asks for the link again.")
        try:
            await anyio.Path(self.directory).mkdir(parents=True, exist_ok=True)
            async with self._temporary_file(job) as part:
                if job.video_url.startswith("data:"):
                    await part.write_bytes(_decoded(job.video_url))
                else:
                    await self._download(job.video_url, part)
                await self._check_content(part)
                return await anyio.to_thread.run_sync(_put, Path(part), self.directory, file_stem(job))
        except OSError as error:
            raise InternalError(
                f"The clip could not be saved in {self.directory}: {_reason(error)}. The job is untouched.",
                "Free space or make the directory writable (HAILUO_MCP_OUTPUT_DIR), then call download_video again.",
                safe_to_retry=True,
            ) from None

    @asynccontextmanager
    async def _temporary_file(self, job: Job) -> AsyncGenerator[anyio.Path]:
        part = anyio.Path(self.directory / f".{job.key}.{os.getpid()}.part")
        try:
            yield part
        finally:
            with anyio.CancelScope(shield=True):
                await part.unlink(missing_ok=True)

    async def _download(self, url: str, part: anyio.Path) -> None:
        import stamina  # start-up time: only downloads need it

        stamina.instrumentation.set_on_retry_hooks([])
        await part.unlink(missing_ok=True)
        await part.touch(mode=0o644)
        try:
            with anyio.fail_after(TOTAL_SECONDS):
                async with guarded_client(self._policy, self._stand_in, self._stand_in_host) as client:
                    async for attempt in stamina.retry_context(
                        _CutError, attempts=ATTEMPTS, wait_max=4.0, timeout=None
                    ):
                        with attempt:
                            await self._continue(client, url, part)
        except (_CutError, TimeoutError):
            raise NetworkError(
                "The download of the clip broke off.", "Call download_video again; the job is untouched."
            ) from None

    async def _continue(self, client: "httpx.AsyncClient", url: str, part: anyio.Path) -> None:
        """Fetch what is missing, and append it."""
        import httpx  # start-up time: only downloads need it

        have = (await part.stat()).st_size
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        headers = {"Range": f"bytes={have}-"} if have else {}
        try:
            address = httpx.URL(url)
            for _ in range(REDIRECTS_MAX):
                async with client.stream("GET", address, headers=headers, timeout=timeout) as response:
                    if response.is_redirect:
                        address = address.join(response.headers.get("location", ""))
                        continue
                    await self._receive(response, part, have)
                    return
        except httpx.InvalidURL:
            raise LinkRefused("The clip's link is no usable URL.") from None
        except httpx.HTTPError:
            raise _CutError from None
        raise LinkRefused(f"The clip's link was redirected more than {REDIRECTS_MAX} times.")

    async def _receive(self, response: "httpx.Response", part: anyio.Path, have: int) -> None:
        if response.status_code in (403, 404, 410):
            raise Expired(f"The clip's link no longer works ({response.status_code}).")
        if response.status_code == 416 and have:  # the rest is nothing: the file was whole
            return
        if response.status_code >= 500 or response.status_code == 429:
            raise _CutError
        if response.status_code not in (200, 206):
            raise GatewayError(f"The clip's link answered with status {response.status_code}.")
        start = _range_start(response) if response.status_code == 206 else 0
        if start > have:  # a gap: not what was asked for
            raise _CutError
        expected = response.headers.get("content-length", "")
        size = start
        self._check_size(start + int(expected) if expected.isdigit() else start)
        async with await part.open("r+b") as file:
            await file.seek(start)
            await file.truncate()
            async for chunk in response.aiter_bytes(_CHUNK):
                size += len(chunk)
                self._check_size(size)
                await file.write(chunk)
        if expected.isdigit() and "content-encoding" not in response.headers and size != start + int(expected):
            raise _CutError

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise GatewayError(
                f"The clip is larger than {self._max_bytes // 1024 // 1024} MB.",
                "HAILUO_MCP_MAX_VIDEO_MB raises the limit; the link in video_url works until it expires.",
                safe_to_retry=False,
            )

    async def _check_content(self, part: anyio.Path) -> None:
        async with await part.open("rb") as file:
            head = await file.read(12)
        if head[4:8] != b"ftyp":
            raise GatewayError("What the link gave is no MP4 video.", "Call download_video again in a minute.")


def file_stem(job: Job) -> str:
    """`2026-11-21 hailuo-02-fast a red kite rises 1f2e3d4c`, safe on every file system."""
    prompt = re.sub(r"\[[^\]]*\]|sandbox:\w+", " ", job.prompt)
    words = re.findall(r"[^\W_]+", prompt)[:_WORDS_MAX]
    short_id = re.sub(r"[^A-Za-z0-9]", "", job.remote_id or job.key)[-8:] or job.key[:8]
    name = job.model.split("/", 1)[-1]
    return "-".join([f"{job.created_at:%Y-%m-%d}", name, "-".join(words).lower()[:48].strip("-"), short_id]).replace(
        "--", "-"
    )


def _put(part: Path, directory: Path, stem: str) -> Path:
    """Move the finished file to a free name: a link to an existing name fails where a rename would replace it."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    for number in range(1, 1000):
        target = directory / (f"{stem}.mp4" if number == 1 else f"{stem}-{number}.mp4")
        try:
            os.link(part, target)
        except FileExistsError:
            if target.read_bytes() == part.read_bytes():
                return target
        except OSError:  # a file system without hard links
            if not target.exists():
                part.replace(target)
                return target
        else:
            return target
    raise OSError(errno.EEXIST, "no free name")


def _range_start(response: "httpx.Response") -> int:
    match = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    return int(match[1]) if match else 0


def _decoded(data_uri: str) -> bytes:
    try:
        return base64.b64decode(unquote(data_uri.partition(",")[2]), validate=False)
    except (binascii.Error, ValueError):
        raise GatewayError("The clip came as a data: URI that cannot be read.") from None


def _reason(error: OSError) -> str:
    """Why the system refused, in its own words for the error number: never a foreign text."""
    return os.strerror(error.errno) if error.errno else type(error).__name__


__all__ = ["MEDIA_TYPE", "ClipStore", "HailuoError", "file_stem"]
