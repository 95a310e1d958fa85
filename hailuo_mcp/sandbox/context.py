"""What the stand-ins share: the clock, the jobs, the images, the clips and the links to them."""

import hashlib
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from hailuo_mcp.sandbox import faults
from hailuo_mcp.sandbox.assets import ROUTE as ASSET_ROUTE
from hailuo_mcp.sandbox.assets import Assets
from hailuo_mcp.sandbox.callbacks import Callback, Callbacks, echoes_challenge
from hailuo_mcp.sandbox.clips import ENDS, Clips
from hailuo_mcp.sandbox.clips import ROUTE as CLIP_ROUTE
from hailuo_mcp.sandbox.faults import Refusal
from hailuo_mcp.sandbox.jobs import Failure, Fault, Job, Phase, Shot
from hailuo_mcp.sandbox.store import Store

BAD_KEY = "bad-key"
NO_CREDITS_KEY = "no-credits"
FORBIDDEN_KEY = "forbidden"

_SLOW_FACTOR = 5
_LINK_SECONDS = 3600


def owner_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def bearer_key(request: Request) -> str | None:
    """The key of an `Authorization: Bearer` header; None if there is none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def accepted_key(key: str | None, unknown: Response, forbidden: Response) -> str:
    """The key of a request. Raises `Refusal` with one of the responses if it is missing, unknown or not allowed."""
    if not key or key == BAD_KEY:
        raise Refusal(unknown)
    if key == FORBIDDEN_KEY:
        raise Refusal(forbidden)
    return key


def check_account(key: str, prompt: str, *, no_credits: Response, rate_limited: Response) -> None:
    """Raise `Refusal` with one of the responses if the key or a trigger in the prompt asks for it."""
    triggers = faults.triggers_in(prompt)
    if key == NO_CREDITS_KEY or faults.NO_CREDITS in triggers:
        raise Refusal(no_credits)
    if faults.RATE_LIMIT in triggers:
        raise Refusal(rate_limited)


def timestamp(time: float) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def submitted_within(jobs: Sequence[Job], query: Mapping[str, str], after: str, before: str) -> list[Job]:
    """The jobs between the times in these two query parameters, both optional."""

    def moment(name: str, default: float) -> float:
        value = query.get(name)
        return datetime.fromisoformat(value).timestamp() if value else default

    since, until = moment(after, 0.0), moment(before, math.inf)
    return [job for job in jobs if since <= job.submitted_at <= until]


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
    callbacks: Callbacks | None
    """None: webhooks are not called."""

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
        callback: Callback | None = None,
    ) -> Job:
        """Record a job that behaves as the triggers in its prompt say.

        `rejected`: why the model behind the gateway will reject it, if the stand-in knows.

        Raises:
            Refusal: the prompt asks for a lost response. The job is recorded.
        """
        triggers = faults.triggers_in(shot.prompt)

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
                takes=self.seconds * (_SLOW_FACTOR if faults.SLOW in triggers else 1),
                ends=faults.NEVER not in triggers,
                forgotten=faults.EXPIRE in triggers,
                failure=self._failure(shot, triggers) or (Failure(Fault.OTHER, rejected) if rejected else None),
                cost=cost,
            )
            self.store.add(job, *(self.callbacks.statements(job, callback) if self.callbacks and callback else ()))
            return job

        job = await to_thread.run_sync(record)
        if self.callbacks and callback:
            self.callbacks.wake()
        if faults.LOST_ANSWER in triggers:
            raise Refusal(faults.CutResponse())
        return job

    def callback(self, request: Request, url: object) -> Callback | None:
        """The webhook to call, if a URL is given; links in that call have the same base as those in the response."""
        return Callback(url, self.base(request)) if isinstance(url, str) and url else None

    async def challenged_callback(self, request: Request, url: object, unechoed: Response) -> Callback | None:
        """As `callback`, for a gateway whose webhooks must echo a challenge. Raises `Refusal` if this one does not."""
        callback = self.callback(request, url)
        if callback and self.callbacks and not await echoes_challenge(callback.url):
            raise Refusal(unechoed)
        return callback

    async def find(
        self, gateway: str, remote_id: str, key: str, unknown: Response, retention: float = math.inf
    ) -> tuple[Job, Phase]:
        """The job and its current phase. Raises `Refusal` with this response if it is unknown or forgotten."""
        job = await to_thread.run_sync(self.store.find, gateway, remote_id, owner_of(key))
        phase = job.phase(self.clock(), retention) if job else Phase.GONE
        if job is None or phase is Phase.GONE:
            raise Refusal(unknown)
        return job, phase

    async def cancel(self, job: Job) -> None:
        await to_thread.run_sync(self.store.cancel, job)

    async def jobs_of(self, gateway: str, key: str) -> list[Job]:
        return await to_thread.run_sync(self.store.of, gateway, owner_of(key))

    def clip_link(self, request: Request, job: Job) -> str:
        return clip_link(self.base(request), job)

    def expiring_clip_link(self, request: Request, job: Job) -> str:
        return f"{self.clip_link(request, job)}?{ENDS}={int(self.clock()) + _LINK_SECONDS}"

    def asset_link(self, request: Request, name: str) -> str:
        return self.link(request, ASSET_ROUTE + name)

    def link(self, request: Request, path: str) -> str:
        return self.base(request) + path

    def base(self, request: Request) -> str:
        """The base URL of links."""
        return (self.public_url or str(request.base_url)).rstrip("/")

    def _failure(self, shot: Shot, triggers: frozenset[str]) -> Failure | None:
        if faults.CONTENT_VIOLATION in triggers:
            return Failure(Fault.CONTENT, "Content violates safety guidelines")
        if faults.FAIL in triggers:
            return Failure(Fault.OTHER, "The model stopped with an internal error")
        return self.assets.failure(shot.first) or self.assets.failure(shot.last)
