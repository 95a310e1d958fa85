"""Unknown ids: those of a lost ledger, of no job, and invalid ones."""

from pathlib import Path

import pytest

from hailuo_mcp.core.errors import InvalidInput, NotReady, UnknownRequest
from hailuo_mcp.core.job import State
from tests.service.polled_jobs import AIMLAPI, APIXO, COMPLETED, FAST_02, PROCESSING, QUIET, history_of, submitted
from tests.support import MODEL_IDS, arguments_for, breaks, recorded_sandbox, segmind, settings_for, wired


@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_id_works_without_its_ledger_and_is_recorded_again(model_id: str, tmp_path: Path) -> None:
    first, _ = recorded_sandbox(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    async with first as session:
        job = await submitted(session, model_id)
    for file in (tmp_path / "state").glob("jobs.sqlite3*"):
        file.unlink()
    opened, wire = recorded_sandbox(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    async with opened as second:
        polled = await second.status(job.request_id)
        assert (polled.state, polled.request_id, polled.sandbox) == (State.COMPLETED, job.request_id, True)
        assert polled.video_url
        assert "not in the ledger" in polled.warnings[0]
        assert (await second.jobs()).jobs == (polled,)
        before = len(wire.requests)
        assert await second.status(job.request_id) == polled
        assert len(wire.requests) == before
        assert wire.posts == []


@pytest.mark.parametrize("model_id", [FAST_02, APIXO, AIMLAPI])
async def test_id_unknown_to_ledger_and_gateway_is_an_error_and_not_recorded(model_id: str, tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path))
    async with opened as session:
        with pytest.raises(UnknownRequest):
            await session.status(f"{model_id}/nothing")
        assert len(wire.requests) == (2 if model_id == FAST_02 else 1)  # Segmind's history is requested too
        assert (await session.jobs()).total == 0


async def test_id_is_found_in_the_history_after_ledger_loss_and_retention(tmp_path: Path) -> None:
    row = {"request_id": "gone", "model_status": "COMPLETED", "generation_url": "https://cdn.example/gone.mp4"}
    opened, wire = wired(settings_for(tmp_path, **QUIET), history_of(row))
    async with opened as session:
        job = await session.status(f"{FAST_02}/gone")
        assert (job.state, job.video_url) == (State.COMPLETED, "https://cdn.example/gone.mp4")
        assert (await session.jobs()).total == 1
        assert wire.posts == []


@pytest.mark.parametrize("request_id", ["nobody/nothing/x", f"{FAST_02}/unconfirmed-nothing", "segmind/hailuo-9/x"])
async def test_impossible_id_is_refused_without_a_request(request_id: str, tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path))
    async with opened as session:
        with pytest.raises(UnknownRequest):
            await session.status(request_id)
        assert wire.requests == []


async def test_unconfirmed_id_is_valid_only_for_its_own_model(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET), breaks)
    async with opened as session:
        lost = await submitted(session, AIMLAPI)
        before = len(wire.requests)
        with pytest.raises(UnknownRequest):
            await session.status(lost.request_id.replace(AIMLAPI, FAST_02))
        assert len(wire.requests) == before


@pytest.mark.parametrize(
    "request_id", [None, 7, "", "r-1", "segmind/r-1", f"{FAST_02}/", f"{FAST_02}/..", f"{FAST_02}/\n"]
)
async def test_invalid_request_id_is_refused_with_the_expected_form(request_id: object, tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path))
    async with opened as session:
        with pytest.raises(InvalidInput, match="request_id"):
            await session.status(request_id)
        assert wire.requests == []


async def test_job_of_another_origin_is_returned_as_last_known_and_not_polled(tmp_path: Path) -> None:
    other_origin, _ = wired(
        settings_for(tmp_path, **QUIET, SEGMIND_BASE_URL="http://127.0.0.1:9"), segmind(status=PROCESSING)
    )
    async with other_origin as session:
        job = await submitted(session)
        assert job.origin == "http://127.0.0.1:9"
    opened, wire = wired(settings_for(tmp_path, **QUIET), segmind(status=COMPLETED))
    async with opened as configured:
        status = await configured.status(job.request_id, 45)
        assert (status.state, wire.requests) == (State.QUEUED, [])
        assert "http://127.0.0.1:9, which is not configured now" in status.warnings[-1]
        with pytest.raises(NotReady):
            await configured.download(job.request_id)
        again = await configured.generate(arguments_for(FAST_02))
        assert not again.duplicate
