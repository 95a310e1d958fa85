"""From arguments to a submitted job: everything that is decided before money moves, and the one POST."""

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio

from hailuo_mcp.catalog.catalog import Catalog, Choice
from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.errors import (
    GatewayTimeout,
    HailuoError,
    InvalidImage,
    InvalidInput,
    Problem,
    Unauthorized,
    Unconfirmed,
)
from hailuo_mcp.core.job import Job, RequestId, State, utc_now
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.parameters import IMAGE_PARAMETERS, REFERENCE_PARAMETERS
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import price_in_words, repr_short
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.client import SUBMIT_SECONDS
from hailuo_mcp.ledger import Budget, Entered, SubmitPolicy
from hailuo_mcp.media.frames import last_frame
from hailuo_mcp.media.images import LoadedImage, image_from_frame, read_image
from hailuo_mcp.service.background import background_tasks
from hailuo_mcp.service.confirmation import Purchase
from hailuo_mcp.service.credentials import origins
from hailuo_mcp.service.model_choice import explain_choice, explain_ignored
from hailuo_mcp.service.poller import is_being_sent
from hailuo_mcp.service.services import Services
from hailuo_mcp.telemetry import gateway_span, log_context

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 0.5
ALIVE_SECONDS = 1.0
"""How often whoever waits for a gateway's answer shows in the ledger that it is alive, ..."""
DEAD_SECONDS = 4.0
"""... and how long without that it is taken for dead."""
LAST_FRAME = "last-frame:"
"""An image given so is the last frame of a saved clip, by its request id: shots chain."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that is ready to be sent: validated, its images read, nothing decided about money yet."""

    gateway: Gateway
    spec: ModelSpec
    images: Mapping[str, LoadedImage]
    choice: tuple[str, ...]
    """How the model was chosen, where the caller named none."""
    ignored: tuple[str, ...] = ()
    """Arguments that the model does not have, and whose values ask for nothing."""

    def with_images(self, values: Mapping[str, str]) -> ModelSpec:
        return self.spec.model_copy(update=dict(values))

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self.spec.warnings(), *(w for image in self.images.values() for w in image.warnings))

    @property
    def price_in_words(self) -> str:
        """The estimate with its source and date, or that there is none."""
        price = self.spec.price()
        if price is None:
            return f"No price is published for {self.spec.id}."
        return f"Price: {price_in_words(price.usd, price.kind)} ({price.source}, {price.as_of:%Y-%m-%d})."

    @property
    def purchase(self) -> Purchase:
        """What a person is asked to agree to."""
        price = self.spec.price()
        return Purchase(
            model=self.spec.id,
            seconds=getattr(self.spec, "duration", None),
            price_usd=price.usd if price else None,
            prompt=self.spec.prompt,
            fingerprint=self.fingerprint,
            sandbox=self.gateway.in_process_sandbox,
        )

    @property
    def record(self) -> dict[str, Any]:
        return self.with_images({name: image.shown for name, image in self.images.items()}).to_dict()

    @property
    def fingerprint(self) -> str:
        facts = self.with_images({name: image.digest for name, image in self.images.items()}).to_dict()
        return hashlib.sha256(json.dumps([self.spec.id, facts], sort_keys=True).encode()).hexdigest()

    def preview(self) -> ModelSpec:
        """The spec as a dry run shows it: what would be uploaded is marked, what would be inside the body is
        shortened.
        """

        def mark(image: LoadedImage) -> str:
            if image.url is not None:
                return image.url
            if self.gateway.image_transfer == "data":
                return f"data:{image.media_type};base64,<sha256:{image.digest}>"
            return image.upload_mark

        return self.with_images({name: mark(image) for name, image in self.images.items()})


