"""Arbitrary gateway responses: none causes an internal error or ends a job without evidence, and an invalid number does
not affect the rest."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import httpx
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from hailuo_mcp.core.errors import GatewayError, HailuoError, Problem, Unconfirmed
from hailuo_mcp.core.job import Job, Observation, State
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.client import RetryPolicy
from hailuo_mcp.gateways.rate_limits import PAUSE_MAX
from hailuo_mcp.gateways.refusals import REFUSALS
from hailuo_mcp.gateways.segmind import Segmind
from tests.core.models import MODELS
from tests.gateways.wire import A_MODEL_OF, EVERY_GATEWAY, Step, connect, lost_job, spec
from tests.properties import with_examples

T = TypeVar("T")
ONCE = RetryPolicy(attempts=1, rate_limit_wait_max=0.0)
CLIP = "https://cdn.example/clip.mp4"
RAW = {
    "<401 digits>": "9" * 401,
    "<5000 digits>": "9" * 5000,
    "<large float>": "1e999",
    "<nan>": "NaN",
    "<infinity>": "-Infinity",
    "<nested>": "[" * 5000 + "]" * 5000,
}
"""Placeholder in the values below to the text for it, which `json.dumps` cannot write."""
ENDS = frozenset({"completed", "complete", "success", "failed", "fail", "error", "succeeded", "ok", "canceled"})
"""Gateways' names for terminal states."""
WORDS = st.sampled_from(
    [*ENDS, "COMPLETED", "Success ", "Finished", "queued", "processing", "generating", "", " ", "\ud800", "\x00", CLIP]
)
FIELDS = (
    *("status", "state", "model_status", "request_id", "generation_id", "id", "task_id", "taskId", "file_id", "file"),
    *("output", "url", "urls", "video", "download_url", "generation_url", "file_urls", "data", "resultJson"),
    *("resultUrls", "error", "message", "detail", "code", "failCode", "failMsg", "base_resp", "status_code"),
    *("status_msg", "metrics", "cost", "total_time", "createTime", "completeTime", "costTime", "meta", "usage"),
    *("credits_used", "request_body", "created_at", "model_name", "latency_ms", "credits_deduction"),
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | WORDS
    | st.sampled_from(
        [*RAW, 200, 401, 404, 429, 500, 1002, 1008, 1026, 1027, 2013, 2056, 1e300, -1, "1e400", "9" * 500]
    )
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8)


def as_json(value: object) -> bytes:
    text = json.dumps(value)
    for name, raw in RAW.items():
        text = text.replace(json.dumps(name), raw)
    return text.encode()


BODIES = st.one_of(
    OBJECTS.map(as_json),
    VALUES.map(as_json),
    st.binary(max_size=40),
)
STATUSES = st.sampled_from([200, 201, 202, 204, 301, 400, 401, 402, 404, 406, 408, 410, 418, 422, 429, 500, 503, 529])
HEADER_VALUES = st.sampled_from(
    ["86400", "-1", "1e999", "nan", "9" * 500, "99999999999999", "Wed, 25 Nov 2026 12:00:00 GMT", "0001-01-01", "x", ""]
) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "date", "x-rate-limit-reset-at-utc", "content-type", "content-encoding"]),
    HEADER_VALUES,
    max_size=3,
)


def check_examples(
    count: int, check: Callable[..., Coroutine[Any, Any, None]], **values: st.SearchStrategy[Any]
) -> None:
    """Run a check with arbitrary values for its parameters."""
    with asyncio.Runner() as loop:

        @settings(max_examples=count, suppress_health_check=[HealthCheck.too_slow])
        @given(**values)
        def run(**example: Any) -> None:
            loop.run(check(**example))

        run()


def responds(status: int, body: bytes, headers: dict[str, str] | None = None) -> Step:
    return lambda _: httpx.Response(status, content=body, headers=headers)


def gateway_with(name: str, *steps: Step) -> Gateway:
    return connect(name, *steps, retry=ONCE)[0]


def job_of(name: str) -> Job:
    return Job(model=A_MODEL_OF[name], origin="https://gateway.example", remote_id="r1", state=State.QUEUED)


