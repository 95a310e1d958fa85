"""The file of the SQLite ledger: how it is made, kept and refused."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import State
from hailuo_mcp.ledger.sqlite import SqliteLedger
from hailuo_mcp.ledger.sqlite_schema import MIGRATIONS
from tests.ledger.shared import HERE, NOON, a_job, create


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
        assert (await create(ledger, job) if step == "enter" else await ledger.get(job.id)) == job
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
        values = (job.id, "", HERE, job.model, "r", "queued", NOON.timestamp(), "kite", 1, job.model_dump_json())
        marks = ",".join("?" * len(values))
        query = f"INSERT INTO jobs ({columns}, counted_usd, known_usd) VALUES ({marks}, 0, 0)"  # noqa: S608  marks
        old.execute(query, values)
    if version >= 2:
        old.execute("INSERT INTO watches (key, origin, due_at) VALUES (?, ?, 0)", (job.id, HERE))
    old.commit()
    old.close()
    ledger = SqliteLedger(path)
    assert await ledger.get(job.id) == (job if version else None)
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
        await create(ledger, a_job())
    assert str(path) in refused.value.problem.message
    assert "HAILUO_MCP_DATABASE_URL" in refused.value.problem.hint
    assert refused.value.problem.charged == "no"


def _pragma(path: Path, name: str) -> object:
    with sqlite3.connect(path) as db:
        (value,) = db.execute(f"PRAGMA {name}").fetchone()
    db.close()
    return value
