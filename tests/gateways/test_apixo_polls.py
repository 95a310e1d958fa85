"""APIXO's responses to a poll: every documented form, and those known only from practice."""

import json
from typing import Any

import pytest

from hailuo_mcp.core.errors import UnknownRequest
from hailuo_mcp.core.job import Observation, State
from tests.gateways.wire import CLIP, Step, poll, says


def envelope(**data: Any) -> Step:
    return says(200, {"code": 200, "message": "success", "data": {"taskId": "r1", "createTime": 1767965610000, **data}})


@pytest.mark.parametrize(("word", "state"), [("pending", State.QUEUED), ("processing", State.PROCESSING)])
async def test_an_unfinished_job_has_its_state(word: str, state: State) -> None:
    seen, script = await poll("apixo", envelope(state=word))
    assert seen == Observation(state=state)
    assert script.requested == ["GET /api/v1/statusTask/hailuo-2-3-fast?taskId=r1"]


@pytest.mark.parametrize(
    ("result", "link"),
    [
        (json.dumps({"resultUrls": [CLIP]}), CLIP),
        ({"resultUrls": [CLIP]}, CLIP),
        (json.dumps({"resultUrls": [{"url": CLIP}]}), CLIP),
        (json.dumps({"resultUrls": []}), None),
        (json.dumps([CLIP]), None),
        ('{"resultUrls": ["htt', None),
        ("[" * 100_000, None),
        (None, None),
    ],
)
async def test_the_embedded_result_json_is_parsed(result: Any, link: str | None) -> None:
    seen, _ = await poll("apixo", envelope(state="success", resultJson=result, completeTime=1767965652500))
    assert seen == Observation(state=State.COMPLETED, video_url=link, took_seconds=42.5)


@pytest.mark.parametrize(
    ("times", "took"),
    [
        ({"costTime": 42000}, 42),
        ({"createTime": "1000", "completeTime": "2500"}, 1.5),
        ({"createTime": None, "costTime": None}, None),
        ({"createTime": 5, "completeTime": 1, "costTime": "x"}, None),
        ({"costTime": True}, None),
    ],
)
async def test_the_duration_is_converted_from_milliseconds(times: dict[str, Any], took: float | None) -> None:
    seen, _ = await poll("apixo", envelope(state="success", **times))
    assert seen.took_seconds == took


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        ({"failCode": "CONTENT_VIOLATION", "failMsg": "unsafe"}, "content_violation", "CONTENT_VIOLATION: unsafe"),
        ({"failCode": "NSFW_DETECTED"}, "content_violation", "NSFW_DETECTED"),
        ({"failCode": "INVALID_IMAGE_URL", "failMsg": "no"}, "invalid_image", "INVALID_IMAGE_URL: no"),
        ({"failCode": "PROMPT_TOO_LONG", "failMsg": ""}, "invalid_input", "PROMPT_TOO_LONG"),
        ({"failCode": "SOMETHING_NEW", "failMsg": "odd"}, "gateway_error", "SOMETHING_NEW: odd"),
        ({"failCode": None, "failMsg": "content moderation"}, "content_violation", "content moderation"),
        ({"failCode": 7}, "gateway_error", "no reason given"),
        ({}, "gateway_error", "no reason given"),
    ],
)
async def test_a_failed_job_has_its_error_despite_http_200(failure: dict[str, Any], code: str, words: str) -> None:
    seen, _ = await poll("apixo", envelope(state="failed", **failure))
    assert seen.state is State.FAILED
    assert seen.error
    assert (seen.error.code, seen.error.charged, seen.error.safe_to_retry) == (code, "unknown", False)
    assert seen.error.message == f"APIXO failed the job: {words}"
    assert seen.error.hint


async def test_404_in_the_body_is_an_unknown_request() -> None:
    with pytest.raises(UnknownRequest):
        await poll("apixo", says(200, {"code": 404, "message": "no such task"}))


async def test_a_temporary_code_500_in_the_body_is_retried() -> None:
    seen, script = await poll("apixo", says(200, {"code": 500}), says(200, {"code": 503}), envelope(state="pending"))
    assert seen.state is State.QUEUED
    assert len(script.requests) == 3
