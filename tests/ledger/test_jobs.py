"""Reading, changing, finding and listing jobs on both engines; listeners, the secret and uploads."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from hailuo_mcp.core.errors import InternalError
from hailuo_mcp.core.job import Job, Observation, State
from hailuo_mcp.ledger import Ledger, SubmitPolicy
from tests.ledger.shared import (
    FREE,
    MINUTE,
    NOON,
    ORIGIN,
    ORIGINS,
    WINDOW,
    a_job,
    a_problem,
    create,
    import_job,
    ledger_at,
)


async def test_unknown_fields_from_a_later_version_survive_a_change(ledger: Ledger) -> None:
    later = Job.model_validate({**a_job().model_dump(), "since_2027": {"as": "it was"}})
    await create(ledger, later)
    await ledger.change(later.id, lambda job: job.model_copy(update={"polls": 3}))
    kept = await ledger.get(later.id)
    assert kept
    assert kept.model_dump() == {**later.model_dump(), "polls": 3, "updated_at": kept.updated_at}


async def test_an_unknown_id_is_none(ledger: Ledger) -> None:
    assert await ledger.get("nothing") is None


async def test_a_change_sees_the_latest_version(ledger: Ledger) -> None:
    job = await create(ledger, a_job())
    await asyncio.gather(*(ledger.change(job.id, _one_more) for _ in range(20)))
    changed = await ledger.get(job.id)
    assert changed
    assert changed.parameters == {"n": 20}


def _one_more(job: Job) -> Job:
    return job.model_copy(update={"parameters": {"n": job.parameters.get("n", 0) + 1}})


async def test_a_change_that_fails_changes_nothing(ledger: Ledger) -> None:
    job = await create(ledger, a_job())
    with pytest.raises(ZeroDivisionError):
        await ledger.change(job.id, lambda _: 1 // 0)  # pyright: ignore[reportArgumentType]  never returns
    assert await ledger.get(job.id) == job


async def test_a_change_of_a_job_that_is_gone_is_an_error(ledger: Ledger) -> None:
    with pytest.raises(InternalError):
        await ledger.change("nothing", lambda job: job)


async def test_find_prefers_the_origin_then_the_newest(ledger: Ledger) -> None:
    old = a_job("1", remote_id="r", origin=ORIGIN)
    new = a_job("2", remote_id="r", origin="sandbox", created_at=NOON + timedelta(hours=1))
    for job in (old, new, a_job("3", remote_id="r", model="a/c"), a_job("4", remote_id="r", tenant="someone")):
        await create(ledger, job)
    assert await ledger.find("a/b", "r", "", ORIGIN) == old
    assert await ledger.find("a/b", "r", "", "sandbox") == new
    assert await ledger.find("a/b", "r", "", "https://elsewhere.example") == new
    assert await ledger.find("a/b", "s", "", ORIGIN) is None


async def test_importing_a_known_job_returns_the_known_one(ledger: Ledger) -> None:
    known = await import_job(ledger, a_job(remote_id="r"))
    assert await import_job(ledger, a_job(remote_id="r", fingerprint="")) == known
    elsewhere = a_job(remote_id="r", origin="sandbox")
    assert await import_job(ledger, elsewhere) == elsewhere


async def test_a_page_is_newest_first_with_the_totals_of_all_matches(ledger: Ledger) -> None:
    jobs = [a_job(str(n), created_at=NOON + timedelta(minutes=n), estimated_cost_usd=0.25) for n in range(4)]
    jobs.append(a_job("unknown price", budget_cost_usd=0.25, created_at=NOON - timedelta(hours=1)))
    jobs.append(a_job("refused", state=State.FAILED, error=a_problem("no"), estimated_cost_usd=0.25))
    jobs.append(a_job("sandbox", origin="sandbox", estimated_cost_usd=0.25, created_at=NOON - timedelta(days=1)))
    for job in (*jobs, a_job("theirs", tenant="someone", estimated_cost_usd=0.25)):
        await create(ledger, job)
    await ledger.change(jobs[0].id, lambda j: j.apply_observation(Observation(state=State.COMPLETED, cost_usd=0.5)))
    page = await ledger.page("", None, 2, ORIGINS)
    assert page.jobs == (jobs[3], jobs[2])
    assert (page.total, page.spent_usd) == (7, 1.25)
    failed = await ledger.page("", State.FAILED, 10, ORIGINS)
    assert (failed.jobs, failed.total) == ((jobs[5],), 1)


async def test_usual_seconds_is_the_median_of_at_least_three(ledger: Ledger) -> None:
    for n, took in enumerate((80.0, 300.0)):
        await create(ledger, a_job(str(n), took_seconds=took, parameters={"duration": 6}))
    assert await ledger.usual_seconds("a/b", ORIGIN, 6) is None
    await create(ledger, a_job("3", took_seconds=90.0, parameters={"duration": 6}))
    await create(ledger, a_job("4", took_seconds=900.0, parameters={"duration": 10}))
    await create(ledger, a_job("5", took_seconds=1.0, parameters={"duration": 6}, origin="sandbox"))
    assert await ledger.usual_seconds("a/b", ORIGIN, 6) == 90.0
    assert await ledger.usual_seconds("a/b", ORIGIN, 10) is None
    assert await ledger.usual_seconds("a/b", ORIGIN, None) is None


async def test_remote_ids_are_those_of_the_model_at_the_origin(ledger: Ledger) -> None:
    for fields in ({"remote_id": "r"}, {}, {"remote_id": "s", "origin": "sandbox"}, {"remote_id": "t", "model": "a/c"}):
        await create(ledger, a_job(json.dumps(fields), **fields))
    assert await ledger.remote_ids("a/b", ORIGIN) == {"r"}


async def test_an_upload_is_remembered_by_tenant_origin_content_and_time(ledger: Ledger) -> None:
    before = datetime.now(UTC)
    await ledger.remember_upload("", ORIGIN, "digest", "https://up.example/1")
    await ledger.remember_upload("", ORIGIN, "digest", "https://up.example/2")
    await ledger.remember_upload("someone", ORIGIN, "digest", "https://up.example/3")
    assert await ledger.upload("", ORIGIN, "digest", before) == "https://up.example/2"
    assert await ledger.upload("someone", ORIGIN, "digest", before) == "https://up.example/3"
    assert await ledger.upload("", ORIGIN, "digest", datetime.now(UTC) + timedelta(seconds=1)) is None
    assert await ledger.upload("", "sandbox", "digest", before) is None
    assert await ledger.upload("nobody", ORIGIN, "digest", before) is None


async def overwrite(url: str, job: Job, document: str) -> None:
    """Replace the job's document, as a later version or a disk error would."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as db:
            db.execute("UPDATE jobs SET document = ? WHERE key = ?", (document, job.id))
    else:
        connection = await asyncpg.connect(url)
        await connection.execute("UPDATE hailuo_jobs SET document = $1 WHERE key = $2", document, job.id)
        await connection.close()


