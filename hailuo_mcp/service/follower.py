"""Following a job for one caller: polling its gateway once, or until the job ends."""

import math
from datetime import timedelta

import anyio

from hailuo_mcp.core.errors import GatewayTrouble, HailuoError, HeldBack
from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.service.access import Access
from hailuo_mcp.service.background import background_tasks
from hailuo_mcp.service.liveness import is_being_sent
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX, Report, Wait

PACE_GRACE_SECONDS = 2.0
"""How long our own rate limit may delay a caller that does not wait, before it gets the last known state."""
CHECK_INTERVAL_SECONDS = 15.0
"""How often a call that is not the leader checks whether waiting is still useful."""


async def follow(
    access: Access, job: Job, seconds: float, report: Report | None, outage_seconds: float = math.inf
) -> Job:
    """The job, once it has ended, nothing more can be learned about it, or the time is up.

    Raises:
        HailuoError: the gateway did not answer for `outage_seconds`, or at the end; the job is untouched.
    """
    if seconds <= 0:
        return await poll_if_due(access, job)
    if job.is_final:
        job, _ = await _poll(access, job, seconds)  # an expired one may have come back
        if job.is_final:
            return job
    wait = Wait(job)
    if report is None:
        await _until_end(access, wait, seconds, outage_seconds)
    else:
        async with background_tasks() as tasks:
            tasks.start_soon(wait.report_to, report, access.services.poll_policy.report_every)
            await _until_end(access, wait, seconds, outage_seconds)
    return wait.job


async def poll_if_due(access: Access, job: Job) -> Job:
    """The job, polled if it is due.

    Raises:
        HailuoError: the gateway could not be asked; the job is untouched.
    """
    job, error = await _poll(access, job, None)
    if error:
        raise error
    return job


def may_change(access: Access, job: Job) -> bool:
    """Whether a later poll can show a change: not for an ended job, one whose gateway cannot be asked, or a lost
    submission if there is no history."""
    if job.is_final or access.services.poll_policy.link_is_given_up(job, utc_now()):
        return False
    gateway = access.gateway_for(job)
    if gateway is None:
        return False
    return job.state is not State.UNCONFIRMED or gateway.keeps_history(job.model) or is_being_sent(job)


async def _until_end(access: Access, wait: Wait, seconds: float, outage_seconds: float) -> None:
    """The one loop that follows a job: poll, pause and repeat, until it ends or the time is up.

    Raises:
        HailuoError: the gateway could not be asked at the end; transient errors before that are tolerated.
    """
    began = anyio.current_time()
    long_polls = access.services.long_polls
    with long_polls.joined(wait):
        if not wait.is_leader and _may_poll(access, wait.job):
            long_polls.on_change(wait.job.id)
        while True:
            wait.changed = anyio.Event()
            if wait.is_leader and not wait.job.is_final:
                await _poll_for_all(access, wait, began + seconds - anyio.current_time())
            now = anyio.current_time()
            left = began + seconds - now
            if left <= 0 or now - wait.answered_at >= outage_seconds or not may_change(access, wait.job):
                break
            # By then the history was asked several times; waiting longer is useless.
            if wait.job.state is State.UNCONFIRMED and now - began >= WAIT_SECONDS_MAX:
                break
            pause = _interval(access, wait.job) if wait.is_leader else CHECK_INTERVAL_SECONDS
            if await long_polls.pause(wait, min(left, pause)):
                break
            if wait.failure:
                raise wait.failure
            if wait.is_leader and not wait.job.is_final:  # another server, or the worker, may have asked meanwhile
                known = await access.ledger.get(wait.job.id)
                if known and known != wait.job:
                    long_polls.share(known, None)
    if wait.error:
        raise wait.error


async def _poll_for_all(access: Access, wait: Wait, seconds: float) -> None:
    """Poll, and share the result with all calls that wait for this job.

    Raises:
        HailuoError: a permanent error.
    """
    try:
        job, transient = await _poll(access, wait.job, seconds)
    except HailuoError as error:
        access.services.long_polls.fail(wait.job, error)
        raise
    if job is not wait.job or transient is not wait.error:
        access.services.long_polls.share(job, transient)


async def _poll(access: Access, job: Job, seconds: float | None) -> tuple[Job, HailuoError | None]:
    """The job, polled if it is due. Transient errors are returned, because a wait tolerates them. A poll never blocks
    a caller longer than `seconds`, if given; then the last known job is returned.

    Raises:
        HailuoError: a permanent error.
    """
    expired = job.state is State.EXPIRED
    if (job.is_final and not expired) or not _may_poll(access, job):
        return job, None
    gateway = access.gateway_for(job)
    try:
        if gateway and (held := gateway.held_back(PACE_GRACE_SECONDS if seconds is None else max(0.0, seconds))):
            raise held
        with anyio.move_on_after(seconds):
            job = await access.services.poller.refresh(job, access.caller)
    except HeldBack as held:
        return job.warned(f"Not asked just now: {held.problem.message}"), None
    except HailuoError as error:
        error.request_id = job.request_id
        if expired:
            reason = f"{error.problem.message} {error.problem.hint}"
            return job.warned(f"This job was asked for again, without an answer: {reason}"), None
        if not isinstance(error, GatewayTrouble):
            raise
        return job, error
    return job, None


def _may_poll(access: Access, job: Job) -> bool:
    """Whether the last poll is old enough; otherwise its result is reused."""
    return job.since_poll(utc_now()) >= timedelta(seconds=access.settings.min_poll_seconds)


def _interval(access: Access, job: Job) -> float:
    """Seconds to the next poll while a caller waits: the gateway's rate limit takes precedence."""
    gateway = access.gateway_for(job)
    back_off = gateway.retry_after if gateway else 0.0
    interval = access.services.poll_policy.while_waiting(job, utc_now())
    return max(access.settings.min_poll_seconds, interval, back_off)
