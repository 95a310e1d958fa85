"""The use cases for one caller. The MCP server and the command line are two ways to reach them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio

from hailuo_mcp.core.errors import Forbidden, GatewayTimeout, HailuoError, NotReady, UnknownRequest
from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.request_id import RequestId
from hailuo_mcp.gateways.client import Request
from hailuo_mcp.ledger import JobPage
from hailuo_mcp.ledger.base import day_start
from hailuo_mcp.service import downloads, follower, submission
from hailuo_mcp.service.access import Access
from hailuo_mcp.service.confirmation import Confirm, cannot_ask, check_price, needs_consent
from hailuo_mcp.service.downloads import DownloadProgress, DownloadReport
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX, Report
from hailuo_mcp.service.lookup import find_job, known_job
from hailuo_mcp.service.posters import can_read_clips

OUTAGE_SECONDS_MAX = 240.0
"""Following a job to its end is given up after its gateway has not answered for this long."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The result of a generate call: a new or earlier job, or for a dry run the request that would have been sent."""

    job: Job
    duplicate: bool = False
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a budget counts."""

    jobs: int
    usd: float


class Session(Access):
    """All use cases for one caller, with its own jobs, limits and, if it has any, keys. Cheap to create, with nothing
    to close; it cannot see the jobs of other callers."""

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
        gateway = self.gateway_for(job)
        return gateway.retry_after if gateway else 0.0

    async def spent_today(self) -> Spent:
        """What counts against the limits of the day, which begins at midnight UTC."""
        return Spent(*await self.ledger.spent_since(self.tenant, day_start(utc_now()), self.origins))

    def last_balance(self, job: Job) -> float | None:
        """The last known balance of the job's account, in its own unit; None if the caller may not see it."""
        gateway = self.gateway_for(job)
        if gateway is None or (self.tenant and not job.uses_caller_key):
            return None
        return self.services.balances.last_known(gateway)

    async def balances(self) -> dict[str, float]:
        """The balances of the caller's own accounts, by gateway, if reported. A caller that shares the server's keys
        does not see its accounts."""
        if self.tenant and not self.has_own_keys:
            return {}
        used = {ModelId.parse(model.id).gateway for model in self.catalog.usable}
        real = [gateway for gateway in self.gateways.values() if gateway.usable and not gateway.in_process_sandbox]
        return await self.services.balances.of([gateway for gateway in real if gateway.name in used])

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
        parameters = {name: value for name, value in arguments.items() if name != "model"}
        prepared = await submission.prepare(self, arguments.get("model"), parameters)
        check_price(prepared.purchase, max_cost_usd)
        if dry_run:
            job = (await submission.estimate(self, prepared)).warned(
                *self.services.choice_notes.not_given_recently(self.tenant, prepared.choice),
                *prepared.ignored,
                prepared.price_text,
            )
            return Submitted(
                job.model_copy(update={"error": None}), request=prepared.gateway.submit_request(prepared.preview())
            )
        if needs_consent(prepared.purchase, self.settings.confirm_above_usd):
            await confirm(prepared.purchase)
        job, duplicate = await submission.submit(self, prepared, force_new=force_new, job_id=job_id)
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
        job = await find_job(self, request_id)
        job = await follower.follow(self, job, min(wait_seconds, WAIT_SECONDS_MAX), report)
        return await downloads.with_clip(self, job, ends - anyio.current_time())

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
        job = await follower.follow(self, await find_job(self, request_id), seconds, report, outage_seconds)
        return await downloads.with_clip(self, job)

    async def known(self, request_id: object) -> Job | None:
        """The job from the ledger; no gateway is asked.

        Raises:
            InvalidInput: this is not a request id.
        """
        return await known_job(self, RequestId.parse(request_id))

    async def jobs(self, state: State | None = None, limit: int = 10) -> JobPage:
        """The newest jobs."""
        return await self.ledger.page(self.tenant, state, limit, self.origins)

    async def download(self, request_id: object) -> tuple[Job, Path]:
        """The finished clip's file in the output directory, fetched if it is not there yet.

        Raises:
            NotReady, Expired, HailuoError: there is no clip to save, or it could not be saved; the job is untouched.
        """
        return await downloads.save_clip(self, await find_job(self, request_id))

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
            job = await find_job(self, request_id)
            return await downloads.save_reporting(self, job, report)
        if job is None:
            raise GatewayTimeout("The gateway has not said yet what became of this job.")
        return downloads.progress_of(self, job)

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
        return await self.services.poller.cancel(await find_job(self, request_id), self.caller)

    def may_cancel(self, job: Job) -> bool:
        """Whether the job can probably be cancelled."""
        gateway = self.gateway_for(job)
        return bool(gateway and gateway.cancels(job.model) and job.state is State.QUEUED and self.caller.may_generate)

    async def poster(self, request_id: object) -> bytes:
        """A small JPEG of the clip's first frame; no gateway is asked.

        Raises:
            InvalidInput, UnknownRequest: there is no such job.
            NotReady: there is no image of it here.
        """
        wanted = RequestId.parse(request_id)
        job = await known_job(self, wanted)
        if job is None:
            raise UnknownRequest(f"There is no job {wanted}.")
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
        return follower.may_change(self, job)