async def outcome(call: Awaitable[T]) -> T | Problem:
    """The result, or the problem of the error: never internal, always short, and serializable."""
    try:
        return await call
    except HailuoError as error:
        problem = error.problem
    assert problem.code != "internal_error"
    assert len(problem.message) < 600
    problem.model_dump_json()
    return problem


# --- arbitrary responses ----------------------------------------------------------------------------------------------


@EVERY_GATEWAY
@with_examples(few=20, many=60)
def test_any_response_to_a_submission_is_a_job_a_refusal_or_unconfirmed(name: str, examples: int) -> None:
    async def submit(status: int, body: bytes, headers: dict[str, str]) -> None:
        gateway = gateway_with(name, responds(status, body, headers))
        result = await outcome(gateway.submit(spec(A_MODEL_OF[name]), 5))
        if isinstance(result, Problem):
            if result.charged == "no":
                assert status in REFUSALS or status < 300, "only a documented refusal says that nothing was charged"
        else:
            assert result.remote_id
            job_of(name).accepted(result.remote_id, retention=None, sandbox=False).model_dump_json()

    check_examples(examples, submit, status=STATUSES, body=BODIES, headers=HEADERS)


@EVERY_GATEWAY
@with_examples(few=20, many=60)
def test_a_poll_ends_a_job_only_if_the_response_names_a_terminal_state(name: str, examples: int) -> None:
    async def poll(responses: list[tuple[int, bytes]], headers: dict[str, str]) -> None:
        gateway = gateway_with(name, *(responds(status, body, headers) for status, body in responses))
        seen = await outcome(gateway.observe(MODELS[A_MODEL_OF[name]], "r1"))
        if isinstance(seen, Observation):
            job_of(name).apply_observation(seen).model_dump_json()
            if seen.state.is_terminal:
                text = " ".join(body.decode(errors="replace") for _, body in responses).lower()
                assert any(word in text for word in (*ENDS, "1026", "1027"))
        assert gateway.retry_after <= PAUSE_MAX

    responses = st.lists(st.tuples(STATUSES, BODIES), min_size=1, max_size=2)
    check_examples(examples, poll, responses=responses, headers=HEADERS)


@EVERY_GATEWAY
@with_examples(few=20, many=60)
def test_any_response_to_a_history_cancel_or_upload_request_is_none_or_an_error(name: str, examples: int) -> None:
    async def ask(status: int, body: bytes) -> None:
        gateway = gateway_with(name, responds(status, body))
        job = job_of(name)
        for seen in (await outcome(gateway.recall(job)), await outcome(gateway.stop(job))):
            if isinstance(seen, Observation):
                job.apply_observation(seen).model_dump_json()
        await outcome(gateway.recover(lost_job(spec(A_MODEL_OF[name]), gateway), frozenset()))
        if gateway.image_transfer == "upload" or name == "minimax":
            await outcome(gateway.upload("image/png", bytes(3), 5))

    check_examples(examples, ask, status=STATUSES, body=BODIES)


# --- out-of-range numbers ---------------------------------------------------------------------------------------------


DONE: dict[str, list[dict[str, Any]]] = {
    "segmind": [{"status": "COMPLETED"}, {"status": "COMPLETED", "output": CLIP, "metrics": {"cost": 0, "x": "<n>"}}],
    "apixo": [{"data": {"state": "success", "resultJson": json.dumps({"resultUrls": [CLIP]}), "costTime": "<n>"}}],
    "aimlapi": [{"status": "completed", "video": {"url": CLIP}, "meta": {"usage": {"credits_used": "<n>"}}}],
    "minimax": [
        {"status": "Success", "file_id": "f1", "base_resp": {"status_code": 0, "x": "<n>"}},
        {"file": {"download_url": CLIP, "bytes": "<n>"}},
    ],
    "fal": [{"status": "COMPLETED", "metrics": {"x": "<n>"}}, {"video": {"url": CLIP, "file_size": "<n>"}}],
    "replicate": [{"status": "succeeded", "output": CLIP, "metrics": {"predict_time": "<n>"}}],
}
ACCEPTED: dict[str, dict[str, Any]] = {
    "segmind": {"request_id": "r1", "eta": "<n>"},
    "apixo": {"code": 200, "data": {"taskId": "r1", "eta": "<n>"}},
    "aimlapi": {"generation_id": "r1", "eta": "<n>"},
    "minimax": {"task_id": "r1", "eta": "<n>"},
    "fal": {"request_id": "r1", "status_url": "https://queue.fal.run/r1/requests/r1/status", "eta": "<n>"},
    "replicate": {"id": "r1", "eta": "<n>"},
}
NUMBERS = [raw for name, raw in RAW.items() if name != "<nested>"]


