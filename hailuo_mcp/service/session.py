"""The use cases: what a person or an assistant can ask for. Knows no MCP; the server and the command line are two
faces of it.
"""

import copy
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.caller import LOCAL, Caller
from hailuo_mcp.core.errors import (
    Expired,
    Forbidden,
    GatewayTrouble,
    HailuoError,
    InternalError,
    NotReady,
    Unauthorized,
    UnknownRequest,
)
from hailuo_mcp.core.job import UNCONFIRMED_PREFIX, Job, RequestId, State, utc_now
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.client import Request
from hailuo_mcp.ledger import JobPage, Ledger
from hailuo_mcp.media.clips import ClipStore
from hailuo_mcp.media.images import ImageRules
from hailuo_mcp.service.credentials import Accounts, origins
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX, Report, Wait, Waits, pace_seconds
from hailuo_mcp.service.poller import Tracker
from hailuo_mcp.service.signed_urls import Links
from hailuo_mcp.service.submission import Submitter, is_being_sent
from hailuo_mcp.service.worker import Watcher
from hailuo_mcp.telemetry import log_context, span

log = logging.getLogger(__name__)

SAVE_GRACE_SECONDS = 8.0
"""How long a status answer waits for the clip to be on disk; a larger one is saved meanwhile."""

OnChange = Callable[[Job], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Submitted:
    """The outcome of a generate call: a job, new or earlier; or for a dry run the request that would have been sent."""

    job: Job
    duplicate: bool = False
    request: Request | None = None


class Session:
    """Everything the product does, over a catalogue, gateways and a ledger. Use as an async context manager."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        gateways: Mapping[str, Gateway],
        ledger: Ledger,
        clips: ClipStore,
        picture_rules: ImageRules,
        resources: AsyncExitStack,
        *,
        watch: bool = False,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.gateways = gateways
        self.ledger = ledger
        self.clips = clips
        self.links: Links | None = None
        """Set where callers come over HTTP: where they fetch clips, and gateways call back."""
        self._waking: set[str] = set()
        self._caller = LOCAL
        self._accounts = Accounts(settings, gateways)
        self._picture_rules = picture_rules
        self._tracker = Tracker(self._accounts, ledger, clips)
        self._resources = resources
        self._tasks: TaskGroup | None = None
        self._waits = Waits()
        self.on_change: list[OnChange] = []
        """Told of every new and changed job that the ledger hears of. A listener raises nothing, and is quick."""
        self._watch = watch

    async def __aenter__(self) -> Self:
        self._tasks = await self._resources.enter_async_context(anyio.create_task_group())
        self.ledger.on_change.append(self._hear)
        await self.ledger.listen(self._tasks)
        if self._watch:
            watcher = Watcher(self.ledger, self._tracker, origins(self.gateways), save=self.settings.auto_download)
            self._tasks.start_soon(watcher.run, self._tasks)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._tasks:
            self._tasks.cancel_scope.cancel()
        await self._resources.aclose()

    def as_caller(self, caller: Caller) -> "Session":
        """The same open studio as this caller may use it: its own jobs, its own limits, its own keys where it has some.
        What is bound so cannot see another's."""
        own = copy.copy(self)
        own._caller = caller
        own.settings = self._accounts.settings_of(caller)
        if own.settings.gateways is not self.settings.gateways:
            own.gateways = self._accounts.of_caller(caller)
            own.catalog = self.catalog.under(own.settings)
        own._tracker = self._tracker.for_caller(caller)
        return own

    @property
    def tenant(self) -> str:
        """Whose studio this is; empty for the person whose machine it is on."""
        return self._caller.tenant

    def public_view(self, job: Job) -> Job:
        """The job as its caller may see it: a path is of use only on this machine, others get a link to the same
        clip."""
        if not (self.links and self.tenant and job.video_path):
            return job
        link, until = self.links.clip(job.id, utc_now())
        return job.model_copy(update={"video_url": link, "video_path": None, "expires_at": until})

    def redact(self, error: HailuoError) -> HailuoError:
        """The error as its caller may hear it."""
        return self._caller.redact(error)

    def shown_page(self, page: JobPage) -> JobPage:
        """The same for several jobs."""
        return replace(page, jobs=tuple(map(self.public_view, page.jobs)))

    @property
    def _submitter(self) -> Submitter:
        return Submitter(
            self._caller,
            self.settings,
            self.catalog,
            self.gateways,
            self.ledger,
            self.clips,
            self._picture_rules,
            self.links,
        )

    def _hear(self, key: str) -> None:
        """The ledger has news of a job; the empty key stands for any."""
        self._waits.hear(key)
        if key and self.on_change:
            self._running.start_soon(self._tell, key)

    async def _tell(self, key: str) -> None:
        try:
            job = await self.ledger.get(key)
        except HailuoError as error:
            log.info("news of a job could not be read: %s", error.problem.code)
            return
        for listener in list(self.on_change):
            if job:
                await listener(job)

    def end_waits(self) -> None:
        """Let every call that waits answer with what is known, now and from now on: the server is about to stop."""
        self._waits.end()

    def wake(self, key: str) -> None:
        """A gateway says that this job has moved: it is asked for as soon as it may be; if told often, once."""
        if key not in self._waking:
            self._waking.add(key)
            self._running.start_soon(self._woken, key)

    async def _woken(self, key: str) -> None:
        try:
            job = await self.ledger.get(key)
            if job is None or job.is_final or job.remote_id is None:
                return
            if job.polled_at:
                soonest = job.polled_at + timedelta(seconds=self.settings.min_poll_seconds)
                await anyio.sleep(max(0.0, (soonest - utc_now()).total_seconds()))
            with log_context(request_id=job.request_id, tenant=job.tenant), span("called back"):
                job = await self._tracker.refresh(self._running, job)
                await self._with_clip(job)
        except HailuoError as error:
            log.info("a job that was called back for could not be asked for: %s", error.problem.code)
        finally:
            self._waking.discard(key)

    async def generate(
        self,
        arguments: Mapping[str, Any],
        *,
        dry_run: bool = False,
        force_new: bool = False,
        key: str | None = None,
    ) -> Submitted:
        """Submit a job, and return without waiting for its video.

        `arguments` are canonical parameters, and optionally `model`. `key` names the job beforehand: called with it
        again, however much later, the same job is returned and nothing is sent.

        Raises:
            HailuoError: nothing was taken by a gateway; `charged` is "no".
        """
        if not (dry_run or self._caller.may_generate):
            raise Forbidden(
                "This token may look at jobs, and submit none.",
                "Use one with the scope video:generate; dry_run, get_status and the lists work with this one.",
            )
        submitter = self._submitter
        parameters = {name: value for name, value in arguments.items() if name != "model"}
        prepared = await submitter.prepare(arguments.get("model"), parameters)
        if dry_run:
            job = (await submitter.estimate(prepared)).warned(*prepared.choice, prepared.price_in_words)
            return Submitted(
                job.model_copy(update={"error": None}), request=prepared.gateway.submit_request(prepared.preview())
            )
        job, duplicate = await submitter.submit(prepared, force_new=force_new, key=key)
        job = job.warned(*prepared.choice)  # told once, not kept with the job
        if duplicate:
            job = job.warned(
                "An identical job exists already and was returned; force_new submits another, charged again."
            )
        return Submitted(job, duplicate)

    async def status(self, request_id: object, wait_seconds: float = 0, report: Report | None = None) -> Job:
        """How a job stands; with `wait_seconds`, as soon as it ends or the time is up.

        Raises:
            InvalidInput, UnknownRequest: there is no such job.
            HailuoError: the gateway could not be asked; the job is untouched.
        """
        deadline = anyio.current_time() + min(wait_seconds, WAIT_SECONDS_MAX)
        wait = Wait(await self._look_up(request_id))
        if not wait_seconds:
            await self._follow(wait, None)
        elif report is None or wait.job.is_final:
            await self._follow(wait, deadline)
        else:
            failure: Exception | None = None
            async with anyio.create_task_group() as beside:
                beside.start_soon(wait.tell, report)
                try:
                    await self._follow(wait, deadline)
                except Exception as error:  # raised outside of the group, which would wrap it
                    failure = error
                beside.cancel_scope.cancel()
            if failure:
                raise failure
        return await self._with_clip(wait.job)

    async def _follow(self, wait: Wait, deadline: float | None) -> None:
        """Ask until the job ends or the time is up; without a deadline, once.

        Raises:
            HailuoError: the gateway could not be asked, at last; trouble that may pass is outlived until then.
        """
        with self._waits.joined(wait):
            while True:
                wait.news = anyio.Event()
                job, trouble = await self._asked(wait.job, deadline - anyio.current_time() if deadline else None)
                wait.see(job)
                remaining = deadline - anyio.current_time() if deadline else 0.0
                if remaining <= 0 or not self.may_move(job):
                    break
                if await self._waits.pause(wait, min(remaining, self._pace(job))):
                    break
                wait.see(await self.ledger.get(job.id) or job)  # somebody else may have asked meanwhile
        if trouble:
            raise trouble

    async def known(self, request_id: object) -> Job | None:
        """The job as the ledger has it; no gateway is asked.

        Raises:
            InvalidInput: this is no request id.
        """
        parsed, tenant = RequestId.parse(request_id), self._caller.tenant
        job = await self.ledger.find(parsed.model, parsed.remote_id, tenant, self._origin_of(parsed.model))
        if job is None and parsed.remote_id.startswith(UNCONFIRMED_PREFIX):
            job = await self.ledger.get(parsed.remote_id.removeprefix(UNCONFIRMED_PREFIX))
        return job if job and (job.model, job.tenant) == (parsed.model, tenant) else None

    async def jobs(self, state: State | None = None, limit: int = 10) -> JobPage:
        """The newest jobs."""
        return await self.ledger.page(self._caller.tenant, state, limit, origins(self.gateways))

    async def download(self, request_id: object) -> tuple[Job, Path]:
        """The finished clip's file in the output directory, fetched if it is not there yet.

        Raises:
            NotReady, Expired, HailuoError: there is no clip to save, or it could not be saved; the job is untouched.
        """
        job = await self._look_up(request_id)
        if not job.is_final and self._may_poll(job):
            job = await self._tracker.refresh(self._running, job)
        if job.state is State.EXPIRED:
            raise Expired(f"{job.request_id} has expired at the gateway.", request_id=job.request_id)
        if job.state is State.FAILED:
            raise NotReady(
                f"{job.request_id} failed; it has no clip.",
                "Call get_status to see why.",
                safe_to_retry=False,
                request_id=job.request_id,
            )
        if job.state is not State.COMPLETED or not job.has_clip:
            raise NotReady(f"{job.request_id} is {job.state}; it has no clip yet.", request_id=job.request_id)
        job = await self._tracker.save(self._running, job)
        return job, Path(job.video_path or "")

    @property
    def _running(self) -> TaskGroup:
        if self._tasks is None:
            raise InternalError("The studio is not open.")
        return self._tasks

    async def _look_up(self, request_id: object) -> Job:
        """The job of this id: from the ledger, or entered anew after its gateway was asked. For a tenant only the
        ledger counts: at a gateway the jobs of all tenants are one account's."""
        if known := await self.known(request_id):
            return known
        parsed = RequestId.parse(request_id)
        if parsed.remote_id.startswith(UNCONFIRMED_PREFIX) or not self._caller.local:
            raise UnknownRequest(f"There is no job {parsed}.")
        model = self.catalog.known_model(parsed.model)
        if model is None:
            raise UnknownRequest(f"There is no job {parsed}: {parsed.model!r} is no model.")
        gateway = self.gateways[self.catalog.gateway(model).name]
        if not gateway.usable:
            raise Unauthorized(
                f"{parsed} cannot be asked for: {gateway.title} has no key here.", self.catalog.how_to_get_keys()
            )
        stranger = Job(
            model=parsed.model,
            origin=gateway.origin,
            uses_caller_key=bool(self._caller.keys),
            remote_id=parsed.remote_id,
            state=State.QUEUED,
            warnings=("This job was not in the ledger; its parameters and its time of submission are not known.",),
        )
        return await self._tracker.ask_unknown(gateway, stranger)

    def _origin_of(self, model_id: str) -> str:
        gateway = self.gateways.get(model_id.split("/")[0])
        return gateway.origin if gateway else ""

    def _may_poll(self, job: Job) -> bool:
        """A poll too soon after the last is answered from the last."""
        if job.polled_at is None:
            return True
        return utc_now() - job.polled_at >= timedelta(seconds=self.settings.min_poll_seconds)

    async def _asked(self, job: Job, seconds: float | None) -> tuple[Job, HailuoError | None]:
        """The job as its gateway sees it now, if it is time to ask; a passing trouble is returned, for a wait outlives
        it. A poll never holds a waiting caller beyond its time; what was known then stands.

        Raises:
            HailuoError: trouble that does not pass by itself.
        """
        if job.is_final or not self._may_poll(job):
            return job, None
        try:
            with anyio.move_on_after(seconds):
                job = await self._tracker.refresh(self._running, job)
        except HailuoError as error:
            error.request_id = job.request_id
            if not isinstance(error, GatewayTrouble):
                raise
            return job, error
        return job, None

    def may_move(self, job: Job) -> bool:
        """Whether time can bring news: an ended job stays as it is, one at another origin is not asked, a lost one only
        has a history to tell."""
        gateway = self._tracker.gateway_of(job)
        if job.is_final or gateway is None:
            return False
        return job.state is not State.UNCONFIRMED or gateway.has_history or is_being_sent(job)

    def _pace(self, job: Job) -> float:
        """Seconds to the next poll while a caller waits: what the gateway asks for outranks promptness."""
        gateway = self._tracker.gateway_of(job)
        quiet = gateway.sender.retry_after if gateway else 0.0
        return max(self.settings.min_poll_seconds, pace_seconds(job, utc_now()), quiet)

    async def _with_clip(self, job: Job) -> Job:
        """A completed job, its clip on disk where that is wanted; a save that takes long goes on meanwhile."""
        wanted = self.settings.auto_download and job.state is State.COMPLETED and job.video_url and not job.video_path
        if not wanted:
            return job
        saved = job.warned("The clip is still being saved; the next get_status tells its path.")
        with anyio.move_on_after(SAVE_GRACE_SECONDS):
            try:
                saved = await self._tracker.save(self._running, job)
            except HailuoError as error:
                log.warning("%s could not be saved: %s", job.request_id, error.problem.code)
                problem = self.redact(error).problem
                saved = job.warned(f"The clip is not saved yet: {problem.message} {problem.hint}")
        return saved
