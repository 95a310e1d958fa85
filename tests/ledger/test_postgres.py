"""What is specific to PostgreSQL: notifications, schema, clock, and connection errors."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from pathlib import Path
from traceback import format_exception
from urllib.parse import urlsplit

import anyio
import asyncpg
import pytest

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import Job, Observation, State, utc_now
from hailuo_mcp.core.setting_values import SettingsError
from hailuo_mcp.ledger import ANY_JOB, Budget, JobPage, Ledger, SubmitPolicy
from hailuo_mcp.ledger.engine import COLUMNS, column_values
from hailuo_mcp.ledger.postgres import PostgresLedger
from hailuo_mcp.ledger.postgres.schema import MIGRATIONS
from tests.ledger.shared import MINUTE, NOON, ORIGINS, WINDOW, a_job, create, import_job, ledger_at
from tests.postgres import Postgres


@pytest.fixture
async def here(postgres_url: str) -> AsyncGenerator[Ledger]:
    ledger = PostgresLedger(postgres_url)
    yield ledger
    await ledger.close()


@pytest.fixture
async def there(postgres_url: str) -> AsyncGenerator[Ledger]:
    """The ledger of another process."""
    ledger = PostgresLedger(postgres_url)
    yield ledger
    await ledger.close()


@pytest.fixture
async def db(postgres_url: str) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
    """The database itself."""
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


class Heard:
    """The keys that a ledger reported, in order."""

    def __init__(self, ledger: Ledger) -> None:
        self.keys: asyncio.Queue[str] = asyncio.Queue()
        ledger.on_change.append(self.keys.put_nowait)

    async def next(self) -> str:
        async with asyncio.timeout(10):
            return await self.keys.get()


async def test_these_tests_ran_on_a_real_server(postgres: Postgres, figures: Callable[[str], None]) -> None:
    connection = await asyncpg.connect(postgres.url)
    version = await connection.fetchval("SHOW server_version")
    await connection.close()
    assert int(version.split(".")[0]) >= 14
    figures(f"PostgreSQL {version}, {postgres.origin}")


# --- news ---------------------------------------------------------------------------------------------------------


async def test_news_of_one_process_reach_the_others_and_itself_once(here: Ledger, there: Ledger) -> None:
    ours, theirs = Heard(here), Heard(there)
    async with anyio.create_task_group() as tasks:
        for ledger, heard in ((here, ours), (there, theirs)):
            await ledger.listen(tasks)
            assert await heard.next() == ANY_JOB
        job = await create(here, a_job())
        assert await ours.next() == await theirs.next() == job.id
        await here.change(job.id, lambda j: j.touch())
        adopted = await import_job(there, a_job(remote_id="r"))
        assert await ours.next() == await theirs.next() == adopted.id
        await there.change(job.id, lambda j: j.accepted("q", retention=None, sandbox=False))
        assert await ours.next() == await theirs.next() == job.id
        assert ours.keys.empty()
        assert theirs.keys.empty()
        tasks.cancel_scope.cancel()


async def test_a_change_that_is_undone_is_no_news(here: Ledger, there: Ledger) -> None:
    theirs = Heard(there)
    job = await create(here, a_job())
    async with anyio.create_task_group() as tasks:
        await there.listen(tasks)
        assert await theirs.next() == ANY_JOB
        with pytest.raises(ZeroDivisionError):
            await here.change(job.id, lambda _: 1 // 0)  # pyright: ignore[reportArgumentType]  never returns
        await here.change(job.id, lambda j: j.warned("at last"))
        assert await theirs.next() == job.id
        assert theirs.keys.empty()
        tasks.cancel_scope.cancel()


async def test_after_a_lost_connection_anything_may_have_changed(
    here: Ledger, there: Ledger, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    theirs = Heard(there)
    async with anyio.create_task_group() as tasks:
        await there.listen(tasks)
        assert await theirs.next() == ANY_JOB
        await db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
            "pg_backend_pid()"
        )
        assert await theirs.next() == ANY_JOB
        job = await create(here, a_job())
        assert await theirs.next() == job.id
        tasks.cancel_scope.cancel()


# --- connections --------------------------------------------------------------------------------------------------


async def test_lost_connections_fail_no_call(here: Ledger, db: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Connections are cut between the calls."""
    job = await create(here, a_job())
    for n in range(5):
        await asyncio.gather(*(here.get(job.id) for _ in range(4)))  # several connections lie in the pool
        await db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hailuo-mcp'")
        changed = await here.change(job.id, lambda j, n=n: j.warned(str(n)))
        assert changed.warnings[-1] == str(n)


async def waiting_for_a_lock(db: "asyncpg.Connection[asyncpg.Record]") -> int:
    """The process of a connection to this database that waits for another's lock, once there is one."""
    query = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(10):
        while not (pid := await db.fetchval(query)):
            await db.execute("SELECT pg_stat_clear_snapshot()")
    return pid


