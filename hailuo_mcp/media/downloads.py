"""Downloads one clip into a file, over as many connections as needed."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from hailuo_mcp.core.errors import GatewayError, NetworkError
from hailuo_mcp.core.unpacking import IDENTITY, UnknownEncoding, encodings, unpacked
from hailuo_mcp.media.fetch import REDIRECTS_MAX, LinkRefused
from hailuo_mcp.media.formats import HEADER_BYTES, is_web_page, looks_truncated
from hailuo_mcp.media.partial_clip import PartialClip

if TYPE_CHECKING:
    import httpx

GONE = frozenset({400, 404, 410})
"""How storage services respond to a link that no longer works; Google's respond with 400."""
BLOCKED = frozenset({401, 403, 407, 451, 511})
"""Statuses of proxies, firewalls, Wi-Fi login pages, and CDNs that do not serve every network. Most storage services
also respond with 403 to an expired link."""
_TRANSIENT = frozenset({408, 425, 429})
_PROGRESS_BYTES = 64 * 1024
"""An interrupted attempt that received this much does not count as failed: the download continues at once."""


@dataclass(frozen=True, slots=True)
class DownloadPolicy:
    """How often and how long a download is tried; times in seconds."""

    attempts: int = 5
    """Without progress in between."""
    wait_initial: float = 0.5
    wait_max: float = 4.0
    connect_timeout: float = 10.0
    read_timeout: float = 15.0
    total_timeout: float = 900.0


class LinkGone(GatewayError):
    """The link no longer works. The gateway may have another one."""

    default_hint = "Call download_video again in a minute; it asks the gateway for a fresh link."


class LinkBlocked(NetworkError):
    """The link was refused by its host or something in between, which says nothing about the clip."""

    default_hint = (
        "The clip is not lost, and nothing was charged. Check the proxy, firewall or VPN between this machine and that "
        "host (clips are fetched directly, not through a configured proxy), then call download_video again."
    )

    def __init__(self, reason: str) -> None:
        super().__init__(f"The clip's link was refused here: {reason}.")


class _InterruptedError(Exception):
    """The connection broke, or the server has a transient error: worth another attempt."""


async def download(client: "httpx.AsyncClient", clip: PartialClip, max_bytes: int, policy: DownloadPolicy) -> None:
    """Download the missing part of the clip, whose file exists. The content is not checked.

    Raises:
        LinkGone: the link no longer works.
        LinkBlocked: the link was refused by its host or something in between.
        LinkRefused: the link leads to a forbidden place.
        NetworkError, GatewayError: the download failed.
        OSError: the file cannot be written.
    """
    import httpx  # start-up time: only downloads need these two
    import stamina

    stamina.instrumentation.set_on_retry_hooks([])  # its log lines would quote the text of exceptions
    timeout = httpx.Timeout(policy.read_timeout, connect=policy.connect_timeout)
    transfer = _Transfer(client, clip, max_bytes, timeout)
    try:
        with anyio.fail_after(policy.total_timeout):
            async for attempt in stamina.retry_context(
                _InterruptedError,
                attempts=policy.attempts,
                timeout=None,
                wait_initial=policy.wait_initial,
                wait_jitter=policy.wait_initial,
                wait_max=policy.wait_max,
            ):
                with attempt:
                    await transfer.resume()
        await anyio.to_thread.run_sync(transfer.check_content)
    except (_InterruptedError, TimeoutError):
        if transfer.tls_failure:
            raise LinkBlocked(transfer.tls_failure) from None
        raise NetworkError(
            f"The download of the clip was interrupted after {clip.received} bytes.",
            "Call download_video again; the job is untouched.",
        ) from None


