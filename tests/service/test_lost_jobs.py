"""A job that its gateway does not find, and a submission without a response: the history decides."""

import inspect
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from hailuo_mcp.core.errors import Expired, GatewayError, NotReady
from hailuo_mcp.core.job import Job, State
from tests.service.polled_jobs import (
    AIMLAPI,
    APIXO,
    CLIP,
    FAST_02,
    QUIET,
    gone_with_history,
    history_of,
    on_record,
    submitted,
)
from tests.support import Answerer, age, arguments_for, breaks, recorded_sandbox, says, settings_for, wired

# --- not found ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_id", "young"),
    [
        (FAST_02, timedelta(minutes=59)),
        (APIXO, timedelta(hours=23)),
        (AIMLAPI, timedelta(days=6)),
    ],
)
async def test_404_within_the_retention_changes_nothing_and_warns(
    model_id: str, young: timedelta, tmp_path: Path
) -> None:
    def gateway(request: httpx.Request) -> httpx.Response:
        accepted = {"request_id": "r-1", "generation_id": "r-1", "code": 200, "data": {"taskId": "r-1"}}
        return (
            httpx.Response(200, json=accepted) if request.method == "POST" else httpx.Response(404, json={"code": 404})
        )

    opened, wire = wired(settings_for(tmp_path, **QUIET), gateway)
    async with opened as session:
        job = await submitted(session, model_id)
        await age(session, job, young)
        status = await session.status(job.request_id)
        assert status.state is State.QUEUED
        assert f"{model_id.split('/')[0].upper()}_API_KEY" in status.warnings[-1]
        assert not any("history" in path for path in wire.requested)
        await age(session, job, timedelta(days=1, minutes=1) if model_id == AIMLAPI else timedelta(hours=1, minutes=1))
        expired = await session.status(job.request_id)
        assert expired.state is State.EXPIRED
        assert expired.error
        assert (expired.error.code, expired.error.charged) == ("expired", "unknown")
        with pytest.raises(Expired):
            await session.download(job.request_id)


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ({"request_id": "r-1", "model_status": "COMPLETED", "generation_url": CLIP}, State.COMPLETED),
        ({"request_id": "r-1", "model_status": "FAILED", "error": "it stopped"}, State.FAILED),
        ({"request_id": "r-1", "model_status": "PENDING"}, State.PROCESSING),
        ({"request_id": "another", "model_status": "COMPLETED", "generation_url": CLIP}, State.EXPIRED),
        (None, State.EXPIRED),
    ],
)
async def test_404_after_the_retention_is_resolved_by_the_history_or_expires(
    row: Mapping[str, Any] | None, state: State, tmp_path: Path
) -> None:
    opened, _ = wired(settings_for(tmp_path, **QUIET), history_of(row))
    async with opened as session:
        job = await submitted(session)
        await age(session, job, timedelta(minutes=61))
        status = await session.status(job.request_id)
        assert status.state is state
        assert status.video_url == (CLIP if state is State.COMPLETED else None)


UNAVAILABLE = [
    says(503),
    says(403, {"error": "Forbidden"}),
    says(429),
    breaks,
    says(200, ["no", "object"]),
]


@pytest.mark.parametrize("history", UNAVAILABLE)
async def test_unavailable_history_leaves_the_job_unchanged_until_it_responds(
    history: Answerer, ledger_url: str, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, **QUIET, HAILUO_MCP_DATABASE_URL=ledger_url)
    opened, wire = wired(settings, gone_with_history(history))
    async with opened as session:
        job = await submitted(session)
        await age(session, job, timedelta(minutes=61))
        status = await session.status(job.request_id)
        assert (status.state, status.error) == (State.QUEUED, None)
        assert "history could not be asked" in status.warnings[-1]
        with pytest.raises(NotReady):
            await session.download(job.request_id)
        assert (await on_record(session, job)).state is State.QUEUED
        wire.answer = history_of({"request_id": "r-1", "model_status": "COMPLETED", "generation_url": CLIP})
        found = await session.status(job.request_id)
        assert (found.state, found.video_url) == (State.COMPLETED, CLIP)


async def test_status_of_an_expired_job_polls_again(ledger_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, **QUIET, HAILUO_MCP_DATABASE_URL=ledger_url, HAILUO_MCP_MIN_POLL_SECONDS="60")
    opened, wire = wired(settings, history_of(None))
    async with opened as session:
        job = await submitted(session)
        await age(session, job, timedelta(minutes=61))
        assert (await session.status(job.request_id, 45)).state is State.EXPIRED
        wire.answer = breaks
        before = len(wire.requests)
        assert (await session.status(job.request_id)).warnings == ()
        assert len(wire.requests) == before, "it was polled a moment ago"
        await age(session, job, timedelta(seconds=61))
        unchanged = await session.status(job.request_id)
        assert unchanged.state is State.EXPIRED
        assert "asked for again, without an answer" in unchanged.warnings[-1]
        wire.answer = history_of({"request_id": "r-1", "model_status": "COMPLETED", "generation_url": CLIP})
        found = await session.status(job.request_id, 45)
        assert (found.state, found.video_url, found.error) == (State.COMPLETED, CLIP, None)
        assert (await on_record(session, job)).state is State.COMPLETED


