"""Leases of jobs that are due to be polled, on both engines."""

import asyncio
from datetime import timedelta

from hailuo_mcp.ledger import Ledger
from tests.ledger.shared import MINUTE, NOON, ORIGINS, SECOND, a_job, create, import_job


async def test_a_due_job_is_leased_to_one_worker_until_the_lease_ends(ledger: Ledger) -> None:
    job = await create(ledger, a_job(remote_id="r"))
    await create(ledger, a_job("elsewhere", origin="sandbox"))
    assert await ledger.lease("one", NOON, MINUTE, 4, ORIGINS) == ()  # no clip is ready this early
    assert await ledger.lease("one", NOON + MINUTE, MINUTE, 4, ORIGINS) == (job,)
    assert await ledger.lease("two", NOON + 2 * MINUTE - SECOND, MINUTE, 4, ORIGINS) == ()
    assert await ledger.lease("two", NOON + 2 * MINUTE + SECOND, MINUTE, 4, ORIGINS) == (job,)
    await ledger.release_lease(job.id, "one", None)  # too late: another worker has it
    await ledger.release_lease(job.id, "two", NOON + 5 * MINUTE)
    assert await ledger.lease("two", NOON + 5 * MINUTE - SECOND, MINUTE, 4, ORIGINS) == ()
    assert await ledger.lease("two", NOON + 5 * MINUTE + SECOND, MINUTE, 4, ORIGINS) == (job,)
    await ledger.release_lease(job.id, "two", None)
    assert await ledger.lease("two", NOON + 50 * MINUTE, MINUTE, 4, ORIGINS) == ()


async def test_jobs_are_still_due_after_the_clock_was_set_back(ledger: Ledger) -> None:
    jobs = [await create(ledger, a_job(str(n))) for n in range(2)]
    ids = {job.id for job in jobs}
    assert {job.id for job in await ledger.lease("one", NOON + MINUTE, 2 * MINUTE, 4, ORIGINS)} == ids
    await ledger.release_lease(jobs[0].id, "one", NOON + 2 * MINUTE)  # the other is still leased
    before = NOON - timedelta(hours=3)
    leased = [*await ledger.lease("two", before, MINUTE, 4, ORIGINS)]
    leased += await ledger.lease("two", before + SECOND, MINUTE, 4, ORIGINS)
    assert {job.id for job in leased} == ids
    await ledger.release_lease(jobs[0].id, "one", None)  # too late: another worker has it
    assert len(await ledger.lease("two", before + 2 * MINUTE, MINUTE, 4, ORIGINS)) == 2


async def test_the_longest_overdue_jobs_are_leased_first(ledger: Ledger) -> None:
    minutes = (3, 1, 4, 2)
    jobs = {n: await create(ledger, a_job(str(n), created_at=NOON + n * MINUTE)) for n in minutes}
    assert await ledger.lease("one", NOON + 9 * MINUTE, MINUTE, 3, ORIGINS) == (jobs[1], jobs[2], jobs[3])


async def test_concurrent_leases_never_share_a_job(ledger: Ledger) -> None:
    jobs = [await create(ledger, a_job(str(n))) for n in range(20)]
    leases = await asyncio.gather(
        *(ledger.lease(str(n), NOON + MINUTE, MINUTE, 3, ORIGINS) for n in range(8)),
    )
    leased = [job.id for lease in leases for job in lease]
    assert len(leased) == len(set(leased))
    assert set(leased) <= {job.id for job in jobs}
    assert len(leased) >= 18  # a lease skips rows locked by another, even if no others are left


async def test_a_job_that_uses_the_callers_key_is_never_leased(ledger: Ledger) -> None:
    await create(ledger, a_job("one", uses_caller_key=True))
    await import_job(ledger, a_job("two", uses_caller_key=True, remote_id="r"))
    assert await ledger.lease("one", NOON + 9 * MINUTE, MINUTE, 4, ORIGINS) == ()
