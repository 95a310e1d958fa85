"""The file of the SQLite ledger: how it is created, protected and rejected."""

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import State
from hailuo_mcp.ledger import JobPage
from hailuo_mcp.ledger.sqlite import SqliteLedger
from hailuo_mcp.ledger.sqlite_schema import MIGRATIONS
from tests.ledger.shared import NOON, ORIGIN, ORIGINS, a_job, create


async def test_the_file_is_created_at_first_use_in_wal_mode_with_its_schema_version(tmp_path: Path) -> None:
    path = tmp_path / "new" / "directory" / "jobs.sqlite3"
    ledger = SqliteLedger(path)
    assert not path.parent.exists()
    await ledger.get("nothing")
    assert _pragma(path, "journal_mode") == "wal"
    assert _pragma(path, "user_version") == len(MIGRATIONS)
    await ledger.close()


async def test_jobs_survive_a_restart(tmp_path: Path) -> None:
    job = a_job()
    for step in ("create", "get"):
        ledger = SqliteLedger(tmp_path / "jobs.sqlite3")
        assert (await create(ledger, job) if step == "create" else await ledger.get(job.id)) == job
        await ledger.close()


@pytest.mark.parametrize("version", range(len(MIGRATIONS)))
async def test_every_earlier_schema_is_migrated_with_its_jobs(tmp_path: Path, version: int) -> None:
    path = tmp_path / "jobs.sqlite3"
    old = sqlite3.connect(path)
    for script in MIGRATIONS[:version]:
        old.executescript(script)
    old.execute(f"PRAGMA user_version = {version}")
    job = a_job(remote_id="r", state=State.QUEUED)
    if version:
        columns = "key, tenant, origin, model, remote_id, state, created_at, fingerprint, counted, document"
        values = (job.id, "", ORIGIN, job.model, "r", "queued", NOON.timestamp(), "kite", 1, job.model_dump_json())
        marks = ",".join("?" * len(values))
        query = f"INSERT INTO jobs ({columns}, counted_usd, known_usd) VALUES ({marks}, 0, 0.5)"  # noqa: S608  marks
        old.execute(query, values)
    if version >= 2:
        old.execute("INSERT INTO watches (key, origin, due_at) VALUES (?, ?, 0)", (job.id, ORIGIN))
    old.commit()
    old.close()
    ledger = SqliteLedger(path)
    assert await ledger.get(job.id) == (job if version else None)
    if version:
        assert await ledger.lease("one", NOON, timedelta(minutes=1), 4, frozenset({ORIGIN})) == (job,)
        assert await ledger.page("", None, 4, ORIGINS) == JobPage((job,), 1, 0.5)
    assert _pragma(path, "user_version") == len(MIGRATIONS)
    await ledger.close()


async def test_totals_stay_correct_when_an_earlier_version_or_a_user_writes(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    ledger = SqliteLedger(path)
    for n in range(3):
        await create(ledger, a_job(str(n), id=str(n), estimated_cost_usd=0.1))
    with sqlite3.connect(path) as db:
        changed = "'failed', created_at, fingerprint, duration, took_seconds, counted, counted_usd, 0.7, document"
        db.execute(
            "INSERT OR REPLACE INTO jobs SELECT key, tenant, origin, model, remote_id,"  # noqa: S608  fixed words
            f" {changed} FROM jobs WHERE key <> '2'"
        )
        db.execute("DELETE FROM watches WHERE key = '0'")
        db.execute("DELETE FROM jobs WHERE key = '0'")
    db.close()
    for state, total in ((None, 2), (State.FAILED, 1), (State.UNCONFIRMED, 1), (State.QUEUED, 0)):
        page = await ledger.page("", state, 10, ORIGINS)
        assert (page.total, page.spent_usd) == (total, 0.8)
    await ledger.close()


@pytest.mark.parametrize("cost", [1e300, float("inf")])
async def test_an_absurd_cost_is_left_out_of_the_total(tmp_path: Path, cost: float) -> None:
    ledger = SqliteLedger(tmp_path / "jobs.sqlite3")
    await create(ledger, a_job("absurd", estimated_cost_usd=cost))
    await create(ledger, a_job("ordinary", estimated_cost_usd=0.25))
    page = await ledger.page("", None, 1, ORIGINS)
    assert (page.total, page.spent_usd) == (2, 0.25)
    await ledger.close()


async def test_a_poll_without_changes_is_visible_to_other_processes(tmp_path: Path) -> None:
    """It is written, though without waiting for the disk."""
    first, second = (SqliteLedger(tmp_path / "jobs.sqlite3") for _ in range(2))
    job = await create(first, a_job(remote_id="r", state=State.QUEUED))
    await first.change(job.id, lambda j: j.touch())
    seen = await second.get(job.id)
    assert seen
    assert seen.polls == 1
    await asyncio.gather(first.close(), second.close())


async def test_a_poll_without_changes_waits_for_another_writer(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    ledger = SqliteLedger(path)
    job = await create(ledger, a_job(remote_id="r", state=State.QUEUED))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    touching = asyncio.create_task(ledger.change(job.id, lambda j: j.touch()))
    await asyncio.sleep(0.05)
    assert not touching.done()
    other.execute("COMMIT")
    other.close()
    assert (await touching).polls == 1
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
async def test_an_unusable_path_is_reported_with_the_variable_that_sets_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "taken" / "jobs.sqlite3"
    if kind == "no database":
        path.parent.mkdir()
        path.write_bytes(b"this is no database, but long enough to be looked at " * 4)
    else:
        path.parent.write_text("in the way")
    ledger = SqliteLedger(path)
    with pytest.raises(InternalError) as refused:
        await create(ledger, a_job())
    assert str(path) in refused.value.problem.message
    assert "HAILUO_MCP_DATABASE_URL" in refused.value.problem.hint
    assert refused.value.problem.charged == "no"


def _pragma(path: Path, name: str) -> object:
    with sqlite3.connect(path) as db:
        (value,) = db.execute(f"PRAGMA {name}").fetchone()
    db.close()
    return value
