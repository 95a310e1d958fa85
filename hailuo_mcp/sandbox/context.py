"""What every stand-in shares: the clock, the jobs, the pictures, the clips and the links to them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from anyio import to_thread
from starlette.requests import Request

from hailuo_mcp.sandbox import faults
from hailuo_mcp.sandbox.assets import ROUTE as ASSET_ROUTE
from hailuo_mcp.sandbox.assets import Assets
from hailuo_mcp.sandbox.callbacks import Callback, Callbacks
from hailuo_mcp.sandbox.clips import ROUTE as CLIP_ROUTE
from hailuo_mcp.sandbox.clips import Clips
from hailuo_mcp.sandbox.jobs import Failure, Fault, Job, Shot
from hailuo_mcp.sandbox.store import Store

BAD_KEY = "bad-key"
NO_CREDITS_KEY = "no-credits"
FORBIDDEN_KEY = "forbidden"

_SLOW_FACTOR = 5


def owner_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def bearer_key(request: Request) -> str | None:
    """The key of an `Authorization: Bearer` header, None when there is none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def timestamp(moment: float) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clip_link(base: str, job: Job) -> str:
    return f"{base}{CLIP_ROUTE}{job.id}.mp4"


@dataclass(frozen=True, slots=True)
class SandboxContext:
    store: Store
    assets: Assets
    clips: Clips
    clock: Callable[[], float]
    seconds: float
    """How long a job takes."""
    retention_seconds: float
    """How long Segmind keeps a result, counted from its submission."""
    public_url: str | None
    callbacks: Callbacks | None = None
    """None: nobody is ever called."""

    async def take(
        self,
        gateway: str,
        remote_id: str,
        key: str,
        model: str,
        body: Mapping[str, object],
        shot: Shot,
        *,
        cost: float = 0.0,
        rejected: str | None = None,
        callback_url: str | None = None,
        request: Request | None = None,
    ) -> Job:
        """Records a job that will run as the rehearsal words of its prompt ask.

        `rejected`: why the model behind the gateway will not make it, if the stand-in knows already.
        `callback_url`: who is called when it has ended; the links in the call are based like the answers to `request`.
        """
        words = faults.asked_for(shot.prompt)
        callback = Callback(callback_url, self.base(request)) if callback_url and request else None

        def record() -> Job:
            job = Job(
                id=uuid.uuid4().hex,
                gateway=gateway,
                remote_id=remote_id,
                owner=owner_of(key),
                model=model,
                body=body,
                shot=shot,
                submitted_at=self.clock(),
                takes=self.seconds * (_SLOW_FACTOR if faults.SLOW in words else 1),
                ends=faults.NEVER not in words,
                forgotten=faults.EXPIRE in words,
                failure=self._failure(shot, words) or (Failure(Fault.OTHER, rejected) if rejected else None),
                cost=cost,
            )
            self.store.add(job, *(self.callbacks.note(job, callback) if self.callbacks and callback else ()))
            return job

        job = await to_thread.run_sync(record)
        if self.callbacks and callback:
            self.callbacks.wake()
        return job

    async def find(self, gateway: str, remote_id: str, key: str) -> Job | None:
        return await to_thread.run_sync(self.store.find, gateway, remote_id, owner_of(key))

    async def jobs_of(self, gateway: str, key: str) -> list[Job]:
        return await to_thread.run_sync(self.store.of, gateway, owner_of(key))

    def clip_link(self, request: Request, job: Job) -> str:
        return clip_link(self.base(request), job)

    def asset_link(self, request: Request, name: str) -> str:
        return self.link(request, ASSET_ROUTE + name)

    def link(self, request: Request, path: str) -> str:
        return self.base(request) + path

    def base(self, request: Request) -> str:
        """What links begin with."""
        return (self.public_url or str(request.base_url)).rstrip("/")

    def _failure(self, shot: Shot, words: frozenset[str]) -> Failure | None:
        if faults.CONTENT_VIOLATION in words:
            return Failure(Fault.CONTENT, "Content violates safety guidelines")
        if faults.FAIL in words:
            return Failure(Fault.OTHER, "The model stopped with an internal error")
        return self.assets.trouble(shot.first) or self.assets.trouble(shot.last)