class _Transfer:
    """The requests of one download."""

    def __init__(
        self, client: "httpx.AsyncClient", clip: PartialClip, max_bytes: int, timeout: "httpx.Timeout"
    ) -> None:
        self.tls_failure = ""
        """The TLS error of the last attempt, if any."""
        self._source = ""
        """The host that answered, and the status."""
        self._client = client
        self._clip = clip
        self._part = anyio.Path(clip.path)
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._furthest = clip.received

    async def resume(self) -> None:
        """Download the missing part. Raises _InterruptedError if there was hardly any progress."""
        while True:
            try:
                return await self._request()
            except _InterruptedError:
                progress = self._clip.received - self._furthest  # none while it starts again
                self._furthest = max(self._furthest, self._clip.received)
                if progress < _PROGRESS_BYTES:
                    raise

    def check_content(self) -> None:
        """Raises LinkBlocked if a web page came instead of the clip."""
        with Path(self._part).open("rb") as file:
            if is_web_page(file.read(HEADER_BYTES)):
                raise LinkBlocked(f"{self._source} sent a web page instead of the clip")

    async def _request(self) -> None:
        import httpx  # start-up time, as above

        headers = dict(IDENTITY)  # a range counts the bytes on the wire
        if self._clip.resumable:
            headers |= {"Range": f"bytes={self._clip.received}-", "If-Range": self._clip.validator}
        else:
            self._clip.reset()
        self.tls_failure = ""
        host, redirects = "", 0
        try:
            address = httpx.URL(self._clip.url)
            while redirects <= REDIRECTS_MAX:
                host = address.host
                async with self._client.stream("GET", address, headers=headers, timeout=self._timeout) as response:
                    self._source = f"{host} (HTTP {response.status_code})"
                    if not response.has_redirect_location:
                        return await self._receive(response)
                    address = address.join(response.headers["location"])
                    redirects += 1
        except LinkRefused as refused:
            raise (refused.after_redirect() if redirects else refused) from None
        except (httpx.InvalidURL, ValueError):  # the latter from the standard library, for a redirect's URL
            raise LinkRefused("The clip's link is not a valid URL.") from None
        except httpx.ConnectError as error:
            if cause := _ssl_error(error):
                self.tls_failure = f"no trusted TLS connection to {host} ({cause.reason or 'the handshake failed'})"
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise LinkBlocked(self.tls_failure) from None
            raise _InterruptedError from None
        except httpx.HTTPError:
            raise _InterruptedError from None
        raise LinkRefused(f"The clip's link was redirected more than {REDIRECTS_MAX} times.")

    async def _receive(self, response: "httpx.Response") -> None:
        status = response.status_code
        if status in GONE:
            raise LinkGone(f"The clip's link no longer works: {self._source}.")
        if status in BLOCKED:
            raise LinkBlocked(f"{self._source} does not give it out")
        if status >= 500 or status in _TRANSIENT:
            raise _InterruptedError
        if status == 416 and self._clip.received:
            if response.headers.get("content-range", "") == f"bytes */{self._clip.received}":
                return  # nothing was missing
            self._clip.reset()
            raise _InterruptedError
        if status not in (200, 206):
            raise GatewayError(f"The clip's link returned status {status}.")
        start = self._clip.accept(response)
        if start is None:
            raise _InterruptedError
        self._check_size(self._clip.total or 0)
        await self._write(response, start)
        if self._clip.total is not None and self._clip.received != self._clip.total:
            raise _InterruptedError
        if not _is_framed(response) and await anyio.to_thread.run_sync(looks_truncated, Path(self._part)):
            raise _InterruptedError

    async def _write(self, response: "httpx.Response", start: int) -> None:
        async with await self._part.open("r+b") as file:
            await file.seek(start)
            await file.truncate()
            self._clip.received = start
            try:
                async for chunk in unpacked(response):
                    self._check_size(self._clip.received + len(chunk))
                    await file.write(chunk)
                    self._clip.received += len(chunk)
            except UnknownEncoding:
                raise GatewayError("The clip's link answers in an encoding that cannot be unpacked.") from None
            except BaseException:
                if encodings(response):  # the decoded size cannot be used in a range
                    self._clip.reset()
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


def _ssl_error(error: BaseException) -> ssl.SSLError | None:
    """The TLS error that led to this one, if any."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause


def _is_framed(response: "httpx.Response") -> bool:
    """Whether the response states its own end; one that just stops may be incomplete."""
    return not {"content-length", "content-range", "transfer-encoding"}.isdisjoint(response.headers)