async def test_a_call_that_is_cut_while_it_waits_is_done_again(
    here: Ledger, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    job = await create(here, a_job())

    def finish(job: Job) -> Job:
        return job.warned("done")

    async with anyio.create_task_group() as tasks, db.transaction():
        await db.execute("SELECT 1 FROM hailuo_jobs FOR UPDATE")
        tasks.start_soon(here.change, job.id, finish)
        await db.execute("SELECT pg_terminate_backend($1)", await waiting_for_a_lock(db))
    changed = await here.get(job.id)
    assert changed
    assert changed.warnings == ("done",)


async def test_a_look_that_is_cut_is_done_again(here: Ledger, db: "asyncpg.Connection[asyncpg.Record]") -> None:
    job = await create(here, a_job())
    found: list[Job | None] = []

    async def look() -> None:
        found.append(await here.get(job.id))

    async with anyio.create_task_group() as tasks, db.transaction():
        await db.execute("LOCK TABLE hailuo_jobs")
        tasks.start_soon(look)
        await db.execute("SELECT pg_terminate_backend($1)", await waiting_for_a_lock(db))
    assert found == [job]


async def test_what_was_begun_is_written_though_its_caller_is_gone(
    here: Ledger, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """So that the creator of a job knows that it created it, and sends it."""
    job = a_job()
    entered: list[str] = []
    caller = anyio.CancelScope()

    async def enter() -> None:
        with caller:
            entered.append((await create(here, job)).id)

    await here.ready()
    async with anyio.create_task_group() as tasks, db.transaction():
        await db.execute("LOCK TABLE hailuo_claims")
        tasks.start_soon(enter)
        await waiting_for_a_lock(db)
        caller.cancel()
    assert entered == [job.id]
    assert await here.get(job.id) == job


async def test_a_job_entered_again_after_a_lost_answer_is_its_own(here: Ledger) -> None:
    """Neither the duplicate check nor the budget, which it has used up itself, prevents it."""
    guard = SubmitPolicy(Budget(ORIGINS, max_jobs=1), WINDOW, force_new=True)
    job = await create(here, a_job(), guard)
    assert await create(here, job, guard) == job
    assert (await here.page("", None, 10, ORIGINS)).total == 1


SECRET = "hunter2"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"path": "/nowhere"}, "InvalidCatalogNameError"),
        ({"netloc": f"stranger:{SECRET}@", "query": "host=/nowhere"}, "FileNotFoundError"),
        ({"netloc": f"postgres:{SECRET}@127.0.0.1:1", "query": ""}, "ConnectionRefusedError"),
        ({"query": f"host={{host}}&password={SECRET}&no_such_setting={SECRET}"}, "UndefinedObjectError"),
        ({"query": f"host={{host}}&password={SECRET}&sslmode={SECRET}"}, "not a URL"),
        ({"query": f"host={{host}}&password={SECRET}&{SECRET}"}, "not a URL"),
    ],
)
async def test_a_database_that_cannot_be_used_is_an_error_with_a_fix_and_without_its_password(
    postgres: Postgres, caplog: pytest.LogCaptureFixture, change: dict[str, str], says: str
) -> None:
    parts = urlsplit(postgres.url)
    host = parts.query.removeprefix("host=") or parts.hostname or ""
    change = {name: value.replace("{host}", host) for name, value in change.items()}
    ledger = PostgresLedger(parts._replace(**change).geturl(), retry_seconds=0.1)
    for call in (ledger.get("nothing"), ledger.ready(), create(ledger, a_job())):
        with pytest.raises(InternalError) as refused:
            await call
        problem = refused.value.problem
        assert says in problem.message
        assert "HAILUO_MCP_DATABASE_URL" in problem.hint + problem.message
        assert problem.charged == "no"
        assert SECRET not in f"{problem!r} {''.join(format_exception(refused.value))} {caplog.text}"
    await ledger.close()


