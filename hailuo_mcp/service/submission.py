"""From arguments to a submitted job: everything that is decided before money is spent, and the one POST. It is the same
for all gateways.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import anyio

from hailuo_mcp.core.errors import HailuoError, InvalidInput, Problem, Unauthorized, Unconfirmed
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import repr_short
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.client import SUBMIT_SECONDS
from hailuo_mcp.ledger import Budget, Entered, SubmitPolicy
from hailuo_mcp.service.access import Access
from hailuo_mcp.service.background import background_tasks
from hailuo_mcp.service.input_files import read_files
from hailuo_mcp.service.liveness import outcome_of, send_heartbeats
from hailuo_mcp.service.model_choice import explain_choice, explain_ignored
from hailuo_mcp.service.prepared import Prepared
from hailuo_mcp.telemetry import gateway_span, log_context

log = logging.getLogger(__name__)


async def prepare(access: Access, model: object, arguments: Mapping[str, Any]) -> Prepared:
    """Validate a call and read its files.

    Raises:
        HailuoError: nothing was sent.
    """
    choice = access.catalog.parse(model, arguments)
    spec = choice.spec
    gateway = access.gateways[ModelId.parse(spec.id).gateway]
    if not gateway.usable:
        raise Unauthorized(f"{gateway.title} has no key here.", access.catalog.how_to_get_keys())
    _check_callback(getattr(spec, "callback_url", None), access.settings.callback_hosts)
    files = await read_files(access, spec, gateway)
    return Prepared(gateway, spec, files, explain_choice(choice), explain_ignored(choice))


async def estimate(access: Access, prepared: Prepared) -> Job:
    """The job that this call would create, not stored yet."""
    spec, gateway = prepared.spec, prepared.gateway
    price = prepared.price
    duration = getattr(spec, "duration", None)
    usual = await access.ledger.usual_seconds(spec.id, gateway.origin, duration)
    return Job(
        model=spec.id,
        origin=gateway.origin,
        tenant=access.tenant,
        uses_caller_key=bool(access.caller.keys),
        parameters=prepared.record,
        body=gateway.submit_request(prepared.preview()).body or {},
        fingerprint=prepared.fingerprint,
        estimated_seconds=usual or spec.typical_seconds(),
        estimate_learned=usual is not None,
        estimated_cost_usd=round(price.usd, 6) if price else None,
        budget_cost_usd=price.usd if price else access.catalog.max_price(gateway.name),
        warnings=prepared.warnings,
        sandbox=gateway.in_process_sandbox,
        error=_lost_answer(gateway, spec.id),
    )


async def submit(access: Access, prepared: Prepared, *, force_new: bool, job_id: str | None = None) -> tuple[Job, bool]:
    """Write the job to the ledger, then send it once. Returns the job, and whether it is an earlier identical one.

    `job_id`: the caller's own id for the job. A job with an id that is already in the ledger is never sent again,
    whatever its outcome.

    Raises:
        BudgetExceeded, InvalidInput: nothing was written or sent.
        GatewayTimeout: large files are still being uploaded; nothing was written.
        HailuoError: refused for certain; the job is kept as failed, and not charged.
    """
    settings = access.settings
    if settings.auto_download:
        await access.services.clips.check()
    await access.services.transfers.upload_large(prepared, access.tenant)
    policy = SubmitPolicy(
        Budget(access.origins, settings.max_jobs_per_day, settings.max_usd_per_day),
        timedelta(seconds=settings.duplicate_window_seconds),
        force_new,
    )
    deadline = anyio.current_time() + SUBMIT_SECONDS
    while True:
        job = await estimate(access, prepared)
        job = job.model_copy(update={"id": job_id}) if job_id else job
        entered = await _enter_and_send(access, prepared, job, policy)
        if entered.created:
            await access.services.posters.keep(entered.job, prepared.opening_image)
            return entered.job, False
        outcome = await outcome_of(access.ledger, entered.job, deadline)
        if not outcome.not_charged or outcome.id == job_id:
            return outcome, True
        # The earlier one was refused while this call waited for it, so this one is submitted after all.


async def _enter_and_send(access: Access, prepared: Prepared, job: Job, policy: SubmitPolicy) -> Entered:
    """Not cancellable: even if the caller is gone or the server is stopping when the response comes, it is recorded."""
    entered = Entered(job, created=False)
    with anyio.CancelScope(shield=True):
        entered = await access.ledger.create_if_absent(job, policy, access.services.poll_policy.first_poll_at(job))
        if entered.created:
            sent = await access.services.submissions.run(job.id, partial(_send_alive, access, prepared, job))
            entered = replace(entered, job=sent)
    return entered


async def _send_alive(access: Access, prepared: Prepared, job: Job) -> Job:
    """As `_send`, with signs of life in the ledger meanwhile."""
    with log_context(request_id=job.request_id, tenant=job.tenant):
        async with background_tasks() as tasks:
            tasks.start_soon(send_heartbeats, access.ledger, job.id)
            return await _send(access, prepared, job)


async def _send(access: Access, prepared: Prepared, job: Job) -> Job:
    ledger, gateway = access.ledger, prepared.gateway
    deadline = anyio.current_time() + SUBMIT_SECONDS
    try:
        spec = await access.services.transfers.put(prepared, access.tenant, deadline)
        spec = _with_our_callback(access, gateway, spec, job)
        body = gateway.submit_request(spec).body or {}
        if prepared.uploads:
            job = await ledger.change(job.id, lambda j: j.model_copy(update={"body": body}))
        with gateway_span(gateway.name, "submit", spec.id):
            submission = await gateway.submit(spec, max(1.0, deadline - anyio.current_time()))
    except Unconfirmed as lost:
        problem = lost.problem.model_copy(update={"hint": _lost_answer(gateway, job.model).hint})
        log.warning("%s: no answer to the submission of %s", gateway.title, job.request_id)
        return await ledger.change_with_retry(job, lambda j: j.mark_unconfirmed(problem))
    except HailuoError as refusal:
        problem = access.caller.redact(refusal).problem
        await ledger.change_with_retry(job, lambda j: j.refused(problem))
        refusal.request_id = job.request_id
        raise
    log.info("submitted %s/%s", job.model, submission.remote_id)
    return await ledger.change_with_retry(
        job, lambda j: j.accepted(submission.remote_id, retention=gateway.retention, sandbox=submission.sandbox)
    )


def _with_our_callback(access: Access, gateway: Gateway, spec: ModelSpec, job: Job) -> ModelSpec:
    """The spec with this server's callback URL, if both sides support it and the caller named no other."""
    urls = access.services.urls
    ours = urls.callback(gateway.name, job.id) if urls and gateway.callbacks else None
    if ours is None or not spec.accepts("callback_url") or getattr(spec, "callback_url", None):
        return spec
    return spec.model_copy(update={"callback_url": ours})


def _check_callback(url: str | None, allowed_hosts: Collection[str]) -> None:
    if url is None:
        return
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        host = ""
    if not host:
        raise InvalidInput(f"callback_url names no host: {repr_short(url)}.", "Pass callback_url as https://host/path.")
    allowed = {name.lower() for name in allowed_hosts}
    if "*" not in allowed and host not in allowed:
        raise InvalidInput(
            f"callback_url names the host {host!r}, which is not allowed here.",
            "Leave callback_url out and poll with get_status, or let the user add the host to "
            "HAILUO_MCP_CALLBACK_HOSTS.",
        )


def _lost_answer(gateway: Gateway, model: str) -> Problem:
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
