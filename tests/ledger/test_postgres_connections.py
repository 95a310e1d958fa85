"""Connections to PostgreSQL that are lost, refused or not installed."""

import asyncio
import subprocess
import sys
from pathlib import Path
from traceback import format_exception
from urllib.parse import urlsplit

import anyio
import pytest

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.setting_values import SettingsError
from hailuo_mcp.ledger import Entered, Ledger
from hailuo_mcp.ledger.postgres import PostgresLedger
from tests.ledger.shared import NOON, POLICY, Connection, a_job, create, ledger_at
from tests.postgres import Postgres


async def test_no_call_fails_because_of_a_lost_connection(first: Ledger, db: Connection) -> None:
    """Connections are closed between the calls."""
    job = await create(first, a_job())
    for n in range(5):
        await asyncio.gather(*(first.get(job.id) for _ in range(4)))  # several connections are in the pool
        await db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hailuo-mcp'")
        changed = await first.change(job.id, lambda j, n=n: j.warned(str(n)))
        assert changed.warnings[-1] == str(n)


async def wait_until_blocked(db: Connection) -> int:
    """Wait until a lock blocks a connection to this database, and return the ID of its process."""
    query = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(10):
        while not (pid := await db.fetchval(query)):
            await db.execute("SELECT pg_stat_clear_snapshot()")
    return pid


async def test_a_change_that_is_interrupted_while_it_waits_is_retried(first: Ledger, db: Connection) -> None:
    job = await create(first, a_job())

    def finish(job: Job) -> Job:
        return job.warned("done")

    async with anyio.create_task_group() as tasks, db.transaction():
        await db.execute("SELECT 1 FROM hailuo_jobs FOR UPDATE")
        tasks.start_soon(first.change, job.id, finish)
        await db.execute("SELECT pg_terminate_backend($1)", await wait_until_blocked(db))
    changed = await first.get(job.id)
    assert changed
    assert changed.warnings == ("done",)


async def test_a_read_that_is_interrupted_is_retried(first: Ledger, db: Connection) -> None:
    job = await create(first, a_job())
    found: list[Job | None] = []

    async def read() -> None:
        found.append(await first.get(job.id))

    async with anyio.create_task_group() as tasks, db.transaction():
        await db.execute("LOCK TABLE hailuo_jobs")
        tasks.start_soon(read)
        await db.execute("SELECT pg_terminate_backend($1)", await wait_until_blocked(db))
    assert found == [job]


async def test_a_write_that_began_is_completed_even_if_its_caller_is_cancelled(first: Ledger, db: Connection) -> None:
    """So that the caller learns that it created the job, and submits it."""
    job = a_job()
    created: list[str] = []
    caller = anyio.CancelScope()

    async def create_job() -> None:
        with caller:
            created.append((await create(first, job)).id)

    await first.ready()
    async with anyio.create_task_group() as tasks, db.transaction():
        await db.execute("LOCK TABLE hailuo_claims")
        tasks.start_soon(create_job)
        await wait_until_blocked(db)
        caller.cancel()
    assert created == [job.id]
    assert await first.get(job.id) == job


async def test_a_job_created_again_after_a_lost_response_counts_as_created(first: Ledger) -> None:
    """So that its caller submits it."""
    job = a_job()
    for _ in range(2):
        assert await first.create_if_absent(job, POLICY, NOON) == Entered(job, created=True)


SECRET = "hunter2"


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"path": "/nowhere"}, "InvalidCatalogNameError"),
        ({"netloc": f"stranger:{SECRET}@", "query": "host=/nowhere"}, "FileNotFoundError"),
        ({"netloc": f"postgres:{SECRET}@127.0.0.1:1", "query": ""}, "ConnectionRefusedError"),
        ({"query": f"host={{host}}&password={SECRET}&no_such_setting={SECRET}"}, "UndefinedObjectError"),
        ({"query": f"host={{host}}&password={SECRET}&sslmode={SECRET}"}, "not a URL"),
        ({"query": f"host={{host}}&password={SECRET}&{SECRET}"}, "not a URL"),
    ],
)
async def test_an_unusable_database_is_an_error_with_a_fix_and_without_its_password(
    postgres: Postgres, caplog: pytest.LogCaptureFixture, change: dict[str, str], cause: str
) -> None:
    parts = urlsplit(postgres.url)
    host = parts.query.removeprefix("host=") or parts.hostname or ""
    change = {name: value.replace("{host}", host) for name, value in change.items()}
    ledger = PostgresLedger(parts._replace(**change).geturl(), retry_seconds=0.1)
    for call in (ledger.get("nothing"), ledger.ready(), create(ledger, a_job())):
        with pytest.raises(InternalError) as refused:
            await call
        problem = refused.value.problem
        assert cause in problem.message
        assert "HAILUO_MCP_DATABASE_URL" in problem.hint + problem.message
        assert problem.charged == "no"
        assert SECRET not in f"{problem!r} {''.join(format_exception(refused.value))} {caplog.text}"
    await ledger.close()


async def test_prepared_statements_can_be_turned_off_for_a_pooler(postgres_url: str) -> None:
    mark = "&" if "?" in postgres_url else "?"
    ledger = PostgresLedger(f"{postgres_url}{mark}statement_cache_size=0&application_name=ours")
    job = await create(ledger, a_job())
    assert await ledger.get(job.id) == job
    await ledger.close()


def test_a_missing_postgres_client_is_reported_in_one_line_at_startup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(SettingsError) as refused:
        ledger_at(f"postgresql://user:{SECRET}@host/db")
    assert "pip install 'hailuo-mcp[postgres]'" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_sqlite_does_not_import_the_postgres_client(tmp_path: Path) -> None:
    """Importing it would slow down the start."""
    program = f"""
import sys
import anyio
from hailuo_mcp.app import build_services, load_settings

async def serve():
    async with build_services(load_settings({{"HAILUO_MCP_DATABASE_URL": "sqlite:///{tmp_path}/jobs.db"}})):
        assert "hailuo_mcp.ledger.postgres" not in sys.modules

sys.modules["asyncpg"] = None
anyio.run(serve)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