def at_role(url: str, role: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:pw@{parts.netloc.rpartition('@')[2]}").geturl()


# --- schema and clock ---------------------------------------------------------------------------------------------


async def test_a_newer_schema_is_refused_and_left_alone(
    here: Ledger, there: Ledger, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await here.ready()
    await db.execute("INSERT INTO hailuo_schema VALUES ($1, now())", len(MIGRATIONS) + 1)
    with pytest.raises(InternalError, match=f"schema version {len(MIGRATIONS) + 1}") as refused:
        await there.get("nothing")
    assert "Update hailuo-mcp" in refused.value.problem.hint
    with pytest.raises(InternalError):
        await there.ready()


async def test_an_earlier_schema_is_brought_up_with_its_jobs_totals_and_rights(
    here: Ledger, postgres_url: str, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    role = urlsplit(postgres_url).path.removeprefix("/")
    for script in MIGRATIONS[:2]:
        await db.execute(script)
    await db.execute("CREATE TABLE hailuo_schema (version integer PRIMARY KEY, reached_at timestamptz NOT NULL)")
    await db.execute("INSERT INTO hailuo_schema VALUES (1, now()), (2, now())")
    await db.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'pw'")
    try:
        await db.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        job = a_job(estimated_cost_usd=0.25)
        values = (*column_values(job, job.created_at),)
        marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        await db.execute(f"INSERT INTO hailuo_jobs ({', '.join(COLUMNS)}) VALUES ({marks})", *values)  # noqa: S608  marks
        assert await here.page("", None, 4, ORIGINS) == JobPage((job,), 1, 0.25)
        limited = PostgresLedger(at_role(postgres_url, role))
        await limited.change(job.id, lambda j: j.apply_observation(Observation(state=State.COMPLETED, cost_usd=0.5)))
        page = await limited.page("", State.COMPLETED, 4, ORIGINS)
        assert (page.total, page.spent_usd) == (1, 0.5)
        await limited.close()
    finally:
        await db.execute(f"DROP OWNED BY {role}")
        await db.execute(f"DROP ROLE {role}")


async def test_totals_stay_right_when_a_person_writes(here: Ledger, db: "asyncpg.Connection[asyncpg.Record]") -> None:
    for n, cost in enumerate((0.1, 0.2, 0.4, 1e300, float("nan"))):
        await create(here, a_job(str(n), id=str(n), estimated_cost_usd=cost))
    await db.execute("UPDATE hailuo_jobs SET state = 'failed', known_usd = 0.7 WHERE key IN ('0', '1')")
    await db.execute("DELETE FROM hailuo_jobs WHERE key = '0'")
    for state, total in ((None, 4), (State.FAILED, 1), (State.UNCONFIRMED, 3), (State.QUEUED, 0)):
        page = await here.page("", state, 1, ORIGINS)
        assert (page.total, page.spent_usd) == (total, 1.1)


async def test_a_ledger_that_is_up_to_date_needs_no_right_to_create(
    here: Ledger, postgres_url: str, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await here.ready()
    role = urlsplit(postgres_url).path.removeprefix("/")
    await db.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'pw'")
    try:
        await db.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        limited = PostgresLedger(at_role(postgres_url, role))
        job = await create(limited, a_job())
        assert await limited.change(job.id, lambda j: j.warned("w")) != job
        assert len(await limited.lease("one", utc_now() + timedelta(days=99), MINUTE, 1, ORIGINS)) == 1
        await limited.release_lease(job.id, "one", None)
        await limited.remember_upload("", "o", "d", "u")
        assert await limited.secret() == await here.secret()
        await limited.close()
    finally:
        await db.execute(f"DROP OWNED BY {role}")
        await db.execute(f"DROP ROLE {role}")


async def test_jobs_are_due_by_the_clock_of_the_database(
    here: Ledger, there: Ledger, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    job = await create(here, a_job(created_at=utc_now(), remote_id="r", state=State.QUEUED))
    await here.lease("one", utc_now() + MINUTE, MINUTE, 1, ORIGINS)
    await here.release_lease(job.id, "one", utc_now() + 2 * MINUTE)
    left = await db.fetchval("SELECT due_at - clock_timestamp() FROM hailuo_watches")
    assert timedelta(seconds=110) < left <= timedelta(seconds=120)
    assert not await there.lease("two", utc_now(), MINUTE, 1, ORIGINS)
    await db.execute("UPDATE hailuo_watches SET due_at = clock_timestamp()")
    assert await there.lease("two", utc_now(), MINUTE, 1, ORIGINS) == (job,)


async def test_a_lease_passes_over_jobs_that_another_is_about_to_take(
    here: Ledger, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    jobs = [await create(here, a_job(str(n))) for n in range(2)]
    async with db.transaction():
        await db.execute("UPDATE hailuo_watches SET owner = 'another' WHERE key = $1", jobs[0].id)
        async with asyncio.timeout(5):
            assert await here.lease("one", NOON + MINUTE, MINUTE, 2, ORIGINS) == (jobs[1],)


async def test_prepared_statements_can_be_left_out_for_a_pooler(
    postgres_url: str, db: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    mark = "&" if "?" in postgres_url else "?"
    ledger = PostgresLedger(f"{postgres_url}{mark}statement_cache_size=0&application_name=ours")
    job = await create(ledger, a_job())
    assert await ledger.get(job.id) == job
    await ledger.close()


def test_a_missing_client_is_said_in_one_line_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(SettingsError) as refused:
        ledger_at(f"postgresql://user:{SECRET}@host/db")
    assert "pip install 'hailuo-mcp[postgres]'" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_sqlite_needs_no_client_of_postgres(tmp_path: Path) -> None:
    """Nor its time to load."""
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
