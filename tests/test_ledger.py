"""The ledger in one SQLite file, also with several processes on it."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hailuo_mcp.errors import BudgetExceeded, Charged, InternalError, Problem
from hailuo_mcp.jobs import Job, Observation, State
from hailuo_mcp.ledger import Budget, Guard
from hailuo_mcp.ledger.sqlite import MIGRATIONS, SqliteLedger

HERE = "https://api.example"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=10)
FREE = Budget(frozenset({HERE}))
GUARD = Guard(FREE, WINDOW)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    ledger = SqliteLedger(tmp_path / "state" / "jobs.sqlite3")
    yield ledger
    await ledger.close()


def a_job(fingerprint: str = "kite", **fields: Any) -> Job:
    values: dict[str, Any] = {"model": "a/b", "origin": HERE, "fingerprint": fingerprint, "created_at": NOON, **fields}
    return Job(**values)


def a_problem(charged: Charged) -> Problem:
    return Problem(code="gateway_error", message="It broke.", charged=charged)


def jobs_a_day(limit: int) -> Guard:
    return Guard(Budget(frozenset({HERE}), max_jobs=limit), WINDOW)


def usd_a_day(limit: float) -> Guard:
    return Guard(Budget(frozenset({HERE}), max_usd=limit), WINDOW)


# --- entering and the duplicate guard -----------------------------------------------------------------------------


async def test_an_entered_job_comes_back_whole(ledger: SqliteLedger) -> None:
    job = a_job(parameters={"prompt": "ein Drachen steigt 🪁", "duration": 10}, body={"x": [1, None]}, warnings=("w",))
    assert await ledger.enter(job, GUARD) == job
    assert await ledger.get(job.key) == job


async def test_an_unknown_key_is_no_job(ledger: SqliteLedger) -> None:
    assert await ledger.get("nothing") is None


async def test_an_identical_job_within_the_window_stands_for_the_new_one(ledger: SqliteLedger) -> None:
    first = await ledger.enter(a_job(remote_id="r", state=State.QUEUED), GUARD)
    assert await ledger.enter(a_job(created_at=NOON + WINDOW), GUARD) == first


async def test_an_identical_job_after_the_window_is_a_new_one(ledger: SqliteLedger) -> None:
    await ledger.enter(a_job(remote_id="r", state=State.QUEUED), GUARD)
    later = a_job(created_at=NOON + WINDOW + timedelta(seconds=1))
    assert await ledger.enter(later, GUARD) == later


async def test_force_new_and_a_window_of_zero_turn_the_guard_off(ledger: SqliteLedger) -> None:
    await ledger.enter(a_job(), GUARD)
    for guard in (Guard(FREE, WINDOW, force_new=True), Guard(FREE, timedelta(0))):
        again = a_job()
        assert await ledger.enter(again, guard) == again


@pytest.mark.parametrize(
    "ended",
    [
        {"state": State.FAILED, "error": a_problem("yes")},
        {"state": State.EXPIRED, "error": a_problem("unknown")},
        {"state": State.FAILED, "error": a_problem("no")},
    ],
)
async def test_failed_expired_and_uncharged_jobs_block_nothing(ledger: SqliteLedger, ended: dict[str, Any]) -> None:
    await ledger.enter(a_job(**ended), GUARD)
    again = a_job()
    assert await ledger.enter(again, GUARD) == again


async def test_an_unconfirmed_job_blocks_however_old_it_is(ledger: SqliteLedger) -> None:
    lost = await ledger.enter(a_job(created_at=NOON - timedelta(days=30), error=a_problem("unknown")), GUARD)
    assert await ledger.enter(a_job(), GUARD) == lost


@pytest.mark.parametrize("other", [{"origin": "https://other.example"}, {"tenant": "someone"}, {"fingerprint": "x"}])
async def test_a_job_of_another_origin_tenant_or_content_blocks_nothing(
    ledger: SqliteLedger, other: dict[str, Any]
) -> None:
    await ledger.enter(a_job(), GUARD)
    job = a_job(**other)
    assert await ledger.enter(job, GUARD) == job


async def test_the_guard_looks_past_a_failed_job_to_an_older_living_one(ledger: SqliteLedger) -> None:
    living = await ledger.enter(a_job(remote_id="r", state=State.QUEUED), GUARD)
    failed = a_job(created_at=NOON + timedelta(minutes=1), state=State.FAILED, error=a_problem("no"))
    await ledger.enter(failed, Guard(FREE, WINDOW, force_new=True))
    assert await ledger.enter(a_job(created_at=NOON + timedelta(minutes=2)), GUARD) == living


# --- budgets ------------------------------------------------------------------------------------------------------


async def test_the_budget_of_jobs_ends_the_day(ledger: SqliteLedger) -> None:
    await ledger.enter(a_job("one"), jobs_a_day(1))
    with pytest.raises(BudgetExceeded) as refused:
        await ledger.enter(a_job("two"), jobs_a_day(1))
    assert refused.value.problem.charged == "no"
    assert "1 jobs a day" in refused.value.problem.message
    assert "2026-11-22 00:00 UTC" in refused.value.problem.hint
    assert (await ledger.page("", None, 10, frozenset({HERE}))).total == 1


async def test_the_day_begins_at_midnight_utc(ledger: SqliteLedger) -> None:
    last_second = datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)
    await ledger.enter(a_job("late", created_at=last_second), jobs_a_day(1))
    tomorrow_here_today_in_utc = (last_second + timedelta(seconds=1)).astimezone(UTC)
    early = a_job("early", created_at=tomorrow_here_today_in_utc)
    assert await ledger.enter(early, jobs_a_day(1)) == early


async def test_a_job_that_was_not_charged_is_not_counted(ledger: SqliteLedger) -> None:
    refused = a_job("refused", state=State.FAILED, error=a_problem("no"), budget_cost_usd=1.0)
    await ledger.enter(refused, jobs_a_day(1))
    job = a_job("next", budget_cost_usd=1.0)
    assert await ledger.enter(job, Guard(Budget(frozenset({HERE}), max_jobs=1, max_usd=1.0), WINDOW)) == job


@pytest.mark.parametrize("charged", ["unknown", "yes"])
async def test_a_job_that_may_have_been_charged_is_counted(ledger: SqliteLedger, charged: Charged) -> None:
    await ledger.enter(a_job("lost", error=a_problem(charged), budget_cost_usd=0.4), usd_a_day(0.5))
    with pytest.raises(BudgetExceeded):
        await ledger.enter(a_job("next", budget_cost_usd=0.2), usd_a_day(0.5))


async def test_money_counts_by_the_reported_cost_else_by_the_estimate(ledger: SqliteLedger) -> None:
    job = await ledger.enter(a_job("one", budget_cost_usd=0.4), usd_a_day(1.0))
    with pytest.raises(BudgetExceeded, match=r"\$0\.40 spent today, this one counts as \$0\.70"):
        await ledger.enter(a_job("two", budget_cost_usd=0.7), usd_a_day(1.0))
    await ledger.change(job.key, lambda j: j.observed(Observation(state=State.COMPLETED, cost_usd=0.3)))
    exactly = a_job("two", budget_cost_usd=0.7)
    assert await ledger.enter(exactly, usd_a_day(1.0)) == exactly


async def test_jobs_of_other_origins_and_tenants_use_up_no_budget(ledger: SqliteLedger) -> None:
    await ledger.enter(a_job("one", origin="sandbox"), jobs_a_day(1))
    await ledger.enter(a_job("two", tenant="someone"), jobs_a_day(1))
    job = a_job("three")
    assert await ledger.enter(job, jobs_a_day(1)) == job


async def test_a_duplicate_is_returned_though_the_budget_is_used_up(ledger: SqliteLedger) -> None:
    first = await ledger.enter(a_job(), jobs_a_day(1))
    assert await ledger.enter(a_job(), jobs_a_day(1)) == first


# --- changing, finding, listing -----------------------------------------------------------------------------------


async def test_a_change_sees_the_latest_version(ledger: SqliteLedger) -> None:
    job = await ledger.enter(a_job(), GUARD)
    await asyncio.gather(*(ledger.change(job.key, _one_more) for _ in range(20)))
    changed = await ledger.get(job.key)
    assert changed
    assert changed.parameters == {"n": 20}


def _one_more(job: Job) -> Job:
    return job.model_copy(update={"parameters": {"n": job.parameters.get("n", 0) + 1}})


async def test_a_change_that_fails_changes_nothing(ledger: SqliteLedger) -> None:
    job = await ledger.enter(a_job(), GUARD)
    with pytest.raises(ZeroDivisionError):
        await ledger.change(job.key, lambda _: 1 // 0)  # pyright: ignore[reportArgumentType]  never returns
    assert await ledger.get(job.key) == job


async def test_a_change_of_a_job_that_is_gone_is_an_error(ledger: SqliteLedger) -> None:
    with pytest.raises(InternalError):
        await ledger.change("nothing", lambda job: job)


async def test_find_prefers_the_origin_then_the_newest(ledger: SqliteLedger) -> None:
    old = a_job("1", remote_id="r", origin=HERE)
    new = a_job("2", remote_id="r", origin="sandbox", created_at=NOON + timedelta(hours=1))
    for job in (old, new, a_job("3", remote_id="r", model="a/c"), a_job("4", remote_id="r", tenant="someone")):
        await ledger.enter(job, GUARD)
    assert await ledger.find("a/b", "r", "", HERE) == old
    assert await ledger.find("a/b", "r", "", "sandbox") == new
    assert await ledger.find("a/b", "r", "", "https://elsewhere.example") == new
    assert await ledger.find("a/b", "s", "", HERE) is None


async def test_adopting_a_known_job_returns_the_known_one(ledger: SqliteLedger) -> None:
    known = await ledger.adopt(a_job(remote_id="r"))
    assert await ledger.adopt(a_job(remote_id="r", fingerprint="")) == known
    elsewhere = a_job(remote_id="r", origin="sandbox")
    assert await ledger.adopt(elsewhere) == elsewhere


async def test_a_page_is_newest_first_with_totals_of_all_that_match(ledger: SqliteLedger) -> None:
    jobs = [a_job(str(n), created_at=NOON + timedelta(minutes=n), estimated_cost_usd=0.25) for n in range(4)]
    jobs.append(a_job("unknown price", budget_cost_usd=0.25, created_at=NOON - timedelta(hours=1)))
    jobs.append(a_job("refused", state=State.FAILED, error=a_problem("no"), estimated_cost_usd=0.25))
    jobs.append(a_job("sandbox", origin="sandbox", estimated_cost_usd=0.25, created_at=NOON - timedelta(days=1)))
    for job in (*jobs, a_job("theirs", tenant="someone", estimated_cost_usd=0.25)):
        await ledger.enter(job, GUARD)
    await ledger.change(jobs[0].key, lambda j: j.observed(Observation(state=State.COMPLETED, cost_usd=0.5)))
    page = await ledger.page("", None, 2, frozenset({HERE}))
    assert page.jobs == (jobs[3], jobs[2])
    assert (page.total, page.spent_usd) == (7, 1.25)
    failed = await ledger.page("", State.FAILED, 10, frozenset({HERE}))
    assert (failed.jobs, failed.total) == ((jobs[5],), 1)


async def test_usual_seconds_is_the_median_of_at_least_three(ledger: SqliteLedger) -> None:
    for n, took in enumerate((80.0, 300.0)):
        await ledger.enter(a_job(str(n), took_seconds=took, parameters={"duration": 6}), GUARD)
    assert await ledger.usual_seconds("a/b", HERE, 6) is None
    await ledger.enter(a_job("3", took_seconds=90.0, parameters={"duration": 6}), GUARD)
    await ledger.enter(a_job("4", took_seconds=900.0, parameters={"duration": 10}), GUARD)
    await ledger.enter(a_job("5", took_seconds=1.0, parameters={"duration": 6}, origin="sandbox"), GUARD)
    assert await ledger.usual_seconds("a/b", HERE, 6) == 90.0
    assert await ledger.usual_seconds("a/b", HERE, 10) is None
    assert await ledger.usual_seconds("a/b", HERE, None) is None


async def test_remote_ids_are_those_of_the_model_at_the_origin(ledger: SqliteLedger) -> None:
    for fields in ({"remote_id": "r"}, {}, {"remote_id": "s", "origin": "sandbox"}, {"remote_id": "t", "model": "a/c"}):
        await ledger.enter(a_job(json.dumps(fields), **fields), GUARD)
    assert await ledger.remote_ids("a/b", HERE) == {"r"}


async def test_an_upload_is_remembered_by_origin_and_content_for_a_while(ledger: SqliteLedger) -> None:
    before = datetime.now(UTC)
    await ledger.remember_upload(HERE, "digest", "https://up.example/1")
    await ledger.remember_upload(HERE, "digest", "https://up.example/2")
    assert await ledger.upload(HERE, "digest", before) == "https://up.example/2"
    assert await ledger.upload(HERE, "digest", datetime.now(UTC) + timedelta(seconds=1)) is None
    assert await ledger.upload("sandbox", "digest", before) is None


async def test_a_due_job_is_leased_to_one_watcher_until_the_lease_ends(ledger: SqliteLedger) -> None:
    job = await ledger.enter(a_job(remote_id="r"), GUARD)
    await ledger.enter(a_job("elsewhere", origin="sandbox"), GUARD)
    here, minute = frozenset({HERE}), timedelta(minutes=1)
    assert await ledger.lease("one", NOON, minute, 4, here) == ()  # no clip is done in its first moments
    assert await ledger.lease("one", NOON + minute, minute, 4, here) == (job,)
    assert await ledger.lease("two", NOON + minute, minute, 4, here) == ()
    assert await ledger.lease("two", NOON + 2 * minute, minute, 4, here) == (job,)
    await ledger.rest(job.key, "one", None)  # too late: another has it
    await ledger.rest(job.key, "two", NOON + 5 * minute)
    assert await ledger.lease("two", NOON + 4 * minute, minute, 4, here) == ()
    assert await ledger.lease("two", NOON + 5 * minute, minute, 4, here) == (job,)
    await ledger.rest(job.key, "two", None)
    assert await ledger.lease("two", NOON + 50 * minute, minute, 4, here) == ()


# --- the file -----------------------------------------------------------------------------------------------------


async def test_the_file_is_made_at_the_first_use_in_wal_mode_with_its_schema_version(tmp_path: Path) -> None:
    path = tmp_path / "new" / "directory" / "jobs.sqlite3"
    ledger = SqliteLedger(path)
    assert not path.parent.exists()
    await ledger.get("nothing")
    assert _pragma(path, "journal_mode") == "wal"
    assert _pragma(path, "user_version") == len(MIGRATIONS)
    await ledger.close()


async def test_jobs_live_through_a_restart(tmp_path: Path) -> None:
    job = a_job()
    for step in ("enter", "get"):
        ledger = SqliteLedger(tmp_path / "jobs.sqlite3")
        assert (await ledger.enter(job, GUARD) if step == "enter" else await ledger.get(job.key)) == job
        await ledger.close()


@pytest.mark.parametrize("version", range(len(MIGRATIONS)))
async def test_every_earlier_schema_is_brought_up_with_its_jobs(tmp_path: Path, version: int) -> None:
    path = tmp_path / "jobs.sqlite3"
    old = sqlite3.connect(path)
    for script in MIGRATIONS[:version]:
        old.executescript(script)
    old.execute(f"PRAGMA user_version = {version}")
    job = a_job(remote_id="r", state=State.QUEUED)
    if version:
        columns = "key, tenant, origin, model, remote_id, state, created_at, fingerprint, counted, document"
        values = (job.key, "", HERE, job.model, "r", "queued", NOON.timestamp(), "kite", 1, job.model_dump_json())
        marks = ",".join("?" * len(values))
        query = f"INSERT INTO jobs ({columns}, counted_usd, known_usd) VALUES ({marks}, 0, 0)"  # noqa: S608  marks
        old.execute(query, values)
    old.commit()
    old.close()
    ledger = SqliteLedger(path)
    assert await ledger.get(job.key) == (job if version else None)
    if version:
        assert await ledger.lease("one", NOON, timedelta(minutes=1), 4, frozenset({HERE})) == (job,)
    assert _pragma(path, "user_version") == len(MIGRATIONS)
    await ledger.close()


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    newer.close()
    with pytest.raises(InternalError, match=f"schema version {len(MIGRATIONS) + 1}") as refused:
        await SqliteLedger(path).get("nothing")
    assert "Update hailuo-mcp" in refused.value.problem.hint
    assert _pragma(path, "user_version") == len(MIGRATIONS) + 1


@pytest.mark.parametrize("kind", ["a file where a directory should be", "no database"])
async def test_an_unusable_place_is_named_with_the_variable_that_moves_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "taken" / "jobs.sqlite3"
    if kind == "no database":
        path.parent.mkdir()
        path.write_bytes(b"this is no database, but long enough to be looked at " * 4)
    else:
        path.parent.write_text("in the way")
    ledger = SqliteLedger(path)
    with pytest.raises(InternalError) as refused:
        await ledger.enter(a_job(), GUARD)
    assert str(path) in refused.value.problem.message
    assert "HAILUO_MCP_DATABASE_URL" in refused.value.problem.hint
    assert refused.value.problem.charged == "no"


def _pragma(path: Path, name: str) -> object:
    with sqlite3.connect(path) as db:
        (value,) = db.execute(f"PRAGMA {name}").fetchone()
    db.close()
    return value


# --- several processes --------------------------------------------------------------------------------------------

PROCESSES = 8
WORKER = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from hailuo_mcp.errors import BudgetExceeded
from hailuo_mcp.jobs import Job, Observation, State
from hailuo_mcp.ledger import Budget, Guard
from hailuo_mcp.ledger.sqlite import SqliteLedger

ORIGIN = "https://api.example"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
what, path, number = sys.argv[1], Path(sys.argv[2]), sys.argv[3]


def observe(job):
    return job.observed(Observation(state=State.COMPLETED if number == "0" else State.PROCESSING, cost_usd=1.0))


async def main():
    ledger = SqliteLedger(path)
    print("ready", flush=True)
    sys.stdin.readline()
    job = Job(model="a/b", origin=ORIGIN, created_at=NOON, fingerprint="same" if what == "duplicate" else number)
    budget = Budget(frozenset({ORIGIN}), max_jobs=3 if what == "budget" else None)
    try:
        if what == "change":
            for _ in range(10):
                seen = await ledger.change("shared", lambda j: observe(j).warned(number + str(len(j.warnings))))
            print(seen.state)
        else:
            entered = await ledger.enter(job, Guard(budget, timedelta(minutes=10)))
            print("entered" if entered.key == job.key else "duplicate")
    except BudgetExceeded:
        print("refused")
    await ledger.close()


asyncio.run(main())
"""


