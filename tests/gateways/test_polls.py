"""Polling, as it works for every gateway: unknown states, links, echoes of the key, errors."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from hailuo_mcp.core.errors import GatewayError, HailuoError, NetworkError
from hailuo_mcp.core.job import State
from tests.core.models import MODELS
from tests.gateways.wire import (
    A_MODEL_OF,
    ATTEMPTS,
    CLIP,
    EVERY_GATEWAY,
    KEY,
    Step,
    breaks,
    connect,
    poll,
    says,
    says_text,
)

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
@EVERY_GATEWAY
async def test_an_unknown_state_is_processing_with_a_warning_that_names_it(
    name: str, word: Any, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen, _ = await poll(name, says(200, {"status": word, "code": 200, "data": {"state": word}}))
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
async def test_whitespace_and_case_of_a_documented_state_do_not_matter(
    name: str, body: dict[str, Any], state: State
) -> None:
    seen, _ = await poll(name, says(200, body))
    assert (seen.state, seen.warnings) == (state, ())


@pytest.mark.parametrize(
    ("name", "body", "quoted"),
    [
        ("segmind", {"error": "Insufficient credits"}, "200: Insufficient credits"),
        ("apixo", {"code": 6001, "message": "plan ended"}, "200: 6001 plan ended"),
        ("aimlapi", {"error": {"name": "QuotaError", "message": "quota"}}, "200: QuotaError quota"),
    ],
)
async def test_a_poll_without_a_state_quotes_the_gateways_message(name: str, body: dict[str, Any], quoted: str) -> None:
    seen, _ = await poll(name, says(200, body))
    assert seen.state is State.PROCESSING
    assert f"({quoted})" in seen.warnings[0]


@pytest.mark.parametrize("length", [2049, 3_000_000])
async def test_a_link_that_is_too_long_is_ignored(length: int) -> None:
    long = "https://cdn.example/".ljust(length, "x")
    seen, _ = await poll("segmind", says(200, {"status": "COMPLETED", "output": long}))
    assert (seen.state, seen.video_url) == (State.COMPLETED, None)
    (warning,) = seen.warnings
    assert f"a link of {length:,} characters" in warning
    assert len(warning) < 200


async def test_a_link_of_maximum_length_is_used_and_one_with_hidden_characters_is_not() -> None:
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
@EVERY_GATEWAY
async def test_an_echo_of_the_key_is_masked_in_any_encoding(name: str, write: Callable[[str], str]) -> None:
    echo = write(KEY)
    body = {"error": f"bad {echo}", "message": f"bad {echo}", "code": f"x{echo}", "status": [echo]}
    gateway, _ = connect(name, says(400, body))
    with pytest.raises(HailuoError) as refused:
        await gateway.observe(MODELS[A_MODEL_OF[name]], "r1")
    seen, _ = await poll(name, says(200, {**body, "status": echo, "data": {"state": [echo]}}))
    for text in (refused.value.problem.message, *seen.warnings):
        assert "***" in text
        assert echo[6:-2] not in text


async def test_a_link_with_the_key_is_marked() -> None:
    for link, marked in ((CLIP, False), (f"{CLIP}&key={KEY.replace('-', '%2d')}", True)):
        gateway, _ = connect("segmind", says(200, {"status": "COMPLETED", "output": link}))
        assert (await gateway.observe(MODELS[A_MODEL_OF["segmind"]], "r1")).has_secret_link is marked


async def test_a_code_with_http_200_is_quoted_with_the_actual_status() -> None:
    for code, kind in ((1033, "gateway_error"), (2056, "insufficient_credits"), (1002, "rate_limited")):
        gateway, _ = connect("minimax", says(200, {"base_resp": {"status_code": code, "status_msg": "Not so"}}))
        with pytest.raises(HailuoError) as error:
            await gateway.observe(MODELS["minimax/hailuo-02"], "r1")
        assert error.value.problem.code == kind
        assert f"(200: {code} Not so)" in error.value.problem.message


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@EVERY_GATEWAY
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
@EVERY_GATEWAY
async def test_a_failed_poll_is_an_error_not_a_job_state(
    name: str, status: int, code: str, safe: bool, requests: int
) -> None:
    gateway, script = connect(name, says(status, {"error": "x"}))
    with pytest.raises(HailuoError) as error:
        await gateway.observe(MODELS[A_MODEL_OF[name]], "r1")
    assert (error.value.problem.code, error.value.problem.safe_to_retry) == (code, safe)
    assert len(script.requests) == requests


@EVERY_GATEWAY
async def test_a_poll_without_a_connection_is_a_network_error(name: str) -> None:
    gateway, script = connect(name, breaks(httpx.ConnectError))
    with pytest.raises(NetworkError):
        await gateway.observe(MODELS[A_MODEL_OF[name]], "r1")
    assert len(script.requests) == ATTEMPTS


@pytest.mark.parametrize("step", [says_text(200, "<html>"), says(200, []), says_text(200, "{"), says_text(204, "")])
@EVERY_GATEWAY
async def test_a_poll_response_that_is_not_a_json_object_is_a_gateway_error(name: str, step: Step) -> None:
    with pytest.raises(GatewayError, match="not a JSON object"):
        await poll(name, step)


@EVERY_GATEWAY
async def test_the_sandbox_header_marks_an_observation(name: str) -> None:
    seen, _ = await poll(name, says(200, PROCESSING, {"x-hailuo-sandbox": "1"}))
    assert seen.sandbox
