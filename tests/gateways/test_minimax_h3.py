"""MiniMax's second API, for H3: the exact requests, and how its responses are parsed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from hailuo_mcp.core.errors import (
    ContentViolation,
    GatewayError,
    GatewayTimeout,
    HailuoError,
    InsufficientCredits,
    InvalidInput,
    RateLimited,
    Unauthorized,
    Unconfirmed,
    UnknownRequest,
)
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import minimax_h3
from hailuo_mcp.gateways.client import RetryPolicy
from tests.core.models import MODELS
from tests.gateways.wire import CLIP, IMAGE, after, body_of, breaks, connect, lost_job, rejected, says, spec

SUBMIT, QUERY = "/v2/video_generation", "/v2/query/video_generation"
TEXT = {"type": "text", "text": "a cat [Push in]"}


def refused(status: int, kind: str, message: str) -> Any:
    error = {"type": kind, "message": message, "http_code": str(status)}
    return says(status, {"type": "error", "error": error, "request_id": "r"})


def item(kind: str, role: str, url: str) -> dict[str, Any]:
    return {"type": kind, kind: {"url": url}, "role": role}


@pytest.mark.parametrize(
    ("model", "given", "body"),
    [
        (
            "minimax/h3",
            {"duration": "4"},
            {"model": "MiniMax-H3", "content": [TEXT], "duration": 4, "resolution": "768P", "ratio": "16:9"},
        ),
        (
            "minimax/h3",
            {"first_frame_image": IMAGE, "last_frame_image": "mm_file://7", "resolution": "2K"},
            {
                "model": "MiniMax-H3",
                "content": [
                    TEXT,
                    item("image_url", "first_frame", IMAGE),
                    item("image_url", "last_frame", "mm_file://7"),
                ],
                "duration": 5,
                "resolution": "2K",
                "ratio": "adaptive",
            },
        ),
        (
            "minimax/h3-max",
            {
                "reference_images": [IMAGE, IMAGE + "?2"],
                "reference_videos": ["https://h/x.mp4"],
                "reference_audios": ["https://h/x.mp3"],
                "resolution": "480p",
                "aspect_ratio": "9:16",
                "prompt_expansion": "Quality",
                "callback_url": "https://me.example/hook",
            },
            {
                "model": "MiniMax-H3-Max",
                "content": [
                    TEXT,
                    item("image_url", "reference_image", IMAGE),
                    item("image_url", "reference_image", IMAGE + "?2"),
                    item("video_url", "reference_video", "https://h/x.mp4"),
                    item("audio_url", "reference_audio", "https://h/x.mp3"),
                ],
                "duration": 5,
                "resolution": "480P",
                "ratio": "9:16",
                "callback_url": "https://me.example/hook",
                "extra": {"prompt_expansion_mode": "quality"},
            },
        ),
    ],
)
async def test_a_submission_is_a_list_of_content_items(model: str, given: dict[str, Any], body: dict[str, Any]) -> None:
    gateway, script = connect("minimax", says(200, {"task_id": "t1"}))
    submission = await gateway.submit(spec(model, **given), 10)
    assert (submission.remote_id, script.requested) == ("t1", [f"POST {SUBMIT}"])
    assert body_of(script.requests[0]) == body


async def test_s2v_is_sent_to_the_first_api_without_duration_or_resolution() -> None:
    gateway, script = connect("minimax", says(200, {"task_id": "7", "base_resp": {"status_code": 0}}))
    await gateway.submit(spec("minimax/s2v-01"), 10)
    assert script.requested == ["POST /v1/video_generation"]
    subject = [{"type": "character", "image": [IMAGE]}]
    assert body_of(script.requests[0]) == {"model": "S2V-01", "prompt": "a cat [Push in]", "subject_reference": subject}


@pytest.mark.parametrize(
    ("status", "kind", "message", "error"),
    [
        (400, "bad_request_error", "invalid params (2013)", InvalidInput),
        (401, "authorized_error", "invalid api key (2049)", Unauthorized),
        (402, "insufficient_balance_error", "insufficient balance (1008)", InsufficientCredits),
        (422, "unprocessable_entity_error", "input new_sensitive (1026)", ContentViolation),
        (429, "rate_limit_error", "rate limit (1002)", RateLimited),
        (500, "server_error", "unknown error (1000)", Unconfirmed),
        (529, "overloaded_error", "overloaded", Unconfirmed),
    ],
)
async def test_the_status_determines_the_error_of_a_submission(
    status: int, kind: str, message: str, error: type[HailuoError]
) -> None:
    problem, script = await rejected("minimax", refused(status, kind, message), model="minimax/h3", seconds=2)
    assert problem.code == error.code
    if error is not Unconfirmed:
        assert f"({status}: {message})" in problem.message
        assert problem.charged == "no"
    if status != 429:
        assert script.posts == 1


def task(status: str, **more: Any) -> dict[str, Any]:
    created = int(datetime(2026, 11, 21, 12, 0, 3, tzinfo=UTC).timestamp())
    facts = {"model": "MiniMax-H3", "resolution": "768P", "duration": 5, "ratio": "16:9", "created_at": created}
    return {"id": "t1", "status": status, **facts, **more}


USED = {"output_seconds": 5, "input_seconds": 4.2, "input_image_count": 7}


@pytest.mark.parametrize(
    ("found", "state", "cost"),
    [
        (task("queued"), State.QUEUED, None),
        (task("running"), State.PROCESSING, None),
        (task("succeeded", content={"url": CLIP}, usage={"output_seconds": 5}), State.COMPLETED, 0.4),
        (task("succeeded", content={"url": CLIP}, usage=USED), State.COMPLETED, 0.88),
        (task("succeeded", content={"url": CLIP}), State.COMPLETED, None),
        (task("failed", error={"code": "1000", "message": "no luck"}), State.FAILED, None),
        (task("expired"), State.FAILED, None),
        (task("cancelled"), State.CANCELLED, None),
        (task("paused"), State.PROCESSING, None),
    ],
)
async def test_a_task_has_a_state_a_link_and_an_exact_price(
    found: dict[str, Any], state: State, cost: float | None
) -> None:
    gateway, script = connect("minimax", says(200, {"task": found}))
    seen = await gateway.observe(MODELS["minimax/h3"], "t/1")
    assert script.requested == [f"GET {QUERY}/t%2F1"]
    assert (seen.state, seen.cost_usd) == (state, cost)
    assert seen.video_url == (CLIP if state is State.COMPLETED else None)


async def test_sensitive_output_is_a_content_violation_and_an_old_task_is_unknown() -> None:
    failed = says(200, {"task": task("failed", error={"code": "1027", "message": "output new_sensitive"})})
    gateway, _ = connect("minimax", failed, refused(400, "bad_request_error", "invalid task_id (2013)"))
    seen = await gateway.observe(MODELS["minimax/h3"], "t1")
    assert seen.error
    assert (seen.error.code, "1027; output new_sensitive" in seen.error.message) == ("content_violation", True)
    with pytest.raises(UnknownRequest):
        await gateway.observe(MODELS["minimax/h3"], "t1")


# --- lost submissions -------------------------------------------------------------------------------------------------

SENT: ModelSpec = spec("minimax/h3")


def _noon_plus(seconds: float) -> int:
    return int((datetime(2026, 11, 21, 12, 0, tzinfo=UTC) + timedelta(seconds=seconds)).timestamp())


@pytest.mark.parametrize(
    ("tasks", "found"),
    [
        ([task("running")], "t1"),
        ([task("running", created_at="2026-11-21T12:00:20Z")], "t1"),
        ([task("running", created_at=_noon_plus(20) * 1000)], "t1"),
        ([task("running"), task("queued", id="taken")], "t1"),
        ([task("running"), task("running")], "t1"),
        ([], None),
        ([task("running"), task("queued", id="t2")], None),
        ([task("running", created_at=_noon_plus(120))], None),
        ([task("running", created_at=None)], None),
        ([task("running", duration=6)], None),
        ([task("running", resolution="2K")], None),
        ([task("running", ratio="9:16")], None),
        ([task("running", model="MiniMax-H3-Max")], None),
        ([task("running", id="a\nb")], None),
    ],
)
async def test_a_lost_submission_is_the_only_matching_task_without_a_job(
    tasks: list[dict[str, Any]], found: str | None
) -> None:
    gateway, script = connect("minimax", says(200, {"items": tasks}))
    match = await gateway.recover(lost_job(SENT, gateway), frozenset({"taken"}))
    assert (match[0] if match else None) == found
    assert script.requested == [f"GET {QUERY}?page_num=1&page_size=100&filter.model=MiniMax-H3"]


async def test_a_history_that_is_too_long_or_fails_is_an_error() -> None:
    full = says(200, {"items": [task("running", id=f"t{n}", duration=9) for n in range(100)]})
    gateway, script = connect("minimax", full)
    with pytest.raises(GatewayError, match="too many rows"):
        await gateway.recover(lost_job(SENT, gateway), frozenset())
    assert len(script.requests) == 5
    gateway, _ = connect("minimax", refused(500, "server_error", "unknown error (1000)"))
    with pytest.raises(GatewayError):
        await gateway.recover(lost_job(SENT, gateway), frozenset())
    older = says(200, {"items": [task("running", created_at=_noon_plus(-300))] * 100})
    gateway, script = connect("minimax", older)
    assert await gateway.recover(lost_job(SENT, gateway), frozenset()) is None
    assert len(script.requests) == 1


async def test_a_search_of_the_history_has_one_time_limit() -> None:
    full = says(200, {"items": [task("running", duration=9)] * 100})
    gateway, _ = connect("minimax", after(0.04, full), retry=RetryPolicy(poll_timeout=0.1))
    with pytest.raises(GatewayTimeout):
        await gateway.recover(lost_job(SENT, gateway), frozenset())


async def test_only_h3_has_a_history_and_can_be_cancelled() -> None:
    gateway, script = connect("minimax", says(200, {"items": [task("succeeded", content={"url": CLIP})]}))
    assert [gateway.keeps_history(m) for m in ("minimax/h3", "minimax/hailuo-02")] == [True, False]
    assert [gateway.cancels(m) for m in ("minimax/h3-max", "minimax/s2v-01")] == [True, False]
    older = lost_job(spec("minimax/hailuo-02"), gateway)
    assert await gateway.recover(older, frozenset()) is None
    assert await gateway.recall(older) is None
    assert not script.requests
    seen = await gateway.recall(lost_job(SENT, gateway, remote_id="t1"))
    assert seen
    assert (seen.state, seen.video_url) == (State.COMPLETED, CLIP)
    assert script.requested == [f"GET {QUERY}?page_num=1&page_size=100&filter.task_ids=t1"]


# --- cancelling -------------------------------------------------------------------------------------------------------


def _queued(**more: Any) -> Job:
    known: dict[str, Any] = {
        "model": "minimax/h3",
        "origin": "https://api.minimax.io",
        "state": State.QUEUED,
        "remote_id": "t1",
    }
    return Job(**known | more)


async def test_a_queued_task_is_cancelled_by_one_request() -> None:
    gateway, script = connect("minimax", says(200, {"task_id": "t1", "action": "cancel", "status": "cancelled"}))
    seen = await gateway.stop(_queued())
    assert seen
    assert seen.state is State.CANCELLED
    assert script.requested == [f"DELETE {SUBMIT}/t1"]


@pytest.mark.parametrize(
    "state", [State.PROCESSING, State.COMPLETED, State.FAILED, State.EXPIRED, State.CANCELLED, State.UNCONFIRMED]
)
async def test_a_task_in_any_other_state_is_never_deleted(state: State) -> None:
    gateway, script = connect("minimax", says(200, {"action": "delete"}))
    assert await gateway.stop(_queued(state=state)) is None
    assert await gateway.stop(_queued(model="minimax/hailuo-2.3")) is None
    assert not script.requests


async def test_a_running_task_is_not_cancelled_and_a_lost_response_is_not_retried() -> None:
    gateway, _ = connect("minimax", refused(400, "bad_request_error", "a running task cannot be cancelled (2013)"))
    assert await gateway.stop(_queued()) is None
    gateway, script = connect("minimax", breaks(httpx.ReadError))
    with pytest.raises(GatewayError, match="next poll shows"):
        await gateway.stop(_queued())
    assert len(script.requests) == 1


def test_an_invalid_creation_time_is_none() -> None:
    values: tuple[object, ...] = (None, True, "soon", "9" * 40, 1e300, [], -1)
    for value in values:
        assert minimax_h3.created_at({"created_at": value}) is None
