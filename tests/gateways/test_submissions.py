"""What a response to the paid POST means: accepted, certainly refused, or unconfirmed. The POST is sent only once."""

import json
import logging
from typing import Any

import httpx
import pytest

from hailuo_mcp.core.errors import HailuoError
from tests.gateways.wire import (
    A_MODEL_OF,
    ATTEMPTS,
    EVERY_GATEWAY,
    KEY,
    Step,
    breaks,
    connect,
    rejected,
    says,
    says_text,
    spec,
)

TASK = "106916112212032"
FAL, FAL_ID = "https://queue.fal.run", "fal-ai/minimax/764c"
ACCEPTED: dict[str, list[tuple[Step, str]]] = {
    "segmind": [
        (
            says(
                200, {"request_id": "r1", "status": "QUEUED", "poll_url": "u", "status_url": "u", "response_url": "u"}
            ),
            "r1",
        ),
        (says(200, {"request_id": "r1"}), "r1"),
        (says(201, {"request_id": "r/1:é"}), "r/1:é"),
        (says(202, {"request_id": 17}), "17"),
        (says(422, {"status": "FAILED", "request_id": "r1", "error": "blocked"}), "r1"),
    ],
    "apixo": [
        (says(200, {"code": 200, "message": "success", "data": {"taskId": "task_1"}}), "task_1"),
        (says(200, {"data": {"taskId": "task_1"}}), "task_1"),
        (says(200, {"code": "200", "data": {"taskId": " task_1 "}}), "task_1"),
        (says(200, {"code": 0, "data": {"taskId": "task_1"}}), "task_1"),
    ],
    "aimlapi": [
        (says(200, {"generation_id": "222226666699999", "status": "text", "meta": {"usage": {}}}), "222226666699999"),
        (says(201, {"generation_id": "a:b/c"}), "a:b/c"),
        (says(200, {"id": "g1", "status": "queued"}), "g1"),
        (says(200, {"id": 222226666699999}), "222226666699999"),
    ],
    "fal": [
        (says(200, {"status": "IN_QUEUE", "request_id": "764c"}), "fal-ai/minimax/764c"),
        (says(200, {"request_id": "764c", "status_url": f"{FAL}/fal-ai/minimax/requests/764c/status"}), FAL_ID),
        (says(200, {"request_id": "764c", "status_url": f"{FAL}/minimax/v9/requests/764c/status"}), "minimax/v9/764c"),
        (says(200, {"request_id": "764c", "status_url": "https://evil.example/x/y/requests/764c/status"}), FAL_ID),
        (says(200, {"request_id": "764c", "status_url": f"{FAL}/../x/requests/764c/status"}), FAL_ID),
    ],
    "replicate": [
        (says(201, {"id": "gm3qorzdhgbfurvjtvhg6dckhu", "status": "starting"}), "gm3qorzdhgbfurvjtvhg6dckhu"),
        (says(201, {"id": "p1", "status": "succeeded", "error": None}), "p1"),
    ],
    "minimax": [
        (says(200, {"task_id": "106916112212032", "base_resp": {"status_code": 0, "status_msg": "success"}}), TASK),
        (says(200, {"task_id": int(TASK)}), TASK),
        (says(200, {"task_id": TASK, "base_resp": None}), TASK),
        (says_text(200, '{"task_id": 9223372036854775807}', "application/json"), "9223372036854775807"),
        *((says(200, {"task_id": TASK, "base_resp": {"status_code": code}}), TASK) for code in (1002, 1008, 1027, 9)),
    ],
}


@pytest.mark.parametrize(
    ("name", "step", "remote_id"), [(name, step, remote) for name, steps in ACCEPTED.items() for step, remote in steps]
)
async def test_a_response_with_an_id_is_accepted_whatever_else_it_contains(
    name: str, step: Step, remote_id: str
) -> None:
    gateway, script = connect(name, step)
    submission = await gateway.submit(spec(A_MODEL_OF[name]), 5)
    assert (submission.remote_id, submission.sandbox) == (remote_id, False)
    assert script.posts == 1


@EVERY_GATEWAY
async def test_the_sandbox_header_marks_a_job(name: str) -> None:
    body = {"id": "r", "request_id": "r", "generation_id": "r", "data": {"taskId": "r"}, "task_id": "r"}
    gateway, _ = connect(name, says(200, body, {"X-Hailuo-Sandbox": "1"}))
    assert (await gateway.submit(spec(A_MODEL_OF[name]), 5)).sandbox


REFUSALS = {
    400: "invalid_input",
    401: "unauthorized",
    402: "insufficient_credits",
    403: "forbidden",
    404: "model_retired",
    406: "insufficient_credits",
    410: "model_retired",
    413: "invalid_input",
    415: "invalid_input",
    422: "invalid_input",
    429: "rate_limited",
}
BODIES: dict[str, Any] = {
    "segmind": {"error": "Not so"},
    "apixo": {"message": "error", "data": {"error": "Not so"}},
    "minimax": {"base_resp": {"status_code": 0, "status_msg": "Not so"}},
    "fal": {"detail": [{"loc": ["body", "prompt"], "msg": "Not so", "type": "value_error"}]},
    "replicate": {"title": "Input validation failed", "detail": "Not so", "status": 422},
    "aimlapi": {"message": "Not so", "path": "/v2", "requestId": "q", "statusCode": 400, "timestamp": "t"},
}


