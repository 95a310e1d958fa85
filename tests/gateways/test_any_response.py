"""Arbitrary responses of a gateway: none is an internal error, none ends a job without proof, and no invalid number
spoils the rest."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any, TypeVar

import httpx
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from hailuo_mcp.core.errors import GatewayError, HailuoError, Problem, Unconfirmed
from hailuo_mcp.core.job import Job, Observation, State
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.gateways.base import REFUSALS
from hailuo_mcp.gateways.client import RetryPolicy
from hailuo_mcp.gateways.rate_limits import PAUSE_MAX
from hailuo_mcp.gateways.segmind import Segmind
from tests.gateways.wire import A_MODEL_OF, GATEWAYS, MODELS, Step, connect, lost_job, spec
from tests.properties import tried_with

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
"""What `json.dumps` does not write, by what stands for it in the values below."""
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
EVERY_GATEWAY = pytest.mark.parametrize("name", sorted(GATEWAYS))


def arbitrary(examples: int) -> settings:
    return settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])


def responds(status: int, body: bytes, headers: dict[str, str] | None = None) -> Step:
    return lambda _: httpx.Response(status, content=body, headers=headers)


def gateway_with(name: str, *steps: Step) -> Gateway:
    return connect(name, *steps, retry=ONCE)[0]


def job_of(name: str) -> Job:
    return Job(model=A_MODEL_OF[name], origin="https://gateway.example", remote_id="r1", state=State.QUEUED)


async def outcome(question: Awaitable[T]) -> T | Problem:
    """The result, or the problem of the error: never internal, always short, and serializable."""
    try:
        return await question
    except HailuoError as error:
        problem = error.problem
    assert problem.code != "internal_error"
    assert len(problem.message) < 600
    problem.model_dump_json()
    return problem


# --- anything ---------------------------------------------------------------------------------------------------------


@EVERY_GATEWAY
@tried_with(few=20, many=60)
def test_any_response_to_a_submission_is_a_job_a_refusal_or_unconfirmed(name: str, examples: int) -> None:
    async def submit(status: int, body: bytes, headers: dict[str, str]) -> None:
        gateway = gateway_with(name, responds(status, body, headers))
        came = await outcome(gateway.submit(spec(A_MODEL_OF[name]), 5))
        if isinstance(came, Problem):
            if came.charged == "no":
                assert status in REFUSALS or status < 300, "only a documented refusal says that nothing was charged"
        else:
            assert came.remote_id
            job_of(name).accepted(came.remote_id, retention=None, sandbox=False).model_dump_json()

    with asyncio.Runner() as loop:

        @arbitrary(examples)
        @given(status=STATUSES, body=BODIES, headers=HEADERS)
        def holds(status: int, body: bytes, headers: dict[str, str]) -> None:
            loop.run(submit(status, body, headers))

        holds()


@EVERY_GATEWAY
@tried_with(few=20, many=60)
def test_any_response_to_a_poll_is_a_state_or_an_error_and_ends_no_job_without_its_word(
    name: str, examples: int
) -> None:
    async def poll(responses: list[tuple[int, bytes]], headers: dict[str, str]) -> None:
        gateway = gateway_with(name, *(responds(status, body, headers) for status, body in responses))
        seen = await outcome(gateway.observe(MODELS[A_MODEL_OF[name]], "r1"))
        if isinstance(seen, Observation):
            job_of(name).apply_observation(seen).model_dump_json()
            if seen.state.is_terminal:
                said = " ".join(body.decode(errors="replace") for _, body in responses).lower()
                assert any(word in said for word in (*ENDS, "1026", "1027"))
        assert gateway.retry_after <= PAUSE_MAX

    with asyncio.Runner() as loop:

        @arbitrary(examples)
        @given(responses=st.lists(st.tuples(STATUSES, BODIES), min_size=1, max_size=2), headers=HEADERS)
        def holds(responses: list[tuple[int, bytes]], headers: dict[str, str]) -> None:
            loop.run(poll(responses, headers))

        holds()


@EVERY_GATEWAY
@tried_with(few=20, many=60)
def test_any_response_of_a_history_a_cancellation_or_an_upload_is_none_or_an_error(name: str, examples: int) -> None:
    async def ask(status: int, body: bytes) -> None:
        gateway = gateway_with(name, responds(status, body))
        job = job_of(name)
        for seen in (await outcome(gateway.recall(job)), await outcome(gateway.stop(job))):
            if isinstance(seen, Observation):
                job.apply_observation(seen).model_dump_json()
        await outcome(gateway.recover(lost_job(spec(A_MODEL_OF[name]), gateway), frozenset()))
        if gateway.image_transfer == "upload" or name == "minimax":
            await outcome(gateway.upload("image/png", bytes(3), 5))

    with asyncio.Runner() as loop:

        @arbitrary(examples)
        @given(status=STATUSES, body=BODIES)
        def holds(status: int, body: bytes) -> None:
            loop.run(ask(status, body))

        holds()


# --- numbers that do not fit ------------------------------------------------------------------------------------------


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
TAKEN: dict[str, dict[str, Any]] = {
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
@pytest.mark.parametrize("name", sorted(GATEWAYS))
async def test_a_completed_job_with_a_number_that_does_not_fit_has_its_clip(name: str, raw: str) -> None:
    gateway = gateway_with(name, *(responds(200, with_number(body, raw)) for body in DONE[name]))
    seen = await gateway.observe(MODELS[A_MODEL_OF[name]], "r1")
    assert (seen.state, seen.video_url) == (State.COMPLETED, CLIP)
    assert seen.cost_usd in (None, 0)


@pytest.mark.parametrize("raw", NUMBERS, ids=lambda raw: raw[:9])
@pytest.mark.parametrize("name", sorted(GATEWAYS))
async def test_a_submission_whose_response_has_a_number_that_does_not_fit_has_its_id(name: str, raw: str) -> None:
    gateway = gateway_with(name, responds(200, with_number(TAKEN[name], raw)))
    assert (await gateway.submit(spec(A_MODEL_OF[name]), 5)).remote_id in ("r1", "r1/r1")


@pytest.mark.parametrize("figure", [1e300, 2e6, -1.0, float("nan"), float("inf")])
def test_a_figure_that_no_clip_can_have_is_unknown(figure: float) -> None:
    seen = Observation(state=State.COMPLETED, cost_usd=figure, took_seconds=figure)
    assert (seen.cost_usd, seen.took_seconds) == (None, None)


async def test_a_response_with_very_many_elements_is_not_built_in_memory() -> None:
    many = b'{"request_id": "r1", "x": [' + b"0," * 600_000 + b"0]}"
    with pytest.raises(Unconfirmed):
        await gateway_with("segmind", responds(200, many)).submit(spec(A_MODEL_OF["segmind"]), 5)


# --- a mistake of our own ---------------------------------------------------------------------------------------------


class Mistaken(Segmind):
    """A gateway whose reading of responses fails."""

    def remote_id_in(self, body: object) -> object:
        raise ZeroDivisionError

    async def poll(self, model: object, remote_id: str) -> Observation:
        raise ZeroDivisionError

    async def look_up_expired(self, job: Job) -> Observation | None:
        raise RecursionError

    async def find_lost_submission(self, job: Job, taken: frozenset[str]) -> tuple[str, Observation] | None:
        raise KeyError("created_at")

    async def cancel(self, job: Job) -> Observation | None:
        raise TypeError


async def test_a_mistake_in_reading_a_response_is_never_an_internal_error() -> None:
    working, _ = connect("segmind", responds(200, b"{}"), retry=ONCE)
    gateway = Mistaken(working.settings, working.client)
    with pytest.raises(Unconfirmed):
        await gateway.submit(spec(A_MODEL_OF["segmind"]), 5)
    job = job_of("segmind")
    for question in (
        gateway.observe(MODELS[A_MODEL_OF["segmind"]], "r1"),
        gateway.recall(job),
        gateway.recover(job, frozenset()),
        gateway.stop(job),
    ):
        with pytest.raises(GatewayError, match="cannot be read"):
            await question


async def test_a_history_in_doubt_says_so_and_its_link_is_searched_for_the_key() -> None:
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
