"""fal's protocol: how parameters select the endpoint, the queue, its history, cancelling, uploads and webhooks."""

import base64
import hashlib
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hailuo_mcp.core.errors import GatewayError, HailuoError, UnknownRequest
from hailuo_mcp.core.job import Job, State
from tests.core.models import MODELS
from tests.gateways.wire import IMAGE, KEY, Step, body_of, connect, lost_job, rejected, says, says_text, spec

ID = "fal-ai/minimax/764cabcf"
CLIP = "https://v3.fal.media/files/clip.mp4"
HAILUO = MODELS["fal/hailuo-2.3"]
LAST = "https://example.com/last.png"


@pytest.mark.parametrize(
    ("model", "arguments", "endpoint", "body"),
    [
        ("2.3", {}, "2.3/standard/text-to-video", {"duration": "6"}),
        ("2.3", {"duration": 10}, "2.3/standard/text-to-video", {"duration": "10"}),
        ("2.3", {"resolution": "1080p"}, "2.3/pro/text-to-video", {}),
        (
            "2.3",
            {"first_frame_image": IMAGE},
            "2.3/standard/image-to-video",
            {"duration": "6", "image_url": IMAGE},
        ),
        ("2.3-fast", {}, "2.3-fast/standard/image-to-video", {"duration": "6", "image_url": IMAGE}),
        ("2.3-fast", {"resolution": "1080p"}, "2.3-fast/pro/image-to-video", {"image_url": IMAGE}),
        ("02", {}, "02/standard/text-to-video", {"duration": "6"}),
        (
            "02",
            {"first_frame_image": IMAGE, "last_frame_image": LAST, "duration": 10},
            "02/standard/image-to-video",
            {"duration": "10", "resolution": "768P", "image_url": IMAGE, "end_image_url": LAST},
        ),
        (
            "02",
            {"first_frame_image": IMAGE, "resolution": "512p"},
            "02/standard/image-to-video",
            {"duration": "6", "resolution": "512P", "image_url": IMAGE},
        ),
        ("02", {"resolution": "1080p"}, "02/pro/text-to-video", {}),
    ],
)
async def test_parameters_select_the_endpoint(
    model: str, arguments: dict[str, Any], endpoint: str, body: dict[str, Any]
) -> None:
    gateway, script = connect("fal", says(200, {"request_id": "764cabcf"}))
    await gateway.submit(spec(f"fal/hailuo-{model}", **arguments), 5)
    (request,) = script.requests
    assert str(request.url) == f"https://queue.fal.run/fal-ai/minimax/hailuo-{endpoint}"
    assert (request.headers["authorization"], request.headers["x-fal-no-retry"]) == (f"Key {KEY}", "1")
    assert body_of(request) == {"prompt": "a cat [Push in]", "prompt_optimizer": True, **body}


@pytest.mark.parametrize("model", ["h3", "h3-max"])
@pytest.mark.parametrize(
    ("arguments", "source", "body"),
    [
        ({}, "text", {"resolution": "768P", "aspect_ratio": "16:9"}),
        (
            {"aspect_ratio": "9:16", "duration": 15, "resolution": "480p", "seed": 7, "prompt_expansion": "disabled"},
            "text",
            {
                "duration": 15,
                "resolution": "480P",
                "aspect_ratio": "9:16",
                "seed": 7,
                "prompt_expansion_mode": "disabled",
            },
        ),
        ({"first_frame_image": IMAGE}, "image", {"image_url": IMAGE}),
        (
            {"first_frame_image": IMAGE, "last_frame_image": LAST, "aspect_ratio": "adaptive"},
            "image",
            {"image_url": IMAGE, "end_image_url": LAST},
        ),
        ({"reference_images": [IMAGE, LAST]}, "reference", {"reference_image_urls": [IMAGE, LAST]}),
        (
            {"reference_videos": [LAST], "reference_audios": [LAST], "aspect_ratio": "1:1"},
            "reference",
            {"reference_video_urls": [LAST], "reference_audio_urls": [LAST], "aspect_ratio": "1:1"},
        ),
    ],
)
async def test_inputs_of_h3_select_the_endpoint(
    model: str, arguments: dict[str, Any], source: str, body: dict[str, Any]
) -> None:
    answer = {"request_id": "764cabcf", "status_url": f"https://queue.fal.run/minimax/{model}/requests/764cabcf/status"}
    gateway, script = connect("fal", says(200, answer))
    submission = await gateway.submit(spec(f"fal/{model}", **arguments), 5)
    assert submission.remote_id == f"minimax/{model}/764cabcf"
    (request,) = script.requests
    assert str(request.url) == f"https://queue.fal.run/minimax/{model}/{source}-to-video"
    assert request.headers["x-fal-no-retry"] == "1"
    assert body_of(request) == {"prompt": "a cat [Push in]", "duration": 5, "resolution": "768P", **body}


