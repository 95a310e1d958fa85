"""Following a job to its end: polling, telling a vanished job from a slow one, finding a lost one, saving its clip."""

import copy
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from hailuo_mcp.core.caller import LOCAL, Caller, key_header
from hailuo_mcp.core.errors import Expired, HailuoError, InternalError, Problem, UnknownRequest
from hailuo_mcp.core.job import Job, Observation, State, utc_now
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.ledger import Ledger
from hailuo_mcp.media.clips import ClipStore
from hailuo_mcp.service.credentials import Accounts
from hailuo_mcp.service.submission import first_poll_at, is_being_sent
from hailuo_mcp.telemetry import gateway_span, log_context

log = logging.getLogger(__name__)

T = TypeVar("T")

UNDOCUMENTED_RETENTION = timedelta(days=7)
"""A gateway that does not say how long it keeps results is believed to have dropped a job only after this."""
FIND_WINDOW = timedelta(days=7)
"""A submission older than this is no longer looked for."""


class InFlightCall(Generic[T]):
    """One piece of work that several callers wait for."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.result: T | None = None
        self.error: Exception | None = None


class SingleFlight(Generic[T]):
    """Concurrent work on the same key is done once; a caller that is cancelled leaves the others their result."""

    def __init__(self) -> None:
        self._flights: dict[str, InFlightCall[T]] = {}

    async def run(self, tasks: TaskGroup, key: str, work: Callable[[], Awaitable[T]]) -> T:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = InFlightCall[T]()
            tasks.start_soon(self._run, key, flight, work)
        await flight.done.wait()
        if flight.error:
            raise flight.error
        if flight.result is None:
            raise InternalError("The server is shutting down.", "Call again once it is back.")
        return flight.result

    async def _run(self, key: str, flight: InFlightCall[T], work: Callable[[], Awaitable[T]]) -> None:
        try:
            flight.result = await work()
        except Exception as error:  # it is raised where it is waited for
            flight.error = error
        finally:
            del self._flights[key]
            flight.done.set()


class Tracker:
    """Asks the gateways about jobs, and writes down what they say."""

    def __init__(self, accounts: Accounts, ledger: Ledger, clips: ClipStore) -> None:
        self._accounts = accounts
        self._caller = LOCAL
        self._ledger = ledger
        self._clips = clips
        self._polls = SingleFlight[Job]()
        self._saves = SingleFlight[Job]()

    def for_caller(self, caller: Caller) -> "Tracker":
        """The same tracker, which can also use the keys that this caller sent along. Work on a job is shared by all."""
        if not caller.keys:
            return self
        other = copy.copy(self)
        other._caller = caller
        return other

    def gateway_of(self, job: Job) -> Gateway | None:
        """The gateway that this job was sent to, if that is still the one configured, and its key is at hand."""
        return self._accounts.of_job(job, self._caller)

    async def refresh(self, tasks: TaskGroup, job: Job) -> Job:
        """Ask the gateway, once for all who ask at this moment.

        Raises:
            HailuoError: it could not be asked; the job is untouched.
        """
        return await self._polls.run(tasks, job.id, lambda: _for(job, self._refresh(job)))

    async def _refresh(self, job: Job) -> Job:
        gateway = self.gateway_of(job)
        if gateway is None:
            return job.warned(
                f"This job was submitted with a key sent along with the call; send it again, in the header "
                f"{key_header(job.model.split('/')[0])}, to learn more than this."
                if job.uses_caller_key
                else f"This job was sent to {job.origin}, which is not configured now; this is what was known last."
            )
        if job.remote_id is None:
            return await self._look_for(gateway, job)
        model = gateway.model(job.model)
        if model is None:
            return job.warned(f"{job.model} is in no catalogue now, so that nobody can be asked; put its entry back.")
        try:
            with gateway_span(gateway.name, "poll", job.model):
                seen = await gateway.poll(model, job.remote_id)
        except UnknownRequest:
            return await self._not_found(gateway, job)
        return await self._write(job, seen)

    async def ask_unknown(self, gateway: Gateway, job: Job) -> Job:
        """Ask about an id that the ledger does not have, and enter what comes back: from the gateway, or its history.

        Raises:
            UnknownRequest: neither knows it.
        """
        model = gateway.model(job.model)
        if model is None or job.remote_id is None:
            raise UnknownRequest(f"There is no job {job.request_id}.")
        try:
            with gateway_span(gateway.name, "poll", job.model):
                seen = await gateway.poll(model, job.remote_id)
        except UnknownRequest:
            seen = await self._recall(gateway, job)
            if seen is None:
                raise
        entered = await self._ledger.import_job(job, first_poll_at(job))
        return await self._write(entered.job, seen)

    async def _write(self, job: Job, seen: Observation, *, from_history: bool = False) -> Job:
        if seen.video_url and seen.video_url.startswith("data:"):
            job, seen = await self._keep_inline(job, seen)
        return await self._ledger.change(job.id, lambda j: j.apply_observation(seen, from_history=from_history))

    async def _keep_inline(self, job: Job, seen: Observation) -> tuple[Job, Observation]:
        """A clip inside the answer is put on disk at once: it is far too large to pass on."""
        path = await self._clips.save(job.apply_observation(seen))
        job = await self._ledger.change(job.id, lambda j: j.saved(str(path)))
        return job, seen.model_copy(update={"video_url": None})

    async def _not_found(self, gateway: Gateway, job: Job) -> Job:
        """A 404 proves nothing while results are still kept: a wrong key, another account, a lagging replica.
        Afterwards the history is asked, and only then is the job given up."""
        kept_until = job.created_at + (gateway.retention or UNDOCUMENTED_RETENTION)
        if utc_now() < kept_until:
            untouched = await self._ledger.change(job.id, lambda j: j.touch())
            return untouched.warned(
                f"{gateway.title} says it does not know this job, which it should still keep: check that "
                f"{gateway.name.upper()}_API_KEY is the key it was submitted with, then ask again."
            )
        seen = await self._recall(gateway, job)
        if seen is not None:
            return await self._write(job, seen, from_history=True)
        problem = Problem(
            code="expired",
            message=f"{gateway.title} no longer keeps this job.",
            hint=Expired.default_hint,
            charged="unknown",
        )
        return await self._ledger.change(job.id, lambda j: j.mark_expired(problem))

    async def _recall(self, gateway: Gateway, job: Job) -> Observation | None:
        if not gateway.has_history:
            return None
        try:
            with gateway_span(gateway.name, "history", job.model):
                return await gateway.recall(job)
        except HailuoError as error:
            log.warning("the history of %s could not be asked: %s", gateway.title, error.problem.code)
            return None

    async def _look_for(self, gateway: Gateway, job: Job) -> Job:
        """A submission whose answer was lost, in the gateway's history. Absence proves nothing."""
        now = utc_now()
        if not gateway.has_history or is_being_sent(job) or now - job.created_at > FIND_WINDOW:
            return job
        try:
            found = None
            if not await self._twin_on_its_way(job):
                taken = await self._ledger.remote_ids(job.model, job.origin)
                with gateway_span(gateway.name, "history", job.model):
                    found = await gateway.find(job, taken)
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

    async def follow(self, tasks: TaskGroup, job: Job) -> Job:
        """One step towards a saved clip: ask how the job stands, and save what is there.

        Raises:
            HailuoError: the gateway could not be asked, or the clip not saved; the job is untouched.
        """
        if not job.is_final:
            job = await self.refresh(tasks, job)
        if job.state is State.COMPLETED and job.video_url and not job.video_path:
            job = await self.save(tasks, job)
        return job

    async def _is_anothers(self, remote_id: str, job: Job) -> bool:
        """Whether a row, once it was read, is or may be an equal submission's that was made meanwhile: whoever gave up
        on the first has sent another."""
        return await self._twin_on_its_way(job) or remote_id in await self._ledger.remote_ids(job.model, job.origin)

    async def _twin_on_its_way(self, job: Job) -> bool:
        """Whether an equal submission waits for its answer right now: a row in the history may be that one's."""
        return any(is_being_sent(other) for other in await self._ledger.unconfirmed_like(job))

    async def save(self, tasks: TaskGroup, job: Job) -> Job:
        """Put the clip of a completed job in the output directory, once for all who ask at this moment.

        Raises:
            HailuoError: as `ClipStore.save`; the job is untouched.
        """
        return await self._saves.run(tasks, job.id, lambda: _for(job, self._save(job)))

    async def _save(self, job: Job) -> Job:
        try:
            path = await self._fetched(job)
        except Expired:
            job = await self._fresh_link(job)
            path = await self._fetched(job)
        return await self._ledger.change(job.id, lambda j: j.saved(str(path)))

    async def _fetched(self, job: Job) -> Path:
        with gateway_span(job.model.split("/")[0], "file", job.model):
            return await self._clips.save(job)

    async def _fresh_link(self, job: Job) -> Job:
        """The job with a link that differs from the dead one, from the gateway or its history.

        Raises:
            Expired: there is none.
        """
        gateway = self.gateway_of(job)
        model = gateway.model(job.model) if gateway else None
        if gateway and model and job.remote_id:
            seen: Observation | None = None
            try:
                with gateway_span(gateway.name, "poll", job.model):
                    seen = await gateway.poll(model, job.remote_id)
            except HailuoError as error:
                log.info("no fresh link from %s: %s", gateway.title, error.problem.code)
            if seen is None or seen.video_url in (None, job.video_url):
                seen = await self._recall(gateway, job)
            if seen and seen.state is State.COMPLETED and seen.video_url and seen.video_url != job.video_url:
                return await self._write(job, seen, from_history=True)
        raise Expired(f"The clip of {job.request_id} can no longer be fetched: its link is gone.")


async def _for(job: Job, work: Awaitable[Job]) -> Job:
    """The same work, its log lines and spans under the name of the job."""
    with log_context(request_id=job.request_id, tenant=job.tenant):
        return await work