async def _together(what: str, path: Path) -> list[str]:
    """What each of the processes says that did `what` at the same moment."""
    pipe = asyncio.subprocess.PIPE
    workers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WORKER, what, str(path), str(n)), stdin=pipe, stdout=pipe, stderr=pipe
        )
        for n in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout
        assert await worker.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(worker.communicate(b"\n") for worker in workers))
    assert [err for _, err in outputs] == [b""] * PROCESSES
    return sorted(out.decode().strip() for out, _ in outputs)


async def test_of_equal_calls_in_several_processes_one_is_entered(tmp_path: Path) -> None:
    said = await _together("duplicate", tmp_path / "jobs.sqlite3")
    assert said == ["duplicate"] * (PROCESSES - 1) + ["entered"]


async def test_the_last_places_of_a_budget_are_given_once_over_all_processes(tmp_path: Path) -> None:
    said = await _together("budget", tmp_path / "jobs.sqlite3")
    assert said == ["entered"] * 3 + ["refused"] * (PROCESSES - 3)


async def test_changes_of_several_processes_are_never_lost_and_never_go_backward(ledger: SqliteLedger) -> None:
    path = ledger._path  # pyright: ignore[reportPrivateUsage]  the fixture's file
    await ledger.enter(a_job(key="shared", remote_id="r", state=State.QUEUED), GUARD)
    said = await _together("change", path)
    assert said.count("completed") >= 1
    job = await ledger.get("shared")
    assert job
    assert job.state is State.COMPLETED
    assert len(job.warnings) == PROCESSES * 10
