"""Cancelling a job: only if it is still queued and the gateway can, and never deleting an ended job's record."""

from pathlib import Path

import pytest

from hailuo_mcp.core.errors import NotReady
from hailuo_mcp.core.job import Job, Observation, State
from tests.service.polled_jobs import FAST_02, submitted
from tests.support import arguments_for, recorded_sandbox, settings_for


async def test_gateway_that_cannot_cancel_is_only_polled(tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path, HAILUO_MCP_SANDBOX_SECONDS="60"))
    async with opened as session:
        job = await submitted(session)
        assert not session.may_cancel(job)
        before = len(wire.requests)
        unchanged = await session.cancel(job.request_id)
        assert unchanged.state is State.QUEUED
        assert unchanged.warnings[-1].startswith("Nothing was cancelled: Segmind cannot cancel a job; it goes on")
        assert {request.method for request in wire.requests[before:]} == {"GET"}


async def test_cancel_of_an_ended_job_sends_no_request(tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path))
    async with opened as session:
        job = await submitted(session)
        done = await session.status(job.request_id, 10)
        before = len(wire.requests)
        unchanged = await session.cancel(job.request_id)
        assert (unchanged.state, unchanged.video_path) == (State.COMPLETED, done.video_path)
        assert unchanged.warnings[-1] == "Nothing was cancelled: the job is completed."
        assert len(wire.requests) == before


def test_cancelled_job_is_final_and_free_unless_a_cost_was_reported() -> None:
    job = Job(
        model=FAST_02, origin="https://x", remote_id="r", state=State.QUEUED, budget_cost_usd=1, estimated_cost_usd=1
    )
    cancelled = job.apply_observation(Observation(state=State.CANCELLED))
    assert cancelled.is_final
    assert cancelled.ended_at
    assert (cancelled.budget_cost, cancelled.cost_estimate) == (0, 0)
    billed = job.apply_observation(Observation(state=State.CANCELLED, cost_usd=0.5))
    assert (billed.budget_cost, billed.cost_estimate) == (0.5, 0.5)
    assert cancelled.apply_observation(Observation(state=State.COMPLETED)).state is State.CANCELLED


@pytest.mark.parametrize("model_id", ["fal/hailuo-2.3", "replicate/hailuo-2.3"])
async def test_queued_job_is_cancelled_after_a_poll(model_id: str, tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path, HAILUO_MCP_SANDBOX_SECONDS="600"))
    async with opened as session:
        job = await submitted(session, model_id)
        assert session.may_cancel(job)
        before = len(wire.requests)
        cancelled = await session.cancel(job.request_id)
        assert cancelled.state is State.CANCELLED
        assert wire.requests[before].method == "GET"
        assert await session.status(job.request_id) == cancelled
        page = await session.jobs(State.CANCELLED)
        assert (page.total, page.spent_usd) == (1, 0)
        with pytest.raises(NotReady, match="was cancelled"):
            await session.download(job.request_id)
        again = await session.generate(arguments_for(model_id))
        assert not again.duplicate


@pytest.mark.parametrize("model_id", ["fal/hailuo-2.3", "replicate/hailuo-2.3"])
async def test_job_that_ended_since_the_last_poll_keeps_its_record(model_id: str, tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path))
    async with opened as session:
        job = await submitted(session, model_id)
        assert job.state is State.QUEUED
        before = len(wire.requests)
        unchanged = await session.cancel(job.request_id)
        assert unchanged.state is State.COMPLETED
        assert {request.method for request in wire.requests[before:]} == {"GET"}
        assert (await session.download(job.request_id))[1].exists()
