"""Submitting: what is decided, recorded and sent, in which order, and what is known after each outcome."""

import base64
import io
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from PIL import Image

from hailuo_mcp.core.errors import HailuoError, InvalidInput
from hailuo_mcp.core.job import IN_PROCESS, State
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.ledger.sqlite import SqliteLedger
from hailuo_mcp.service.session import Session
from tests.support import (
    KEYS,
    MODEL_IDS,
    PICTURE,
    Turns,
    arguments_for,
    body_of,
    breaks,
    jobs_in,
    recorded_sandbox,
    says,
    settings_for,
    wired,
)

ONE_OF_EACH = ("segmind/hailuo-02-fast", "apixo/hailuo-2.3-fast", "aimlapi/hailuo-02", "minimax/hailuo-02")
ACCEPTED = {
    "segmind": {"request_id": "r-1", "status": "QUEUED"},
    "apixo": {"code": 200, "message": "success", "data": {"taskId": "r-1"}},
    "aimlapi": {"generation_id": "r-1", "status": "queued"},
    "minimax": {"task_id": "r-1", "base_resp": {"status_code": 0, "status_msg": "success"}},
    "fal": {"request_id": "r-1", "status": "IN_QUEUE"},
    "replicate": {"id": "r-1", "status": "starting"},
}
RETENTION = {
    "segmind": timedelta(hours=1),
    "apixo": timedelta(hours=24),
    "aimlapi": None,
    "minimax": None,
    "fal": timedelta(hours=1),
    "replicate": timedelta(hours=1),
}


def gateway_of(model_id: str) -> str:
    return model_id.split("/")[0]


def a_picture(width: int = 640, height: int = 480) -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


async def only_job(session: Session) -> Any:
    """The only job in the ledger."""
    page = await session.jobs()
    assert page.total == 1
    return page.jobs[0]


# --- from submission to clip --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_a_job_of_each_model_goes_from_submission_to_a_saved_clip(model_id: str, tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path))
    async with opened as session:
        submitted = (await session.generate(arguments_for(model_id))).job
        assert (submitted.state, submitted.sandbox, submitted.origin) == (State.QUEUED, True, IN_PROCESS)
        assert submitted.request_id == f"{model_id}/{submitted.remote_id}"
        done = await session.status(submitted.request_id, 10)
        assert (done.state, done.error) == (State.COMPLETED, None)
        assert done.video_path
        assert jobs_in(tmp_path) == {Path(done.video_path).name: Path(done.video_path)}
        before = len(wire.requests)
        assert await session.status(submitted.request_id) == done
        assert (await session.download(submitted.request_id))[1] == Path(done.video_path)
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
        job = (await session.generate(arguments_for(model_id))).job
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
        job = (await session.generate(arguments_for("segmind/hailuo-2.3-fast", duration="6"))).job
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
        job = (await session.generate(arguments_for(model_id))).job
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
        job = (await session.generate(arguments_for("segmind/hailuo-02-fast"))).job
        assert job.request_id == "segmind/hailuo-02-fast/r-1"
        assert "could not be recorded" in job.warnings[-1]


