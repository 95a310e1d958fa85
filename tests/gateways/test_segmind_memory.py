"""Segmind's other hosts: uploads, and the history where lost submissions and expired clips are found."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hailuo_mcp.core.errors import GatewayError, GatewayTimeout, InternalError
from hailuo_mcp.core.job import State
from hailuo_mcp.gateways.client import RetryPolicy
from tests.gateways.wire import ATTEMPTS, Step, after, connect, lost_job, says, spec

SENT = spec("segmind/hailuo-02-fast", go_fast=True)


@pytest.mark.parametrize("name", ["apixo", "aimlapi"])
async def test_a_gateway_without_upload_or_history_says_so(name: str) -> None:
    gateway, script = connect(name, says())
    with pytest.raises(InternalError):
        await gateway.upload("image/png", bytes(3), 5)
    job = lost_job(SENT, gateway)
    assert await gateway.recover(job, frozenset()) is None
    assert await gateway.recall(job) is None
    assert not script.requests


def row(**fields: Any) -> dict[str, Any]:
    return {
        "request_id": "r1",
        "model_name": "hailuo-02-fast",
        "model_status": "COMPLETED",
        "credits_deduction": 0.125,
        "request_body": SENT.to_body(),
        "generation_url": "https://cdn.example/clip.mp4",
        "latency_ms": 73000,
        "model_created": "2026-11-21T12:00:20Z",
        **fields,
    }


async def test_a_lost_submission_is_found_by_model_body_and_time() -> None:
    gateway, script = connect("segmind", says(200, {"data": [row()], "page": 1}, {"x-hailuo-sandbox": "1"}))
    found = await gateway.recover(lost_job(SENT, gateway), frozenset())
    assert found is not None
    remote_id, seen = found
    assert remote_id == "r1"
    assert (seen.state, seen.video_url, seen.cost_usd) == (State.COMPLETED, "https://cdn.example/clip.mp4", 0.125)
    assert (seen.took_seconds, seen.sandbox) == (73, True)
    (request,) = script.requests
    assert request.url.host == "api.spotprod.segmind.com"
    assert dict(request.url.params) == {
        "model_name": "hailuo-02-fast",
        "from_date": "2026-11-21",
        "to_date": "2026-11-21",
        "sort_by": "model_created",
        "sort_order": "desc",
        "per_page": "100",
        "page": "1",
    }


@pytest.mark.parametrize(
    "rows",
    [
        [row(request_body=json.dumps(SENT.to_body()))],
        [row(request_body={k: v for k, v in SENT.to_body().items() if v is not None})],
        [row(model_created=None, created_at="2026-11-21 12:00:20")],
        [row(generation_url=None), row(), row(generation_url=None)],
        [row(request_id="other"), row()],
        [row(model_name="hailuo-02-fast-2", request_id="x"), row()],
        [row(request_body={"prompt": "a teammate's"}, request_id="x"), row()],
    ],
)
async def test_the_matching_row_is_found_among_others(rows: list[Any]) -> None:
    gateway, _ = connect("segmind", says(200, {"total": 1, "result": {"items": rows}}))
    found = await gateway.recover(lost_job(SENT, gateway), frozenset({"other"}))
    assert found is not None
    assert (found[0], found[1].video_url) == ("r1", "https://cdn.example/clip.mp4")


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(), row(request_id="r2")],
        [row(request_id="taken")],
        [row(request_id=None)],
        [row(request_id="..")],
        [row(model_name="hailuo-02-fast-2")],
        [row(request_body={**SENT.to_body(), "duration": 10})],
        [row(request_body={**SENT.to_body(), "seed": 1})],
        [row(request_body="{broken")],
        [row(request_body=None)],
        [row(model_created="2026-11-21T12:05:01Z")],
        [row(model_created="2026-11-21T11:54:59+00:00")],
        [row(model_created="yesterday")],
        [row(model_created=None)],
        ["row", None],
    ],
)
async def test_an_uncertain_match_is_none(rows: list[Any]) -> None:
    gateway, _ = connect("segmind", says(200, {"data": rows}))
    assert await gateway.recover(lost_job(SENT, gateway), frozenset({"taken"})) is None


async def test_a_job_with_an_unknown_body_matches_no_row() -> None:
    gateway, _ = connect("segmind", says(200, {"data": [row(request_body={})]}))
    job = lost_job(SENT, gateway).model_copy(update={"body": {}})
    assert await gateway.recover(job, frozenset()) is None


async def test_a_job_of_another_gateway_is_not_searched_for() -> None:
    gateway, script = connect("segmind", says(200, {"data": [row()]}))
    assert await gateway.recover(lost_job(spec("aimlapi/hailuo-02"), gateway), frozenset()) is None
    assert not script.requests


async def test_the_search_window_may_cross_midnight() -> None:
    gateway, script = connect("segmind", says(200, {"data": []}))
    job = lost_job(SENT, gateway)
    await gateway.recover(job.model_copy(update={"created_at": job.created_at + timedelta(hours=11.99)}), frozenset())
    assert script.requests[0].url.params["from_date"] == "2026-11-21"
    assert script.requests[0].url.params["to_date"] == "2026-11-22"


async def test_pages_are_read_until_the_search_window_ends() -> None:
    newer = [row(request_id=f"n{i}", model_created="2026-11-21T13:00:00Z") for i in range(100)]
    older = [row(request_id=f"o{i}", model_created="2026-11-21T09:00:00Z") for i in range(99)]
    gateway, script = connect("segmind", says(200, {"data": newer}), says(200, {"data": [row(), *older]}))
    found = await gateway.recover(lost_job(SENT, gateway), frozenset())
    assert found is not None
    assert [request.url.params["page"] for request in script.requests] == ["1", "2"]


async def test_a_history_too_long_to_search_is_an_error() -> None:
    page = [row(), *(row(request_id=f"n{i}", model_created="2026-11-21T13:00:00Z") for i in range(99))]
    gateway, _ = connect("segmind", says(200, {"data": page}))
    with pytest.raises(GatewayError, match="too many"):
        await gateway.recover(lost_job(SENT, gateway), frozenset())


async def test_a_search_of_the_history_has_one_time_limit() -> None:
    page = [row(request_id=f"n{i}", model_created="2026-11-21T13:00:00Z") for i in range(100)]
    gateway, _ = connect("segmind", after(0.04, says(200, {"data": page})), retry=RetryPolicy(poll_timeout=0.1))
    with pytest.raises(GatewayTimeout):
        await gateway.recover(lost_job(SENT, gateway), frozenset())


WRAPPINGS: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
    lambda found: found,
    lambda found: {"data": found},
    lambda found: {"data": [found]},
]


@pytest.mark.parametrize("wrap", WRAPPINGS)
async def test_an_expired_job_is_looked_up_by_its_id(wrap: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    gateway, script = connect("segmind", says(200, wrap(row(request_id="a/b:c")), {"x-hailuo-sandbox": "1"}))
    seen = await gateway.recall(lost_job(SENT, gateway, remote_id="a/b:c"))
    assert seen is not None
    assert (seen.state, seen.video_url, seen.sandbox) == (State.COMPLETED, "https://cdn.example/clip.mp4", True)
    assert script.requested == ["GET /inference-request/request-history/a%2Fb%3Ac"]


async def test_a_failure_in_the_history_is_a_failed_job() -> None:
    gateway, _ = connect("segmind", says(200, row(model_status="FAILED", error="GPU lost")))
    seen = await gateway.recall(lost_job(SENT, gateway, remote_id="r1"))
    assert seen is not None
    assert (seen.state, seen.cost_usd, seen.error and seen.error.charged) == (State.FAILED, None, "no")


@pytest.mark.parametrize(
    "step", [says(404, {"error": "not found"}), says(200, row(request_id="other")), says(200, {"data": []})]
)
async def test_a_job_that_is_not_in_the_history_is_none(step: Step) -> None:
    gateway, _ = connect("segmind", step)
    assert await gateway.recall(lost_job(SENT, gateway, remote_id="r1")) is None


@pytest.mark.parametrize("body", [{}, {"surprise": [1, {"deep": None}]}, {"status": "maintenance"}])
async def test_a_response_that_is_not_a_history_is_an_error(body: dict[str, Any]) -> None:
    gateway, _ = connect("segmind", says(200, body))
    with pytest.raises(GatewayError, match="history"):
        await gateway.recall(lost_job(SENT, gateway, remote_id="r1"))


async def test_a_job_without_remote_id_is_not_looked_up() -> None:
    gateway, script = connect("segmind", says())
    assert await gateway.recall(lost_job(SENT, gateway)) is None
    assert not script.requests


async def test_a_failed_history_request_is_an_error() -> None:
    gateway, script = connect("segmind", says(500))
    with pytest.raises(GatewayError):
        await gateway.recall(lost_job(SENT, gateway, remote_id="r1"))
    assert len(script.requests) == ATTEMPTS
