"""The use cases, for one caller: what a person or an assistant can ask for. The MCP server and the command line are two
ways to reach them.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import anyio

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.caller import LOCAL, Caller
from hailuo_mcp.core.errors import (
    Expired,
    Forbidden,
    GatewayTimeout,
    GatewayTrouble,
    HailuoError,
    HeldBack,
    NotReady,
    Unauthorized,
    UnknownRequest,
)
from hailuo_mcp.core.job import UNCONFIRMED_PREFIX, Job, RequestId, State, utc_now
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.client import Request
from hailuo_mcp.ledger import JobPage, Ledger
from hailuo_mcp.service.background import background_tasks
from hailuo_mcp.service.confirmation import Confirm, cannot_ask, check_price, needs_consent
from hailuo_mcp.service.credentials import origins
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX, Report, Wait
from hailuo_mcp.service.poller import is_being_sent
from hailuo_mcp.service.services import Services
from hailuo_mcp.service.submission import Submitter

log = logging.getLogger(__name__)

DownloadReport = Callable[[int, int | None], Awaitable[None]]

SAVE_GRACE_SECONDS = 8.0
"""How long a status answer waits for the clip to be on disk; a larger one is saved meanwhile."""
PACE_GRACE_SECONDS = 2.0
"""How long a caller who does not wait is held by our own pace before the answer is what was known last."""
DOWNLOAD_REPORT_EVERY = 2.0
SAVE_GRACE_SECONDS_MIN = 0.3
"""The same for a caller whose patience is at its end."""
OUTAGE_SECONDS_MAX = 240.0
"""Following a job to its end is given up when its gateway has not answered for this long."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The outcome of a generate call: a job, new or earlier; or for a dry run the request that would have been sent."""

    job: Job
    duplicate: bool = False
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far saving a clip got."""

    job: Job
    path: Path | None
    """Where the complete clip is; None while it is on its way."""
    received: int = 0
    """In bytes, of a clip that is not complete; so is `total`, None where it is not known."""
    total: int | None = None


@dataclass(frozen=True)
class Session:
    """Everything the product does, as one caller may use it: its own jobs, its own limits, and its own keys where it
    has some. Cheap to make, with nothing to close; it cannot see the jobs of another caller."""

    services: Services
    caller: Caller = LOCAL

    @property
    def tenant(self) -> str:
        """Whose jobs these are; empty for the person whose machine it is."""
        return self.caller.tenant

    @property
    def ledger(self) -> Ledger:
        return self.services.ledger

    @cached_property
    def settings(self) -> Settings:
        return self.services.credentials.settings_for(self.caller)

    @cached_property
    def gateways(self) -> Mapping[str, Gateway]:
        return self.services.credentials.gateways_for(self.caller)

    @property
    def has_own_keys(self) -> bool:
        """Whether this caller's keys decide which models it can use."""
        return self.services.credentials.has_own_keys(self.caller)

    @cached_property
    def catalog(self) -> Catalog:
        return self.services.catalog.under(self.settings) if self.has_own_keys else self.services.catalog

    # --- what the caller may see ----------------------------------------------------------------------------------

    def public_view(self, job: Job) -> Job:
        """The job as its caller may see it: a path is of use only on this machine; others get a link to the clip."""
        urls = self.services.urls
        if not (urls and self.tenant and job.video_path):
            return job
        link, until = urls.clip(job.id, utc_now())
        return job.model_copy(update={"video_url": link, "video_path": None, "expires_at": until})

    def public_page(self, page: JobPage) -> JobPage:
        """The same for several jobs."""
        return replace(page, jobs=tuple(map(self.public_view, page.jobs)))

    def redact(self, error: HailuoError) -> HailuoError:
        """The error as its caller may see it."""
        return self.caller.redact(error)

    # --- use cases ------------------------------------------------------------------------------------------------

    async def generate(
        self,
        arguments: Mapping[str, Any],
        *,
        dry_run: bool = False,
        force_new: bool = False,
        job_id: str | None = None,
        max_cost_usd: float | None = None,
        confirm: Confirm = cannot_ask,
    ) -> Submitted:
        """Submit a job, and return without waiting for its video.

        `arguments` are canonical parameters, and optionally `model`. `job_id` names the job beforehand: called with it
        again, however much later, the same job is returned and nothing is sent. `confirm` asks the person where the
        settings want it.

        Raises:
            HailuoError: no gateway took it; `charged` is "no".
        """
        if not (dry_run or self.caller.may_generate):
            raise Forbidden(
                "This token may look at jobs, but not submit any.",
                "Use one with the scope video:generate; dry_run, get_status and the lists work with this one.",
            )
        submitter = Submitter(self.services, self.caller, self.settings, self.catalog, self.gateways)
        parameters = {name: value for name, value in arguments.items() if name != "model"}
        prepared = await submitter.prepare(arguments.get("model"), parameters)
        check_price(prepared.purchase, max_cost_usd)
        if dry_run:
            job = (await submitter.estimate(prepared)).warned(
                *self.services.choice_notes.unsaid(self.tenant, prepared.choice),
                *prepared.ignored,
                prepared.price_in_words,
            )
            return Submitted(
                job.model_copy(update={"error": None}), request=prepared.gateway.submit_request(prepared.preview())
            )
        if needs_consent(prepared.purchase, self.settings.confirm_above_usd):
            await confirm(prepared.purchase)
        job, duplicate = await submitter.submit(prepared, force_new=force_new, job_id=job_id)
        job = job.warned(*prepared.choice, *prepared.ignored)  # said once, not kept with the job
        if duplicate:
            job = job.warned(
                "An identical job exists already and was returned; force_new submits another, charged again."
            )
        return Submitted(job, duplicate)

    async def status(
        self,
        request_id: object,
        wait_seconds: float = 0,
        report: Report | None = None,
        *,
        hold_seconds: float = math.inf,
    ) -> Job:
        """How a job stands; with `wait_seconds`, as soon as it ends or the time is up. A clip that is not saved after
        `hold_seconds` in all is saved meanwhile.

        Raises:
            InvalidInput, UnknownRequest: there is no such job.
            HailuoError: the gateway could not be asked; the job is untouched.
        """
        ends = anyio.current_time() + hold_seconds
        job = await self._follow(await self._look_up(request_id), min(wait_seconds, WAIT_SECONDS_MAX), report)
        return await self._with_clip(job, ends - anyio.current_time())

    async def follow(
        self,
        request_id: object,
        seconds: float = math.inf,
        report: Report | None = None,
        *,
        outage_seconds: float = OUTAGE_SECONDS_MAX,
    ) -> Job:
        """The job once it has ended, nothing more can be learned of it, or the time is up: for a caller who can stay.

        Raises:
            InvalidInput, UnknownRequest: there is no such job.
            HailuoError: the gateway did not answer for `outage_seconds`, or at the end; the job is untouched.
        """
        job = await self._follow(await self._look_up(request_id), seconds, report, outage_seconds)
        return await self._with_clip(job)

    async def known(self, request_id: object) -> Job | None:
        """The job as the ledger has it; no gateway is asked.

        Raises:
            InvalidInput: this is no request id.
        """
        parsed = RequestId.parse(request_id)
        job = await self.ledger.find(parsed.model, parsed.remote_id, self.tenant, self._origin_of(parsed.model))
        if job is None and parsed.remote_id.startswith(UNCONFIRMED_PREFIX):
            job = await self.ledger.get(parsed.remote_id.removeprefix(UNCONFIRMED_PREFIX))
        return job if job and (job.model, job.tenant) == (parsed.model, self.tenant) else None

    async def jobs(self, state: State | None = None, limit: int = 10) -> JobPage:
        """The newest jobs."""
        return await self.ledger.page(self.tenant, state, limit, origins(self.gateways))

    async def download(self, request_id: object) -> tuple[Job, Path]:
        """The finished clip's file in the output directory, fetched if it is not there yet.

        Raises:
            NotReady, Expired, HailuoError: there is no clip to save, or it could not be saved; the job is untouched.
        """
        return await self._saved(await self._look_up(request_id))

    async def download_within(
        self, request_id: object, seconds: float, report: DownloadReport | None = None
    ) -> DownloadProgress:
        """The same, for a caller who cannot stay: after this time, how far it got. The download then goes on as long as
        this process does. `report` is given the bytes received and the total, where it is known.

        Raises:
            GatewayTimeout: the gateway did not say in this time what became of the job.
            HailuoError: as `download`.
        """
        job: Job | None = None
        with anyio.move_on_after(seconds):
            job = await self._look_up(request_id)
            async with background_tasks() as beside:
                if report:
                    beside.start_soon(self._report_download, job.id, report)
                job, path = await self._saved(job)
            return DownloadProgress(job, path)
        if job is None:
            raise GatewayTimeout("The gateway has not said yet what became of this job.")
        clip = self.services.clips.progress(job.id)
        return DownloadProgress(job, None, clip.received, clip.total) if clip else DownloadProgress(job, None)

    async def _report_download(self, job_id: str, report: DownloadReport) -> None:
        """Report each progress until cancelled. A caller that cannot be reached still gets the answer."""
        reported = 0
        try:
            while True:
                clip = self.services.clips.progress(job_id)
                if clip and clip.received > reported:
                    reported = clip.received
                    await report(clip.received, clip.total)
                await anyio.sleep(DOWNLOAD_REPORT_EVERY)
        except Exception as error:
            log.debug("progress could not be reported: %s", type(error).__name__)

    async def _saved(self, job: Job) -> tuple[Job, Path]:
        job, trouble = await self._asked(job, None)
        if trouble:
            raise trouble
        if job.state is State.EXPIRED:
            raise Expired(f"{job.request_id} has expired at the gateway.", request_id=job.request_id)
        if job.state.ended_without_clip:
            raise NotReady(
                f"{job.request_id} {'was cancelled' if job.state is State.CANCELLED else 'failed'}; it has no clip.",
                "Call get_status to see why.",
                safe_to_retry=False,
                request_id=job.request_id,
            )
        if job.state is not State.COMPLETED or not job.has_clip:
            raise NotReady(f"{job.request_id} is {job.state}; it has no clip yet.", request_id=job.request_id)
        job = await self.services.poller.save(job, self.caller)
        return job, Path(job.video_path or "")

    async def cancel(self, request_id: object) -> Job:
        """Cancel a job that is still queued, where its gateway can. Any other is returned as it is, with a warning that
        says why it was not cancelled.

        Raises:
            InvalidInput, UnknownRequest, Forbidden: there is no such job, or this caller may not change it.
            HailuoError: the gateway could not be asked; whether the job was cancelled shows at the next poll.
        """
        if not self.caller.may_generate:
            raise Forbidden(
                "This token may look at jobs, but not cancel any.", "Use one with the scope video:generate."
            )
        return await self.services.poller.cancel(await self._look_up(request_id), self.caller)

    def may_cancel(self, job: Job) -> bool:
        """Whether cancelling the job may work, as far as is known."""
        gateway = self.services.credentials.gateway_for(job, self.caller)
        return bool(gateway and gateway.cancels(job.model) and job.state is State.QUEUED and self.caller.may_generate)

    def may_move(self, job: Job) -> bool:
        """Whether asking later can bring news: not of an ended job, nor of one whose gateway cannot be asked, nor of a
        lost submission where there is no history."""
        if job.is_final or self.services.poll_policy.link_is_given_up(job, utc_now()):
            return False
        gateway = self.services.credentials.gateway_for(job, self.caller)
        if gateway is None:
            return False
        return job.state is not State.UNCONFIRMED or gateway.keeps_history(job.model) or is_being_sent(job)

    # --- following a job ------------------------------------------------------------------------------------------

    async def _look_up(self, request_id: object) -> Job:
        """The job of this id: from the ledger, or imported after its gateway was asked. For a tenant only the ledger
        counts: at a gateway the jobs of all tenants belong to one account."""
        if known := await self.known(request_id):
            return known
        parsed = RequestId.parse(request_id)
        if parsed.remote_id.startswith(UNCONFIRMED_PREFIX) or not self.caller.local:
            raise UnknownRequest(f"There is no job {parsed}.")
        model = self.catalog.known_model(parsed.model)
        if model is None:
            raise UnknownRequest(f"There is no job {parsed}: {parsed.model!r} is no model.")
        gateway = self.gateways[self.catalog.gateway(model).name]
        if not gateway.usable:
            raise Unauthorized(
                f"{parsed} cannot be asked for: {gateway.title} has no key here.", self.catalog.how_to_get_keys()
            )
        untracked = Job(
            model=parsed.model,
            origin=gateway.origin,
            uses_caller_key=bool(self.caller.keys),
            remote_id=parsed.remote_id,
            state=State.QUEUED,
            warnings=("This job was not in the ledger; its parameters and its time of submission are not known.",),
        )
        return await self.services.poller.import_untracked(gateway, untracked)

    async def _follow(self, job: Job, seconds: float, report: Report | None, outage_seconds: float = math.inf) -> Job:
        if seconds <= 0:
            job, trouble = await self._asked(job, None)
            if trouble:
                raise trouble
            return job
        wait = Wait(job)
        if report is None or job.is_final:
            await self._until_end(wait, seconds, outage_seconds)
        else:
            async with background_tasks() as beside:
                beside.start_soon(wait.report_to, report, self.services.poll_policy.report_every)
                await self._until_end(wait, seconds, outage_seconds)
        return wait.job

    async def _until_end(self, wait: Wait, seconds: float, outage_seconds: float) -> None:
        """The one loop that follows a job: ask, pause, and ask again, until it ends or the time is up.

        Raises:
            HailuoError: the gateway could not be asked at the end; passing trouble before that is tolerated.
        """
        began = answered = anyio.current_time()
        with self.services.long_polls.joined(wait):
            while True:
                wait.changed = anyio.Event()
                job, trouble = await self._asked(wait.job, began + seconds - anyio.current_time())
                wait.update(job)
                now = anyio.current_time()
                answered = answered if trouble else now
                left = began + seconds - now
                if left <= 0 or now - answered >= outage_seconds or not self.may_move(job):
                    break
                # A history was asked several times by then; waiting longer promises nothing.
                if job.state is State.UNCONFIRMED and now - began >= WAIT_SECONDS_MAX:
                    break
                if await self.services.long_polls.pause(wait, min(left, self._interval(job))):
                    break
                wait.update(await self.ledger.get(job.id) or job)  # another call may have asked meanwhile
        if trouble:
            raise trouble

    async def _asked(self, job: Job, seconds: float | None) -> tuple[Job, HailuoError | None]:
        """The job as its gateway sees it now, if it is time to ask. Passing trouble is returned, since a wait tolerates
        it. A poll never holds a caller longer than `seconds`; the job is then returned as it was known.

        Raises:
            HailuoError: trouble that does not pass by itself.
        """
        expired = job.state is State.EXPIRED
        if (job.is_final and not expired) or not self._may_poll(job):
            return job, None
        gateway = self.services.credentials.gateway_for(job, self.caller)
        try:
            if gateway and (held := gateway.held_back(PACE_GRACE_SECONDS if seconds is None else max(0.0, seconds))):
                raise held
            if seconds is None:
                return await self.services.poller.refresh(job, self.caller), None
            with anyio.move_on_after(seconds):
                job = await self.services.poller.refresh(job, self.caller)
        except HeldBack as held:
            return job.warned(f"Not asked just now: {held.problem.message}"), None
        except HailuoError as error:
            error.request_id = job.request_id
            if expired:
                said = f"{error.problem.message} {error.problem.hint}"
                return job.warned(f"This job was asked for again, without an answer: {said}"), None
            if not isinstance(error, GatewayTrouble):
                raise
            return job, error
        return job, None

    def _origin_of(self, model_id: str) -> str:
        gateway = self.gateways.get(ModelId.parse(model_id).gateway)
        return gateway.origin if gateway else ""

    def _may_poll(self, job: Job) -> bool:
        """A poll too soon after the last is answered from the last."""
        return job.since_poll(utc_now()) >= timedelta(seconds=self.settings.min_poll_seconds)

    def _interval(self, job: Job) -> float:
        """Seconds to the next poll while a caller waits: what the gateway asks for outranks promptness."""
        gateway = self.services.credentials.gateway_for(job, self.caller)
        back_off = gateway.retry_after if gateway else 0.0
        wanted = self.services.poll_policy.while_waiting(job, utc_now())
        return max(self.settings.min_poll_seconds, wanted, back_off)

    async def _with_clip(self, job: Job, seconds: float = math.inf) -> Job:
        """A completed job, its clip on disk where that is wanted; a save that takes long goes on meanwhile."""
        wanted = self.settings.auto_download and job.state is State.COMPLETED and job.video_url and not job.video_path
        if not wanted:
            return job
        saved = job.warned("The clip is still being saved; the next get_status has its path.")
        with anyio.move_on_after(min(SAVE_GRACE_SECONDS, max(seconds, SAVE_GRACE_SECONDS_MIN))):
            try:
                saved = await self.services.poller.save(job, self.caller)
            except HailuoError as error:
                log.warning("%s could not be saved: %s", job.request_id, error.problem.code)
                problem = self.redact(error).problem
                saved = job.warned(f"The clip is not saved yet: {problem.message} {problem.hint}")
        return saved
