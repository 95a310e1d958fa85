"""The use cases for one caller. The MCP server and the command line are two ways to reach them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import anyio

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.caller import LOCAL, Caller
from hailuo_mcp.core.errors import Forbidden, GatewayTimeout, HailuoError, NotReady, UnknownRequest
from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.core.request_id import RequestId
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.client import Request
from hailuo_mcp.ledger import JobPage, Ledger
from hailuo_mcp.service.account import Account
from hailuo_mcp.service.confirmation import Confirm, cannot_ask, check_price, needs_consent
from hailuo_mcp.service.credentials import origins
from hailuo_mcp.service.downloads import DownloadProgress, DownloadReport, Downloads
from hailuo_mcp.service.follower import Follower
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX, Report
from hailuo_mcp.service.lookup import Lookup
from hailuo_mcp.service.posters import can_read_clips
from hailuo_mcp.service.services import Services
from hailuo_mcp.service.submission import Submitter

OUTAGE_SECONDS_MAX = 240.0
"""Following a job to its end is given up after its gateway has not answered for this long."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The result of a generate call: a new or earlier job, or for a dry run the request that would have been sent."""

    job: Job
    duplicate: bool = False
    request: Request | None = None


@dataclass(frozen=True)
class Session:
    """All use cases for one caller, with its own jobs, limits and, if it has any, keys. Cheap to create, with nothing
    to close; it cannot see the jobs of other callers."""

    services: Services
    caller: Caller = LOCAL

    @property
    def tenant(self) -> str:
        """Whose jobs these are; empty for the user of this machine."""
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
        """Whether this caller's own keys determine which models it can use."""
        return self.services.credentials.has_own_keys(self.caller)

    @cached_property
    def catalog(self) -> Catalog:
        return self.services.catalog.under(self.settings) if self.has_own_keys else self.services.catalog

    @property
    def account(self) -> Account:
        return Account(self.services, self.caller, self.catalog, self.gateways)

    @property
    def _lookup(self) -> Lookup:
        return Lookup(self.services, self.caller, self.catalog, self.gateways)

    @property
    def _follower(self) -> Follower:
        return Follower(self.services, self.caller, self.settings)

    @property
    def _downloads(self) -> Downloads:
        return Downloads(self.services, self.caller, self.settings)

    # --- what the caller may see ----------------------------------------------------------------------------------

    def public_view(self, job: Job) -> Job:
        """The job as this caller may see it: a path is useful only on this machine; remote callers get a link to the
        clip."""
        urls = self.services.urls
        if not (urls and self.tenant and job.video_path):
            return job
        link, until = urls.clip(job.id, utc_now())
        return job.model_copy(update={"video_url": link, "video_path": None, "expires_at": until})

    def public_page(self, page: JobPage) -> JobPage:
        """As `public_view`, for several jobs."""
        return replace(page, jobs=tuple(map(self.public_view, page.jobs)))

    def held_back(self, job: Job) -> float:
        """Seconds until our own rate limit allows a poll of the job."""
        gateway = self.services.credentials.gateway_for(job, self.caller)
        return gateway.retry_after if gateway else 0.0

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
        """Submit a job and return without waiting for its video.

        `arguments` are canonical parameters, and optionally `model`. `job_id` fixes the job's id in advance: any later
        call with it returns the same job and sends nothing. `confirm` asks the user if the settings require it.

        Raises:
            HailuoError: no gateway accepted it; `charged` is "no".
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
                *self.services.choice_notes.not_given_recently(self.tenant, prepared.choice),
                *prepared.ignored,
                prepared.price_text,
            )
            return Submitted(
                job.model_copy(update={"error": None}), request=prepared.gateway.submit_request(prepared.preview())
            )
        if needs_consent(prepared.purchase, self.settings.confirm_above_usd):
            await confirm(prepared.purchase)
        job, duplicate = await submitter.submit(prepared, force_new=force_new, job_id=job_id)
        job = job.warned(*prepared.choice, *prepared.ignored)  # given once, not stored with the job
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
        """The state of a job; with `wait_seconds`, as soon as it ends or the time is up. A clip that is not saved after
        `hold_seconds` in total is saved in the background.

        Raises:
            InvalidInput, UnknownRequest: there is no such job.
            HailuoError: the gateway could not be asked; the job is untouched.
        """
        ends = anyio.current_time() + hold_seconds
        job = await self._follower.follow(
            await self._lookup.job(request_id), min(wait_seconds, WAIT_SECONDS_MAX), report
        )
        return await self._downloads.with_clip(job, ends - anyio.current_time())

    async def follow(
        self,
        request_id: object,
        seconds: float = math.inf,
        report: Report | None = None,
        *,
        outage_seconds: float = OUTAGE_SECONDS_MAX,
    ) -> Job:
        """The job, once it has ended, nothing more can be learned about it, or the time is up: for a caller that can
        wait.

        Raises:
            InvalidInput, UnknownRequest: there is no such job.
            HailuoError: the gateway did not answer for `outage_seconds`, or at the end; the job is untouched.
        """
        job = await self._follower.follow(await self._lookup.job(request_id), seconds, report, outage_seconds)
        return await self._downloads.with_clip(job)

    async def known(self, request_id: object) -> Job | None:
        """The job from the ledger; no gateway is asked.

        Raises:
            InvalidInput: this is not a request id.
        """
        return await self._lookup.known(request_id)

    async def jobs(self, state: State | None = None, limit: int = 10) -> JobPage:
        """The newest jobs."""
        return await self.ledger.page(self.tenant, state, limit, origins(self.gateways))

    async def download(self, request_id: object) -> tuple[Job, Path]:
        """The finished clip's file in the output directory, fetched if it is not there yet.

        Raises:
            NotReady, Expired, HailuoError: there is no clip to save, or it could not be saved; the job is untouched.
        """
        return await self._downloads.saved(await self._lookup.job(request_id))

    async def download_within(
        self, request_id: object, seconds: float, report: DownloadReport | None = None
    ) -> DownloadProgress:
        """As `download`, for a caller that cannot wait: after this time, the progress so far. The download then
        continues as long as this process runs.

        Raises:
            GatewayTimeout: the gateway did not report the job's state in this time.
            HailuoError: as `download`.
        """
        job: Job | None = None
        with anyio.move_on_after(seconds):
            job = await self._lookup.job(request_id)
            return await self._downloads.reported(job, report)
        if job is None:
            raise GatewayTimeout("The gateway has not said yet what became of this job.")
        return self._downloads.progress(job)

    async def cancel(self, request_id: object) -> Job:
        """Cancel a job that is still queued, if its gateway can. Any other is returned unchanged, with a warning that
        says why it was not cancelled.

        Raises:
            InvalidInput, UnknownRequest, Forbidden: there is no such job, or this caller may not change it.
            HailuoError: the gateway could not be asked; the next poll shows whether the job was cancelled.
        """
        if not self.caller.may_generate:
            raise Forbidden(
                "This token may look at jobs, but not cancel any.", "Use one with the scope video:generate."
            )
        return await self.services.poller.cancel(await self._lookup.job(request_id), self.caller)

    def may_cancel(self, job: Job) -> bool:
        """Whether the job can probably be cancelled."""
        gateway = self.services.credentials.gateway_for(job, self.caller)
        return bool(gateway and gateway.cancels(job.model) and job.state is State.QUEUED and self.caller.may_generate)

    async def poster(self, request_id: object) -> bytes:
        """A small JPEG of the clip's first frame; no gateway is asked.

        Raises:
            InvalidInput, UnknownRequest: there is no such job.
            NotReady: there is no image of it here.
        """
        job = await self.known(request_id)
        if job is None:
            raise UnknownRequest(f"There is no job {RequestId.parse(request_id)}.")
        content = await self.services.posters.get(job)
        if content is None:
            raise NotReady(f"There is no image of {job.request_id} here.", request_id=job.request_id)
        return content

    def has_poster(self, job: Job) -> bool:
        """Whether `poster` may find one."""
        return self.services.posters.may_have(job)

    def may_continue(self, job: Job) -> bool:
        """Whether a next shot can begin with the last frame of this job's clip."""
        return job.state is State.COMPLETED and job.has_clip and can_read_clips() and self.caller.may_generate

    def may_change(self, job: Job) -> bool:
        """Whether a later poll can show a change: not for an ended job, one whose gateway cannot be asked, or a lost
        submission if there is no history."""
        return self._follower.may_change(job)
