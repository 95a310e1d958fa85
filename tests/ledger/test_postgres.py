"""What is specific to PostgreSQL: notifications, schema and clock."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit

import anyio
import asyncpg
import pytest

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import Observation, State, utc_now
from hailuo_mcp.ledger import ANY_JOB, JobPage, Ledger
from hailuo_mcp.ledger.engine import INSERT, column_values
from hailuo_mcp.ledger.postgres import PostgresLedger
from hailuo_mcp.ledger.postgres.schema import MIGRATIONS
from tests.ledger.shared import MINUTE, NOON, ORIGINS, Connection, a_job, create, import_job
from tests.postgres import Postgres


class Notifications:
    """The job ids that a ledger reported, in order."""

    def __init__(self, ledger: Ledger) -> None:
        self.ids: asyncio.Queue[str] = asyncio.Queue()
        ledger.on_change.append(self.ids.put_nowait)

    async def next(self) -> str:
        async with asyncio.timeout(10):
            return await self.ids.get()


@asynccontextmanager
async def listening(ledger: Ledger) -> AsyncGenerator[Notifications]:
    notifications = Notifications(ledger)
    async with anyio.create_task_group() as tasks:
        await ledger.listen(tasks)
        assert await notifications.next() == ANY_JOB
        yield notifications
        tasks.cancel_scope.cancel()


async def test_these_tests_run_on_a_real_server(postgres: Postgres, figures: Callable[[str], None]) -> None:
    connection = await asyncpg.connect(postgres.url)
    version = await connection.fetchval("SHOW server_version")
    await connection.close()
    assert int(version.split(".")[0]) >= 14
    figures(f"PostgreSQL {version}, {postgres.origin}")


# --- notifications ------------------------------------------------------------------------------------------------


async def test_a_change_notifies_every_process_once(first: Ledger, second: Ledger) -> None:
    async with listening(first) as ours, listening(second) as theirs:
        job = await create(first, a_job())
        assert await ours.next() == await theirs.next() == job.id
        await first.change(job.id, lambda j: j.touch())
        imported = await import_job(second, a_job(remote_id="r"))
        assert await ours.next() == await theirs.next() == imported.id
        await second.change(job.id, lambda j: j.accepted("q", retention=None, sandbox=False))
        assert await ours.next() == await theirs.next() == job.id
        assert ours.ids.empty()
        assert theirs.ids.empty()


async def test_a_change_that_is_rolled_back_notifies_no_one(first: Ledger, second: Ledger) -> None:
    job = await create(first, a_job())
    async with listening(second) as theirs:
        with pytest.raises(ZeroDivisionError):
            await first.change(job.id, lambda _: 1 // 0)  # pyright: ignore[reportArgumentType]  never returns
        await first.change(job.id, lambda j: j.warned("at last"))
        assert await theirs.next() == job.id
        assert theirs.ids.empty()


async def test_after_a_lost_connection_a_change_of_any_job_is_reported(
    first: Ledger, second: Ledger, db: Connection
) -> None:
    async with listening(second) as theirs:
        await db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
            "pg_backend_pid()"
        )
        assert await theirs.next() == ANY_JOB
        job = await create(first, a_job())
        assert await theirs.next() == job.id


# --- schema and clock ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def limited_ledger(url: str, db: Connection) -> AsyncGenerator[Ledger]:
    """The ledger of a role that may write the tables there are, and create none."""
    parts = urlsplit(url)
    role = parts.path.removeprefix("/")
    await db.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'pw'")
    ledger = PostgresLedger(parts._replace(netloc=f"{role}:pw@{parts.netloc.rpartition('@')[2]}").geturl())
    try:
        await db.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        yield ledger
    finally:
        await ledger.close()
        await db.execute(f"DROP OWNED BY {role}")
        await db.execute(f"DROP ROLE {role}")


async def test_a_newer_schema_is_refused_and_left_alone(first: Ledger, second: Ledger, db: Connection) -> None:
    await first.ready()
    await db.execute("INSERT INTO hailuo_schema VALUES ($1, now())", len(MIGRATIONS) + 1)
    with pytest.raises(InternalError, match=f"schema version {len(MIGRATIONS) + 1}") as refused:
        await second.get("nothing")
    assert "Update hailuo-mcp" in refused.value.problem.hint
    with pytest.raises(InternalError):
        await second.ready()


async def test_an_earlier_schema_is_migrated_with_its_jobs_totals_and_permissions(
    first: Ledger, postgres_url: str, db: Connection
) -> None:
    for script in MIGRATIONS[:2]:
        await db.execute(script)
    await db.execute("CREATE TABLE hailuo_schema (version integer PRIMARY KEY, reached_at timestamptz NOT NULL)")
    await db.execute("INSERT INTO hailuo_schema VALUES (1, now()), (2, now())")
    job = a_job(estimated_cost_usd=0.25)
    async with limited_ledger(postgres_url, db) as limited:
        await db.execute(INSERT, *column_values(job))
        assert await first.page("", None, 4, ORIGINS) == JobPage((job,), 1, 0.25)
        await limited.change(job.id, lambda j: j.apply_observation(Observation(state=State.COMPLETED, cost_usd=0.5)))
        page = await limited.page("", State.COMPLETED, 4, ORIGINS)
        assert (page.total, page.spent_usd) == (1, 0.5)


async def test_totals_stay_correct_when_rows_are_edited_by_hand(first: Ledger, db: Connection) -> None:
    for n, cost in enumerate((0.1, 0.2, 0.4, 1e300, float("nan"))):
        await create(first, a_job(str(n), id=str(n), estimated_cost_usd=cost))
    await db.execute("UPDATE hailuo_jobs SET state = 'failed', known_usd = 0.7 WHERE key IN ('0', '1')")
    await db.execute("DELETE FROM hailuo_jobs WHERE key = '0'")
    for state, total in ((None, 4), (State.FAILED, 1), (State.UNCONFIRMED, 3), (State.QUEUED, 0)):
        page = await first.page("", state, 1, ORIGINS)
        assert (page.total, page.spent_usd) == (total, 1.1)


async def test_an_up_to_date_ledger_needs_no_permission_to_create_tables(
    first: Ledger, postgres_url: str, db: Connection
) -> None:
    await first.ready()
    async with limited_ledger(postgres_url, db) as limited:
        job = await create(limited, a_job())
        assert await limited.change(job.id, lambda j: j.warned("w")) != job
        assert len(await limited.lease("one", utc_now() + timedelta(days=99), MINUTE, 1, ORIGINS)) == 1
        await limited.release_lease(job.id, "one", None)
        await limited.remember_upload("", "o", "d", "u")
        assert await limited.secret() == await first.secret()


async def test_jobs_are_due_by_the_clock_of_the_database(first: Ledger, second: Ledger, db: Connection) -> None:
    job = await create(first, a_job(created_at=utc_now(), remote_id="r", state=State.QUEUED))
    await first.lease("one", utc_now() + MINUTE, MINUTE, 1, ORIGINS)
    await first.release_lease(job.id, "one", utc_now() + 2 * MINUTE)
    remaining = await db.fetchval("SELECT due_at - clock_timestamp() FROM hailuo_watches")
    assert timedelta(seconds=110) < remaining <= timedelta(seconds=120)
    assert not await second.lease("two", utc_now(), MINUTE, 1, ORIGINS)
    await db.execute("UPDATE hailuo_watches SET due_at = clock_timestamp()")
    assert await second.lease("two", utc_now(), MINUTE, 1, ORIGINS) == (job,)


async def test_a_lease_skips_jobs_that_another_worker_is_about_to_take(first: Ledger, db: Connection) -> None:
    jobs = [await create(first, a_job(str(n))) for n in range(2)]
    async with db.transaction():
        await db.execute("UPDATE hailuo_watches SET owner = 'another' WHERE key = $1", jobs[0].id)
        async with asyncio.timeout(5):
            assert await first.lease("one", NOON + MINUTE, MINUTE, 2, ORIGINS) == (jobs[1],)