class Submitter:
    """Prepares calls and submits jobs for one caller; the same for all gateways."""

    def __init__(
        self,
        services: Services,
        caller: Caller,
        settings: Settings,
        catalog: Catalog,
        gateways: Mapping[str, Gateway],
    ) -> None:
        self._services = services
        self._caller = caller
        self._settings = settings
        self._catalog = catalog
        self._gateways = gateways

    async def prepare(self, model: object, arguments: Mapping[str, Any]) -> Prepared:
        """Validate a call and read its images.

        Raises:
            UnknownModel, InvalidInput, InvalidImage: nothing was sent.
        """
        choice: Choice = self._catalog.parse(model, arguments)
        spec = choice.spec
        gateway = self._gateways[ModelId.parse(spec.id).gateway]
        if not gateway.usable:
            raise Unauthorized(f"{gateway.title} has no key here.", self._catalog.how_to_get_keys())
        self._check_callback(getattr(spec, "callback_url", None))
        images = {
            name: await self._image(name, given, gateway)
            for name in IMAGE_PARAMETERS
            if (given := getattr(spec, name, None))
        }
        for name in REFERENCE_PARAMETERS:
            for place, given in enumerate(getattr(spec, name, None) or ()):
                if not given.strip().lower().startswith(("http://", "https://")):
                    raise InvalidImage(f"{name}[{place}] must be a URL.", "Put the file on a web address.")
        for name, image in images.items():
            if gateway.image_transfer == "url" and image.url is None:
                raise InvalidImage(
                    f"{name} must be a URL for {spec.id}.", f"{gateway.title} has no upload: use a web address."
                )
        return Prepared(gateway, spec, images, explain_choice(choice), explain_ignored(choice))

    async def _image(self, name: str, given: str, gateway: Gateway) -> LoadedImage:
        rules = replace(self._services.image_rules, formats=gateway.image_formats)
        if not given.startswith(LAST_FRAME):
            return await read_image(name, given, rules)
        wanted = RequestId.parse(given.removeprefix(LAST_FRAME))
        source = self._gateways.get(ModelId.parse(wanted.model).gateway)
        origin = source.origin if source else ""
        job = await self._services.ledger.find(wanted.model, wanted.remote_id, self._caller.tenant, origin)
        if job is None or not job.video_path or not await anyio.Path(job.video_path).is_file():
            raise InvalidImage(
                f"{name} asks for the last frame of {wanted}, whose clip is not saved here.", _how_to_save(wanted, job)
            )
        still = await last_frame(Path(job.video_path))
        return await image_from_frame(name, still, f"last frame of {wanted}", rules)

    async def estimate(self, prepared: Prepared) -> Job:
        """The job that this call would be, not yet written anywhere."""
        spec, gateway = prepared.spec, prepared.gateway
        price = spec.price()
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
        """Write the job to the ledger, then send it once. Returns the job, and whether it is an earlier, identical one.

        `job_id`: the caller's own id for the job. One that the ledger has is never sent again, whatever came of it.

        Raises:
            BudgetExceeded, InvalidInput: nothing was written or sent.
            HailuoError: refused for certain; the job is kept as failed, and not charged.
        """
        if self._settings.auto_download:
            await self._services.clips.check()
        policy = SubmitPolicy(
            Budget(origins(self._gateways), self._settings.max_jobs_per_day, self._settings.max_usd_per_day),
            timedelta(seconds=self._settings.duplicate_window_seconds),
            force_new,
        )
        waiting_ends = anyio.current_time() + SUBMIT_SECONDS
        while True:
            job = await self.estimate(prepared)
            job = job.model_copy(update={"id": job_id}) if job_id else job
            entered = await self._enter_and_send(prepared, job, policy)
            if entered.created:
                return entered.job, False
            outcome = await self._outcome_of(entered.job, waiting_ends)
            if not outcome.not_charged or outcome.id == job_id:
                return outcome, True
            # The earlier one was refused while this call waited for it, and prevents nothing: this one is tried itself.

    async def _enter_and_send(self, prepared: Prepared, job: Job, policy: SubmitPolicy) -> Entered:
        """Nothing cuts this: the caller may be gone when the answer comes, or the server about to stop, and it is
        written down all the same."""
        entered = Entered(job, created=False)
        with anyio.CancelScope(shield=True):
            first_poll_at = self._services.poll_policy.first_poll_at(job)
            entered = await self._services.ledger.create_if_absent(job, policy, first_poll_at)
            if entered.created:
                sent = await self._services.submissions.run(job.id, partial(self._send_labelled, prepared, job))
                entered = replace(entered, job=sent)
        return entered

    async def _outcome_of(self, earlier: Job, waiting_ends: float) -> Job:
        """An identical job that is being submitted right now, perhaps by another process: its outcome is waited for,
        as long as that process is alive."""
        changed = anyio.current_time()
        while is_being_sent(earlier) and anyio.current_time() < waiting_ends:
            await anyio.sleep(LOOK_AGAIN_SECONDS)
            before, earlier = earlier, await self._services.ledger.get(earlier.id) or earlier
            if earlier.updated_at != before.updated_at:
                changed = anyio.current_time()
            elif anyio.current_time() - changed >= DEAD_SECONDS:
                return earlier.warned("The process that submitted this job is gone, and what it was answered is lost.")
        return earlier

    async def _send_labelled(self, prepared: Prepared, job: Job) -> Job:
        with log_context(request_id=job.request_id, tenant=job.tenant):
            async with background_tasks() as beside:
                beside.start_soon(self._show_alive, job.id)
                return await self._send(prepared, job)

    async def _show_alive(self, job_id: str) -> None:
        """Until cancelled, or the ledger cannot be written: what it has to keep then must not wait for this."""
        with suppress(HailuoError):
            while True:
                await anyio.sleep(ALIVE_SECONDS)
                await self._services.ledger.change(job_id, lambda job: job.still_sending())

    async def _send(self, prepared: Prepared, job: Job) -> Job:
        gateway = prepared.gateway
        deadline = anyio.current_time() + SUBMIT_SECONDS
        try:
            spec = self._called_back(gateway, await self._with_uploads(prepared, deadline), job)
            body = gateway.submit_request(spec).body or {}
            if gateway.image_transfer == "upload" and any(not image.url for image in prepared.images.values()):
                job = await self._services.ledger.change(job.id, lambda j: j.model_copy(update={"body": body}))
            with gateway_span(gateway.name, "submit", spec.id):
                submission = await gateway.submit(spec, max(1.0, deadline - anyio.current_time()))
        except Unconfirmed as lost:
            problem = lost.problem.model_copy(update={"hint": lost_answer(gateway, job.model).hint})
            log.warning("%s: no answer to the submission of %s", gateway.title, job.request_id)
            return await self._services.ledger.change_surely(job, lambda j: j.mark_unconfirmed(problem))
        except HailuoError as refusal:
            problem = self._caller.redact(refusal).problem
            await self._services.ledger.change_surely(job, lambda j: j.refused(problem))
            refusal.request_id = job.request_id
            raise
        log.info("submitted %s/%s", job.model, submission.remote_id)

        def accept(job: Job) -> Job:
            return job.accepted(submission.remote_id, retention=gateway.retention, sandbox=submission.sandbox)

        return await self._services.ledger.change_surely(job, accept)

    def _called_back(self, gateway: Gateway, spec: ModelSpec, job: Job) -> ModelSpec:
        """The spec with this server's callback URL, if both sides support it and the caller named no other."""
        urls = self._services.urls
        ours = urls.callback(gateway.name, job.id) if urls and gateway.callbacks else None
        if ours is None or not spec.accepts("callback_url") or getattr(spec, "callback_url", None):
            return spec
        return spec.model_copy(update={"callback_url": ours})

    async def _with_uploads(self, prepared: Prepared, deadline: float) -> ModelSpec:
        """The spec with every local image as this gateway takes it.

        Raises:
            HailuoError: the upload failed; nothing was submitted.
        """
        values: dict[str, str] = {}
        for name, image in prepared.images.items():
            if image.url is not None:
                values[name] = image.url
            elif prepared.gateway.image_transfer == "data":
                values[name] = image.data_uri
            else:
                values[name] = await self._uploaded(prepared.gateway, prepared.spec.id, image, deadline)
        return prepared.with_images(values)

    async def _uploaded(self, gateway: Gateway, model: str, image: LoadedImage, deadline: float) -> str:
        known = await self._services.ledger.upload(
            self._caller.tenant, gateway.origin, image.digest, utc_now() - gateway.upload_kept
        )
        if known:
            return known
        seconds = deadline - anyio.current_time() - 5.0  # what is left must do for the submission itself
        if seconds <= 0:
            raise GatewayTimeout(f"{gateway.title} was too slow with the upload of the picture; nothing was submitted.")
        with gateway_span(gateway.name, "upload", model):
            url = await gateway.upload(image.data_uri, seconds)
        await self._services.ledger.remember_upload(self._caller.tenant, gateway.origin, image.digest, url)
        return url

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


def _how_to_save(wanted: RequestId, job: Job | None) -> str:
    """What to do for a clip that is not on disk."""
    if job is None:
        return f'Call list_jobs to see the ids there are, or download_video with "{wanted}" if it is from elsewhere.'
    if job.state is State.COMPLETED:
        return f'Call download_video with request_id "{wanted}" first.'
    if job.state.is_terminal:
        return f"That job is {job.state} and has no clip: chain from another shot, or make this one again."
    return f'That job is {job.state}: call get_status with request_id "{wanted}" until it is completed.'


def lost_answer(gateway: Gateway, model: str) -> Problem:
    """What a job says of itself from the moment it is written until a gateway's answer is known."""
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
