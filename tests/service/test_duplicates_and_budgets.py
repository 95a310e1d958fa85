"""What refuses a submission, or returns an earlier job instead, before anything is sent."""

from pathlib import Path

import anyio
import pytest

from hailuo_mcp.core.errors import HailuoError, InvalidInput
from tests.media.samples import data_uri, png
from tests.service.polled_jobs import ACCEPTED, APIXO, FAST_02, submitted
from tests.support import KEYS, Turns, arguments_for, body_of, recorded_sandbox, says, settings_for, wired


async def test_an_identical_call_returns_the_first_job_unless_it_is_forced(tmp_path: Path) -> None:
    answers = Turns(*(says(200, {"request_id": f"r-{n}"}) for n in range(1, 4)))
    opened, wire = wired(settings_for(tmp_path, **KEYS), answers)
    async with opened as session:
        first = await session.generate(arguments_for(FAST_02))
        again = await session.generate(arguments_for(FAST_02, duration="6", go_fast=False))
        assert (first.duplicate, again.duplicate) == (False, True)
        assert again.job.request_id == first.job.request_id
        assert "force_new" in again.job.warnings[-1]
        forced = await session.generate(arguments_for(FAST_02), force_new=True)
        other = await session.generate(arguments_for(FAST_02, duration=10))
        assert (forced.job.remote_id, other.job.remote_id) == ("r-2", "r-3")
        assert len(wire.posts) == 3


async def test_one_of_several_simultaneous_identical_calls_is_sent(tmp_path: Path) -> None:
    outcomes: list[tuple[str, bool]] = []
    opened, wire = wired(settings_for(tmp_path, **KEYS), says(200, ACCEPTED["segmind"]))

    async def call() -> None:
        submitted = await session.generate(arguments_for(FAST_02))
        outcomes.append((submitted.job.request_id, submitted.duplicate))

    async with opened as session:
        async with anyio.create_task_group() as calls:
            for _ in range(5):
                calls.start_soon(call)
        assert len(wire.posts) == 1
        assert {request_id for request_id, _ in outcomes} == {"segmind/hailuo-02-fast/r-1"}
        assert sorted(duplicate for _, duplicate in outcomes) == [False, True, True, True, True]


async def test_image_is_identified_by_its_content_and_uploaded_once(tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    (tmp_path / "pictures").mkdir()
    file = tmp_path / "pictures" / "first.png"
    file.write_bytes(png())
    call = {"model": FAST_02, "prompt": "x"}
    async with opened as session:
        by_uri = await session.generate({**call, "first_frame_image": data_uri(png())})
        by_path = await session.generate({**call, "first_frame_image": str(file)})
        assert by_path.job.id == by_uri.job.id
        other = await session.generate({**call, "first_frame_image": str(file), "duration": 10})
        assert other.job.id != by_uri.job.id
        uploads = [path for path in wire.requested if "upload" in path]
        assert uploads == ["POST /upload-asset"]
        sent = body_of(wire.posts[-1])["first_frame_image"]
        assert sent.startswith("https://")
        assert other.job.body["first_frame_image"] == sent
        assert "base64" not in other.job.model_dump_json()


async def test_a_budget_refuses_before_anything_is_written_or_sent(tmp_path: Path) -> None:
    opened, wire = wired(
        settings_for(tmp_path, **KEYS, HAILUO_MCP_MAX_JOBS_PER_DAY="1"), says(200, ACCEPTED["segmind"])
    )
    async with opened as session:
        await session.generate(arguments_for(FAST_02))
        with pytest.raises(HailuoError) as refused:
            await session.generate(arguments_for(FAST_02, duration=10))
        assert (refused.value.code, refused.value.problem.charged) == ("budget_exceeded", "no")
        assert len(wire.posts) == 1
        assert (await session.jobs()).total == 1


async def test_job_of_unknown_price_counts_as_the_highest_price_in_the_budget(tmp_path: Path) -> None:
    opened, wire = wired(
        settings_for(tmp_path, **KEYS, HAILUO_MCP_MAX_USD_PER_DAY="2.50"), says(200, ACCEPTED["apixo"])
    )
    async with opened as session:
        job = await submitted(session, APIXO)
        assert (job.estimated_cost_usd, job.budget_cost_usd) == (None, 2.4)
        with pytest.raises(HailuoError, match=r"\$2\.40 spent today, this one counts as \$0\.12"):
            await session.generate(arguments_for(FAST_02))
        assert len(wire.posts) == 1
        assert (await session.jobs()).spent_usd == 0


async def test_unwritable_output_directory_is_refused_before_submission(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("in the way")
    opened, wire = wired(settings_for(tmp_path, **KEYS), says(200, ACCEPTED["segmind"]))
    async with opened as session:
        with pytest.raises(InvalidInput) as refused:
            await session.generate(arguments_for(FAST_02))
        assert "HAILUO_MCP_OUTPUT_DIR" in refused.value.problem.hint
        assert wire.requests == []
        assert (await session.jobs()).total == 0
