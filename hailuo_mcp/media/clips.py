"""Saves clips: downloaded completely or not at all, checked, and put in the output directory under a readable name."""

import base64
import binascii
import errno
import filecmp
import os
import re
import shutil
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote
from uuid import uuid4

import anyio
import anyio.to_thread

from hailuo_mcp.core.errors import GatewayError, InternalError, InvalidInput, NetworkError
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.media.downloads import DownloadPolicy, download, too_large
from hailuo_mcp.media.fetch import LinkPolicy, Resolve, guarded_client, resolve
from hailuo_mcp.media.files import move_new, reason_of, sync_directory
from hailuo_mcp.media.partial_clip import PartialClip

if TYPE_CHECKING:
    import httpx

MEDIA_TYPE = "video/mp4"
STALE_SECONDS = 3600.0
"""A temporary file not written to for this long is abandoned: a download ends much sooner."""
FREE_BYTES_MIN = 32 * 1024 * 1024
"""About the size of these models' largest clips."""
_WORDS_MAX, _WORDS_BYTES_MAX = 6, 48


class ClipStore:
    """The output directory.

    Files are written under a unique temporary name and renamed when complete; an existing file with other content is
    never replaced. `stand_in`: the transport for requests to `stand_in_host`, in place of the network. `hard_link`: as
    `os.link`, which some file systems do not support.
    """

    def __init__(
        self,
        directory: Path,
        *,
        own_hosts: frozenset[str] = frozenset(),
        max_bytes: int = 500 * 1024 * 1024,
        stand_in: "Callable[[], httpx.AsyncBaseTransport] | None" = None,
        stand_in_host: str = "",
        policy: DownloadPolicy | None = None,
        resolve: Resolve = resolve,
        hard_link: Callable[[Path, Path], None] = os.link,
    ) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._link_policy = LinkPolicy(own_hosts, resolve)
        self._stand_in = stand_in
        self._stand_in_host = stand_in_host
        self._policy = policy or DownloadPolicy()
        self._hard_link = hard_link
        self._running: dict[str, PartialClip] = {}
        """The downloads under way, by job."""
        self._interrupted: dict[str, PartialClip] = {}
        """Resumable downloads, by job."""

    async def check(self) -> None:
        """Check the output directory before money is spent on a clip that could not be saved.

        Raises:
            InvalidInput: it is not writable, or is full; the hint names the setting.
        """

        def probe() -> None:
            self.directory.mkdir(parents=True, exist_ok=True)
            path = self._temporary_name()
            try:
                path.write_bytes(b"x" * 4096)
            finally:
                path.unlink(missing_ok=True)
            free = shutil.disk_usage(self.directory).free
            if 0 < free < FREE_BYTES_MIN:  # some network drives report 0
                raise OSError(errno.ENOSPC, "")

        try:
            await anyio.to_thread.run_sync(probe)
        except OSError as error:
            raise InvalidInput(
                f"Clips could not be saved in {self.directory}: {reason_of(error)}. Nothing was submitted.",
                "Make that directory writable, or name another in HAILUO_MCP_OUTPUT_DIR.",
                remote=f"Clips could not be saved on the server: {reason_of(error)}. Nothing was submitted.",
            ) from None

    async def save(self, job: Job) -> Path:
        """Save the job's clip in the output directory and return its path; a clip that is there already is not
        downloaded again.

        A download that fails is resumed by the next call of this process, where that is possible.

        Raises:
            LinkGone, LinkBlocked: the link no longer works, or is refused here.
            LinkRefused: the link leads to a private network.
            NetworkError, GatewayError: the download failed.
            InternalError: the directory cannot be written.
        """
        if job.video_path and await anyio.Path(job.video_path).is_file():
            return Path(job.video_path)
        if not job.video_url:
            raise GatewayError("The clip has no link yet.", "Call get_status; it asks for the link again.")
        try:
            async with self._partial_clip(job.id, job.video_url) as clip:
                if clip.url[:5].lower() == "data:":
                    await anyio.to_thread.run_sync(_unpack, clip.url, clip.path, self._max_bytes)
                else:
                    async with guarded_client(self._link_policy, self._stand_in, self._stand_in_host) as client:
                        await download(client, clip, self._max_bytes, self._policy)
                return await anyio.to_thread.run_sync(_put, clip.path, self.directory, file_stem(job), self._hard_link)
        except OSError as error:
            raise InternalError(
                f"The clip could not be saved in {self.directory}: {reason_of(error)}. The job is untouched.",
                "Free space or make the directory writable (HAILUO_MCP_OUTPUT_DIR), then call download_video again.",
                safe_to_retry=True,
                remote=f"The clip could not be saved on the server: {reason_of(error)}. The job is untouched.",
            ) from None

    def progress(self, job_id: str) -> PartialClip | None:
        """How much of a job's clip was received; None if none of it is here."""
        return self._running.get(job_id) or self._interrupted.get(job_id)

    def close(self) -> None:
        """Remove the files of interrupted downloads."""
        for clip in self._interrupted.values():
            with suppress(OSError):
                clip.path.unlink(missing_ok=True)
        self._interrupted.clear()

    @asynccontextmanager
    async def _partial_clip(self, job_id: str, url: str) -> AsyncGenerator[PartialClip]:
        """The file to download into: that of an interrupted download, or an empty one. It is kept if the block fails
        because of the network, and the rest can be requested later."""

        def prepared() -> PartialClip:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._sweep()
            if kept and kept.url == url and kept.path.is_file() and kept.path.stat().st_size >= kept.received:
                return kept
            if kept:
                kept.path.unlink(missing_ok=True)
            part = self._temporary_name()
            part.touch(exist_ok=False)
            return PartialClip(url, part)

        kept = self._interrupted.pop(job_id, None)
        clip = self._running[job_id] = await anyio.to_thread.run_sync(prepared)
        try:
            yield clip
        except NetworkError:
            if clip.resumable:
                self._interrupted[job_id] = clip
            raise
        finally:
            self._running.pop(job_id, None)
            if self._interrupted.get(job_id) is not clip:
                with anyio.CancelScope(shield=True):
                    await anyio.Path(clip.path).unlink(missing_ok=True)

    def _temporary_name(self) -> Path:
        return self.directory / f".{uuid4().hex}.part"

    def _sweep(self) -> None:
        """Remove what killed processes left behind: by age, since the directory may be shared with other machines."""
        for path in self.directory.glob(".*.part"):
            with suppress(OSError):
                age = time.time() - path.lstat().st_mtime
                if re.fullmatch(r"\.[0-9a-f]{32}\.part", path.name) and age > STALE_SECONDS:
                    path.unlink()


