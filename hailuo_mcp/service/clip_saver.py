"""Saves the clips of completed jobs, with a fresh link if the old one fails."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.errors import Expired, HailuoError, UnknownRequest
from hailuo_mcp.core.job import Job, Observation, State, utc_now
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.ledger import Ledger
from hailuo_mcp.media.clips import ClipStore
from hailuo_mcp.media.downloads import LinkBlocked, LinkGone
from hailuo_mcp.service.credentials import Credentials
from hailuo_mcp.service.single_flight import SingleFlight
from hailuo_mcp.telemetry import gateway_span, log_context

log = logging.getLogger(__name__)

UNDOCUMENTED_RETENTION = timedelta(days=7)
"""If a gateway does not document its retention, a job counts as dropped only after this."""


def can_be_saved(job: Job) -> bool:
    """Whether its clip can be fetched and is not here yet."""
    return job.state is State.COMPLETED and bool(job.video_url) and not job.video_path


class ClipSaver:
    """Saves each clip once for all concurrent callers; a save continues if they are cancelled.

    `write` records a gateway's observation of a job in the ledger.
    """

    def __init__(
        self,
        credentials: Credentials,
        ledger: Ledger,
        clips: ClipStore,
        tasks: TaskGroup,
        write: Callable[[Job, Observation], Awaitable[Job]],
    ) -> None:
        self._credentials = credentials
        self._ledger = ledger
        self._clips = clips
        self._write = write
        self._saves = SingleFlight[Job](tasks)

    async def save(self, job: Job, caller: Caller) -> Job:
        """Save the clip of a completed job in the output directory.

        Raises:
            Expired: the gateway no longer gives a link.
            HailuoError: as `ClipStore.save`; the job is untouched.
        """
        return await self._saves.run(job.id, lambda: self._save(job, caller))

    async def _save(self, job: Job, caller: Caller) -> Job:
        with log_context(request_id=job.request_id, tenant=job.tenant):
            try:
                path = await self._fetched(job)
            except (LinkBlocked, LinkGone) as failed:
                job = await self._with_fresh_link(job, caller, failed)
                path = await self._fetched(job)
            return await self._ledger.change(job.id, lambda j: j.saved(str(path)))

    async def _fetched(self, job: Job) -> Path:
        if not job.video_url and not (job.video_path and await anyio.Path(job.video_path).is_file()):
            raise LinkGone("The clip's file was deleted, and its link was not kept.")
        with gateway_span(ModelId.parse(job.model).gateway, "file", job.model):
            return await self._clips.save(job)

    async def _with_fresh_link(self, job: Job, caller: Caller, failed: LinkBlocked | LinkGone) -> Job:
        """The job with a link that differs from the failed one, from the gateway or its history.

        Raises:
            LinkBlocked, LinkGone: `failed`, if the gateway still gives that link or could not be asked.
            Expired: the gateway was asked and no longer gives a link.
        """
        gateway = self._credentials.gateway_for(job, caller)
        try:
            seen = await self._asked(gateway, job) if gateway else None
        except HailuoError as error:
            log.info("no fresh link for the clip: %s", error.problem.code)
            raise failed from None
        if seen and seen.state is State.COMPLETED and seen.video_url not in (None, job.video_url):
            return await self._write(job, seen)
        if gateway is None or (seen and seen.video_url):
            raise failed
        kept_until = job.created_at + (gateway.retention or UNDOCUMENTED_RETENTION)
        if seen is None and utc_now() < kept_until:  # it should know the job: a wrong key, or a lagging replica
            raise failed
        raise Expired(f"The clip of {job.request_id} can no longer be fetched: {gateway.title} gives no link any more.")

    async def _asked(self, gateway: Gateway, job: Job) -> Observation | None:
        """The observation from the gateway, or else its history, of a job whose link failed; None if neither knows the
        job.

        Raises:
            HailuoError: one of them could not be asked.
        """
        model = gateway.model(job.model)
        if model is None or job.remote_id is None:
            raise UnknownRequest(f"There is no job {job.request_id}.")
        seen, failure = None, None
        try:
            with gateway_span(gateway.name, "poll", job.model):
                seen = await gateway.observe(model, job.remote_id)
        except UnknownRequest:
            pass
        except HailuoError as error:
            failure = error
        if gateway.keeps_history(job.model) and (seen is None or seen.video_url in (None, job.video_url)):
            with gateway_span(gateway.name, "history", job.model):
                seen = await gateway.recall(job) or seen
        if failure and not (seen and seen.video_url):
            raise failure
        return seen
