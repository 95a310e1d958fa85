"""A submission without a clear response: it is unconfirmed, and never sent again if it may have arrived."""

import time

import httpx
import pytest

from tests.gateways.wire import (
    A_MODEL_OF,
    ATTEMPTS,
    EVERY_GATEWAY,
    KEY,
    Step,
    breaks,
    connect,
    hangs,
    rejected,
    says,
    says_text,
    spec,
)

INCONCLUSIVE: dict[str, Step] = {
    **{f"status {status}": says(status, {"error": "x"}) for status in (408, 409, 418, 500, 501, 502, 503, 504, 520)},
    **{f"redirect {s}": says(s, None, {"location": "https://evil.example/"}) for s in (301, 302, 303, 307, 308)},
    "no id": says(200, {"status": "QUEUED"}),
    "null id": says(200, {"request_id": None, "generation_id": None, "data": None, "task_id": None}),
    "boolean id": says(200, {"request_id": True, "generation_id": True, "data": {"taskId": True}, "task_id": True}),
    "float id": says(200, {"request_id": 1.5, "generation_id": 1.5, "data": {"taskId": 1.5}, "task_id": 1.5}),
    "empty id": says(200, {"request_id": "", "generation_id": "", "data": {"taskId": ""}, "task_id": ""}),
    "unusable id": says(200, {"request_id": "..", "generation_id": "..", "data": {"taskId": ".."}, "task_id": ".."}),
    "endless id": says(
        200, dict.fromkeys(("request_id", "generation_id", "task_id"), "x" * 257) | {"data": {"taskId": "x" * 257}}
    ),
    "a list": says(200, [{"request_id": "r"}]),
    "no content": says_text(204, ""),
    "html": says_text(200, "<html>ok</html>"),
    "broken json": says_text(200, '{"request_id": "r1', "application/json"),
    "wrong bytes": says_text(200, "\xff", "application/json"),
    "an id under 500": says(500, {"request_id": "r", "generation_id": "r", "task_id": "r"}),
    "a failed job without id": says(422, {"status": "FAILED", "error": "x"}),
    "read error": breaks(httpx.ReadError),
    "read time-out": breaks(httpx.ReadTimeout),
    "write error": breaks(httpx.WriteError),
    "write time-out": breaks(httpx.WriteTimeout),
    "disconnected": breaks(httpx.RemoteProtocolError),
}


@EVERY_GATEWAY
@pytest.mark.parametrize("case", sorted(INCONCLUSIVE))
async def test_an_inconclusive_response_is_unconfirmed_and_never_retried(name: str, case: str) -> None:
    problem, script = await rejected(name, INCONCLUSIVE[case])
    assert (problem.code, problem.charged, problem.safe_to_retry) == ("unconfirmed", "unknown", False)
    assert KEY not in problem.message
    assert script.posts == len(script.requests) == 1


@EVERY_GATEWAY
async def test_a_submission_without_a_response_is_unconfirmed(name: str) -> None:
    problem, script = await rejected(name, hangs, seconds=0.05)
    assert (problem.code, script.posts) == ("unconfirmed", 1)
    assert "did not answer" in problem.message


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError])
@EVERY_GATEWAY
async def test_a_failed_connection_costs_nothing(name: str, error: type[httpx.TransportError]) -> None:
    problem, script = await rejected(name, breaks(error))
    assert problem.code == "network_error"
    assert (problem.charged, problem.safe_to_retry) == ("no", True)
    assert len(script.requests) == ATTEMPTS


async def test_a_submission_is_sent_as_soon_as_a_connection_succeeds() -> None:
    gateway, script = connect(
        "segmind", breaks(httpx.ConnectError), breaks(httpx.ConnectTimeout), says(200, {"request_id": "r1"})
    )
    assert (await gateway.submit(spec(A_MODEL_OF["segmind"]), 5)).remote_id == "r1"
    assert len(script.requests) == 3


async def test_a_rate_limit_is_waited_out_for_as_long_as_the_gateway_asks() -> None:
    accepted = says(200, {"request_id": "r1"})
    gateway, script = connect("segmind", says(429, {"error": "slow"}, {"retry-after": "0.2"}), accepted)
    started = time.monotonic()
    await gateway.submit(spec(A_MODEL_OF["segmind"]), 5)
    assert 0.2 <= time.monotonic() - started < 2
    assert script.posts == 2


@pytest.mark.parametrize("headers", [{"retry-after": "11"}, {"x-rate-limit-reset-at-utc": "2999-01-01T00:00:00Z"}])
async def test_a_longer_rate_limit_is_an_error_instead_of_a_wait(headers: dict[str, str]) -> None:
    problem, script = await rejected("segmind", says(429, {"error": "slow"}, headers), seconds=30)
    assert problem.code == "rate_limited"
    assert script.posts == 1
    assert "Wait " in problem.hint


async def test_apixos_rate_limit_with_http_200_is_retried() -> None:
    limited = says(200, {"code": 429, "message": "slow"}, {"retry-after": "0"})
    gateway, script = connect("apixo", limited, says(200, {"code": 200, "data": {"taskId": "t"}}))
    assert (await gateway.submit(spec(A_MODEL_OF["apixo"]), 5)).remote_id == "t"
    assert script.posts == 2


async def test_a_lost_response_after_a_rate_limit_is_unconfirmed() -> None:
    problem, script = await rejected("segmind", says(429, None, {"retry-after": "0"}), breaks(httpx.ReadError))
    assert problem.code == "unconfirmed"
    assert script.posts == 2


async def test_no_response_after_a_rate_limit_is_unconfirmed() -> None:
    problem, script = await rejected("segmind", says(429, None, {"retry-after": "0"}), hangs, seconds=0.1)
    assert problem.code == "unconfirmed"
    assert script.posts == 2


@pytest.mark.parametrize("remote_id", ["r\u202e1", "r\u200b1", "\ufeffr1", "r" * 257])
async def test_an_id_with_hidden_characters_or_excessive_length_is_rejected(remote_id: str) -> None:
    problem, _ = await rejected("segmind", says(200, {"request_id": remote_id}))
    assert problem.code == "unconfirmed"