@pytest.mark.parametrize(
    ("model", "arguments", "price"),
    [
        ("h3", {}, 0.30),
        ("h3", {"resolution": "4k", "duration": 15}, 2.40),
        ("h3", {"reference_images": [f"{IMAGE}?{n}" for n in range(7)]}, 0.46),
        ("h3", {"reference_videos": [IMAGE]}, None),
        ("h3-max", {"resolution": "480p", "duration": 10}, 0.50),
        ("h3-max", {"reference_images": [IMAGE]}, None),  # by pixels, which a URL does not reveal
    ],
)
def test_the_price_is_estimated_where_it_is_known(model: str, arguments: dict[str, Any], price: float | None) -> None:
    estimate = spec(f"fal/{model}", **arguments).price()
    assert (estimate and estimate.usd) == price


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"last_frame_image": LAST}, "first_frame_image"),
        ({"first_frame_image": IMAGE, "reference_images": [IMAGE]}, "not both"),
        ({"first_frame_image": IMAGE, "aspect_ratio": "16:9"}, "leave aspect_ratio out"),
        ({"aspect_ratio": "adaptive"}, "16:9"),
        ({"reference_audios": [IMAGE]}, "reference_images"),
        ({"duration": 4}, "duration"),
    ],
)
def test_arguments_that_h3_rejects_only_while_rendering_are_refused(arguments: dict[str, Any], hint: str) -> None:
    with pytest.raises(HailuoError) as refused:
        spec("fal/h3", **arguments)
    assert hint in refused.value.problem.hint


async def test_the_webhook_is_a_query_parameter() -> None:
    gateway, script = connect("fal", says(200, {"request_id": "764cabcf"}))
    await gateway.submit(spec("fal/hailuo-2.3", callback_url="https://me.example/x?a=b"), 5)
    assert script.requested[0].endswith("text-to-video?fal_webhook=https%3A%2F%2Fme.example%2Fx%3Fa%3Db")
    assert "callback_url" not in body_of(script.requests[0])


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, {"detail": "User is locked. Reason: Exhausted balance."}, "insufficient_credits"),
        (403, {"detail": "Not allowed"}, "forbidden"),
        (401, {"detail": "No user found"}, "unauthorized"),
        (422, {"detail": [{"loc": ["body"], "msg": "No", "type": "content_policy_violation"}]}, "content_violation"),
        (422, {"detail": [{"loc": ["body", "duration"], "msg": "wrong", "type": "literal_error"}]}, "invalid_input"),
    ],
)
async def test_a_refusal_says_why_and_that_nothing_was_charged(status: int, body: object, code: str) -> None:
    problem, script = await rejected("fal", says(status, body), model="fal/hailuo-2.3")
    assert (problem.code, problem.charged) == (code, "no")
    assert script.posts == 1


async def poll(*steps: Step, remote_id: str = ID) -> tuple[Any, Any]:
    gateway, script = connect("fal", *steps)
    return await gateway.observe(HAILUO, remote_id), script


@pytest.mark.parametrize(("word", "state"), [("IN_QUEUE", State.QUEUED), ("IN_PROGRESS", State.PROCESSING)])
async def test_an_unfinished_job_takes_one_request(word: str, state: State) -> None:
    seen, script = await poll(says(202, {"status": word, "queue_position": 0}))
    assert seen.state is state
    assert script.requested == ["GET /fal-ai/minimax/requests/764cabcf/status"]


async def test_a_finished_job_has_its_clip_and_can_be_polled_by_a_bare_id() -> None:
    seen, script = await poll(
        says(200, {"status": "COMPLETED"}), says(200, {"video": {"url": CLIP}}), remote_id="764cabcf"
    )
    assert (seen.state, seen.video_url) == (State.COMPLETED, CLIP)
    assert script.requested[1] == "GET /fal-ai/minimax/requests/764cabcf"


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([says(200, {"status": "COMPLETED", "error": "Oops", "error_type": "internal_error"})], "gateway_error"),
        (
            [says(200, {"status": "COMPLETED", "error": "No", "error_type": "content_policy_violation"})],
            "content_violation",
        ),
        (
            [
                says(200, {"status": "COMPLETED"}),
                says(422, {"detail": [{"loc": ["body"], "msg": "bad", "type": "content_policy_violation"}]}),
            ],
            "content_violation",
        ),
        (
            [says(200, {"status": "COMPLETED"}), says(422, {"detail": [{"msg": "bad", "type": "value_error"}]})],
            "gateway_error",
        ),
    ],
)
async def test_a_failure_is_a_completed_job_with_an_error(steps: list[Step], code: str) -> None:
    seen, _ = await poll(*steps)
    assert seen.state is State.FAILED
    assert seen.error.code == code


