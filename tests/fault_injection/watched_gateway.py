"""The sandbox on a port, observed: requests are counted, and a hook is called at each moment of a job."""

import json
import sqlite3
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import uvicorn
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import hailuo_mcp.sandbox
from hailuo_mcp.cli.ports import listener_on
from hailuo_mcp.sandbox import KEEP_ALIVE_SECONDS, create_app
from tests.support import KEYS

PREVIEW = Path(hailuo_mcp.sandbox.__file__).with_name("preview-6s.mp4").read_bytes()
PADDING = 300_000


class Moment(StrEnum):
    SUBMISSION_RECEIVED = "submission received"
    SUBMISSION_TAKEN = "job accepted, not answered"
    SUBMISSION_ANSWERED = "submission answered"
    STATUS_REQUESTED = "status requested"
    RESULT_REQUESTED = "result requested"
    HISTORY_REQUESTED = "history requested"
    CLIP_REQUESTED = "clip requested"
    CLIP_HALF = "half of the clip sent"
    CLIP_SENT = "clip sent"


Hook = Callable[[Moment, str], Awaitable[None]]


async def _ignore(_moment: Moment, _path: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PaidJob:
    """A job that the gateway accepted."""

    id: str
    gateway: str
    remote_id: str
    prompt: str


class WatchedGateway:
    """The sandbox behind a counting middleware. Each clip is different, some hundred kilobytes and a valid MP4."""

    def __init__(self, state_dir: Path, seconds: float) -> None:
        self.moments: Counter[Moment] = Counter()
        self.clip_requests: Counter[str] = Counter()
        self.on_moment: Hook = _ignore
        self.base_url = ""
        self._state_dir = state_dir
        self._app: ASGIApp = create_app(state_dir, seconds=seconds)

    @property
    def submissions(self) -> int:
        return self.moments[Moment.SUBMISSION_RECEIVED]

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that point a server at this gateway, with keys of its own."""
        return KEYS | {name.replace("_API_KEY", "_BASE_URL"): self.base_url for name in KEYS}

    def paid(self) -> list[PaidJob]:
        with closing(self._connect()) as db:
            rows = db.execute("SELECT id, gateway, remote_id, record FROM jobs ORDER BY submitted_at").fetchall()
        return [PaidJob(row[0], row[1], row[2], json.loads(row[3])["shot"]["prompt"]) for row in rows]

    def let_pass(self, time: timedelta) -> None:
        """Make every job look as if it had been submitted that much earlier."""
        with closing(self._connect()) as db, db:
            db.execute(
                "UPDATE jobs SET submitted_at = submitted_at - ?1,"
                " record = json_set(record, '$.submitted_at', submitted_at - ?1)",
                (time.total_seconds(),),
            )

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._state_dir / "sandbox.sqlite3", timeout=30)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        before, within, after = _moments_of(scope["method"], path)
        if before is Moment.CLIP_REQUESTED:
            self.clip_requests[path] += 1
            self._store_clip(path)
        sent = 0

        async def send_watched(message: Message) -> None:
            nonlocal sent
            if message["type"] == "http.response.start" and within is Moment.SUBMISSION_TAKEN:
                await self._notify(within, path)
            await send(message)
            previously, sent = sent, sent + len(message.get("body", b""))
            if within is Moment.CLIP_HALF and previously < PADDING / 2 <= sent:
                await self._notify(within, path)

        await self._notify(before, path)
        with suppress(ClientDisconnect):  # a killed client does not close the connection
            await self._app(scope, receive, send_watched)
        await self._notify(after, path)

    async def _notify(self, moment: Moment | None, path: str) -> None:
        if moment:
            self.moments[moment] += 1
            await self.on_moment(moment, path)

    def _store_clip(self, path: str) -> None:
        """Store a clip, so that the sandbox does not render one, which is slow."""
        clip = self._state_dir / "clips" / path.rpartition("/")[2]
        if not clip.exists():
            part = clip.with_suffix(f".{threading.get_ident()}.part")
            part.write_bytes(clip_of(clip.stem))
            part.replace(clip)


def clip_of(job_id: str) -> bytes:
    """A unique clip: the preview and a box of free space that names the job."""
    body = job_id.encode().ljust(PADDING, b"\0")
    return PREVIEW + struct.pack(">I4s", len(body) + 8, b"free") + body


@contextmanager
def watched_gateway(state_dir: Path, seconds: float) -> Generator[WatchedGateway]:
    gateway = WatchedGateway(state_dir, seconds)
    config = uvicorn.Config(
        gateway,
        ws="none",
        log_config=None,
        log_level="error",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    server = uvicorn.Server(config)
    listener = listener_on("127.0.0.1", 0)
    gateway.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield gateway
    finally:
        server.should_exit = server.force_exit = True
        thread.join()
        listener.close()


def _moments_of(method: str, path: str) -> tuple[Moment | None, Moment | None, Moment | None]:
    """The moments before a response, within it, and after it."""
    if method == "POST":
        if path == "/upload-asset":
            return None, None, None
        return Moment.SUBMISSION_RECEIVED, Moment.SUBMISSION_TAKEN, Moment.SUBMISSION_ANSWERED
    if path.startswith("/sandbox/clips/"):
        return Moment.CLIP_REQUESTED, Moment.CLIP_HALF, Moment.CLIP_SENT
    if "request-history" in path:
        return Moment.HISTORY_REQUESTED, None, None
    is_result = (path.startswith("/v2/requests/") and not path.endswith("/status")) or path == "/v1/files/retrieve"
    return Moment.RESULT_REQUESTED if is_result else Moment.STATUS_REQUESTED, None, None
