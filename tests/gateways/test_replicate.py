"""Replicate's protocol: predictions, their list as a history, cancelling, files and signed webhooks."""

import base64
import hashlib
import hmac
from typing import Any

import pytest

from hailuo_mcp.core.errors import UnknownRequest
from hailuo_mcp.core.job import Job, State
from tests.core.models import MODELS
from tests.gateways.wire import IMAGE, KEY, body_of, connect, lost_job, says, spec

ID = "gm3qorzdhgbfurvjtvhg6dckhu"
CLIP = "https://replicate.delivery/xezq/clip.mp4"
MODEL = MODELS["replicate/hailuo-02"]


def prediction(status: str, **fields: Any) -> dict[str, Any]:
    url = f"https://api.replicate.com/v1/predictions/{ID}"
    facts: dict[str, Any] = {"id": ID, "model": "minimax/hailuo-02", "version": "hidden", "input": {}, "logs": ""}
    facts |= {"output": None, "error": None, "status": status, "created_at": "2026-11-21T12:00:00.5Z"}
    return {**facts, "urls": {"get": url, "cancel": f"{url}/cancel"}, **fields}


async def test_a_submission_is_a_prediction_of_the_official_model() -> None:
    gateway, script = connect("replicate", says(201, prediction("starting")))
    arguments = {"first_frame_image": IMAGE, "resolution": "768P", "callback_url": "https://me.example/x"}
    submission = await gateway.submit(spec("replicate/hailuo-02", **arguments), 5)
    assert submission.remote_id == ID
    (request,) = script.requests
    assert str(request.url) == "https://api.replicate.com/v1/models/minimax/hailuo-02/predictions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert body_of(request) == {
        "input": {
            "prompt": "a cat [Push in]",
            "first_frame_image": IMAGE,
            "duration": 6,
            "resolution": "768p",
            "prompt_optimizer": True,
        },
        "webhook": "https://me.example/x",
        "webhook_events_filter": ["completed"],
    }


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (prediction("starting"), State.QUEUED),
        (prediction("processing"), State.PROCESSING),
        (prediction("succeeded", output=CLIP, completed_at="2026-11-21T12:02:00.5Z"), State.COMPLETED),
        (prediction("succeeded", output=[CLIP]), State.COMPLETED),
        (prediction("failed", error="E005: flagged as sensitive"), State.FAILED),
        (prediction("canceled"), State.CANCELLED),
        (prediction("aborted"), State.CANCELLED),
    ],
)
async def test_each_state_is_mapped(answer: dict[str, Any], state: State) -> None:
    gateway, script = connect("replicate", says(200, answer))
    seen = await gateway.observe(MODEL, ID)
    assert seen.state is state
    assert seen.video_url == (CLIP if state is State.COMPLETED else None)
    assert seen.took_seconds == (120 if "completed_at" in answer else None)
    assert (seen.error and seen.error.code) == ("content_violation" if state is State.FAILED else None)
    assert script.requested == [f"GET /v1/predictions/{ID}"]


async def test_a_prediction_whose_output_was_removed_is_unknown() -> None:
    gateway, _ = connect("replicate", says(200, prediction("succeeded", data_removed=True)))
    with pytest.raises(UnknownRequest):
        await gateway.observe(MODEL, ID)


@pytest.mark.parametrize("status", ["canceled", "processing"])
async def test_cancelling_returns_the_prediction(status: str) -> None:
    gateway, script = connect("replicate", says(200, prediction(status)))
    seen = await gateway.stop(Job(model=MODEL.id, origin=gateway.origin, remote_id=ID))
    assert seen
    assert seen.state is (State.CANCELLED if status == "canceled" else State.PROCESSING)
    assert script.requested == [f"POST /v1/predictions/{ID}/cancel"]


SENT = spec("replicate/hailuo-02", first_frame_image=IMAGE)


def row(**fields: Any) -> dict[str, Any]:
    facts = {"id": "p1", "input": SENT.to_body()["input"], "created_at": "2026-11-21T12:00:20Z"}
    return prediction("processing", **{**facts, **fields})


async def test_a_lost_submission_is_found_by_model_input_and_time_on_any_page() -> None:
    next_url = "https://evil.example/v1/predictions?cursor=abc"
    pages = (says(200, {"results": [row(model="x/y")], "next": next_url}), says(200, {"results": [row()]}))
    gateway, script = connect("replicate", *pages)
    found = await gateway.recover(lost_job(SENT, gateway), frozenset())
    assert found
    assert (found[0], found[1].state) == ("p1", State.PROCESSING)
    first, second = script.requests
    assert "created_after" in first.url.params
    assert str(second.url) == "https://api.replicate.com/v1/predictions?cursor=abc"


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(input={})],
        [row(created_at="2026-11-21T13:00:00Z")],
        [row(model="minimax/hailuo-2.3")],
        [row(), row(id="p2")],
        [row(id="taken")],
    ],
)
async def test_a_different_or_ambiguous_row_is_not_a_match(rows: list[dict[str, Any]]) -> None:
    gateway, _ = connect("replicate", says(200, {"results": rows, "next": None}))
    assert await gateway.recover(lost_job(SENT, gateway), frozenset({"taken"})) is None


async def test_a_webhook_is_genuine_only_with_a_signature_of_the_account() -> None:
    secret = b"0123456789abcdef"
    gateway, script = connect("replicate", says(200, {"key": f"whsec_{base64.b64encode(secret).decode()}"}))
    body = b'{"id": "p1"}'

    def headers(content: bytes) -> dict[str, str]:
        digest = hmac.digest(secret, b"msg_1.1700000000." + content, hashlib.sha256)
        signature = f"v1,bm90IGl0 v1,{base64.b64encode(digest).decode()}"
        return {"webhook-id": "msg_1", "webhook-timestamp": "1700000000", "webhook-signature": signature}

    assert await gateway.is_genuine(headers(body), body)
    assert not await gateway.is_genuine(headers(b"another"), body)
    assert not await gateway.is_genuine({"webhook-signature": "v1,?"}, body)
    assert script.requested == ["GET /v1/webhooks/default/secret"]