async def test_an_unavailable_result_is_an_error_not_a_failed_job() -> None:
    with pytest.raises(GatewayError):
        await poll(says(200, {"status": "COMPLETED"}), says(500, {"detail": "later"}))
    with pytest.raises(GatewayError, match="not a JSON object"):
        await poll(says(200, {"status": "COMPLETED"}), says_text(422, "<html>"))
    with pytest.raises(UnknownRequest):
        await poll(says(200, {"status": "COMPLETED"}), says(404, {"detail": "gone"}))
    with pytest.raises(UnknownRequest):
        await poll(says(200, {}), remote_id="../x/764cabcf")


# --- cancelling -----------------------------------------------------------------------------------------------------


REQUESTED = says(202, {"status": "CANCELLATION_REQUESTED"})


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([REQUESTED, says(404, {})], State.CANCELLED),
        ([REQUESTED, says(202, {"status": "IN_QUEUE"})], State.CANCELLED),
        ([REQUESTED, says(200, {"status": "COMPLETED", "error": "Request was cancelled"})], State.CANCELLED),
        ([REQUESTED, says(202, {"status": "IN_PROGRESS"})], State.PROCESSING),
        ([says(400, {"status": "ALREADY_COMPLETED"})], None),
        ([says(404, {"status": "NOT_FOUND"})], None),
    ],
)
async def test_a_job_is_cancelled_only_if_it_had_not_started(steps: list[Step], state: State | None) -> None:
    gateway, script = connect("fal", *steps)
    seen = await gateway.stop(Job(model="fal/hailuo-2.3", origin=gateway.origin, remote_id=ID))
    assert (seen and seen.state) == state
    assert script.requested[0] == "PUT /fal-ai/minimax/requests/764cabcf/cancel"


# --- history --------------------------------------------------------------------------------------------------------


SENT = spec("fal/hailuo-2.3", first_frame_image=IMAGE)


def row(**fields: Any) -> dict[str, Any]:
    endpoint = "fal-ai/minimax/hailuo-2.3/standard/image-to-video"
    facts = {"request_id": "r1", "endpoint_id": endpoint, "sent_at": "2026-11-21T12:00:20Z", "ended_at": None}
    return {**facts, "status_code": None, "json_input": SENT.to_body(), "json_output": None, **fields}


async def test_a_lost_submission_is_found_by_endpoint_input_and_time() -> None:
    gateway, script = connect("fal", says(200, {"items": [row()], "next_cursor": None}))
    job = lost_job(SENT, gateway, parameters=SENT.to_dict())
    found = await gateway.recover(job, frozenset())
    assert found
    assert found[0] == "fal-ai/minimax/r1"
    (request,) = script.requests
    assert request.url.host == "api.fal.ai"
    query = dict(request.url.params)
    assert query["endpoint_id"] == row()["endpoint_id"]
    assert query["expand"] == "payloads"


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(json_input={**SENT.to_body(), "prompt": "another"})],
        [row(sent_at="2026-11-21T13:00:00Z")],
        [row(), row(request_id="r2")],
        [row(request_id="taken")],
    ],
)
async def test_a_different_or_ambiguous_row_is_not_a_match(rows: list[dict[str, Any]]) -> None:
    gateway, _ = connect("fal", says(200, {"items": rows}))
    job = lost_job(SENT, gateway, parameters=SENT.to_dict())
    assert await gateway.recover(job, frozenset({"fal-ai/minimax/taken"})) is None


async def test_a_clip_whose_result_is_gone_is_found_in_the_history() -> None:
    output = {"video": {"url": CLIP}}
    gateway, script = connect("fal", says(200, {"items": [row(status_code=200, json_output=output)]}))
    job = lost_job(SENT, gateway, parameters=SENT.to_dict(), remote_id="fal-ai/minimax/r1")
    seen = await gateway.recall(job)
    assert seen
    assert (seen.state, seen.video_url) == (State.COMPLETED, CLIP)
    assert dict(script.requests[0].url.params)["request_id"] == "r1"


# --- webhooks ---------------------------------------------------------------------------------------------------------


async def test_a_webhook_is_genuine_only_with_a_signature_from_fal() -> None:
    key = Ed25519PrivateKey.generate()
    x = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")
    gateway, script = connect("fal", says(200, {"keys": [{"kty": "OKP", "x": x}]}))
    body = b'{"request_id": "764cabcf"}'

    def headers(at: float, content: bytes = body) -> dict[str, str]:
        facts = ["764cabcf", "user", str(int(at))]
        signed = "\n".join([*facts, hashlib.sha256(content).hexdigest()]).encode()
        names = ("request-id", "user-id", "timestamp", "signature")
        return dict(zip([f"x-fal-webhook-{name}" for name in names], [*facts, key.sign(signed).hex()], strict=True))

    assert await gateway.is_genuine(headers(time.time()), body)
    assert not await gateway.is_genuine(headers(time.time() - 3600), body)
    assert not await gateway.is_genuine(headers(time.time(), b"another"), body)
    assert not await gateway.is_genuine({}, body)
    assert [str(request.url) for request in script.requests] == ["https://rest.alpha.fal.ai/.well-known/jwks.json"]
    assert "authorization" not in script.requests[0].headers
