"""Creating jobs, on both engines: the check for duplicates, and the budgets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hailuo_mcp.core.errors import BudgetExceeded, Charged
from hailuo_mcp.core.job import Observation, State
from hailuo_mcp.ledger import Budget, Ledger, SubmitPolicy
from tests.ledger.shared import (
    FREE,
    MINUTE,
    NOON,
    ORIGINS,
    SECOND,
    WINDOW,
    a_job,
    a_problem,
    create,
    jobs_a_day,
    usd_a_day,
)


async def test_a_created_job_is_read_back_unchanged(ledger: Ledger) -> None:
    job = a_job(parameters={"prompt": "ein Drachen steigt 🪁", "duration": 10}, body={"x": [1, None]}, warnings=("w",))
    assert await create(ledger, job) == job
    assert await ledger.get(job.id) == job


async def test_creating_the_same_job_again_returns_it_and_adds_no_other(ledger: Ledger) -> None:
    """As happens after a commit whose response was lost: neither the duplicate check nor the budget, which it has used
    up itself, prevents it. Only PostgreSQL needs this."""
    policy = SubmitPolicy(Budget(ORIGINS, max_jobs=1), WINDOW, force_new=True)
    job = await create(ledger, a_job(), policy)
    assert await create(ledger, job, policy) == job
    assert (await ledger.page("", None, 10, ORIGINS)).total == 1


@pytest.mark.parametrize(
    "unfinished",
    [
        {"state": State.UNCONFIRMED},
        {"state": State.UNCONFIRMED, "error": a_problem("unknown")},
        {"state": State.QUEUED, "remote_id": "r"},
        {"state": State.PROCESSING, "remote_id": "r"},
    ],
)
async def test_an_unfinished_identical_job_is_returned_however_old_it_is(
    ledger: Ledger, unfinished: dict[str, Any]
) -> None:
    first = await create(ledger, a_job(**unfinished))
    assert await create(ledger, a_job(created_at=NOON + timedelta(days=90))) == first
    again = a_job(created_at=NOON + MINUTE)
    assert await create(ledger, again, SubmitPolicy(FREE, WINDOW, force_new=True)) == again


async def test_a_completed_identical_job_is_returned_within_the_window(ledger: Ledger) -> None:
    end = NOON + timedelta(hours=3)
    first = await create(ledger, a_job(remote_id="r", state=State.COMPLETED, ended_at=end))
    assert await create(ledger, a_job(created_at=end - SECOND)) == first  # by the clock of another server
    assert await create(ledger, a_job(created_at=end + WINDOW)) == first
    for moment in (end - timedelta(hours=1), end + WINDOW + SECOND):
        later = a_job(created_at=moment, state=State.FAILED, error=a_problem("no"))
        assert await create(ledger, later) == later


async def test_force_new_and_a_window_of_zero_turn_off_the_duplicate_check(ledger: Ledger) -> None:
    await create(ledger, a_job())
    for policy in (SubmitPolicy(FREE, WINDOW, force_new=True), SubmitPolicy(FREE, timedelta(0))):
        again = a_job()
        assert await create(ledger, again, policy) == again


@pytest.mark.parametrize(
    "ended",
    [
        {"state": State.FAILED, "error": a_problem("yes")},
        {"state": State.EXPIRED, "error": a_problem("unknown")},
        {"state": State.FAILED, "error": a_problem("no")},
    ],
)
async def test_failed_expired_and_uncharged_jobs_block_no_new_job(ledger: Ledger, ended: dict[str, Any]) -> None:
    await create(ledger, a_job(**ended))
    again = a_job()
    assert await create(ledger, again) == again


@pytest.mark.parametrize("other", [{"origin": "https://other.example"}, {"tenant": "someone"}, {"fingerprint": "x"}])
async def test_a_job_of_another_origin_tenant_or_content_blocks_no_new_job(
    ledger: Ledger, other: dict[str, Any]
) -> None:
    await create(ledger, a_job())
    job = a_job(**other)
    assert await create(ledger, job) == job


async def test_the_duplicate_check_finds_a_live_job_behind_a_failed_one(ledger: Ledger) -> None:
    live = await create(ledger, a_job(remote_id="r", state=State.QUEUED))
    failed = a_job(created_at=NOON + timedelta(minutes=1), state=State.FAILED, error=a_problem("no"))
    await create(ledger, failed, SubmitPolicy(FREE, WINDOW, force_new=True))
    assert await create(ledger, a_job(created_at=NOON + timedelta(minutes=2))) == live


# --- budgets ------------------------------------------------------------------------------------------------------


async def test_a_job_beyond_the_daily_budget_is_refused(ledger: Ledger) -> None:
    await create(ledger, a_job("one"), jobs_a_day(1))
    with pytest.raises(BudgetExceeded) as refused:
        await create(ledger, a_job("two"), jobs_a_day(1))
    assert refused.value.problem.charged == "no"
    assert "1 jobs a day" in refused.value.problem.message
    assert "2026-11-22 00:00 UTC" in refused.value.problem.hint
    assert (await ledger.page("", None, 10, ORIGINS)).total == 1


async def test_the_day_begins_at_midnight_utc(ledger: Ledger) -> None:
    last_second = datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)
    await create(ledger, a_job("late", created_at=last_second), jobs_a_day(1))
    midnight = (last_second + timedelta(seconds=1)).astimezone(UTC)
    early = a_job("early", created_at=midnight)
    assert await create(ledger, early, jobs_a_day(1)) == early


async def test_a_job_that_was_not_charged_is_not_counted(ledger: Ledger) -> None:
    refused = a_job("refused", state=State.FAILED, error=a_problem("no"), budget_cost_usd=1.0)
    await create(ledger, refused, jobs_a_day(1))
    job = a_job("next", budget_cost_usd=1.0)
    assert await create(ledger, job, SubmitPolicy(Budget(ORIGINS, max_jobs=1, max_usd=1.0), WINDOW)) == job


@pytest.mark.parametrize("charged", ["unknown", "yes"])
async def test_a_job_that_may_have_been_charged_is_counted(ledger: Ledger, charged: Charged) -> None:
    await create(ledger, a_job("lost", error=a_problem(charged), budget_cost_usd=0.4), usd_a_day(0.5))
    with pytest.raises(BudgetExceeded):
        await create(ledger, a_job("next", budget_cost_usd=0.2), usd_a_day(0.5))


async def test_the_budget_counts_the_reported_cost_or_else_the_estimate(ledger: Ledger) -> None:
    job = await create(ledger, a_job("one", budget_cost_usd=0.4), usd_a_day(1.0))
    with pytest.raises(BudgetExceeded, match=r"\$0\.40 spent today, this one counts as \$0\.70"):
        await create(ledger, a_job("two", budget_cost_usd=0.7), usd_a_day(1.0))
    await ledger.change(job.id, lambda j: j.apply_observation(Observation(state=State.COMPLETED, cost_usd=0.3)))
    exactly = a_job("two", budget_cost_usd=0.7)
    assert await create(ledger, exactly, usd_a_day(1.0)) == exactly


async def test_spent_since_returns_what_a_budget_counts(ledger: Ledger) -> None:
    await create(ledger, a_job("one", budget_cost_usd=0.4))
    await create(ledger, a_job("of another", tenant="ben", budget_cost_usd=9.0))
    await create(ledger, a_job("elsewhere", origin="https://other.example", budget_cost_usd=9.0))
    await create(ledger, a_job("yesterday", created_at=NOON - timedelta(days=1), budget_cost_usd=9.0))
    await create(ledger, a_job("refused", state=State.FAILED, error=a_problem("no"), budget_cost_usd=9.0))
    assert await ledger.spent_since("", NOON - timedelta(hours=12), ORIGINS) == (1, 0.4)
    assert await ledger.spent_since("nobody", NOON, ORIGINS) == (0, 0)


async def test_jobs_of_other_origins_and_tenants_use_up_no_budget(ledger: Ledger) -> None:
    await create(ledger, a_job("one", origin="sandbox"), jobs_a_day(1))
    await create(ledger, a_job("two", tenant="someone"), jobs_a_day(1))
    job = a_job("three")
    assert await create(ledger, job, jobs_a_day(1)) == job


async def test_a_duplicate_is_returned_even_if_the_budget_is_used_up(ledger: Ledger) -> None:
    first = await create(ledger, a_job(), jobs_a_day(1))
    assert await create(ledger, a_job(), jobs_a_day(1)) == first
