"""A ledger that records a span for each call, and metrics when jobs change state."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta

from anyio.abc import TaskGroup

from hailuo_mcp.core.job import Job, State
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.ledger.base import Entered, JobPage, Ledger, SubmitPolicy
from hailuo_mcp.telemetry import Metrics, annotate_span, is_tracing, metrics, span


class InstrumentedLedger(Ledger):
    """Wraps the ledger of any engine. Listeners added here are the inner ledger's."""

    def __init__(self, inner: Ledger) -> None:
        super().__init__()
        self._inner = inner
        self.on_change = inner.on_change

    async def listen(self, tasks: TaskGroup) -> None:
        await self._inner.listen(tasks)

    async def create_if_absent(self, job: Job, policy: SubmitPolicy, first_poll_at: datetime) -> Entered:
        with _span("create_if_absent"):
            return _record_entered(await self._inner.create_if_absent(job, policy, first_poll_at))

    async def import_job(self, job: Job, first_poll_at: datetime) -> Entered:
        with _span("import_job"):
            return _record_entered(await self._inner.import_job(job, first_poll_at))

    async def get(self, job_id: str) -> Job | None:
        with _span("get"):
            return await self._inner.get(job_id)

    async def find(self, model: str, remote_id: str, tenant: str, prefer_origin: str) -> Job | None:
        with _span("find"):
            return await self._inner.find(model, remote_id, tenant, prefer_origin)

    async def change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        before: Job | None = None

        def noting(job: Job) -> Job:
            nonlocal before
            before = job  # it may be called several times: the last call counts
            return change(job)

        with _span("change"):
            after = await self._inner.change(job_id, noting)
            if before is not None:
                _record(before, after)
            return after

    async def page(self, tenant: str, state: State | None, limit: int, origins: frozenset[str]) -> JobPage:
        with _span("page"):
            return await self._inner.page(tenant, state, limit, origins)

    async def spent_since(self, tenant: str, since: datetime, origins: frozenset[str]) -> tuple[int, float]:
        with _span("spent_since"):
            return await self._inner.spent_since(tenant, since, origins)

    async def usual_seconds(self, model: str, origin: str, duration: int | None) -> float | None:
        with _span("usual_seconds"):
            return await self._inner.usual_seconds(model, origin, duration)

    async def remote_ids(self, model: str, origin: str) -> frozenset[str]:
        with _span("remote_ids"):
            return await self._inner.remote_ids(model, origin)

    async def unconfirmed_like(self, job: Job) -> tuple[Job, ...]:
        with _span("unconfirmed_like"):
            return await self._inner.unconfirmed_like(job)

    async def upload(self, tenant: str, origin: str, digest: str, since: datetime) -> str | None:
        with _span("upload"):
            return await self._inner.upload(tenant, origin, digest, since)

    async def remember_upload(self, tenant: str, origin: str, digest: str, url: str) -> None:
        with _span("remember_upload"):
            await self._inner.remember_upload(tenant, origin, digest, url)

    async def lease(
        self, owner: str, now: datetime, lasting: timedelta, limit: int, origins: frozenset[str]
    ) -> tuple[Job, ...]:
        with _span("lease"):
            return await self._inner.lease(owner, now, lasting, limit, origins)

    async def release_lease(self, job_id: str, owner: str, until: datetime | None) -> None:
        with _span("release_lease"):
            await self._inner.release_lease(job_id, owner, until)

    async def secret(self) -> bytes:
        with _span("secret"):
            return await self._inner.secret()

    async def ready(self) -> None:
        with _span("ready"):
            await self._inner.ready()

    async def close(self) -> None:
        with _span("close"):
            await self._inner.close()


_NO_SPAN = nullcontext()


def _span(method: str) -> AbstractContextManager[object]:
    """A span inside a traced call only: a worker that finds nothing to do would otherwise start a trace each time."""
    return span(f"ledger {method}") if is_tracing() else _NO_SPAN


def _record_entered(entered: Entered) -> Entered:
    if entered.created:
        _record(None, entered.job)
    return entered


def _record(before: Job | None, after: Job) -> None:
    if is_tracing():
        annotate_span(span_attributes(after))
    count_transition(before, after, metrics())


def count_transition(before: Job | None, after: Job, to: Metrics) -> None:
    """Count a job that changed state, and record its duration, polls and cost when it ends."""
    if before is not None and before.state is after.state:
        return
    labels = _labels(after)
    to.transitions.add(1, {**labels, "hailuo_mcp.state": after.state.value})
    if not after.state.is_terminal or (before is not None and before.state.is_terminal):
        return
    ended = {**labels, "hailuo_mcp.state": after.state.value}
    to.polls.record(after.polls, ended)
    price = "estimated" if after.cost_usd is None else "reported"
    to.spend.add(after.cost_estimate, {**labels, **_tenant(after), "hailuo_mcp.price": price})
    if after.ended_at is None:
        return
    seconds = (after.ended_at - after.created_at).total_seconds()
    to.job_duration.record(seconds, ended)
    # Without a reported duration, a job counts as ended when its end is noticed, so there is no lag to record.
    if after.state is State.COMPLETED and after.took_seconds is not None and after.took_seconds < seconds:
        to.notice_lag.record(seconds - after.took_seconds, labels)


def span_attributes(job: Job) -> dict[str, str]:
    known = {
        **_labels(job),
        **_tenant(job),
        "hailuo_mcp.request_id": job.request_id,
        "hailuo_mcp.state": job.state.value,
    }
    return {name: value for name, value in known.items() if value}


def _labels(job: Job) -> dict[str, str]:
    return {"hailuo_mcp.gateway": ModelId.parse(job.model).gateway, "hailuo_mcp.model": job.model}


def _tenant(job: Job) -> dict[str, str]:
    """Only on metrics of cost: every tenant adds a time series to each metric that has this label."""
    return {"hailuo_mcp.tenant": job.tenant} if job.tenant else {}
