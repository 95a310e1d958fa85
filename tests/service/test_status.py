"""Following a job: the effect of each response of a gateway, and of no response."""

import base64
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from hailuo_mcp.core.errors import Expired, GatewayError, HailuoError, NotReady
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.mcp.views import job_view
from hailuo_mcp.sandbox import FAULTS
from tests.service.polled_jobs import (
    AIMLAPI,
    APIXO,
    CLIP,
    COMPLETED,
    FAILED,
    FAST_02,
    GONE,
    QUIET,
    gone_with_history,
    on_record,
    submitted,
)
from tests.support import (
    KEYS,
    Answerer,
    Turns,
    age,
    breaks,
    jobs_in,
    recorded_sandbox,
    says,
    segmind,
    settings_for,
    wired,
)

# --- ended ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "state"), [(COMPLETED, State.COMPLETED), (FAILED, State.FAILED)])
async def test_ended_job_is_answered_without_polling(answer: Answerer, state: State, tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET), segmind(status=answer))
    async with opened as session:
        job = await submitted(session)
        ended = await session.status(job.request_id)
        assert ended.state is state
        before = len(wire.requests)
        wire.answer = breaks
        assert await session.status(job.request_id, 45) == ended
        assert len(wire.requests) == before


async def test_completed_job_without_a_link_is_polled_until_there_is_one(tmp_path: Path) -> None:
    result = Turns(says(200, {"status": "COMPLETED", "output": None}), COMPLETED)
    opened, _ = wired(
        settings_for(tmp_path, **QUIET), segmind(status=says(200, {"status": "COMPLETED"}), result=result)
    )
    async with opened as session:
        job = await submitted(session)
        first = await session.status(job.request_id)
        assert (first.state, first.video_url) == (State.COMPLETED, None)
        second = await session.status(job.request_id)
        assert (second.state, second.video_url) == (State.COMPLETED, CLIP)


async def test_missing_link_is_reported_after_a_while_and_still_accepted_later(tmp_path: Path) -> None:
    result = Turns(says(200, {"status": "COMPLETED", "output": None}))
    opened, wire = wired(
        settings_for(tmp_path, **QUIET), segmind(status=says(200, {"status": "COMPLETED"}), result=result)
    )
    async with opened as session:
        job = await session.status((await submitted(session)).request_id)
        view = job_view(job)
        assert (view.poll_after_seconds, view.error) == (5, None)
        assert "the link is not available yet" in view.next_step

        def earlier(known: Job) -> Job:
            assert known.ended_at
            return known.model_copy(update={"ended_at": known.ended_at - timedelta(minutes=15)})

        await session.ledger.change(job.id, earlier)
        with anyio.fail_after(10):
            job = await session.status(job.request_id, 45)
        view = job_view(job)
        assert (view.state, view.poll_after_seconds) == ("completed", None)
        assert "has given no link for 15 minutes" in view.next_step
        assert '"r-1"' in view.next_step
        wire.answer = segmind(status=COMPLETED)
        assert (await session.status(job.request_id)).video_url == CLIP


async def test_clip_inside_the_response_is_saved_and_shown_by_its_path(tmp_path: Path) -> None:
    clip = b"\0\0\0\x18ftypmp42" + b"clip" * 100
    output = f"data:video/mp4;base64,{base64.b64encode(clip).decode()}"
    opened, wire = wired(
        settings_for(tmp_path, **QUIET), segmind(status=says(200, {"status": "COMPLETED", "output": output}))
    )
    async with opened as session:
        job = await session.status((await submitted(session)).request_id)
        assert (job.state, job.video_url) == (State.COMPLETED, None)
        assert job.video_path
        assert await anyio.Path(job.video_path).read_bytes() == clip
        assert "base64" not in (await on_record(session, job)).model_dump_json()
        before = len(wire.requests)
        assert (await session.download(job.request_id))[1] == Path(job.video_path)
        assert len(wire.requests) == before
        await anyio.Path(job.video_path).unlink()
        _, path = await session.download(job.request_id)
        assert path.read_bytes() == clip