@pytest.mark.parametrize("broken", ["of a later version", "{}"])
async def test_an_unreadable_row_is_skipped_with_one_warning(
    ledger: Ledger, url: str, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = [await create(ledger, a_job(str(n), remote_id=f"r-{n}")) for n in range(2)]
    later = bad.model_dump_json().replace('"unconfirmed"', '"archived"')
    await overwrite(url, bad, later if broken == "of a later version" else broken)
    for _ in range(2):
        page = await ledger.page("", None, 10, ORIGINS)
        assert (page.jobs, page.total) == ((good,), 2)
        assert await ledger.unconfirmed_like(a_job("0")) == ()
    assert await ledger.lease("one", NOON + MINUTE, MINUTE, 4, ORIGINS) == (good,)
    assert await ledger.remote_ids("a/b", ORIGIN) == {"r-0", "r-1"}
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert bad.id in warning
    for call in (ledger.get(bad.id), ledger.find("a/b", "r-0", "", ORIGIN), ledger.change(bad.id, lambda j: j)):
        with pytest.raises(InternalError, match=bad.id):
            await call
    # Whether it is a duplicate is unknown: nothing is paid for twice unless the user asks for it.
    with pytest.raises(InternalError, match=bad.id):
        await create(ledger, a_job("0"))
    again = a_job("0")
    assert await create(ledger, again, SubmitPolicy(FREE, WINDOW, force_new=True)) == again


async def test_identical_unconfirmed_jobs_are_found_across_all_tenants(ledger: Ledger) -> None:
    job = await create(ledger, a_job())
    twin = await create(ledger, a_job(tenant="someone"))
    for other in (
        a_job(tenant="else", state=State.QUEUED, remote_id="r"),
        a_job(origin="sandbox"),
        a_job("another"),
    ):
        await create(ledger, other)
    assert await ledger.unconfirmed_like(job) == (twin,)
    assert await ledger.unconfirmed_like(twin) == (job,)


# --- secret, notifications, readiness -----------------------------------------------------------------------------


async def test_the_secret_is_created_once_and_is_the_same_for_all(url: str) -> None:
    ledgers = [ledger_at(url) for _ in range(5)]
    secrets = await asyncio.gather(*(ledger.secret() for ledger in ledgers))
    assert len(set(secrets)) == 1
    assert len(secrets[0]) == 32
    await asyncio.gather(*(ledger.close() for ledger in ledgers))
    later = ledger_at(url)
    assert await later.secret() == secrets[0]
    await later.close()


async def test_listeners_are_notified_of_created_imported_and_changed_jobs_only(ledger: Ledger) -> None:
    notified: list[str] = []
    loop = asyncio.get_running_loop()

    def listen(job_id: str) -> None:
        assert asyncio.get_running_loop() is loop
        notified.append(job_id)

    ledger.on_change.append(listen)
    job = await create(ledger, a_job())
    assert notified == [job.id]
    await create(ledger, a_job())  # a duplicate
    imported = await import_job(ledger, a_job(remote_id="r"))
    await import_job(ledger, a_job(remote_id="r"))  # known
    assert notified == [job.id, imported.id]
    await ledger.change(job.id, lambda j: j)
    await ledger.change(job.id, lambda j: j.touch())
    assert notified == [job.id, imported.id]
    await ledger.change(job.id, lambda j: j.apply_observation(Observation(state=State.PROCESSING)))
    assert notified == [job.id, imported.id, job.id]


async def test_a_failing_listener_does_not_affect_the_others(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    notified: list[str] = []

    def fail(_: str) -> None:
        raise ZeroDivisionError

    ledger.on_change += [fail, notified.append]
    job = await create(ledger, a_job())
    assert notified == [job.id]
    assert "ZeroDivisionError" in caplog.text


async def test_a_working_ledger_is_ready(ledger: Ledger) -> None:
    await ledger.ready()