async def test_download_of_an_expired_job_polls_again(tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    sandbox = wire.answer
    async with opened as session:
        job = await submitted(session)
        await age(session, job, timedelta(minutes=61))
        wire.answer = history_of(None)
        with pytest.raises(Expired):
            await session.download(job.request_id)
        wire.answer = sandbox
        saved, path = await session.download(job.request_id)
        assert (saved.state, path.is_file()) == (State.COMPLETED, True)


async def test_id_is_not_reported_as_unknown_if_the_history_is_unavailable(tmp_path: Path) -> None:
    opened, _ = wired(settings_for(tmp_path, **QUIET), gone_with_history(says(503)))
    async with opened as session:
        with pytest.raises(GatewayError):
            await session.status(f"{FAST_02}/r-1")


# --- lost submissions -----------------------------------------------------------------------------------------------


async def test_lost_submission_is_found_in_the_history_and_its_old_id_still_works(tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path))
    async with opened as session:
        lost = await submitted(session, prompt="a kite sandbox:lost_answer")
        assert lost.state is State.UNCONFIRMED
        found = await session.status(lost.request_id, 10)
        assert (found.state, found.id) == (State.COMPLETED, lost.id)
        assert found.request_id == f"{FAST_02}/{found.remote_id}" != lost.request_id
        assert found.video_path
        assert found.sandbox
        assert await session.status(lost.request_id) == found == await session.status(found.request_id)
        assert len(wire.posts) == 1


async def test_submission_interrupted_by_a_crash_is_looked_up_after_a_while(tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path))
    async with opened as session:
        lost = await submitted(session, prompt="a kite sandbox:lost_answer")
        # A crash leaves the job as it was created: the lost response was not recorded.
        await session.ledger.change(lost.id, lambda job: job.model_copy(update={"lost_at": None}))
        before = len(wire.requests)
        assert (await session.status(lost.request_id)).state is State.UNCONFIRMED
        assert len(wire.requests) == before
        await age(session, lost, timedelta(seconds=31))
        assert (await session.status(lost.request_id)).state is State.COMPLETED
        assert len(wire.posts) == 1


async def test_row_added_while_the_history_is_read_belongs_to_the_later_submission(tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path))
    sandbox = wire.answer
    async with opened as session:
        wire.answer = breaks
        lost = (await session.generate(arguments_for(FAST_02))).job
        later: list[Job] = []

        async def meanwhile(request: httpx.Request) -> httpx.Response:
            if "request-history" in request.url.path and not later:
                later.append((await session.generate(arguments_for(FAST_02), force_new=True)).job)
            answer = sandbox(request)
            return await answer if inspect.isawaitable(answer) else answer

        wire.answer = meanwhile
        unchanged = await session.status(lost.request_id)
    assert later[0].remote_id
    assert (unchanged.state, unchanged.remote_id) == (State.UNCONFIRMED, None)


async def test_two_equal_rows_in_the_history_are_inconclusive(tmp_path: Path) -> None:
    opened, _ = recorded_sandbox(settings_for(tmp_path))
    async with opened as session:
        lost = await submitted(session, prompt="a kite sandbox:lost_answer")
        await session.generate(arguments_for(FAST_02, prompt="a kite sandbox:lost_answer"), force_new=True)
        status = await session.status(lost.request_id)
        assert (status.state, status.request_id) == (State.UNCONFIRMED, lost.request_id)
        assert status.error
        assert status.error.charged == "unknown"


@pytest.mark.parametrize(("model_id", "place"), [(APIXO, "APIXO console"), (AIMLAPI, "usage page of the account")])
async def test_lost_submission_without_a_history_says_where_to_look(model_id: str, place: str, tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET), breaks)
    async with opened as session:
        lost = await submitted(session, model_id)
        before = len(wire.requests)
        unchanged = await session.status(lost.request_id, 45)
        assert (unchanged.state, len(wire.requests)) == (State.UNCONFIRMED, before)
        assert unchanged.error
        assert "has no history" in unchanged.error.hint
        assert place in unchanged.error.hint
        assert "paying twice" in unchanged.error.hint
        with pytest.raises(NotReady):
            await session.download(lost.request_id)


async def test_failing_history_leaves_a_lost_submission_unconfirmed(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET), breaks)
    async with opened as session:
        lost = await submitted(session)
        wire.answer = says(500)
        assert (await session.status(lost.request_id)).state is State.UNCONFIRMED
