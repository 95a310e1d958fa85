"""What the responses to a poll mean: each form that the documents print, and those only known from practice."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from hailuo_mcp.core.errors import GatewayError, GatewayTimeout, HailuoError, NetworkError, UnknownRequest
from hailuo_mcp.core.job import Observation, State
from hailuo_mcp.gateways.client import RetryPolicy
from tests.gateways.wire import (
    A_MODEL_OF,
    ATTEMPTS,
    GATEWAYS,
    KEY,
    MODELS,
    QUICK,
    Script,
    Step,
    breaks,
    connect,
    hangs,
    says,
    says_text,
)

CLIP = "https://cdn.example/clip.mp4?sig=a%2Fb"
INLINE = "data:video/mp4;base64,AAAA"


async def poll(name: str, *steps: Step, retry: RetryPolicy = QUICK) -> tuple[Observation, Script]:
    gateway, script = connect(name, *steps, retry=retry)
    return await gateway.poll(MODELS[A_MODEL_OF[name]], "r1"), script


# --- Segmind ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "state"),
    [("QUEUED", State.QUEUED), ("queued", State.QUEUED), ("PROCESSING", State.PROCESSING)],
)
async def test_segmind_unfinished_needs_one_request_and_costs_nothing_yet(word: str, state: State) -> None:
    seen, script = await poll("segmind", says(200, {"status": word, "request_id": "r1", "metrics": {"cost": 0}}))
    assert seen == Observation(state=state)
    assert script.asked == ["GET /v2/requests/r1/status"]


async def test_segmind_completed_fetches_the_result_with_its_cost_and_time() -> None:
    metrics = {"inference_time": 71.5, "cost": 0.125, "remaining_credits": 4, "queue_time": 1.5, "total_time": 73}
    result = {"status": "COMPLETED", "error": None, "output": CLIP, "metrics": metrics}
    seen, script = await poll("segmind", says(200, {"status": "COMPLETED", "request_id": "r1"}), says(200, result))
    assert seen == Observation(state=State.COMPLETED, video_url=CLIP, cost_usd=0.125, took_seconds=73)
    assert script.asked == ["GET /v2/requests/r1/status", "GET /v2/requests/r1"]


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
async def test_segmind_output_may_be_a_string_a_list_an_object_or_the_clip_itself(
    output: Any, link: str | None
) -> None:
    done = says(200, {"status": "COMPLETED"})
    seen, _ = await poll("segmind", done, says(200, {"status": "COMPLETED", "output": output}))
    assert (seen.state, seen.video_url) == (State.COMPLETED, link)


async def test_segmind_completed_without_output_or_status_is_completed_without_a_link() -> None:
    seen, _ = await poll("segmind", says(200, {"status": "COMPLETED"}), says(200, {"metrics": None}))
    assert seen == Observation(state=State.COMPLETED)


@pytest.mark.parametrize("status", [422, 200])
async def test_segmind_failed_is_a_job_that_failed_not_a_refusal(status: int) -> None:
    body = {"status": "FAILED", "error": "GPU lost", "metrics": {"cost": 0.1}, "request_id": "r1"}
    seen, script = await poll("segmind", says(status, body))
    assert seen.state is State.FAILED
    assert seen.error
    assert (seen.error.code, seen.error.charged, seen.error.safe_to_retry) == ("gateway_error", "no", True)
    assert "GPU lost" in seen.error.message
    assert seen.cost_usd is None
    assert len(script.requests) == 1


async def test_segmind_a_content_block_differs_from_other_failures() -> None:
    seen, _ = await poll("segmind", says(422, {"status": "FAILED", "error": "Blocked by RAI content filter"}))
    assert seen.error
    assert (seen.error.code, seen.error.safe_to_retry) == ("content_violation", False)
    assert "prompt" in seen.error.hint


async def test_segmind_a_failure_without_reason_says_so() -> None:
    seen, _ = await poll("segmind", says(422, {"status": "FAILED", "error": None}))
    assert seen.error
    assert "no reason given" in seen.error.message


async def test_segmind_a_result_that_failed_outranks_a_status_that_completed() -> None:
    failed = says(422, {"status": "FAILED", "error": "late"})
    seen, _ = await poll("segmind", says(200, {"status": "COMPLETED"}), failed)
    assert (seen.state, seen.video_url) == (State.FAILED, None)


async def test_segmind_a_result_from_a_lagging_replica_is_not_yet_completed() -> None:
    lagging = says(200, {"status": "PROCESSING"})
    seen, _ = await poll("segmind", says(200, {"status": "COMPLETED"}), lagging)
    assert seen == Observation(state=State.PROCESSING)


async def test_segmind_a_422_without_a_state_is_no_failed_job() -> None:
    with pytest.raises(HailuoError) as refused:
        await poll("segmind", says(422, {"error": "bad id"}))
    assert refused.value.problem.code == "invalid_input"


async def test_segmind_both_requests_of_a_poll_share_one_time_limit() -> None:
    with pytest.raises(GatewayTimeout):
        await poll("segmind", says(200, {"status": "COMPLETED"}), hangs, retry=RetryPolicy(poll_timeout=0.05))


# --- APIXO --------------------------------------------------------------------------------------------------------


def envelope(**data: Any) -> Step:
    return says(200, {"code": 200, "message": "success", "data": {"taskId": "r1", "createTime": 1767965610000, **data}})


@pytest.mark.parametrize(("word", "state"), [("pending", State.QUEUED), ("processing", State.PROCESSING)])
async def test_apixo_unfinished(word: str, state: State) -> None:
    seen, script = await poll("apixo", envelope(state=word))
    assert seen == Observation(state=state)
    assert script.asked == ["GET /api/v1/statusTask/hailuo-2-3-fast?taskId=r1"]


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
async def test_apixo_parses_the_result_twice(result: Any, link: str | None) -> None:
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
async def test_apixo_says_how_long_it_took_in_milliseconds(times: dict[str, Any], took: float | None) -> None:
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
async def test_apixo_fails_under_http_200(failure: dict[str, Any], code: str, words: str) -> None:
    seen, _ = await poll("apixo", envelope(state="failed", **failure))
    assert seen.state is State.FAILED
    assert seen.error
    assert (seen.error.code, seen.error.charged, seen.error.safe_to_retry) == (code, "unknown", False)
    assert seen.error.message == f"APIXO failed the job: {words}"
    assert seen.error.hint


async def test_apixo_404_in_the_body_is_an_unknown_request() -> None:
    with pytest.raises(UnknownRequest):
        await poll("apixo", says(200, {"code": 404, "message": "no such task"}))


async def test_apixo_a_temporary_code_500_in_the_body_is_retried() -> None:
    seen, script = await poll("apixo", says(200, {"code": 500}), says(200, {"code": 503}), envelope(state="pending"))
    assert seen.state is State.QUEUED
    assert len(script.requests) == 3


# --- AI/ML API ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("queued", State.QUEUED),
        ("waiting", State.QUEUED),
        ("generating", State.PROCESSING),
        ("active", State.PROCESSING),
    ],
)
async def test_aimlapi_unfinished(word: str, state: State) -> None:
    usage = {"usage": {"credits_used": 5}}
    seen, script = await poll("aimlapi", says(200, {"id": "r1", "status": word, "video": None, "meta": usage}))
    assert seen == Observation(state=state)
    assert script.asked == ["GET /v2/generate/video/minimax/generation?generation_id=r1"]


@pytest.mark.parametrize("word", ["completed", "complete", "COMPLETED"])
async def test_aimlapi_completed(word: str) -> None:
    usage = {"usage": {"credits_used": 500_000}}
    body = {"id": "r1", "status": word, "video": {"url": CLIP}, "error": None, "meta": usage}
    seen, _ = await poll("aimlapi", says(200, body))
    assert seen == Observation(state=State.COMPLETED, video_url=CLIP, cost_usd=0.25)


async def test_aimlapi_completed_without_video_has_no_link() -> None:
    seen, _ = await poll("aimlapi", says(200, {"status": "completed", "video": None}))
    assert seen == Observation(state=State.COMPLETED)


async def test_aimlapi_a_link_before_the_end_is_an_example_not_a_clip() -> None:
    seen, _ = await poll("aimlapi", says(200, {"status": "queued", "video": {"url": "https://example.com"}}))
    assert seen.video_url is None


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ({"name": "Error", "message": "broken"}, "gateway_error", "Error: broken"),
        ({"name": "", "message": "sensitive content"}, "content_violation", "sensitive content"),
        ("plain words", "gateway_error", "plain words"),
        (None, "gateway_error", "no reason given"),
    ],
)
@pytest.mark.parametrize("word", ["error", "failed"])
async def test_aimlapi_failed(word: str, error: Any, code: str, words: str) -> None:
    seen, _ = await poll("aimlapi", says(200, {"status": word, "error": error}))
    assert seen.error
    assert (seen.state, seen.error.code, seen.error.charged) == (State.FAILED, code, "unknown")
    assert words in seen.error.message


@pytest.mark.parametrize(
    ("usage", "usd"),
    [({"credits_used": 120000, "usd_spent": 0.06}, 0.06), ({"credits_used": 120000}, 0.06), ({"usd_spent": "x"}, None)],
)
@pytest.mark.parametrize("as_list", [True, False])
async def test_aimlapi_h3_reports_what_was_spent_and_may_list_its_clip(
    usage: dict[str, Any], usd: float | None, as_list: bool
) -> None:
    video = {"url": "https://cdn.aimlapi.com/generations/hedgehog/1.mp4"}
    body = {"id": "r1", "status": "completed", "video": [video] if as_list else video, "meta": {"usage": usage}}
    gateway, script = connect("aimlapi", says(200, body))
    seen = await gateway.poll(MODELS["aimlapi/h3-max"], "r1")
    assert (seen.video_url, seen.cost_usd) == (video["url"], usd)
    assert script.asked == ["GET /v2/video/generations?generation_id=r1"]


@pytest.mark.parametrize("model_id", ["aimlapi/hailuo-2.3", "aimlapi/hailuo-2.3-fast"])
async def test_aimlapis_newer_models_are_polled_on_the_unified_route_which_reports_the_cost(model_id: str) -> None:
    usage = {"usage": {"credits_used": 399_000}}
    body = {"id": "r1", "status": "completed", "video": {"url": CLIP}, "error": None, "meta": usage}
    gateway, script = connect("aimlapi", says(200, body))
    seen = await gateway.poll(MODELS[model_id], "r1")
    assert seen == Observation(state=State.COMPLETED, video_url=CLIP, cost_usd=0.1995)
    assert script.asked == ["GET /v2/video/generations?generation_id=r1"]


# --- MiniMax ------------------------------------------------------------------------------------------------------

FILE_ID = 9_007_199_254_740_993
"""More than a floating-point number holds."""


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
async def test_minimax_unfinished_needs_one_request(word: str, state: State) -> None:
    seen, script = await poll("minimax", task(word, file_id=""))
    assert seen == Observation(state=state)
    assert script.asked == ["GET /v1/query/video_generation?task_id=r1"]


@pytest.mark.parametrize("word", ["Success", "success", "SUCCESS"])
@pytest.mark.parametrize("file_id", [FILE_ID, str(FILE_ID), f" {FILE_ID} "])
async def test_minimax_completed_fetches_the_link_of_the_file_and_loses_no_digit(word: str, file_id: object) -> None:
    seen, script = await poll("minimax", task(word, file_id=file_id), file())
    assert seen == Observation(state=State.COMPLETED, video_url=CLIP)
    assert script.asked[1] == f"GET /v1/files/retrieve?file_id={FILE_ID}"


@pytest.mark.parametrize(
    "step",
    [
        *(refuses(code) for code in (1002, 1004, 1008, 1027, 2013, 2049, 9999)),
        *(says(status) for status in (302, 400, 401, 404, 429, 500, 503)),
        *(says_text(200, "<html>"), says(200, []), breaks(httpx.ConnectError), breaks(httpx.ReadError)),
        *(says(200, {"base_resp": _base()}), file(download_url=""), file(download_url=None), says(200, {"file": CLIP})),
    ],
)
async def test_minimax_completed_is_completed_even_if_its_link_cannot_be_fetched(step: Step) -> None:
    seen, _ = await poll("minimax", task("Success", file_id=str(FILE_ID)), step)
    assert seen == Observation(state=State.COMPLETED)


async def test_minimax_completed_is_returned_in_time_even_if_the_file_is_not() -> None:
    retry = RetryPolicy(poll_timeout=0.05)
    seen, script = await poll("minimax", task("Success", file_id="7"), hangs, retry=retry)
    assert (seen, len(script.requests)) == (Observation(state=State.COMPLETED), 2)


NO_FILE: tuple[dict[str, Any], ...] = (
    *({}, {"file_id": ""}, {"file_id": None}, {"file_id": True}, {"file_id": 1.5}, {"file_id": []}),
)


@pytest.mark.parametrize("answer", NO_FILE)
async def test_minimax_completed_without_a_file_fetches_none(answer: dict[str, Any]) -> None:
    seen, script = await poll("minimax", task("Success", **answer))
    assert (seen, len(script.requests)) == (Observation(state=State.COMPLETED), 1)


@pytest.mark.parametrize("word", ["Fail", "Failed", "fail", "FAILED"])
@pytest.mark.parametrize(
    ("code", "message", "meant", "words"),
    [
        (0, "success", "gateway_error", "no reason given"),
        (1027, "output new_sensitive", "content_violation", "1027 output new_sensitive"),
        (1026, "oh", "content_violation", "1026 oh"),
        (1002, "odd", "gateway_error", "1002 odd"),
        (2013, "bad picture", "gateway_error", "2013 bad picture"),
        ("1033", "downstream", "gateway_error", "1033 downstream"),
    ],
)
async def test_minimax_failed_says_why(word: str, code: object, message: str, meant: str, words: str) -> None:
    seen, script = await poll("minimax", task(word, code, message))
    assert seen.error
    assert (seen.state, seen.error.code, seen.error.charged) == (State.FAILED, meant, "unknown")
    assert words in seen.error.message
    assert len(script.requests) == 1


async def test_minimax_sensitive_content_is_a_failed_job_whatever_its_state_is_called() -> None:
    seen, _ = await poll("minimax", task("", 1027, "output new_sensitive"))
    assert seen.error
    assert (seen.state, seen.error.code) == (State.FAILED, "content_violation")


@pytest.mark.parametrize(
    ("code", "meant", "requests"),
    [
        (1002, "rate_limited", ATTEMPTS),
        (1004, "unauthorized", 1),
        (1008, "insufficient_credits", 1),
        (2013, "unknown_request", 1),
        (2049, "unauthorized", 1),
        (1033, "gateway_error", ATTEMPTS),
    ],
)
async def test_minimax_a_code_under_http_200_says_nothing_about_the_job(code: int, meant: str, requests: int) -> None:
    gateway, script = connect("minimax", refuses(code))
    with pytest.raises(HailuoError) as error:
        await gateway.poll(MODELS["minimax/hailuo-02"], "r1")
    assert error.value.problem.code == meant
    assert len(script.requests) == requests


async def test_minimax_a_temporary_code_is_retried() -> None:
    seen, script = await poll("minimax", refuses(1002), refuses(1033), task("Processing"))
    assert (seen.state, len(script.requests)) == (State.PROCESSING, 3)


@pytest.mark.parametrize("code", [1002, 429])
async def test_minimax_is_not_polled_for_a_while_after_too_many_requests(code: int) -> None:
    gateway, _ = connect("minimax", refuses(code) if code > 999 else says(code), task("Processing"))
    await gateway.poll(MODELS["minimax/hailuo-02"], "r1")
    assert 5 < gateway.retry_after <= 6


# --- all ----------------------------------------------------------------------------------------------------------

PROCESSING: dict[str, Any] = {"status": "active", "code": 200, "data": {"state": "processing"}}


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("Finished", '"Finished"'),
        ("Cancelled ", '"Cancelled"'),
        ("", '""'),
        (None, "null"),
        (7, "7"),
        (["x"], "['x']"),
        (f"state {KEY}", '"state ***"'),
        ("\u202ex" * 200, '"x x x'),
    ],
)
@pytest.mark.parametrize("name", sorted(GATEWAYS))
async def test_an_unknown_state_is_processing_with_a_warning_that_names_it(
    name: str, word: Any, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    gateway, _ = connect(name, says(200, {"status": word, "code": 200, "data": {"state": word}}))
    seen = await gateway.observe(MODELS[A_MODEL_OF[name]], "r1")
    assert seen.state is State.PROCESSING
    (warning,) = seen.warnings
    assert f"unknown state {shown}" in warning
    assert len(warning) < 200
    assert warning in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("name", "body", "state"),
    [
        ("segmind", {"status": " processing\n"}, State.PROCESSING),
        ("segmind", {"status": "Failed "}, State.FAILED),
        ("apixo", {"data": {"state": "FAILED  "}}, State.FAILED),
        ("aimlapi", {"status": "Completed "}, State.COMPLETED),
        ("minimax", {"status": "Fail ", "base_resp": {"status_code": 1033}}, State.FAILED),
        ("minimax", {"status": "PREPARING "}, State.QUEUED),
    ],
)
async def test_blanks_and_case_of_a_documented_state_do_not_matter(
    name: str, body: dict[str, Any], state: State
) -> None:
    gateway, _ = connect(name, says(200, body))
    seen = await gateway.observe(MODELS[A_MODEL_OF[name]], "r1")
    assert (seen.state, seen.warnings) == (state, ())


@pytest.mark.parametrize(
    ("name", "body", "quoted"),
    [
        ("segmind", {"error": "Insufficient credits"}, "200: Insufficient credits"),
        ("apixo", {"code": 6001, "message": "plan ended"}, "200: 6001 plan ended"),
        ("aimlapi", {"error": {"name": "QuotaError", "message": "quota"}}, "200: QuotaError quota"),
    ],
)
async def test_a_poll_without_a_state_quotes_what_the_gateway_says(
    name: str, body: dict[str, Any], quoted: str
) -> None:
    gateway, _ = connect(name, says(200, body))
    seen = await gateway.observe(MODELS[A_MODEL_OF[name]], "r1")
    assert seen.state is State.PROCESSING
    assert f"({quoted})" in seen.warnings[0]


@pytest.mark.parametrize("length", [2049, 3_000_000])
async def test_a_link_that_is_too_long_is_no_link(length: int) -> None:
    long = "https://cdn.example/".ljust(length, "x")
    gateway, _ = connect("segmind", says(200, {"status": "COMPLETED", "output": long}))
    seen = await gateway.observe(MODELS[A_MODEL_OF["segmind"]], "r1")
    assert (seen.state, seen.video_url) == (State.COMPLETED, None)
    (warning,) = seen.warnings
    assert f"a link of {length:,} characters" in warning
    assert len(warning) < 200


async def test_the_longest_link_is_one_and_a_link_with_hidden_characters_is_not() -> None:
    longest = "https://cdn.example/".ljust(2048, "x")
    for output, link in ((longest, longest), ("https://cdn.example/\u202e4pm", None), ([longest + "x", CLIP], CLIP)):
        gateway, _ = connect("segmind", says(200, {"status": "COMPLETED", "output": output}))
        assert (await gateway.observe(MODELS[A_MODEL_OF["segmind"]], "r1")).video_url == link


ECHOES: tuple[Callable[[str], str], ...] = (
    str,
    lambda key: key.replace("-", "%2D"),
    lambda key: b64encode(key.encode()).decode(),
    lambda key: key.encode().hex(),
)


@pytest.mark.parametrize("write", ECHOES)
@pytest.mark.parametrize("name", sorted(GATEWAYS))
async def test_an_echo_of_the_key_is_masked_however_it_is_written(name: str, write: Callable[[str], str]) -> None:
    echo = write(KEY)
    body = {"error": f"bad {echo}", "message": f"bad {echo}", "code": f"x{echo}", "status": [echo]}
    gateway, _ = connect(name, says(400, body))
    with pytest.raises(HailuoError) as refused:
        await gateway.poll(MODELS[A_MODEL_OF[name]], "r1")
    gateway, _ = connect(name, says(200, {**body, "status": echo, "data": {"state": [echo]}}))
    seen = await gateway.observe(MODELS[A_MODEL_OF[name]], "r1")
    for text in (refused.value.problem.message, *seen.warnings):
        assert "***" in text
        assert echo[6:-2] not in text


async def test_a_link_with_the_key_is_marked() -> None:
    for link, marked in ((CLIP, False), (f"{CLIP}&key={KEY.replace('-', '%2d')}", True)):
        gateway, _ = connect("segmind", says(200, {"status": "COMPLETED", "output": link}))
        assert (await gateway.observe(MODELS[A_MODEL_OF["segmind"]], "r1")).has_secret_link is marked


async def test_a_code_under_http_200_is_quoted_without_a_status_that_was_not_sent() -> None:
    for code, kind in ((1033, "gateway_error"), (2056, "insufficient_credits"), (1002, "rate_limited")):
        gateway, _ = connect("minimax", says(200, {"base_resp": {"status_code": code, "status_msg": "Not so"}}))
        with pytest.raises(HailuoError) as error:
            await gateway.poll(MODELS["minimax/hailuo-02"], "r1")
        assert error.value.problem.code == kind
        assert f"(200: {code} Not so)" in error.value.problem.message


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("name", sorted(GATEWAYS))
async def test_a_poll_survives_temporary_errors(name: str, status: int) -> None:
    seen, script = await poll(
        name, says(status), breaks(httpx.ReadError), says_text(502, "<html>"), says(200, PROCESSING)
    )
    assert seen.state is State.PROCESSING
    assert len(script.requests) == 4


@pytest.mark.parametrize(
    ("status", "code", "safe", "requests"),
    [
        (302, "gateway_error", True, 1),
        (400, "invalid_input", False, 1),
        (401, "unauthorized", False, 1),
        (404, "unknown_request", False, 1),
        (429, "rate_limited", True, ATTEMPTS),
        (500, "gateway_error", True, ATTEMPTS),
        (503, "gateway_error", True, ATTEMPTS),
        (504, "gateway_timeout", True, ATTEMPTS),
    ],
)
@pytest.mark.parametrize("name", sorted(GATEWAYS))
async def test_a_failed_poll_says_nothing_about_the_job(
    name: str, status: int, code: str, safe: bool, requests: int
) -> None:
    gateway, script = connect(name, says(status, {"error": "x"}))
    with pytest.raises(HailuoError) as error:
        await gateway.poll(MODELS[A_MODEL_OF[name]], "r1")
    assert (error.value.problem.code, error.value.problem.safe_to_retry) == (code, safe)
    assert len(script.requests) == requests


@pytest.mark.parametrize("name", sorted(GATEWAYS))
async def test_a_poll_without_a_connection_is_a_network_error(name: str) -> None:
    gateway, script = connect(name, breaks(httpx.ConnectError))
    with pytest.raises(NetworkError):
        await gateway.poll(MODELS[A_MODEL_OF[name]], "r1")
    assert len(script.requests) == ATTEMPTS


@pytest.mark.parametrize("step", [says_text(200, "<html>"), says(200, []), says_text(200, "{"), says_text(204, "")])
@pytest.mark.parametrize("name", sorted(GATEWAYS))
async def test_a_poll_answered_without_a_json_object_is_a_gateway_error(name: str, step: Step) -> None:
    with pytest.raises(GatewayError, match="not a JSON object"):
        await poll(name, step)


@pytest.mark.parametrize("name", sorted(GATEWAYS))
async def test_the_marker_header_marks_what_was_seen(name: str) -> None:
    seen, _ = await poll(name, says(200, PROCESSING, {"x-hailuo-sandbox": "1"}))
    assert seen.sandbox