def with_number(value: object, raw: str) -> bytes:
    return json.dumps(value).replace('"<n>"', raw).encode()


@pytest.mark.parametrize("raw", NUMBERS, ids=lambda raw: raw[:9])
@EVERY_GATEWAY
async def test_a_completed_job_with_an_out_of_range_number_has_its_clip(name: str, raw: str) -> None:
    gateway = gateway_with(name, *(responds(200, with_number(body, raw)) for body in DONE[name]))
    seen = await gateway.observe(MODELS[A_MODEL_OF[name]], "r1")
    assert (seen.state, seen.video_url) == (State.COMPLETED, CLIP)
    assert seen.cost_usd in (None, 0)


@pytest.mark.parametrize("raw", NUMBERS, ids=lambda raw: raw[:9])
@EVERY_GATEWAY
async def test_a_submission_response_with_an_out_of_range_number_has_its_id(name: str, raw: str) -> None:
    gateway = gateway_with(name, responds(200, with_number(ACCEPTED[name], raw)))
    assert (await gateway.submit(spec(A_MODEL_OF[name]), 5)).remote_id in ("r1", "r1/r1")


@pytest.mark.parametrize("value", [1e300, 2e6, -1.0, float("nan"), float("inf")])
def test_an_impossible_cost_or_duration_is_unknown(value: float) -> None:
    seen = Observation(state=State.COMPLETED, cost_usd=value, took_seconds=value)
    assert (seen.cost_usd, seen.took_seconds) == (None, None)


async def test_a_response_with_too_many_elements_is_not_parsed() -> None:
    many = b'{"request_id": "r1", "x": [' + b"0," * 600_000 + b"0]}"
    with pytest.raises(Unconfirmed):
        await gateway_with("segmind", responds(200, many)).submit(spec(A_MODEL_OF["segmind"]), 5)


# --- our own bugs -----------------------------------------------------------------------------------------------------


class Buggy(Segmind):
    """A gateway that fails to parse responses."""

    def remote_id_in(self, body: object) -> object:
        raise ZeroDivisionError

    async def poll(self, model: object, remote_id: str) -> Observation:
        raise ZeroDivisionError

    async def look_up_expired(self, job: Job) -> Observation | None:
        raise RecursionError

    async def find_submissions(self, model: object, job: Job) -> AsyncGenerator[tuple[object, Observation]]:
        raise KeyError("created_at")
        yield

    async def cancel(self, job: Job) -> Observation | None:
        raise TypeError


async def test_a_bug_in_response_parsing_is_never_an_internal_error() -> None:
    working, _ = connect("segmind", responds(200, b"{}"), retry=ONCE)
    gateway = Buggy(working.settings, working.client)
    with pytest.raises(Unconfirmed):
        await gateway.submit(spec(A_MODEL_OF["segmind"]), 5)
    job = job_of("segmind")
    for call in (
        gateway.observe(MODELS[A_MODEL_OF["segmind"]], "r1"),
        gateway.recall(job),
        gateway.recover(job, frozenset()),
        gateway.stop(job),
    ):
        with pytest.raises(GatewayError, match="cannot be read"):
            await call


async def test_a_history_row_reports_an_unknown_state_and_a_secret_link() -> None:
    row = {"request_id": "r1", "model_status": "Finished", "generation_url": f"{CLIP}?key=x"}
    gateway = gateway_with("segmind", responds(200, json.dumps({"data": [row]}).encode()))
    seen = await gateway.recall(job_of("segmind"))
    assert seen
    assert seen.state is State.PROCESSING
    assert 'unknown state "Finished"' in seen.warnings[0]
    key = gateway.settings.key
    assert key
    row |= {"model_status": "COMPLETED", "generation_url": f"{CLIP}?key={key.get_secret_value()}"}
    seen = await gateway_with("segmind", responds(200, json.dumps({"data": [row]}).encode())).recall(job_of("segmind"))
    assert seen
    assert seen.has_secret_link
