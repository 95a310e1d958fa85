"""The text of a result is complete: frameworks do not reliably pass on anything else."""

import base64
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mcp_types import ImageContent, TextContent

from hailuo_mcp.core.errors import Problem
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.mcp.texts import job_text
from hailuo_mcp.mcp.views import job_view
from tests.mcp.calling import FAST_02, call_tool, open_caller
from tests.support import KEYS, arguments_for, facts_of, says, segmind, settings_for, text_of

LINK = "https://cdn.example/clip.mp4?until=1"


async def test_a_submitted_jobs_text_has_id_state_model_price_and_next_step(tmp_path: Path) -> None:
    async with open_caller(settings_for(tmp_path)) as call:
        result = await call("generate_video", **arguments_for(FAST_02))
    facts, text = facts_of(result), text_of(result)
    assert text.count(facts["request_id"]) == 1
    assert facts["request_id"].startswith(f"{FAST_02}/")
    assert "state: queued, 0 s of about 80 s; price: $0.125 (estimated)" in text
    assert f"Next: {facts['next_step']}" in text
    assert "sandbox: a preview, nothing is charged; set a gateway's key for real clips" in text


async def test_a_completed_jobs_text_has_its_link_and_its_expiry(tmp_path: Path) -> None:
    done = segmind(status=says(200, {"status": "COMPLETED", "output": LINK}))
    async with open_caller(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0", **KEYS), done) as call:
        request_id = facts_of(await call("generate_video", **arguments_for(FAST_02)))["request_id"]
        result = await call("get_status", request_id=request_id)
        listed = await call("list_jobs")
    facts = facts_of(result)
    assert facts["state"] == "completed"
    assert f"video_url: {LINK} (expires at {facts['expires_at']})" in text_of(result)
    assert LINK in text_of(listed)


async def test_a_saved_clips_text_has_its_path(tmp_path: Path) -> None:
    async with open_caller(settings_for(tmp_path)) as call:
        request_id = facts_of(await call("generate_video", **arguments_for(FAST_02)))["request_id"]
        result = await call("get_status", request_id=request_id, wait_seconds=10)
        saved = await call("download_video", request_id=request_id)
    for text in (text_of(result), text_of(saved)):
        assert str(facts_of(result)["video_path"]) in text
        assert f"request_id: {request_id}" in text


async def test_a_requested_preview_is_an_image_after_the_text(tmp_path: Path) -> None:
    async with open_caller(settings_for(tmp_path)) as call:
        request_id = facts_of(await call("generate_video", **arguments_for(FAST_02)))["request_id"]
        await call("get_status", request_id=request_id, wait_seconds=20)
        result = await call_tool(call.session, "download_video", request_id=request_id, preview="true")
    text, image = result.content
    assert isinstance(text, TextContent)
    assert isinstance(image, ImageContent)
    assert (image.mime_type, base64.b64decode(image.data)[:3]) == ("image/jpeg", b"\xff\xd8\xff")


async def test_a_preview_without_the_media_extra_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_caller(settings_for(tmp_path)) as call:
        request_id = facts_of(await call("generate_video", **arguments_for(FAST_02)))["request_id"]
        done = await call("get_status", request_id=request_id, wait_seconds=20)
        monkeypatch.setitem(sys.modules, "av", None)
        result = await call("download_video", request_id=request_id, preview=True)
    assert result.is_error
    text = text_of(result)
    assert f"Saved at {facts_of(done)['video_path']}" in text
    assert "pip install 'hailuo-mcp[media]'" in text


async def test_a_link_that_only_this_process_can_open_is_not_offered(tmp_path: Path) -> None:
    async with open_caller(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0")) as call:
        request_id = facts_of(await call("generate_video", **arguments_for(FAST_02)))["request_id"]
        result = await call("get_status", request_id=request_id, wait_seconds=10)
    assert facts_of(result)["state"] == "completed"
    assert facts_of(result)["next_step"].startswith(f'Call download_video with request_id "{request_id}"')
    assert ".invalid" not in text_of(result)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"cost_usd": 6.175368000000001, "estimated_cost_usd": 6.0}, "price: $6.175 (reported by the gateway)"),
        ({"estimated_cost_usd": 0.28}, "price: $0.28 (estimated)"),
        ({}, "price: unknown"),
        (
            {
                "estimated_cost_usd": 0.28,
                "state": State.FAILED,
                "error": Problem(code="content_violation", message="Refused.", hint="Change the prompt.", charged="no"),
            },
            "price: nothing was charged",
        ),
    ],
)
def test_the_text_says_whether_a_price_is_estimated_or_reported(facts: dict[str, Any], expected: str) -> None:
    assert expected in job_text(job_view(Job(model=FAST_02, origin="https://x", remote_id="r-1", **facts)))


def test_the_text_of_a_failed_job_has_code_charge_retry_hint_and_warnings() -> None:
    problem = Problem(code="content_violation", message="Refused", hint="Change the prompt.", charged="unknown")
    job = Job(
        model=FAST_02, origin="https://x", remote_id="r-1", state=State.FAILED, error=problem, warnings=("Small.",)
    )
    text = job_text(job_view(job))
    assert "Refused. Change the prompt. [code: content_violation; charged: unknown; do not retry unchanged]" in text
    assert "Warning: Small." in text
    assert text.count("Change the prompt.") == 1


def test_the_expiry_is_only_mentioned_with_a_link() -> None:
    job = Job(model=FAST_02, origin="https://x", remote_id="r-1", expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert "expires" not in job_text(job_view(job))


async def test_an_errors_text_has_code_charge_retry_and_request_id(tmp_path: Path) -> None:
    async with open_caller(settings_for(tmp_path)) as call:
        result = await call("generate_video", **arguments_for(FAST_02, prompt="a kite sandbox:no_credits"))
    error = facts_of(result)["error"]
    text = text_of(result)
    assert "[code: insufficient_credits; charged: no; do not retry unchanged]" in text
    assert error["hint"] in text
    assert f"request_id: {error['request_id']}" in text


async def test_a_dry_runs_text_shows_the_body_as_json(tmp_path: Path) -> None:
    async with open_caller(settings_for(tmp_path)) as call:
        result = await call("generate_video", **arguments_for(FAST_02), dry_run=True)
    match = re.search(r"^POST (\S+) (\{.*\})$", text_of(result), re.MULTILINE)
    assert match
    assert json.loads(match[2]) == facts_of(result)["request"]["body"]
    assert "state: dry_run" in text_of(result)