@pytest.mark.parametrize("status", sorted(REFUSALS))
@EVERY_GATEWAY
async def test_a_refusal_is_not_charged_and_quotes_the_gateway(name: str, status: int) -> None:
    code = {("aimlapi", 403): "insufficient_credits", ("segmind", 406): "invalid_input"}.get(
        (name, status), REFUSALS[status]
    )
    problem, script = await rejected(name, says(status, BODIES[name]))
    assert (problem.code, problem.charged) == (code, "no")
    assert problem.safe_to_retry == (code == "rate_limited")
    assert f"({status}: Not so)" in problem.message
    assert problem.hint
    assert script.posts == (ATTEMPTS if status == 429 else 1)


MINIMAX_CODES = {
    1002: "rate_limited",
    1004: "unauthorized",
    1008: "insufficient_credits",
    1026: "content_violation",
    2013: "invalid_input",
    2049: "unauthorized",
    2056: "insufficient_credits",
    2061: "forbidden",
}


@pytest.mark.parametrize("http", [200, 400])
@pytest.mark.parametrize("code", sorted(MINIMAX_CODES))
@pytest.mark.parametrize("task_id", [None, "", "absent"])
async def test_a_documented_minimax_code_is_a_refusal(code: int, http: int, task_id: str | None) -> None:
    body = {"base_resp": {"status_code": code, "status_msg": "Not so"}}
    body = body if task_id == "absent" else {"task_id": task_id, **body}
    problem, script = await rejected("minimax", says(http, body))
    assert (problem.code, problem.charged) == (MINIMAX_CODES[code], "no")
    assert problem.safe_to_retry == (code == 1002)
    assert f"({http}: {code} Not so)" in problem.message
    assert script.posts == (ATTEMPTS if code == 1002 else 1)


@pytest.mark.parametrize("code", [1000, 1001, 1013, 1024, 1027, 1033, 1039, 9999, "1013"])
async def test_any_other_minimax_code_is_unconfirmed(code: object) -> None:
    problem, script = await rejected("minimax", says(200, {"task_id": "", "base_resp": {"status_code": code}}))
    assert problem.code == "unconfirmed"
    assert script.posts == 1


def base_resp(code: object, message: object) -> dict[str, Any]:
    return {"task_id": "", "base_resp": {"status_code": code, "status_msg": message}}


@pytest.mark.parametrize(
    ("name", "body", "code", "quoted"),
    [
        ("minimax", base_resp(2056, "usage limit exceeded"), "insufficient_credits", "200: 2056 usage limit exceeded"),
        ("minimax", base_resp(1008, "insufficient balance"), "insufficient_credits", "200: 1008 insufficient balance"),
        ("minimax", base_resp(7777, "Quota exceeded"), "insufficient_credits", "200: 7777 Quota exceeded"),
        ("minimax", base_resp(2061, "your plan does not support it"), "forbidden", "200: 2061 your plan does not"),
        ("apixo", {"code": 402, "message": "Insufficient credits"}, "insufficient_credits", "200: 402 Insufficient"),
        ("apixo", {"code": 6001, "message": "Balance too low"}, "insufficient_credits", "200: 6001 Balance too low"),
        ("segmind", {"error": "Not enough credits"}, "insufficient_credits", "200: Not enough credits"),
        (
            "aimlapi",
            {"error": {"code": "quota", "message": "You exceeded your current quota"}},
            "insufficient_credits",
            "200: quota You exceeded your current quota",
        ),
        ("aimlapi", {"message": "Please upgrade your plan"}, "forbidden", "200: Please upgrade your plan"),
    ],
)
async def test_a_refusal_with_http_200_is_quoted_as_sent(
    name: str, body: dict[str, Any], code: str, quoted: str
) -> None:
    problem, script = await rejected(name, says(200, body))
    assert (problem.code, problem.charged, problem.safe_to_retry) == (code, "no", False)
    assert f"({quoted}" in problem.message
    assert "force_new" not in problem.hint
    assert script.posts == 1


@pytest.mark.parametrize(
    ("name", "status", "body", "quoted"),
    [
        ("minimax", 200, base_resp(1033, "system error"), "200: 1033 system error"),
        ("minimax", 200, base_resp(2999, f"key {KEY}"), "200: 2999 key ***"),
        ("apixo", 200, {"code": 5000, "message": "try later"}, "200: 5000 try later"),
        ("apixo", 200, {"code": 500, "message": "try later"}, "200: 500 try later"),
        ("segmind", 500, {"error": "insufficient credits"}, "500: insufficient credits"),
        ("aimlapi", 200, {"message": "your plan has 20 credits left"}, "200: your plan has 20 credits left"),
        ("aimlapi", 200, {"message": "x" * 1000}, "200: " + "x" * 299 + "…"),
        ("aimlapi", 200, {}, "200"),
    ],
)
async def test_an_uncertain_refusal_is_unconfirmed_and_quoted_as_sent(
    name: str, status: int, body: dict[str, Any], quoted: str
) -> None:
    problem, script = await rejected(name, says(status, body))
    assert problem.code == "unconfirmed"
    assert f"({quoted})" in problem.message
    assert script.posts == 1


