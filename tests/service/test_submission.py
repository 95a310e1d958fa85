"""Submitting: what is recorded and sent, in which order, and what is known after each outcome."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from hailuo_mcp.core.errors import HailuoError, InvalidInput
from hailuo_mcp.core.job import IN_PROCESS, State
from hailuo_mcp.ledger.sqlite import SqliteLedger
from hailuo_mcp.service.session import Session
from tests.service.polled_jobs import ACCEPTED, AIMLAPI, APIXO, FAST_02, Held, gateway_of, submitted
from tests.support import (
    KEYS,
    MODEL_IDS,
    PICTURE,
    arguments_for,
    body_of,
    breaks,
    jobs_in,
    recorded_sandbox,
    says,
    settings_for,
    wired,
)

ONE_OF_EACH = (FAST_02, APIXO, AIMLAPI, "minimax/hailuo-02")
RETENTION = {
    "segmind": timedelta(hours=1),
    "apixo": timedelta(hours=24),
    "aimlapi": None,
    "minimax": None,
    "fal": timedelta(hours=1),
    "replicate": timedelta(hours=1),
}


async def only_job(session: Session) -> Any:
    """The only job in the ledger."""
    page = await session.jobs()
    assert page.total == 1
    return page.jobs[0]


@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_a_job_of_each_model_goes_from_submission_to_a_saved_clip(model_id: str, tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path))
    async with opened as session:
        job = await submitted(session, model_id)
        assert (job.state, job.sandbox, job.origin) == (State.QUEUED, True, IN_PROCESS)
        assert job.request_id == f"{model_id}/{job.remote_id}"
        done = await session.status(job.request_id, 10)
        assert (done.state, done.error) == (State.COMPLETED, None)
        assert done.video_path
        assert jobs_in(tmp_path) == {Path(done.video_path).name: Path(done.video_path)}
        before = len(wire.requests)
        assert await session.status(job.request_id) == done
        assert (await session.download(job.request_id))[1] == Path(done.video_path)
        assert len(wire.requests) == before
        assert len(wire.posts) == 1


@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_job_is_recorded_as_unconfirmed_before_its_submission_is_received(model_id: str, tmp_path: Path) -> None:
    seen: list[Any] = []

    async def gateway(request: httpx.Request) -> httpx.Response:
        other_process = SqliteLedger(session.settings.database_path)
        seen.extend((await other_process.page("", None, 10, frozenset())).jobs)
        await other_process.close()
        return httpx.Response(200, json=ACCEPTED[gateway_of(model_id)])

    opened, wire = wired(settings_for(tmp_path, **KEYS), gateway)
    async with opened as session:
        job = await submitted(session, model_id)
        (before,) = seen
        assert (before.id, before.state, before.remote_id) == (job.id, State.UNCONFIRMED, None)
        assert before.error.charged == "unknown"
        assert before.parameters["prompt"] == "a red kite rises [Push in]"
        assert before.body == body_of(wire.posts[0])
        endpoint = model_id.replace("fal/", "minimax/") if "/h3" in model_id else "fal-ai/minimax"
        remote_id = f"{endpoint}/r-1" if gateway_of(model_id) == "fal" else "r-1"
        assert (job.state, job.remote_id, job.error, job.sandbox) == (State.QUEUED, remote_id, None, False)


async def test_arguments_are_recorded_with_their_defaults(tmp_path: Path) -> None:
    opened, _ = wired(settings_for(tmp_path, **KEYS), says(200, ACCEPTED["segmind"]))
    async with opened as session:
        job = await submitted(session, "segmind/hailuo-2.3-fast", duration="6")
        assert job.parameters == {
            "prompt": "a red kite rises [Push in]",
            "first_frame_image": PICTURE,
            "duration": 6,
            "resolution": "1080p",
            "prompt_optimizer": True,
        }


@pytest.mark.parametrize("model_id", ONE_OF_EACH)
async def test_expires_at_is_the_submission_time_plus_the_gateways_retention(model_id: str, tmp_path: Path) -> None:
    name = gateway_of(model_id)
    opened, _ = wired(settings_for(tmp_path, **KEYS), says(200, ACCEPTED[name]))
    async with opened as session:
        job = await submitted(session, model_id)
        retention = RETENTION[name]
        assert job.expires_at == (job.created_at + retention if retention else None)


async def test_ledger_failure_after_the_response_returns_the_id_with_a_warning(tmp_path: Path) -> None:
    def gateway(_: httpx.Request) -> httpx.Response:
        with sqlite3.connect(session.settings.database_path) as db:
            db.execute("DROP TABLE jobs")
        db.close()
        return httpx.Response(200, json=ACCEPTED["segmind"])

    opened, _ = wired(settings_for(tmp_path, **KEYS), gateway)
    async with opened as session:
        job = await submitted(session)
        assert job.request_id == "segmind/hailuo-02-fast/r-1"
        assert "could not be recorded" in job.warnings[-1]


@pytest.mark.parametrize(
    ("model_id", "answer", "code"),
    [
        (FAST_02, says(406, {"error": "Insufficient credits"}), "insufficient_credits"),
        (FAST_02, says(401, {"error": "Unauthorized"}), "unauthorized"),
        (APIXO, says(200, {"code": 402, "message": "no credits"}), "insufficient_credits"),
        (APIXO, says(404, {"code": 404}), "model_retired"),
        (AIMLAPI, says(403, {"message": "You ran out of credits"}), "insufficient_credits"),
        (AIMLAPI, says(400, {"message": "bad"}), "invalid_input"),
        (AIMLAPI, says(429, {"message": "slow down"}), "rate_limited"),
    ],
)
async def test_refusal_is_an_error_with_an_id_and_a_failed_job_without_cost(
    model_id: str, answer: Any, code: str, tmp_path: Path
) -> None:
    opened, wire = wired(settings_for(tmp_path, **KEYS), answer)
    async with opened as session:
        with pytest.raises(HailuoError) as refused:
            await session.generate(arguments_for(model_id))
        assert (refused.value.code, refused.value.problem.charged) == (code, "no")
        job = await only_job(session)
        assert refused.value.request_id == job.request_id
        assert (job.state, job.error.code, job.error.charged) == (State.FAILED, code, "no")
        wire.answer = says(200, ACCEPTED[gateway_of(model_id)])
        again = await session.generate(arguments_for(model_id))
        assert (again.duplicate, again.job.state) == (False, State.QUEUED)


@pytest.mark.parametrize("model_id", ONE_OF_EACH)
@pytest.mark.parametrize("answer", [breaks, says(500, {"error": "boom"}), says(200, {"hello": "there"}), says(302)])
async def test_lost_response_leaves_an_unconfirmed_job_that_is_never_resent(
    model_id: str, answer: Any, tmp_path: Path
) -> None:
    opened, wire = wired(settings_for(tmp_path, **KEYS), answer)
    async with opened as session:
        job = await submitted(session, model_id)
        assert job.state is State.UNCONFIRMED
        assert job.request_id == f"{model_id}/unconfirmed-{job.id}"
        assert job.error
        assert (job.error.code, job.error.charged, job.error.safe_to_retry) == ("unconfirmed", "unknown", False)
        again = await session.generate(arguments_for(model_id))
        assert again.duplicate
        assert again.job.id == job.id
        assert len(wire.posts) == 1
        assert (await only_job(session)).id == job.id


async def test_failed_connection_is_not_charged(tmp_path: Path) -> None:
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    opened, _ = wired(settings_for(tmp_path, **KEYS), unreachable)
    async with opened as session:
        with pytest.raises(HailuoError) as refused:
            await session.generate(arguments_for(AIMLAPI))
        problem = refused.value.problem
        assert (problem.code, problem.charged, problem.safe_to_retry) == ("network_error", "no", True)
        assert (await only_job(session)).state is State.FAILED


async def test_a_cancelled_call_still_records_the_id(tmp_path: Path) -> None:
    held = Held(200, ACCEPTED["segmind"])
    opened, _ = wired(settings_for(tmp_path, **KEYS), held)
    async with opened as session:
        async with anyio.create_task_group() as calls:
            calls.start_soon(session.generate, arguments_for(FAST_02))
            await held.requested.wait()
            calls.cancel_scope.cancel()
            held.released.set()
        job = await only_job(session)
        assert (job.state, job.remote_id) == (State.QUEUED, "r-1")


async def test_nothing_is_sent_without_a_key_or_the_sandbox(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, HAILUO_MCP_SANDBOX="0"), says(500))
    async with opened as session:
        for call in (session.generate({"prompt": "x"}), session.status("segmind/hailuo-02-fast/r-1")):
            with pytest.raises(HailuoError) as refused:
                await call
            assert all(variable in refused.value.problem.hint for variable in KEYS)
        assert wire.requests == []


@pytest.mark.parametrize(
    ("allowed", "url", "accepted"),
    [
        ("", "https://hooks.example/x", False),
        ("hooks.example", "https://hooks.example/x", True),
        ("hooks.example", "https://HOOKS.example:8443/x", True),
        ("hooks.example", "https://evil.example/hooks.example", False),
        ("hooks.example", "https://hooks.example.evil.example/", False),
        ("*", "https://anything.example", True),
        ("*", "https://[half/x", False),
        ("*", "https://?x", False),
    ],
)
async def test_a_callback_goes_only_to_a_host_that_the_user_allowed(
    allowed: str, url: str, accepted: bool, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, **KEYS, HAILUO_MCP_CALLBACK_HOSTS=allowed)
    opened, wire = wired(settings, says(200, ACCEPTED["apixo"]))
    async with opened as session:
        call = arguments_for(APIXO, callback_url=url)
        if accepted:
            await session.generate(call)
            assert body_of(wire.posts[0])["callback_url"] == url
        else:
            with pytest.raises(InvalidInput, match=r"callback_url (names|must be)"):
                await session.generate(call)
            assert wire.requests == []
