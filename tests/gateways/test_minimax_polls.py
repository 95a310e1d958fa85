"""MiniMax's responses to a poll, and to the request for a completed job's file."""

from typing import Any

import httpx
import pytest

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import Observation, State
from hailuo_mcp.gateways.client import RetryPolicy
from tests.core.models import MODELS
from tests.gateways.wire import ATTEMPTS, CLIP, Step, breaks, connect, hangs, poll, says, says_text

FILE_ID = 9_007_199_254_740_993
"""More than a float can represent exactly."""


def task(status: object, code: object = 0, message: str = "success", **more: Any) -> Step:
    return says(200, {"task_id": "r1", "status": status, **more, "base_resp": _base(code, message)})


def file(**more: Any) -> Step:
    facts = {"file_id": FILE_ID, "bytes": 0, "purpose": "video_generation", "download_url": CLIP, **more}
    return says(200, {"file": facts, "base_resp": _base()})


def refuses(code: object) -> Step:
    return says(200, {"base_resp": _base(code, "Not so")})


def _base(code: object = 0, message: str = "success") -> dict[str, object]:
    return {"status_code": code, "status_msg": message}


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Preparing", State.QUEUED),
        ("Queueing", State.QUEUED),
        ("queueing", State.QUEUED),
        ("Processing", State.PROCESSING),
        ("PROCESSING", State.PROCESSING),
    ],
)
async def test_unfinished_needs_one_request(word: str, state: State) -> None:
    seen, script = await poll("minimax", task(word, file_id=""))
    assert seen == Observation(state=state)
    assert script.requested == ["GET /v1/query/video_generation?task_id=r1"]


@pytest.mark.parametrize("word", ["Success", "success", "SUCCESS"])
@pytest.mark.parametrize("file_id", [FILE_ID, str(FILE_ID), f" {FILE_ID} "])
async def test_completed_fetches_the_link_of_the_file_by_its_exact_id(word: str, file_id: object) -> None:
    seen, script = await poll("minimax", task(word, file_id=file_id), file())
    assert seen == Observation(state=State.COMPLETED, video_url=CLIP)
    assert script.requested[1] == f"GET /v1/files/retrieve?file_id={FILE_ID}"


@pytest.mark.parametrize(
    "step",
    [
        *(refuses(code) for code in (1002, 1004, 1008, 1027, 2013, 2049, 9999)),
        *(says(status) for status in (302, 400, 401, 404, 429, 500, 503)),
        *(says_text(200, "<html>"), says(200, []), breaks(httpx.ConnectError), breaks(httpx.ReadError)),
        *(says(200, {"base_resp": _base()}), file(download_url=""), file(download_url=None), says(200, {"file": CLIP})),
    ],
)
async def test_completed_is_completed_even_if_its_link_cannot_be_fetched(step: Step) -> None:
    seen, _ = await poll("minimax", task("Success", file_id=str(FILE_ID)), step)
    assert seen == Observation(state=State.COMPLETED)


async def test_completed_is_returned_in_time_even_if_the_file_is_not() -> None:
    retry = RetryPolicy(poll_timeout=0.05)
    seen, script = await poll("minimax", task("Success", file_id="7"), hangs, retry=retry)
    assert (seen, len(script.requests)) == (Observation(state=State.COMPLETED), 2)


NO_FILE: tuple[dict[str, Any], ...] = (
    *({}, {"file_id": ""}, {"file_id": None}, {"file_id": True}, {"file_id": 1.5}, {"file_id": []}),
)


@pytest.mark.parametrize("answer", NO_FILE)
async def test_completed_without_a_file_fetches_none(answer: dict[str, Any]) -> None:
    seen, script = await poll("minimax", task("Success", **answer))
    assert (seen, len(script.requests)) == (Observation(state=State.COMPLETED), 1)


@pytest.mark.parametrize("word", ["Fail", "Failed", "fail", "FAILED"])
@pytest.mark.parametrize(
    ("code", "message", "expected", "words"),
    [
        (0, "success", "gateway_error", "no reason given"),
        (1027, "output new_sensitive", "content_violation", "1027 output new_sensitive"),
        (1026, "oh", "content_violation", "1026 oh"),
        (1002, "odd", "gateway_error", "1002 odd"),
        (2013, "bad picture", "gateway_error", "2013 bad picture"),
        ("1033", "downstream", "gateway_error", "1033 downstream"),
    ],
)
async def test_a_failed_job_has_its_reason(word: str, code: object, message: str, expected: str, words: str) -> None:
    seen, script = await poll("minimax", task(word, code, message))
    assert seen.error
    assert (seen.state, seen.error.code, seen.error.charged) == (State.FAILED, expected, "unknown")
    assert words in seen.error.message
    assert len(script.requests) == 1


async def test_sensitive_content_is_a_failed_job_whatever_its_state() -> None:
    seen, _ = await poll("minimax", task("", 1027, "output new_sensitive"))
    assert seen.error
    assert (seen.state, seen.error.code) == (State.FAILED, "content_violation")


@pytest.mark.parametrize(
    ("code", "expected", "requests"),
    [
        (1002, "rate_limited", ATTEMPTS),
        (1004, "unauthorized", 1),
        (1008, "insufficient_credits", 1),
        (2013, "unknown_request", 1),
        (2049, "unauthorized", 1),
        (1033, "gateway_error", ATTEMPTS),
    ],
)
async def test_an_error_code_with_http_200_is_an_error_not_a_job_state(code: int, expected: str, requests: int) -> None:
    gateway, script = connect("minimax", refuses(code))
    with pytest.raises(HailuoError) as error:
        await gateway.observe(MODELS["minimax/hailuo-02"], "r1")
    assert error.value.problem.code == expected
    assert len(script.requests) == requests


async def test_a_temporary_code_is_retried() -> None:
    seen, script = await poll("minimax", refuses(1002), refuses(1033), task("Processing"))
    assert (seen.state, len(script.requests)) == (State.PROCESSING, 3)


@pytest.mark.parametrize("code", [1002, 429])
async def test_polling_pauses_after_too_many_requests(code: int) -> None:
    gateway, _ = connect("minimax", refuses(code) if code > 999 else says(code), task("Processing"))
    await gateway.observe(MODELS["minimax/hailuo-02"], "r1")
    assert 5 < gateway.retry_after <= 6
