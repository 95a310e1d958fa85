"""Segmind's responses to a poll: every documented form, and those known only from practice."""

from typing import Any

import pytest

from hailuo_mcp.core.errors import GatewayTimeout, HailuoError
from hailuo_mcp.core.job import Observation, State
from hailuo_mcp.gateways.client import RetryPolicy
from tests.gateways.wire import CLIP, hangs, poll, says

INLINE = "data:video/mp4;base64,AAAA"


@pytest.mark.parametrize(
    ("word", "state"),
    [("QUEUED", State.QUEUED), ("queued", State.QUEUED), ("PROCESSING", State.PROCESSING)],
)
async def test_unfinished_needs_one_request_and_costs_nothing_yet(word: str, state: State) -> None:
    seen, script = await poll("segmind", says(200, {"status": word, "request_id": "r1", "metrics": {"cost": 0}}))
    assert seen == Observation(state=state)
    assert script.requested == ["GET /v2/requests/r1/status"]


async def test_completed_fetches_the_result_with_its_cost_and_time() -> None:
    metrics = {"inference_time": 71.5, "cost": 0.125, "remaining_credits": 4, "queue_time": 1.5, "total_time": 73}
    result = {"status": "COMPLETED", "error": None, "output": CLIP, "metrics": metrics}
    seen, script = await poll("segmind", says(200, {"status": "COMPLETED", "request_id": "r1"}), says(200, result))
    assert seen == Observation(state=State.COMPLETED, video_url=CLIP, cost_usd=0.125, took_seconds=73)
    assert script.requested == ["GET /v2/requests/r1/status", "GET /v2/requests/r1"]


@pytest.mark.parametrize(
    ("output", "link"),
    [
        (CLIP, CLIP),
        ([CLIP], CLIP),
        ([None, {"url": CLIP}, "https://second.example/"], CLIP),
        ({"url": CLIP}, CLIP),
        ({"url": [CLIP]}, CLIP),
        (INLINE, INLINE),
        ("DATA:video/mp4;base64,AAAA", INLINE),
        ([INLINE], INLINE),
        (None, None),
        ("", None),
        ("clip.mp4", None),
        ("ftp://cdn.example/clip.mp4", None),
        ("https://cdn.example/a b", None),
        ([], None),
        ({"video": CLIP}, None),
        ({"url": None}, None),
        (7, None),
        ([[[[[[[[CLIP]]]]]]]], None),
    ],
)
async def test_output_may_be_a_string_a_list_an_object_or_the_clip_itself(output: Any, link: str | None) -> None:
    done = says(200, {"status": "COMPLETED"})
    seen, _ = await poll("segmind", done, says(200, {"status": "COMPLETED", "output": output}))
    assert (seen.state, seen.video_url) == (State.COMPLETED, link)


async def test_completed_without_output_or_status_is_completed_without_a_link() -> None:
    seen, _ = await poll("segmind", says(200, {"status": "COMPLETED"}), says(200, {"metrics": None}))
    assert seen == Observation(state=State.COMPLETED)


@pytest.mark.parametrize("status", [422, 200])
async def test_failed_is_a_failed_job_not_a_refusal(status: int) -> None:
    body = {"status": "FAILED", "error": "GPU lost", "metrics": {"cost": 0.1}, "request_id": "r1"}
    seen, script = await poll("segmind", says(status, body))
    assert seen.state is State.FAILED
    assert seen.error
    assert (seen.error.code, seen.error.charged, seen.error.safe_to_retry) == ("gateway_error", "no", True)
    assert "GPU lost" in seen.error.message
    assert seen.cost_usd is None
    assert len(script.requests) == 1


async def test_blocked_content_is_a_content_violation() -> None:
    seen, _ = await poll("segmind", says(422, {"status": "FAILED", "error": "Blocked by RAI content filter"}))
    assert seen.error
    assert (seen.error.code, seen.error.safe_to_retry) == ("content_violation", False)
    assert "prompt" in seen.error.hint


async def test_a_failure_without_a_reason_says_so() -> None:
    seen, _ = await poll("segmind", says(422, {"status": "FAILED", "error": None}))
    assert seen.error
    assert "no reason given" in seen.error.message


async def test_a_failed_result_overrides_a_completed_status() -> None:
    failed = says(422, {"status": "FAILED", "error": "late"})
    seen, _ = await poll("segmind", says(200, {"status": "COMPLETED"}), failed)
    assert (seen.state, seen.video_url) == (State.FAILED, None)


async def test_a_result_from_a_lagging_replica_is_not_yet_completed() -> None:
    lagging = says(200, {"status": "PROCESSING"})
    seen, _ = await poll("segmind", says(200, {"status": "COMPLETED"}), lagging)
    assert seen == Observation(state=State.PROCESSING)


async def test_a_422_without_a_state_is_not_a_failed_job() -> None:
    with pytest.raises(HailuoError) as refused:
        await poll("segmind", says(422, {"error": "bad id"}))
    assert refused.value.problem.code == "invalid_input"


async def test_both_requests_of_a_poll_share_one_time_limit() -> None:
    with pytest.raises(GatewayTimeout):
        await poll("segmind", says(200, {"status": "COMPLETED"}), hangs, retry=RetryPolicy(poll_timeout=0.05))
