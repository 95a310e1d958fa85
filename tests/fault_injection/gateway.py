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
from hailuo_mcp.sandbox import create_app
from tests.support import KEYS

PREVIEW = Path(hailuo_mcp.sandbox.__file__).with_name("preview-6s.mp4").read_bytes()
PADDING = 300_000


class Moment(StrEnum):
    SUBMISSION_CAME = "submission came"
    SUBMISSION_TAKEN = "job taken, not answered"
    SUBMISSION_ANSWERED = "submission answered"
    STATUS_ASKED = "status asked"
    RESULT_ASKED = "result asked"
    HISTORY_ASKED = "history asked"
    CLIP_ASKED = "clip asked for"
    CLIP_HALF = "half of the clip sent"
    CLIP_SENT = "clip sent"


Hook = Callable[[Moment, str], Awaitable[None]]


async def _nothing(_moment: Moment, _path: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Paid:
    """A job that the gateway accepted."""

    id: str
    gateway: str
    remote_id: str
    prompt: str


class WatchedGateway:
    """The sandbox behind a counting middleware. Each clip is different, some hundred kilobytes and a valid MP4."""

    def __init__(self, state_dir: Path, seconds: float) -> None:
        self.moments: Counter[Moment] = Counter()
        self.clips_asked: Counter[str] = Counter()
        self.on_moment: Hook = _nothing
        self.base_url = ""
        self._state_dir = state_dir
        self._app: ASGIApp = create_app(state_dir, seconds=seconds)

    @property
    def submissions(self) -> int:
        return self.moments[Moment.SUBMISSION_CAME]

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that point a server here, with its own keys."""
        return KEYS | {name.replace("_API_KEY", "_BASE_URL"): self.base_url for name in KEYS}

    def paid(self) -> list[Paid]:
        with closing(self._connect()) as db:
            rows = db.execute("SELECT id, gateway, remote_id, record FROM jobs ORDER BY submitted_at").fetchall()
        return [Paid(row[0], row[1], row[2], json.loads(row[3])["shot"]["prompt"]) for row in rows]

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
        if before is Moment.CLIP_ASKED:
            self.clips_asked[path] += 1
            self._put_clip(path)
        sent = 0

        async def send_watched(message: Message) -> None:
            nonlocal sent
            if message["type"] == "http.response.start" and within is Moment.SUBMISSION_TAKEN:
                await self._tell(within, path)
            await send(message)
            was, sent = sent, sent + len(message.get("body", b""))
            if within is Moment.CLIP_HALF and was < PADDING / 2 <= sent:
                await self._tell(within, path)

        await self._tell(before, path)
        with suppress(ClientDisconnect):  # a killed client does not close the connection
            await self._app(scope, receive, send_watched)
        await self._tell(after, path)

    async def _tell(self, moment: Moment | None, path: str) -> None:
        if moment:
            self.moments[moment] += 1
            await self.on_moment(moment, path)

    def _put_clip(self, path: str) -> None:
        """Replaces the rendering, which would be slow."""
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
    config = uvicorn.Config(gateway, ws="none", log_config=None, log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    listening = listener_on("127.0.0.1", 0)
    gateway.base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield gateway
    finally:
        server.should_exit = server.force_exit = True
        thread.join()
        listening.close()


def _moments_of(method: str, path: str) -> tuple[Moment | None, Moment | None, Moment | None]:
    """The moments before a response, within it, and after it."""
    if method == "POST":
        if path == "/upload-asset":
            return None, None, None
        return Moment.SUBMISSION_CAME, Moment.SUBMISSION_TAKEN, Moment.SUBMISSION_ANSWERED
    if path.startswith("/sandbox/clips/"):
        return Moment.CLIP_ASKED, Moment.CLIP_HALF, Moment.CLIP_SENT
    if "request-history" in path:
        return Moment.HISTORY_ASKED, None, None
    in_two = (path.startswith("/v2/requests/") and not path.endswith("/status")) or path == "/v1/files/retrieve"
    return Moment.RESULT_ASKED if in_two else Moment.STATUS_ASKED, None, None
