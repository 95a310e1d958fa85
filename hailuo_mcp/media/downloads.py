"""One clip on its way into a file, over as many connections as it takes."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from hailuo_mcp.core.errors import Expired, GatewayError, NetworkError
from hailuo_mcp.media.fetch import REDIRECTS_MAX, LinkRefused

if TYPE_CHECKING:
    import httpx

GONE = frozenset({400, 401, 403, 404, 410})
"""How the storage services answer a link whose time is over: most with 403, Google's with 400."""
_PASSING = frozenset({408, 425, 429})
_PROGRESS_BYTES = 64 * 1024
"""A cut that brought this much is no failed attempt: the download goes on at once."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a download is tried; times in seconds."""

    attempts: int = 5
    """In a row without progress."""
    wait_initial: float = 0.5
    wait_max: float = 4.0
    connect: float = 10.0
    silence: float = 30.0
    total: float = 900.0


class _CutError(Exception):
    """The connection broke, or the server has passing trouble: worth another attempt."""


async def download(client: "httpx.AsyncClient", url: str, part: Path, max_bytes: int, patience: Patience) -> None:
    """Fetch `url` into the empty file `part`. What comes is not looked into.

    Raises:
        Expired: the link is gone. LinkRefused: it leads where it must not. NetworkError, GatewayError: it failed.
        OSError: the file cannot take it.
    """
    import httpx  # start-up time: only downloads need these two
    import stamina

    stamina.instrumentation.set_on_retry_hooks([])  # its log lines would quote the text of foreign exceptions
    timeout = httpx.Timeout(patience.silence, connect=patience.connect)
    transfer = _Transfer(client, url, part, max_bytes, timeout)
    try:
        with anyio.fail_after(patience.total):
            async for attempt in stamina.retry_context(
                _CutError,
                attempts=patience.attempts,
                timeout=None,
                wait_initial=patience.wait_initial,
                wait_jitter=patience.wait_initial,
                wait_max=patience.wait_max,
            ):
                with attempt:
                    await transfer.go_on()
    except (_CutError, TimeoutError):
        raise NetworkError(
            f"The download of the clip broke off after {transfer.have} bytes.",
            "Call download_video again; the job is untouched.",
        ) from None


class _Transfer:
    """How far it has come, and what it is that comes."""

    def __init__(
        self, client: "httpx.AsyncClient", url: str, part: Path, max_bytes: int, timeout: "httpx.Timeout"
    ) -> None:
        self.have = 0
        self._client = client
        self._url = url
        self._part = anyio.Path(part)
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._total: int | None = None
        self._etag = ""

    async def go_on(self) -> None:
        """Fetch what is missing. Raises _CutError where nothing worth mentioning came."""
        while True:
            before = self.have
            try:
                return await self._ask()
            except _CutError:
                if self.have - before < _PROGRESS_BYTES:
                    raise

    async def _ask(self) -> None:
        import httpx  # start-up time, as above

        headers = {"Accept-Encoding": "identity"}  # a range counts the bytes that travel
        if self.have:
            headers["Range"] = f"bytes={self.have}-"
            headers |= {"If-Range": self._etag} if self._etag else {}
        try:
            address = httpx.URL(self._url)
            for _ in range(REDIRECTS_MAX + 1):
                async with self._client.stream("GET", address, headers=headers, timeout=self._timeout) as response:
                    if not response.has_redirect_location:
                        return await self._receive(response)
                    address = address.join(response.headers["location"])
        except (httpx.InvalidURL, ValueError):  # the latter from the standard library's second look at a redirect
            raise LinkRefused("The clip's link is no usable URL.") from None
        except httpx.HTTPError:
            raise _CutError from None
        raise LinkRefused(f"The clip's link was redirected more than {REDIRECTS_MAX} times.")

    async def _receive(self, response: "httpx.Response") -> None:
        status = response.status_code
        if status in GONE:
            raise Expired(f"The clip's link no longer works ({status}).")
        if status >= 500 or status in _PASSING:
            raise _CutError
        if status == 416 and self.have:
            if response.headers.get("content-range", "") == f"bytes */{self.have}":
                return  # nothing was missing
            self._forget()
            raise _CutError
        if status not in (200, 206):
            raise GatewayError(f"The clip's link answered with status {status}.")
        start = self._start(response)
        self._check_size(self._total or 0)
        await self._write(response, start)
        if self._total is not None and self.have != self._total:
            raise _CutError
        if not _framed(response) and await anyio.to_thread.run_sync(_looks_cut, Path(self._part)):
            raise _CutError

    def _start(self, response: "httpx.Response") -> int:
        """Where the content of this answer belongs; also notes how large the whole is, and which.

        Raises:
            _CutError: it does not fit what is there already, which is given up.
        """
        length = _number(response.headers.get("content-length", ""))
        etag = response.headers.get("etag", "")
        start, total = 0, length
        if response.status_code == 206:
            match = re.match(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", ""))
            begin = int(match[1]) if match else None
            told = _number(match[2]) if match else None
            total = self._total if told is None else told
            changed = self._total not in (None, total) or (self._etag and etag and etag != self._etag)
            if begin is None or begin > self.have or changed or _encoded(response):
                self._forget()
                raise _CutError
            start = begin
        self._total = None if _encoded(response) else total
        self._etag = "" if etag.startswith("W/") else etag
        return start

    def _forget(self) -> None:
        """Begin anew. The file is cut to size when the next content comes."""
        self.have, self._total, self._etag = 0, None, ""

    async def _write(self, response: "httpx.Response", start: int) -> None:
        async with await self._part.open("r+b") as file:
            await file.seek(start)
            await file.truncate()
            self.have = start
            try:
                async for chunk in response.aiter_bytes():
                    self._check_size(self.have + len(chunk))
                    await file.write(chunk)
                    self.have += len(chunk)
            except Exception:
                if _encoded(response):  # what was unpacked is no measure for a range
                    self._forget()
                raise

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise too_large(self._max_bytes)


def too_large(max_bytes: int) -> GatewayError:
    return GatewayError(
        f"The clip is larger than {max_bytes // 1024 // 1024} MB.",
        "HAILUO_MCP_MAX_VIDEO_MB raises the limit; the link in video_url works until it expires.",
        safe_to_retry=False,
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _encoded(response: "httpx.Response") -> bool:
    return response.headers.get("content-encoding", "identity").strip().lower() != "identity"


def _framed(response: "httpx.Response") -> bool:
    """Whether the answer tells its own end; one that just stops may have been cut."""
    return not {"content-length", "content-range", "transfer-encoding"}.isdisjoint(response.headers)


def _looks_cut(path: Path) -> bool:
    """Whether an MP4 ends before its own boxes do. What is no MP4 has no such measure."""
    size, position, boxes = path.stat().st_size, 0, set[bytes]()
    with path.open("rb") as file:
        while position + 8 <= size:
            file.seek(position)
            header = file.read(16)
            if position == 0 and header[4:8] != b"ftyp":
                return False
            boxes.add(header[4:8])
            length = int.from_bytes(header[:4])
            if length == 1:
                length = int.from_bytes(header[8:16])
            # A length of 0 is that of a last box, which goes on to the end of the file.
            position = position + max(length, 8) if length else size
    return position > size or b"moov" not in boxes
