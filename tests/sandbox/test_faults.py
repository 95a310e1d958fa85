"""The fault triggers in a prompt, on every gateway."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from hailuo_mcp.sandbox import FAULTS, ConnectionCut
from hailuo_mcp.sandbox.faults import triggers_in, without_triggers

from .wire import GATEWAYS, HISTORY, SEGMIND, Clock, Gateway, in_process, segmind_key, status_of


def state(answer: httpx.Response) -> str:
    """The job's state, in Segmind's terms."""
    body = answer.json()
    word: str = (body["data"]["state"] if "data" in body else body["status"]).lower()
    words = {
        "pending": "QUEUED",
        "success": "COMPLETED",
        "generating": "PROCESSING",
        "error": "FAILED",
        "fail": "FAILED",
    }
    return words.get(word, word).upper()


@pytest.fixture(params=GATEWAYS)
def gateway(request: pytest.FixtureRequest) -> Gateway:
    return GATEWAYS[request.param]


@pytest.mark.parametrize("word", ["sandbox:fail", "sandbox:content_violation"])
async def test_job_with_a_failure_trigger_fails_when_it_would_be_completed(
    gateway: Gateway, tmp_path: Path, clock: Clock, word: str
) -> None:
    async with in_process(tmp_path, seconds=60, clock=clock) as client:
        submitted = await gateway.submit(client, f"A cat {word.upper()}.")
        assert submitted.is_success
        clock.now += 59
        assert state(await gateway.poll(client, submitted)) == "PROCESSING"
        clock.now += 1
        assert state(await gateway.poll(client, submitted)) == "FAILED"


async def test_a_job_that_never_ends_is_still_processing_a_day_later(
    gateway: Gateway, tmp_path: Path, clock: Clock
) -> None:
    async with in_process(tmp_path, seconds=60, retention_seconds=1e9, clock=clock) as client:
        submitted = await gateway.submit(client, "sandbox:never")
        clock.now += 86400
        assert state(await gateway.poll(client, submitted)) == "PROCESSING"


async def test_a_slow_job_takes_five_times_as_long(gateway: Gateway, tmp_path: Path, clock: Clock) -> None:
    async with in_process(tmp_path, seconds=60, clock=clock) as client:
        submitted = await gateway.submit(client, "sandbox:slow")
        clock.now += 299
        assert state(await gateway.poll(client, submitted)) == "PROCESSING"
        clock.now += 1
        assert state(await gateway.poll(client, submitted)) == "COMPLETED"


async def test_expiring_job_is_not_found_once_it_would_be_completed(
    gateway: Gateway, tmp_path: Path, clock: Clock
) -> None:
    async with in_process(tmp_path, seconds=60, clock=clock) as client:
        submitted = await gateway.submit(client, "sandbox:expire")
        clock.now += 59
        assert state(await gateway.poll(client, submitted)) == "PROCESSING"
        clock.now += 1
        assert status_of(await gateway.poll(client, submitted)) == 404
        assert (await client.get(HISTORY, headers=segmind_key())).json()["data"] == []


@pytest.mark.parametrize(("name", "status"), [("segmind", 406), ("apixo", 402), ("aimlapi", 403), ("minimax", 402)])
async def test_an_account_without_credits_gets_the_status_its_gateway_documents(
    tmp_path: Path, name: str, status: int
) -> None:
    async with in_process(tmp_path) as client:
        assert status_of(await GATEWAYS[name].submit(client, "sandbox:no_credits")) == status
        assert status_of(await GATEWAYS[name].submit(client, key="no-credits")) == status


async def test_a_rate_limited_submission_is_refused_every_time(gateway: Gateway, tmp_path: Path) -> None:
    async with in_process(tmp_path) as client:
        for _ in range(3):
            assert status_of(await gateway.submit(client, "sandbox:rate_limit")) == 429


async def test_a_lost_answer_cuts_the_connection_in_process(gateway: Gateway, tmp_path: Path) -> None:
    async with in_process(tmp_path) as client:
        with pytest.raises(ConnectionCut):
            await gateway.submit(client, "sandbox:lost_answer")


def test_a_lost_answer_cuts_the_connection_over_a_port(
    gateway: Gateway, serve: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    url = serve(seconds=0) + gateway.submit_path
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(url, json=gateway.with_prompt("sandbox:lost_answer"), headers=gateway.credentials("key"))
    (line,) = (record for record in caplog.records if "cut" in record.getMessage())
    assert (line.levelname, line.exc_info) == ("INFO", None)


async def test_the_job_behind_a_lost_answer_runs_and_is_in_the_history(tmp_path: Path) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        with pytest.raises(ConnectionCut):
            await SEGMIND.submit(client, "sandbox:lost_answer")
        (row,) = (await client.get(HISTORY, headers=segmind_key())).json()["data"]
    assert row["model_status"] == "COMPLETED"
    assert row["request_body"] == SEGMIND.with_prompt("sandbox:lost_answer")


@pytest.mark.parametrize(("word", "status"), [("never", 504), ("fail", 500), ("content_violation", 400)])
async def test_the_synchronous_route_returns_a_status_for_each_fault(tmp_path: Path, word: str, status: int) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        body = SEGMIND.with_prompt(f"sandbox:{word}")
        answer = await client.post("/v1/hailuo-02-fast", json=body, headers=segmind_key())
        assert answer.status_code == status
        with pytest.raises(ConnectionCut):
            await client.post(
                "/v1/hailuo-02-fast", json=SEGMIND.with_prompt("sandbox:lost_answer"), headers=segmind_key()
            )


def test_triggers_are_found_in_any_letter_case_and_only_as_whole_words() -> None:
    assert triggers_in("go SANDBOX:Slow, sandbox:fail!") == {"sandbox:slow", "sandbox:fail"}
    assert triggers_in("sandbox:failure and a sandbox: slow") == frozenset()
    assert without_triggers("A cat sandbox:slow purrs  Sandbox:FAIL") == "A cat purrs"


def test_every_trigger_is_described_in_one_sentence() -> None:
    assert len(FAULTS) == 8
    for word, meaning in FAULTS.items():
        assert triggers_in(word) == {word}
        assert meaning.endswith(".")
        assert meaning.count(".") == 1
