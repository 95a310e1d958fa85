"""From arguments to a submitted job: everything that is decided before money is spent, and the one POST."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import anyio

from hailuo_mcp.catalog.catalog import Catalog, Choice
from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.errors import HailuoError, InvalidInput, Problem, Unauthorized, Unconfirmed
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import repr_short
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.client import SUBMIT_SECONDS
from hailuo_mcp.ledger import Budget, Entered, SubmitPolicy
from hailuo_mcp.service.background import background_tasks
from hailuo_mcp.service.credentials import origins
from hailuo_mcp.service.input_files import InputFiles
from hailuo_mcp.service.liveness import outcome_of, send_heartbeats
from hailuo_mcp.service.model_choice import explain_choice, explain_ignored
from hailuo_mcp.service.prepared import Prepared
from hailuo_mcp.service.services import Services
from hailuo_mcp.telemetry import gateway_span, log_context

log = logging.getLogger(__name__)


class Submitter:
    """Prepares calls and submits jobs for one caller, in the same way for all gateways."""

    def __init__(
        self, services: Services, caller: Caller, settings: Settings, catalog: Catalog, gateways: Mapping[str, Gateway]
    ) -> None:
        self._services = services
        self._caller = caller
        self._settings = settings
        self._catalog = catalog
        self._gateways = gateways
        self._files = InputFiles(services, caller, settings, gateways)

    async def prepare(self, model: object, arguments: Mapping[str, Any]) -> Prepared:
        """Validate a call and read its files.

        Raises:
            HailuoError: nothing was sent.
        """
        choice: Choice = self._catalog.parse(model, arguments)
        spec = choice.spec
        gateway = self._gateways[ModelId.parse(spec.id).gateway]
        if not gateway.usable:
            raise Unauthorized(f"{gateway.title} has no key here.", self._catalog.how_to_get_keys())
        self._check_callback(getattr(spec, "callback_url", None))
        files = await self._files.read(spec, gateway)
        return Prepared(gateway, spec, files, explain_choice(choice), explain_ignored(choice))

    async def estimate(self, prepared: Prepared) -> Job:
        """The job that this call would create, not stored yet."""
        spec, gateway = prepared.spec, prepared.gateway
        price = prepared.price
        duration = getattr(spec, "duration", None)
        usual = await self._services.ledger.usual_seconds(spec.id, gateway.origin, duration)
        return Job(
            model=spec.id,
            origin=gateway.origin,
            tenant=self._caller.tenant,
            uses_caller_key=bool(self._caller.keys),
            parameters=prepared.record,
            body=gateway.submit_request(prepared.preview()).body or {},
            fingerprint=prepared.fingerprint,
            estimated_seconds=usual or spec.typical_seconds(),
            estimate_learned=usual is not None,
            estimated_cost_usd=round(price.usd, 6) if price else None,
            budget_cost_usd=price.usd if price else self._catalog.max_price(gateway.name),
            warnings=prepared.warnings,
            sandbox=gateway.in_process_sandbox,
            error=lost_answer(gateway, spec.id),
        )

    async def submit(self, prepared: Prepared, *, force_new: bool, job_id: str | None = None) -> tuple[Job, bool]:
        """Write the job to the ledger, then send it once. Returns the job, and whether it is an earlier identical one.

        `job_id`: the caller's own id for the job. A job with an id that is already in the ledger is never sent again,
        whatever its outcome.

        Raises:
            BudgetExceeded, InvalidInput: nothing was written or sent.
            GatewayTimeout: large files are still being uploaded; nothing was written.
            HailuoError: refused for certain; the job is kept as failed, and not charged.
        """
        if self._settings.auto_download:
            await self._services.clips.check()
        await self._services.transfers.upload_large(prepared, self._caller.tenant)
        policy = SubmitPolicy(
            Budget(origins(self._gateways), self._settings.max_jobs_per_day, self._settings.max_usd_per_day),
            timedelta(seconds=self._settings.duplicate_window_seconds),
            force_new,
        )
        deadline = anyio.current_time() + SUBMIT_SECONDS
        while True:
            job = await self.estimate(prepared)
            job = job.model_copy(update={"id": job_id}) if job_id else job
            entered = await self._enter_and_send(prepared, job, policy)
            if entered.created:
                await self._services.posters.keep(entered.job, prepared.opening_image)
                return entered.job, False
            outcome = await outcome_of(self._services.ledger, entered.job, deadline)
            if not outcome.not_charged or outcome.id == job_id:
                return outcome, True
            # The earlier one was refused while this call waited for it, so this one is submitted after all.

    async def _enter_and_send(self, prepared: Prepared, job: Job, policy: SubmitPolicy) -> Entered:
        """Not cancellable: even if the caller is gone or the server is stopping when the response comes, it is
        recorded."""
        entered = Entered(job, created=False)
        with anyio.CancelScope(shield=True):
            first_poll_at = self._services.poll_policy.first_poll_at(job)
            entered = await self._services.ledger.create_if_absent(job, policy, first_poll_at)
            if entered.created:
                sent = await self._services.submissions.run(job.id, partial(self._send_labelled, prepared, job))
                entered = replace(entered, job=sent)
        return entered

    async def _send_labelled(self, prepared: Prepared, job: Job) -> Job:
        with log_context(request_id=job.request_id, tenant=job.tenant):
            async with background_tasks() as tasks:
                tasks.start_soon(send_heartbeats, self._services.ledger, job.id)
                return await self._send(prepared, job)

    async def _send(self, prepared: Prepared, job: Job) -> Job:
        gateway = prepared.gateway
        deadline = anyio.current_time() + SUBMIT_SECONDS
        try:
            spec = self._called_back(
                gateway, await self._services.transfers.put(prepared, self._caller.tenant, deadline), job
            )
            body = gateway.submit_request(spec).body or {}
            if prepared.has_uploads:
                job = await self._services.ledger.change(job.id, lambda j: j.model_copy(update={"body": body}))
            with gateway_span(gateway.name, "submit", spec.id):
                submission = await gateway.submit(spec, max(1.0, deadline - anyio.current_time()))
        except Unconfirmed as lost:
            problem = lost.problem.model_copy(update={"hint": lost_answer(gateway, job.model).hint})
            log.warning("%s: no answer to the submission of %s", gateway.title, job.request_id)
            return await self._services.ledger.change_with_retry(job, lambda j: j.mark_unconfirmed(problem))
        except HailuoError as refusal:
            problem = self._caller.redact(refusal).problem
            await self._services.ledger.change_with_retry(job, lambda j: j.refused(problem))
            refusal.request_id = job.request_id
            raise
        log.info("submitted %s/%s", job.model, submission.remote_id)

        def accept(job: Job) -> Job:
            return job.accepted(submission.remote_id, retention=gateway.retention, sandbox=submission.sandbox)

        return await self._services.ledger.change_with_retry(job, accept)

    def _called_back(self, gateway: Gateway, spec: ModelSpec, job: Job) -> ModelSpec:
        """The spec with this server's callback URL, if both sides support it and the caller named no other."""
        urls = self._services.urls
        ours = urls.callback(gateway.name, job.id) if urls and gateway.callbacks else None
        if ours is None or not spec.accepts("callback_url") or getattr(spec, "callback_url", None):
            return spec
        return spec.model_copy(update={"callback_url": ours})

    def _check_callback(self, url: str | None) -> None:
        if url is None:
            return
        try:
            host = (urlsplit(url).hostname or "").lower()
        except ValueError:
            host = ""
        if not host:
            raise InvalidInput(
                f"callback_url names no host: {repr_short(url)}.", "Pass callback_url as https://host/path."
            )
        allowed = {name.lower() for name in self._settings.callback_hosts}
        if "*" not in allowed and host not in allowed:
            raise InvalidInput(
                f"callback_url names the host {host!r}, which is not allowed here.",
                "Leave callback_url out and poll with get_status, or let the user add the host to "
                "HAILUO_MCP_CALLBACK_HOSTS.",
            )


def lost_answer(gateway: Gateway, model: str) -> Problem:
    """The problem of a job from the time it is stored until a gateway's response is known."""
    return Problem(
        code="unconfirmed",
        message=f"The submission to {gateway.title} has no answer yet: the job may exist, and may be charged.",
        hint=(
            ("get_status looks for it in the request history. " if gateway.keeps_history(model) else "")
            + f"{gateway.check_hint} generate_video with force_new submits it again, at the risk of paying twice."
        ),
        charged="unknown",
        safe_to_retry=False,
    )