@pytest.mark.parametrize("http", [302, 500, 503])
async def test_a_minimax_code_does_not_turn_a_server_error_into_a_refusal(http: int) -> None:
    problem, script = await rejected("minimax", says(http, {"base_resp": {"status_code": 1002, "status_msg": "slow"}}))
    assert problem.code == "unconfirmed"
    assert script.posts == 1


@pytest.mark.parametrize("code", [1004, 2049])
async def test_the_hint_on_a_refused_minimax_key_names_the_other_region(code: int) -> None:
    problem, _ = await rejected("minimax", says(200, base_resp(code, "invalid api key")))
    for word in ("MINIMAX_API_KEY", "MINIMAX_BASE_URL=https://api.minimaxi.com", "https://api.minimax.io", "region"):
        assert word in problem.hint


@pytest.mark.parametrize("status", sorted(REFUSALS))
@EVERY_GATEWAY
async def test_a_refusal_without_json_is_not_charged(name: str, status: int) -> None:
    problem, _ = await rejected(name, says_text(status, "<html>no</html>"))
    assert problem.charged == "no"
    assert "html" not in problem.message


@pytest.mark.parametrize("status", sorted(REFUSALS))
async def test_the_code_in_apixos_body_is_the_status_even_with_http_200(status: int) -> None:
    problem, script = await rejected("apixo", says(200, {"code": status, **BODIES["apixo"]}))
    assert (problem.code, problem.charged) == (REFUSALS[status], "no")
    assert script.posts == (ATTEMPTS if status == 429 else 1)


@pytest.mark.parametrize(
    ("name", "status", "body", "code"),
    [
        ("segmind", 406, {"error": "Insufficient credits"}, "insufficient_credits"),
        ("segmind", 406, {}, "insufficient_credits"),
        ("segmind", 406, {"error": "duration is not supported"}, "invalid_input"),
        ("segmind", 406, {"error": "blocked by content policy"}, "content_violation"),
        ("segmind", 400, {"error": "prompt violates the safety rules"}, "content_violation"),
        ("segmind", 400, {"error": "the field is case sensitive"}, "invalid_input"),
        ("segmind", 401, {"error": "x", "error_description": "bad key", "status_code": 401}, "unauthorized"),
        ("segmind", 422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, "invalid_input"),
        ("segmind", 422, {"status": None, "error": "x"}, "invalid_input"),
        ("apixo", 400, {"code": 402, "message": "Insufficient credits"}, "insufficient_credits"),
        ("apixo", 500, {"code": 400, "message": "Invalid mode type."}, "invalid_input"),
        ("aimlapi", 403, {"message": "You've run out of credits"}, "insufficient_credits"),
        ("aimlapi", 403, {"message": "content moderation"}, "content_violation"),
        ("aimlapi", 400, {"error": {"message": "prompt is needed"}}, "invalid_input"),
    ],
)
async def test_an_ambiguous_status_is_resolved_by_the_message(name: str, status: int, body: Any, code: str) -> None:
    problem, _ = await rejected(name, says(status, body))
    assert (problem.code, problem.charged) == (code, "no")


async def test_the_messages_of_a_validation_error_are_quoted() -> None:
    problem, _ = await rejected("segmind", says(422, {"detail": [{"msg": "field required"}, {"msg": "bad uri"}]}))
    assert "field required; bad uri" in problem.message


async def test_a_refused_key_names_its_variable_and_host() -> None:
    problem, _ = await rejected("apixo", says(401, {"code": 401, "message": "Invalid API Key"}))
    assert "APIXO_API_KEY" in problem.hint
    assert "api.apixo.ai" in problem.hint


@EVERY_GATEWAY
async def test_no_key_is_in_any_message_or_log_line(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = {"error": f"bad key {KEY.upper()}", "message": f"bad key {KEY}", "data": {"error": f"no: {KEY}"}}
    texts: list[str] = []
    for step in (
        says(401, echo),
        says(500, echo),
        says(400, echo),
        breaks(httpx.ReadError),
        breaks(httpx.ConnectError),
    ):
        gateway, _ = connect(name, step)
        with pytest.raises(HailuoError) as error:
            await gateway.submit(spec(A_MODEL_OF[name]), 5)
        request = gateway.submit_request(spec(A_MODEL_OF[name]))
        texts += [repr(error.value), repr(error.value.problem), repr(gateway.settings), repr(request)]
        assert error.value.__cause__ is None
    texts += [record.getMessage() for record in caplog.records]
    assert not [text for text in texts if KEY.lower() in text.lower()]


async def test_a_quoted_message_is_one_short_line() -> None:
    body = json.dumps({"error": "a\nb\u202ec\ud800" + "x" * 1000})
    problem, _ = await rejected("segmind", says_text(400, body, "application/json"))
    assert "a b c x" in problem.message
    assert len(problem.message) < 400
    problem.message.encode()