@pytest.mark.parametrize("model_id", [FAST_02, APIXO, AIMLAPI])
@pytest.mark.parametrize(
    ("word", "code"), [("sandbox:content_violation", "content_violation"), ("sandbox:fail", "gateway_error")]
)
async def test_failed_job_is_a_normal_result_with_its_reason(
    model_id: str, word: str, code: str, tmp_path: Path
) -> None:
    assert word in FAULTS
    opened, _ = recorded_sandbox(settings_for(tmp_path))
    async with opened as session:
        job = await session.status((await submitted(session, model_id, prompt=f"a kite {word}")).request_id, 5)
        assert job.state is State.FAILED
        assert job.error
        assert job.error.code == code
        assert job.error.charged == ("no" if model_id == FAST_02 else "unknown")
        with pytest.raises(NotReady) as refused:
            await session.download(job.request_id)
        assert refused.value.problem.safe_to_retry is False


# --- failed polls ---------------------------------------------------------------------------------------------------


async def test_transient_errors_are_retried(tmp_path: Path) -> None:
    status = Turns(says(500), says(503), breaks, COMPLETED)
    opened, _ = wired(settings_for(tmp_path, **QUIET), segmind(status=status))
    async with opened as session:
        assert (await session.status((await submitted(session)).request_id)).state is State.COMPLETED


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (says(500), "gateway_error"),
        (breaks, "network_error"),
        (says(401, {"error": "Unauthorized"}), "unauthorized"),
        (says(403, {"error": "Forbidden"}), "forbidden"),
        (says(429), "rate_limited"),
        (says(200, ["no", "object"]), "gateway_error"),
    ],
)
async def test_failed_poll_is_an_error_and_leaves_the_job_unchanged(
    answer: Answerer, code: str, tmp_path: Path
) -> None:
    opened, _ = wired(settings_for(tmp_path, **QUIET), segmind(status=answer))
    async with opened as session:
        job = await submitted(session)
        with pytest.raises(HailuoError) as refused:
            await session.status(job.request_id)
        assert refused.value.code == code
        assert refused.value.request_id == job.request_id
        assert await on_record(session, job) == job


async def test_wait_survives_transient_errors(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET), segmind(status=says(500)))
    reports: list[State] = []

    async def report(job: Job) -> None:
        reports.append(job.state)
        wire.answer = segmind(status=COMPLETED)

    async with opened as session:
        job = await session.status((await submitted(session)).request_id, 20, report)
        assert (job.state, reports) == (State.COMPLETED, [State.QUEUED])


async def test_undocumented_state_counts_as_processing(tmp_path: Path) -> None:
    opened, _ = wired(settings_for(tmp_path, **QUIET), segmind(status=says(200, {"status": "DREAMING"})))
    async with opened as session:
        assert (await session.status((await submitted(session)).request_id)).state is State.PROCESSING


# --- clips ----------------------------------------------------------------------------------------------------------


async def test_clip_that_cannot_be_saved_is_reported_with_its_link(tmp_path: Path) -> None:
    output = "https://127.0.0.1:9/clip.mp4"
    opened, _ = wired(
        settings_for(tmp_path, **KEYS), segmind(status=says(200, {"status": "COMPLETED", "output": output}))
    )
    async with opened as session:
        job = await session.status((await submitted(session)).request_id)
        assert (job.state, job.video_url, job.video_path) == (State.COMPLETED, output, None)
        assert "The clip is not saved yet" in job.warnings[-1]
        assert (await on_record(session, job)).warnings == ()


async def test_a_dead_link_is_replaced_by_a_fresh_one_from_the_gateway(tmp_path: Path) -> None:
    opened, _ = recorded_sandbox(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    async with opened as session:
        job = await session.status((await submitted(session)).request_id)
        assert job.video_url
        link = job.video_url
        await session.ledger.change(job.id, lambda j: j.model_copy(update={"video_url": f"{link}.gone"}))
        saved, path = await session.download(job.request_id)
        assert (saved.video_url, saved.video_path) == (link, str(path))
        assert jobs_in(tmp_path) == {path.name: path}


async def test_a_dead_link_without_a_fresh_one_is_expired_and_the_job_stays_completed(tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    async with opened as session:
        job = await session.status((await submitted(session)).request_id)
        await session.ledger.change(job.id, lambda j: j.model_copy(update={"video_url": f"{j.video_url}.gone"}))
        for unavailable in (says(503), gone_with_history(says(503))):
            wire.answer = unavailable
            with pytest.raises(GatewayError):
                await session.download(job.request_id)
        await age(session, job, timedelta(minutes=61))
        wire.answer = GONE
        with pytest.raises(Expired):
            await session.download(job.request_id)
        assert (await on_record(session, job)).state is State.COMPLETED
