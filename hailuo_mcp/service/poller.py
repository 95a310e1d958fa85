"""Polling gateways and recording their answers: telling an expired job from a slow one, finding a lost submission,
saving clips.
"""

import logging
from datetime import timedelta
from functools import partial

import anyio
from anyio.abc import TaskGroup

from hailuo_mcp.core.caller import LOCAL, Caller, key_header
from hailuo_mcp.core.errors import Expired, HailuoError, Problem, UnknownRequest
from hailuo_mcp.core.job import Job, Observation, State, utc_now
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.ledger import Ledger
from hailuo_mcp.media.clips import ClipStore
from hailuo_mcp.service.clip_saver import UNDOCUMENTED_RETENTION, ClipSaver, can_be_saved
from hailuo_mcp.service.credentials import Credentials
from hailuo_mcp.service.liveness import is_being_sent
from hailuo_mcp.service.poll_policy import PollPolicy
from hailuo_mcp.service.single_flight import SingleFlight
from hailuo_mcp.telemetry import gateway_span, log_context, span

log = logging.getLogger(__name__)

FIND_WINDOW = timedelta(days=7)
"""An unconfirmed submission older than this is no longer searched for."""


class Poller:
    """Polls gateways for all sessions of this process, with the right key for each job."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        ledger: Ledger,
        clips: ClipStore,
        tasks: TaskGroup,
        policy: PollPolicy,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._ledger = ledger
        self._clips = clips
        self._tasks = tasks
        self._policy = policy
        self._polls = SingleFlight[Job](tasks)
        self._saver = ClipSaver(credentials, ledger, clips, tasks, self._write)
        self._webhooks: set[str] = set()

    async def refresh(self, job: Job, caller: Caller = LOCAL) -> Job:
        """Poll the gateway, once for all concurrent callers.

        Raises:
            HailuoError: it could not be asked; the job is untouched.
        """
        return await self._polls.run(job.id, partial(self._refresh, job, caller))

    async def cancel(self, job: Job, caller: Caller = LOCAL) -> Job:
        """Cancel a job that its gateway reports as queued. Otherwise return the job unchanged, with a warning that says
        why.

        Raises:
            HailuoError: the gateway could not be asked.
        """
        if not job.is_final:
            # The state must be known first: for an ended job, the request that cancels a queued one may delete its
            # record.
            job = await self.refresh(job, caller)
        if job.state is State.CANCELLED:
            return job
        gateway = self._credentials.gateway_for(job, caller)
        if job.state is State.QUEUED and job.remote_id and gateway and gateway.cancels(job.model):
            with log_context(request_id=job.request_id, tenant=job.tenant):
                with gateway_span(gateway.name, "cancel", job.model):
                    seen = await gateway.stop(job)
                if seen is not None:
                    job = await self._write(job, seen)
        if job.state is State.CANCELLED:
            log.info("cancelled %s", job.request_id)
            return job
        return job.warned(_not_cancelled(job, gateway))

    async def advance(self, job: Job, *, save: bool) -> Job:
        """One step towards a saved clip: poll the job and, with `save`, fetch the clip of a completed one.

        Raises:
            HailuoError: the gateway could not be asked, or the clip not saved; the job is untouched.
        """
        if not job.is_final:
            job = await self.refresh(job)
        if save and can_be_saved(job):
            job = await self.save(job)
        return job

    async def save(self, job: Job, caller: Caller = LOCAL) -> Job:
        """Save the clip of a completed job in the output directory, once for all concurrent callers.

        Raises:
            HailuoError: as `ClipSaver.save`; the job is untouched.
        """
        return await self._saver.save(job, caller)

    def on_webhook(self, job_id: str) -> None:
        """A webhook reports that this job has changed: poll it as soon as the rate limit allows; several such calls
        poll once."""
        if job_id not in self._webhooks:
            self._webhooks.add(job_id)
            self._tasks.start_soon(self._poll_after_webhook, job_id)

    async def _poll_after_webhook(self, job_id: str) -> None:
        try:
            job = await self._ledger.get(job_id)
            if job is None or job.is_final or job.remote_id is None:
                return
            since_poll = job.since_poll(utc_now()).total_seconds()
            await anyio.sleep(max(0.0, self._settings.min_poll_seconds - since_poll))
            with log_context(request_id=job.request_id, tenant=job.tenant), span("called back"):
                await self.advance(job, save=self._settings.auto_download)
        except HailuoError as error:
            log.info("a job could not be polled after its webhook: %s", error.problem.code)
        finally:
            self._webhooks.discard(job_id)

    async def _refresh(self, job: Job, caller: Caller) -> Job:
        with log_context(request_id=job.request_id, tenant=job.tenant):
            return await self._poll(job, caller)

    async def _poll(self, job: Job, caller: Caller) -> Job:
        gateway = self._credentials.gateway_for(job, caller)
        if gateway is None:
            return job.warned(
                f"This job was submitted with a key sent along with the call; send it again, in the header "
                f"{key_header(ModelId.parse(job.model).gateway)}, to learn more than this."
                if job.uses_caller_key
                else f"This job was sent to {job.origin}, which is not configured now; this is what was known last."
            )
        if job.remote_id is None:
            return await self._look_for(gateway, job)
        model = gateway.model(job.model)
        if model is None:
            return job.warned(f"{job.model} is in no catalog now, so its gateway cannot be asked; put its entry back.")
        try:
            with gateway_span(gateway.name, "poll", job.model):
                seen = await gateway.observe(model, job.remote_id)
        except UnknownRequest:
            return await self._not_found(gateway, job)
        return await self._write(job, seen)

    async def import_untracked(self, gateway: Gateway, job: Job) -> Job:
        """Look up an id that is not in the ledger, and record the answer of the gateway or its history.

        Raises:
            UnknownRequest: neither knows it.
            HailuoError: one of them could not be asked.
        """
        model = gateway.model(job.model)
        if model is None or job.remote_id is None:
            raise UnknownRequest(f"There is no job {job.request_id}.")
        try:
            with gateway_span(gateway.name, "poll", job.model):
                seen = await gateway.observe(model, job.remote_id)
        except UnknownRequest:
            seen = await self._recall(gateway, job)
            if seen is None:
                raise
        entered = await self._ledger.import_job(job, self._policy.first_poll_at(job))
        return await self._write(entered.job, seen)

    async def _write(self, job: Job, seen: Observation) -> Job:
        if seen.video_url and (seen.has_secret_link or seen.video_url.startswith("data:")):
            job, seen = await self._keep_inline(job, seen)
        return await self._ledger.change(job.id, lambda j: j.apply_observation(seen))

    async def _keep_inline(self, job: Job, seen: Observation) -> tuple[Job, Observation]:
        """Save a clip that came inside the response at once, because it is far too large to pass on; also one whose
        link contains the key, which must not be stored."""
        path = await self._clips.save(job.apply_observation(seen))
        job = await self._ledger.change(job.id, lambda j: j.saved(str(path)))
        return job, seen.model_copy(update={"video_url": None})

    async def _not_found(self, gateway: Gateway, job: Job) -> Job:
        """A 404 proves nothing while results are still kept: a wrong key, another account, a lagging replica. After
        that, the history is asked, and the job is given up only if it answers."""
        kept_until = job.created_at + (gateway.retention or UNDOCUMENTED_RETENTION)
        if utc_now() < kept_until:
            untouched = await self._ledger.change(job.id, lambda j: j.touch())
            return untouched.warned(
                f"{gateway.title} says it does not know this job, which it should still keep: check that "
                f"{gateway.name.upper()}_API_KEY is the key it was submitted with, then ask again."
            )
        try:
            seen = await self._recall(gateway, job)
        except HailuoError as error:
            log.warning("the history of %s could not be asked: %s", gateway.title, error.problem.code)
            untouched = await self._ledger.change(job.id, lambda j: j.touch())
            return untouched.warned(
                f"{gateway.title} no longer knows this job, and its history could not be asked ({error.problem.code}): "
                "the job stays as it is; ask again later."
            )
        if seen is not None:
            return await self._write(job, seen)
        problem = Problem(
            code="expired",
            message=f"{gateway.title} no longer keeps this job.",
            hint=Expired.default_hint,
            charged="unknown",
        )
        return await self._ledger.change(job.id, lambda j: j.mark_expired(problem))

    async def _recall(self, gateway: Gateway, job: Job) -> Observation | None:
        """The job's entry in the gateway's history; None if it is not there or there is no history.

        Raises:
            HailuoError: the history could not be asked, which says nothing about the job.
        """
        if not gateway.keeps_history(job.model):
            return None
        with gateway_span(gateway.name, "history", job.model):
            return await gateway.recall(job)

    async def _look_for(self, gateway: Gateway, job: Job) -> Job:
        """Search the gateway's history for a submission whose response was lost. Absence proves nothing."""
        now = utc_now()
        if not gateway.keeps_history(job.model) or is_being_sent(job) or now - job.created_at > FIND_WINDOW:
            return job
        try:
            found = None
            if not await self._identical_in_flight(job):
                taken = await self._ledger.remote_ids(job.model, job.origin)
                with gateway_span(gateway.name, "history", job.model):
                    found = await gateway.recover(job, taken)
            if found and await self._is_anothers(found[0], job):
                found = None
        except HailuoError as error:
            log.warning("the history of %s could not be asked: %s", gateway.title, error.problem.code)
            found = None
        if found is None:
            return await self._ledger.change(job.id, lambda j: j.touch())
        remote_id, seen = found
        log.info("found %s in the history as %s", job.request_id, remote_id)
        return await self._ledger.change(
            job.id,
            lambda j: j.accepted(remote_id, retention=gateway.retention, sandbox=seen.sandbox).apply_observation(seen),
        )

    async def _is_anothers(self, remote_id: str, job: Job) -> bool:
        """Whether the row found belongs, or may belong, to an identical submission made in the meantime."""
        return await self._identical_in_flight(job) or remote_id in await self._ledger.remote_ids(job.model, job.origin)

    async def _identical_in_flight(self, job: Job) -> bool:
        """Whether an identical submission is in flight: a row in the history may belong to it."""
        return any(is_being_sent(other) for other in await self._ledger.unconfirmed_like(job))


def _not_cancelled(job: Job, gateway: Gateway | None) -> str:
    """Why a job was not cancelled."""
    if job.state.is_terminal:
        return f"Nothing was cancelled: the job is {job.state}."
    consequence = "it goes on, and is charged as usual"
    if gateway is None:
        return f"Nothing was cancelled: the gateway of this job cannot be asked; {consequence}."
    if job.state is State.UNCONFIRMED:
        return "Nothing was cancelled: the gateway has not confirmed this job, so there is no id to cancel it by."
    if not gateway.cancels(job.model):
        return f"Nothing was cancelled: {gateway.title} cannot cancel a job; {consequence}."
    return f"Nothing was cancelled: the job had begun, and only a queued one can be cancelled; {consequence}."
