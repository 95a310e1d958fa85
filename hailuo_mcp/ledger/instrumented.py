"""A ledger under observation: what every job goes through passes here, whatever engine keeps it."""

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

from hailuo_mcp.core.job import Job, State
from hailuo_mcp.ledger.base import Ledger, SubmitPolicy
from hailuo_mcp.telemetry import Metrics, annotate_span, is_tracing, metrics, span

L = TypeVar("L", bound=Ledger)
Call = Callable[..., Awaitable[Any]]
Change = Callable[[Job], Job]


def traced(ledger: L) -> L:
    """The same ledger, whose calls are spans, and whose jobs are counted as they move.

    The calls are found by looking, not listed, so that none which an engine has for itself is missed.
    """
    # set before the spans, so that what is counted is counted within them
    _set(ledger, "create_if_absent", _entering(ledger.create_if_absent))
    _set(ledger, "import_job", _adopting(ledger.import_job))
    _set(ledger, "change", _changing(ledger.change))
    for name in dir(Ledger):
        call = getattr(ledger, name)
        if not name.startswith("_") and inspect.iscoroutinefunction(call):
            _set(ledger, name, _spanned(name, call))
    return ledger


def _set(ledger: Ledger, name: str, call: Call) -> None:
    setattr(ledger, name, call)


def _spanned(name: str, call: Call) -> Call:
    """Within a traced call, a span; by itself nothing: a watcher that finds nothing to do shall make no noise."""
    title = f"ledger {name}"

    @wraps(call)
    async def spanned(*args: Any, **kwargs: Any) -> Any:
        if not is_tracing():
            return await call(*args, **kwargs)
        with span(title):
            return await call(*args, **kwargs)

    return spanned


def _entering(
    create_if_absent: Callable[[Job, SubmitPolicy], Awaitable[Job]],
) -> Callable[[Job, SubmitPolicy], Awaitable[Job]]:
    @wraps(create_if_absent)
    async def entering(job: Job, guard: SubmitPolicy) -> Job:
        entered = await create_if_absent(job, guard)
        if entered is job:  # else it is an earlier one
            _seen(None, entered)
        return entered

    return entering


def _adopting(import_job: Callable[[Job], Awaitable[Job]]) -> Callable[[Job], Awaitable[Job]]:
    @wraps(import_job)
    async def adopting(job: Job) -> Job:
        adopted = await import_job(job)
        if adopted is job:
            _seen(None, adopted)
        return adopted

    return adopting


def _changing(change: Callable[[str, Change], Awaitable[Job]]) -> Callable[[str, Change], Awaitable[Job]]:
    @wraps(change)
    async def changing(key: str, make: Change) -> Job:
        before: Job | None = None

        def noted(job: Job) -> Job:
            nonlocal before
            before = job  # it may run more than once: the last is the one that counts
            return make(job)

        after = await change(key, noted)
        if before is not None:
            _seen(before, after)
        return after

    return changing


def _seen(before: Job | None, after: Job) -> None:
    annotate_span(facts(after))
    moved(before, after, metrics())


def moved(before: Job | None, after: Job, to: Metrics) -> None:
    """Count a job that came into a new state, and once it ended, what it took."""
    if before is not None and before.state is after.state:
        return
    about = _labels(after)
    to.transitions.add(1, {**about, "hailuo_mcp.state": after.state.value})
    if not after.state.is_terminal or (before is not None and before.state.is_terminal):
        return
    ended = {**about, "hailuo_mcp.state": after.state.value}
    to.polls.record(after.polls, ended)
    price = "estimated" if after.cost_usd is None else "reported"
    to.spend.add(after.cost_estimate, {**about, **_tenant(after), "hailuo_mcp.price": price})
    if after.ended_at is None:
        return
    seconds = (after.ended_at - after.created_at).total_seconds()
    to.job_duration.record(seconds, ended)
    # A job whose time was taken here, for want of a report, took exactly until its end was seen: it has no lag to tell.
    if after.state is State.COMPLETED and after.took_seconds is not None and after.took_seconds < seconds:
        to.notice_lag.record(seconds - after.took_seconds, about)


def facts(job: Job) -> dict[str, str]:
    """What a span says of a job."""
    known = {
        **_labels(job),
        **_tenant(job),
        "hailuo_mcp.request_id": job.request_id,
        "hailuo_mcp.state": job.state.value,
    }
    return {name: value for name, value in known.items() if value}


def _labels(job: Job) -> dict[str, str]:
    return {"hailuo_mcp.gateway": job.model.split("/")[0], "hailuo_mcp.model": job.model}


def _tenant(job: Job) -> dict[str, str]:
    """Among figures for what is billed alone: each tenant makes each figure a series more."""
    return {"hailuo_mcp.tenant": job.tenant} if job.tenant else {}