def file_stem(job: Job) -> str:
    """`2026-11-21-hailuo-02-fast-a-red-kite-rises-1f2e3d4c`, safe on every file system."""
    prompt = re.sub(r"\[[^\]]*\]|sandbox:\w+", " ", job.prompt)
    words = "-".join(re.findall(r"[^\W_]+", prompt)[:_WORDS_MAX]).lower()
    words = words.encode()[:_WORDS_BYTES_MAX].decode(errors="ignore")
    model = re.sub(r"[^A-Za-z0-9.]+", "-", ModelId.parse(job.model).name)[:40]
    # The longest run of letters and digits: some ids end in the model's name, which is the same for all jobs.
    short_id = max(re.findall(r"[A-Za-z0-9]+", f"{job.remote_id or job.id} x"), key=len)[-8:]
    parts = (f"{job.created_at:%Y-%m-%d}", model, words, short_id)
    return "-".join(stripped for part in parts if (stripped := part.strip("-")))


def _put(part: Path, directory: Path, stem: str, hard_link: Callable[[Path, Path], None]) -> Path:
    """Check the finished file and move it to an unused name.

    Raises:
        GatewayError: it is not an MP4.
        OSError: the directory cannot be written.
    """
    with part.open("rb") as file:
        if file.read(12)[4:8] != b"ftyp":
            raise GatewayError("The link did not return an MP4 video.", "Call download_video again in a minute.")
        os.fsync(file.fileno())
    for number in range(1, 1000):
        target = directory / (f"{stem}.mp4" if number == 1 else f"{stem}-{number}.mp4")
        try:
            move_new(part, target, hard_link)
        except FileExistsError:
            if _same(part, target):
                return target
        else:
            sync_directory(directory)  # after a power cut, the link may have expired
            return target
    raise OSError(errno.EEXIST, "no free name")


def _same(part: Path, target: Path) -> bool:
    try:
        return filecmp.cmp(part, target, shallow=False)
    except OSError:  # a broken symbolic link
        return False


def _unpack(data_uri: str, part: Path, max_bytes: int) -> None:
    _, _, payload = data_uri.partition(",")
    if len(payload) * 3 // 4 > max_bytes:
        raise too_large(max_bytes)
    try:
        part.write_bytes(base64.b64decode(unquote(payload), validate=False))
    except (binascii.Error, ValueError):
        raise GatewayError("The clip came as a data: URI that cannot be read.") from None