# --- refused, lost, cancelled -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_id", "answer", "code"),
    [
        ("segmind/hailuo-02-fast", says(406, {"error": "Insufficient credits"}), "insufficient_credits"),
        ("segmind/hailuo-02-fast", says(401, {"error": "Unauthorized"}), "unauthorized"),
        ("apixo/hailuo-2.3-fast", says(200, {"code": 402, "message": "no credits"}), "insufficient_credits"),
        ("apixo/hailuo-2.3-fast", says(404, {"code": 404}), "model_retired"),
        ("aimlapi/hailuo-02", says(403, {"message": "You ran out of credits"}), "insufficient_credits"),
        ("aimlapi/hailuo-02", says(400, {"message": "bad"}), "invalid_input"),
        ("aimlapi/hailuo-02", says(429, {"message": "slow down"}), "rate_limited"),
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
        job = (await session.generate(arguments_for(model_id))).job
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
            await session.generate(arguments_for("aimlapi/hailuo-02"))
        problem = refused.value.problem
        assert (problem.code, problem.charged, problem.safe_to_retry) == ("network_error", "no", True)
        assert (await only_job(session)).state is State.FAILED


async def test_a_cancelled_call_still_records_the_id(tmp_path: Path) -> None:
    arrived, answered = anyio.Event(), anyio.Event()

    async def slowly(_: httpx.Request) -> httpx.Response:
        arrived.set()
        await answered.wait()
        return httpx.Response(200, json=ACCEPTED["segmind"])

    opened, _ = wired(settings_for(tmp_path, **KEYS), slowly)
    async with opened as session:
        async with anyio.create_task_group() as calls:
            calls.start_soon(session.generate, arguments_for("segmind/hailuo-02-fast"))
            await arrived.wait()
            calls.cancel_scope.cancel()
            answered.set()
        job = await only_job(session)
        assert (job.state, job.remote_id) == (State.QUEUED, "r-1")


# --- duplicates and budgets ---------------------------------------------------------------------------------------


async def test_an_identical_call_returns_the_first_job_unless_it_is_forced(tmp_path: Path) -> None:
    answers = Turns(*(says(200, {"request_id": f"r-{n}"}) for n in range(1, 4)))
    opened, wire = wired(settings_for(tmp_path, **KEYS), answers)
    async with opened as session:
        first = await session.generate(arguments_for("segmind/hailuo-02-fast"))
        again = await session.generate(arguments_for("segmind/hailuo-02-fast", duration="6", go_fast=False))
        assert (first.duplicate, again.duplicate) == (False, True)
        assert again.job.request_id == first.job.request_id
        assert "force_new" in again.job.warnings[-1]
        forced = await session.generate(arguments_for("segmind/hailuo-02-fast"), force_new=True)
        other = await session.generate(arguments_for("segmind/hailuo-02-fast", duration=10))
        assert (forced.job.remote_id, other.job.remote_id) == ("r-2", "r-3")
        assert len(wire.posts) == 3


async def test_one_of_several_simultaneous_identical_calls_is_sent(tmp_path: Path) -> None:
    outcomes: list[tuple[str, bool]] = []
    opened, wire = wired(settings_for(tmp_path, **KEYS), says(200, ACCEPTED["segmind"]))

    async def call() -> None:
        submitted = await session.generate(arguments_for("segmind/hailuo-02-fast"))
        outcomes.append((submitted.job.request_id, submitted.duplicate))

    async with opened as session:
        async with anyio.create_task_group() as calls:
            for _ in range(5):
                calls.start_soon(call)
        assert len(wire.posts) == 1
        assert {request_id for request_id, _ in outcomes} == {"segmind/hailuo-02-fast/r-1"}
        assert sorted(duplicate for _, duplicate in outcomes) == [False, True, True, True, True]


async def test_image_is_identified_by_its_content_and_uploaded_once(tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    (tmp_path / "pictures").mkdir()
    file = tmp_path / "pictures" / "first.png"
    file.write_bytes(base64.b64decode(a_picture().partition(",")[2]))
    call = {"model": "segmind/hailuo-02-fast", "prompt": "x"}
    async with opened as session:
        by_uri = await session.generate({**call, "first_frame_image": a_picture()})
        by_path = await session.generate({**call, "first_frame_image": str(file)})
        assert by_path.job.id == by_uri.job.id
        other = await session.generate({**call, "first_frame_image": str(file), "duration": 10})
        assert other.job.id != by_uri.job.id
        uploads = [path for path in wire.asked if "upload" in path]
        assert uploads == ["POST /upload-asset"]
        sent = body_of(wire.posts[-1])["first_frame_image"]
        assert sent.startswith("https://")
        assert other.job.body["first_frame_image"] == sent
        assert "base64" not in other.job.model_dump_json()


async def test_a_budget_refuses_before_anything_is_written_or_sent(tmp_path: Path) -> None:
    opened, wire = wired(
        settings_for(tmp_path, **KEYS, HAILUO_MCP_MAX_JOBS_PER_DAY="1"), says(200, ACCEPTED["segmind"])
    )
    async with opened as session:
        await session.generate(arguments_for("segmind/hailuo-02-fast"))
        with pytest.raises(HailuoError) as refused:
            await session.generate(arguments_for("segmind/hailuo-02-fast", duration=10))
        assert (refused.value.code, refused.value.problem.charged) == ("budget_exceeded", "no")
        assert len(wire.posts) == 1
        await only_job(session)


async def test_job_of_unknown_price_counts_as_the_highest_price_in_the_budget(tmp_path: Path) -> None:
    opened, wire = wired(
        settings_for(tmp_path, **KEYS, HAILUO_MCP_MAX_USD_PER_DAY="2.50"), says(200, ACCEPTED["apixo"])
    )
    async with opened as session:
        job = (await session.generate(arguments_for("apixo/hailuo-2.3-fast"))).job
        assert (job.estimated_cost_usd, job.budget_cost_usd) == (None, 2.4)
        with pytest.raises(HailuoError, match=r"\$2\.40 spent today, this one counts as \$0\.12"):
            await session.generate(arguments_for("segmind/hailuo-02-fast"))
        assert len(wire.posts) == 1
        assert (await session.jobs()).spent_usd == 0


async def test_unwritable_output_directory_is_refused_before_submission(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("in the way")
    opened, wire = wired(settings_for(tmp_path, **KEYS), says(200, ACCEPTED["segmind"]))
    async with opened as session:
        with pytest.raises(InvalidInput) as refused:
            await session.generate(arguments_for("segmind/hailuo-02-fast"))
        assert "HAILUO_MCP_OUTPUT_DIR" in refused.value.problem.hint
        assert wire.requests == []
        assert (await session.jobs()).total == 0


# --- dry runs, estimates, callbacks -------------------------------------------------------------------------------


@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_a_dry_run_shows_the_exact_request_and_sends_and_records_nothing(model_id: str, tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **KEYS), says(200, ACCEPTED[gateway_of(model_id)]))
    async with opened as session:
        dry = await session.generate(arguments_for(model_id), dry_run=True)
        assert wire.requests == []
        assert (await session.jobs()).total == 0
        await session.generate(arguments_for(model_id))
        (sent,) = wire.posts
        assert dry.request
        shown = dry.request.public()
        assert (shown["method"], shown["url"], shown["body"]) == (sent.method, str(sent.url), body_of(sent))
        assert all(secret not in repr(shown) for secret in KEYS.values())
        assert sorted(value for value in shown["headers"].values() if "***" in value) == ["***"]


@pytest.mark.parametrize(
    ("model_id", "mark"),
    [("segmind/hailuo-02-fast", "<upload:sha256:"), ("aimlapi/hailuo-02", "data:image/png;base64,<sha256:")],
)
async def test_a_dry_run_marks_an_image_and_uploads_none(model_id: str, mark: str, tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **KEYS), says(500))
    async with opened as session:
        dry = await session.generate({"model": model_id, "prompt": "x", "first_frame_image": a_picture()}, dry_run=True)
        assert dry.request
        assert dry.request.body
        assert dry.request.body["first_frame_image"].startswith(mark)
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
        call = arguments_for("apixo/hailuo-2.3-fast", callback_url=url)
        if accepted:
            await session.generate(call)
            assert body_of(wire.posts[0])["callback_url"] == url
        else:
            with pytest.raises(InvalidInput, match=r"callback_url (names|must be)"):
                await session.generate(call)
            assert wire.requests == []


@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_the_estimates_are_the_published_figures_until_enough_is_learned(model_id: str, tmp_path: Path) -> None:
    opened, _ = wired(settings_for(tmp_path, **KEYS), says(500))
    model = next(model for gateway in GATEWAYS for model in gateway.models if model.id == model_id)
    arguments = arguments_for(model_id)
    spec = model.parse({name: value for name, value in arguments.items() if name != "model"})
    price = spec.price()
    async with opened as session:
        job = (await session.generate(arguments, dry_run=True)).job
        assert job.estimated_seconds == spec.typical_seconds()
        assert job.estimated_cost_usd == (price.usd if price else None)


async def test_the_estimated_time_is_learned_from_finished_jobs_of_the_same_length(tmp_path: Path) -> None:
    def gateway(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"request_id": f"r-{len(wire.posts)}"})
        metrics = {"total_time": 200.0, "cost": 0.13}
        answer = {"status": "COMPLETED", "output": "https://cdn.example/x.mp4", "metrics": metrics}
        return httpx.Response(200, json=answer)

    opened, wire = wired(settings_for(tmp_path, **KEYS, HAILUO_MCP_AUTO_DOWNLOAD="0"), gateway)
    async with opened as session:
        for n in range(3):
            job = (await session.generate(arguments_for("segmind/hailuo-02-fast", prompt=str(n)))).job
            assert job.estimated_seconds == 80.0
            done = await session.status(job.request_id)
            assert (done.took_seconds, done.cost_usd) == (200.0, 0.13)
        learned = (await session.generate(arguments_for("segmind/hailuo-02-fast"), dry_run=True)).job
        longer = (await session.generate(arguments_for("segmind/hailuo-02-fast", duration=10), dry_run=True)).job
        assert (learned.estimated_seconds, longer.estimated_seconds) == (200.0, 80.0)
        assert (await session.jobs()).spent_usd == pytest.approx(0.39)  # pyright: ignore[reportUnknownMemberType]


async def test_nothing_is_sent_without_a_key_or_the_sandbox(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, HAILUO_MCP_SANDBOX="0"), says(500))
    async with opened as session:
        for call in (session.generate({"prompt": "x"}), session.status("segmind/hailuo-02-fast/r-1")):
            with pytest.raises(HailuoError) as refused:
                await call
            assert all(variable in refused.value.problem.hint for variable in KEYS)
        assert wire.requests == []
