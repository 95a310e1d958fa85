"""Following a job: what each answer of a gateway makes of it, and what no answer makes of it."""

import base64
import inspect
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from hailuo_mcp.core.errors import Expired, GatewayError, HailuoError, InvalidInput, NotReady, UnknownRequest
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.mcp.views import job_view
from hailuo_mcp.sandbox import FAULTS
from hailuo_mcp.service.session import Session
from tests.support import (
    KEYS,
    MODEL_IDS,
    Answerer,
    Turns,
    age,
    arguments_for,
    breaks,
    jobs_in,
    listened_to,
    says,
    segmind,
    settings_for,
    wired,
)

FAST_02 = "segmind/hailuo-02-fast"
APIXO = "apixo/hailuo-2.3-fast"
AIMLAPI = "aimlapi/hailuo-02"
CLIP = "https://cdn.example/clip.mp4"
PROCESSING = says(200, {"status": "PROCESSING"})
COMPLETED = says(200, {"status": "COMPLETED", "output": CLIP})
FAILED = says(422, {"status": "FAILED", "error": "the model stopped"})
GONE = says(404, {"error": "Request r-1 not found"})
QUIET = {**KEYS, "HAILUO_MCP_AUTO_DOWNLOAD": "0"}


async def submitted(session: Session, model_id: str = FAST_02, **more: Any) -> Job:
    return (await session.generate(arguments_for(model_id, **more))).job


async def on_record(session: Session, job: Job) -> Job:
    known = await session.ledger.get(job.id)
    assert known
    return known


# --- ended ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "state"), [(COMPLETED, State.COMPLETED), (FAILED, State.FAILED)])
async def test_an_ended_job_is_answered_without_asking_again(answer: Answerer, state: State, tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET), segmind(status=answer))
    async with opened as session:
        job = await submitted(session)
        ended = await session.status(job.request_id)
        assert ended.state is state
        asked = len(wire.requests)
        wire.answer = breaks
        assert await session.status(job.request_id, 45) == ended
        assert len(wire.requests) == asked


async def test_completed_without_a_link_is_asked_again_until_there_is_one(tmp_path: Path) -> None:
    result = Turns(says(200, {"status": "COMPLETED", "output": None}), COMPLETED)
    opened, _ = wired(
        settings_for(tmp_path, **QUIET), segmind(status=says(200, {"status": "COMPLETED"}), result=result)
    )
    async with opened as session:
        job = await submitted(session)
        first = await session.status(job.request_id)
        assert (first.state, first.video_url) == (State.COMPLETED, None)
        second = await session.status(job.request_id)
        assert (second.state, second.video_url) == (State.COMPLETED, CLIP)


async def test_a_link_that_does_not_come_is_told_after_a_while_and_still_taken_later(tmp_path: Path) -> None:
    result = Turns(says(200, {"status": "COMPLETED", "output": None}))
    opened, wire = wired(
        settings_for(tmp_path, **QUIET), segmind(status=says(200, {"status": "COMPLETED"}), result=result)
    )
    async with opened as session:
        job = await session.status((await submitted(session)).request_id)
        view = job_view(job)
        assert (view.poll_after_seconds, view.error) == (5, None)
        assert "the link is not there yet" in view.next_step

        def earlier(known: Job) -> Job:
            assert known.ended_at
            return known.model_copy(update={"ended_at": known.ended_at - timedelta(minutes=15)})

        await session.ledger.change(job.id, earlier)
        with anyio.fail_after(10):
            job = await session.status(job.request_id, 45)
        view = job_view(job)
        assert (view.state, view.poll_after_seconds) == ("completed", None)
        assert "has given no link for 15 minutes" in view.next_step
        assert '"r-1"' in view.next_step
        wire.answer = segmind(status=COMPLETED)
        assert (await session.status(job.request_id)).video_url == CLIP


async def test_a_clip_inside_the_answer_is_saved_and_shown_by_its_path(tmp_path: Path) -> None:
    clip = b"\0\0\0\x18ftypmp42" + b"clip" * 100
    output = f"data:video/mp4;base64,{base64.b64encode(clip).decode()}"
    opened, wire = wired(
        settings_for(tmp_path, **QUIET), segmind(status=says(200, {"status": "COMPLETED", "output": output}))
    )
    async with opened as session:
        job = await session.status((await submitted(session)).request_id)
        assert (job.state, job.video_url) == (State.COMPLETED, None)
        assert job.video_path
        assert await anyio.Path(job.video_path).read_bytes() == clip
        assert "base64" not in (await on_record(session, job)).model_dump_json()
        asked = len(wire.requests)
        assert (await session.download(job.request_id))[1] == Path(job.video_path)
        assert len(wire.requests) == asked


@pytest.mark.parametrize("model_id", [FAST_02, APIXO, AIMLAPI])
@pytest.mark.parametrize(
    ("word", "code"), [("sandbox:content_violation", "content_violation"), ("sandbox:fail", "gateway_error")]
)
async def test_a_failed_job_is_an_ordinary_answer_with_its_reason(
    model_id: str, word: str, code: str, tmp_path: Path
) -> None:
    assert word in FAULTS
    opened, _ = listened_to(settings_for(tmp_path))
    async with opened as session:
        job = await session.status((await submitted(session, model_id, prompt=f"a kite {word}")).request_id, 5)
        assert job.state is State.FAILED
        assert job.error
        assert job.error.code == code
        assert job.error.charged == ("no" if model_id == FAST_02 else "unknown")
        with pytest.raises(NotReady) as refused:
            await session.download(job.request_id)
        assert refused.value.problem.safe_to_retry is False


# --- trouble with asking --------------------------------------------------------------------------------------------


async def test_a_blip_fails_nothing(tmp_path: Path) -> None:
    status = Turns(says(500), says(503), breaks, COMPLETED)
    opened, _ = wired(settings_for(tmp_path, **QUIET), segmind(status=status))
    async with opened as session:
        assert (await session.status((await submitted(session)).request_id)).state is State.COMPLETED


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (says(500), "gateway_error"),
        (breaks, "network_error"),
        (says(401, {"error": "Unauthorized"}), "unauthorized"),
        (says(403, {"error": "Forbidden"}), "forbidden"),
        (says(429), "rate_limited"),
        (says(200, ["no", "object"]), "gateway_error"),
    ],
)
async def test_a_question_without_an_answer_is_an_error_and_leaves_the_job_as_it_was(
    answer: Answerer, code: str, tmp_path: Path
) -> None:
    opened, _ = wired(settings_for(tmp_path, **QUIET), segmind(status=answer))
    async with opened as session:
        job = await submitted(session)
        with pytest.raises(HailuoError) as refused:
            await session.status(job.request_id)
        assert refused.value.code == code
        assert refused.value.request_id == job.request_id
        assert await on_record(session, job) == job


async def test_a_wait_outlives_passing_trouble(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET), segmind(status=says(500)))
    told: list[State] = []

    async def report(job: Job) -> None:
        told.append(job.state)
        wire.answer = segmind(status=COMPLETED)

    async with opened as session:
        job = await session.status((await submitted(session)).request_id, 20, report)
        assert (job.state, told) == (State.COMPLETED, [State.QUEUED])


async def test_a_state_that_nobody_documented_is_processing(tmp_path: Path) -> None:
    opened, _ = wired(settings_for(tmp_path, **QUIET), segmind(status=says(200, {"status": "DREAMING"})))
    async with opened as session:
        assert (await session.status((await submitted(session)).request_id)).state is State.PROCESSING


# --- not found ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_id", "young"),
    [
        (FAST_02, timedelta(minutes=59)),
        (APIXO, timedelta(hours=23)),
        (AIMLAPI, timedelta(days=6)),
    ],
)
async def test_a_404_while_results_are_still_kept_changes_nothing_and_warns(
    model_id: str, young: timedelta, tmp_path: Path
) -> None:
    def gateway(request: httpx.Request) -> httpx.Response:
        taken = {"request_id": "r-1", "generation_id": "r-1", "code": 200, "data": {"taskId": "r-1"}}
        return httpx.Response(200, json=taken) if request.method == "POST" else httpx.Response(404, json={"code": 404})

    opened, wire = wired(settings_for(tmp_path, **QUIET), gateway)
    async with opened as session:
        job = await submitted(session, model_id)
        await age(session, job, young)
        asked = await session.status(job.request_id)
        assert asked.state is State.QUEUED
        assert f"{model_id.split('/')[0].upper()}_API_KEY" in asked.warnings[-1]
        assert not any("history" in path for path in wire.asked)
        await age(session, job, timedelta(days=1, minutes=1) if model_id == AIMLAPI else timedelta(hours=1, minutes=1))
        expired = await session.status(job.request_id)
        assert expired.state is State.EXPIRED
        assert expired.error
        assert (expired.error.code, expired.error.charged) == ("expired", "unknown")
        with pytest.raises(Expired):
            await session.download(job.request_id)


def _history(row: Mapping[str, Any] | None) -> Answerer:
    """Segmind after the hour: the request is gone, and the history says this."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"request_id": "r-1"})
        if "request-history" in request.url.path and row is not None:
            return httpx.Response(200, json=row)
        return httpx.Response(404, json={"error": "Request r-1 not found"})

    return answer


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ({"request_id": "r-1", "model_status": "COMPLETED", "generation_url": CLIP}, State.COMPLETED),
        ({"request_id": "r-1", "model_status": "FAILED", "error": "it stopped"}, State.FAILED),
        ({"request_id": "r-1", "model_status": "PENDING"}, State.PROCESSING),
        ({"request_id": "another", "model_status": "COMPLETED", "generation_url": CLIP}, State.EXPIRED),
        (None, State.EXPIRED),
    ],
)
async def test_a_404_after_that_is_answered_by_the_history_else_the_job_has_expired(
    row: Mapping[str, Any] | None, state: State, tmp_path: Path
) -> None:
    opened, _ = wired(settings_for(tmp_path, **QUIET), _history(row))
    async with opened as session:
        job = await submitted(session)
        await age(session, job, timedelta(minutes=61))
        asked = await session.status(job.request_id)
        assert asked.state is state
        assert asked.video_url == (CLIP if state is State.COMPLETED else None)


OUT_OF_REACH = [
    says(503),
    says(403, {"error": "Forbidden"}),
    says(429),
    breaks,
    says(200, ["no", "object"]),
]


def _gone_with_history(history: Answerer) -> Answerer:
    def answer(request: httpx.Request) -> httpx.Response | Awaitable[httpx.Response]:
        return history(request) if "request-history" in request.url.path else _history(None)(request)

    return answer


@pytest.mark.parametrize("history", OUT_OF_REACH)
async def test_a_history_that_cannot_be_asked_leaves_the_job_as_it_is_until_it_answers(
    history: Answerer, ledger_url: str, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, **QUIET, HAILUO_MCP_DATABASE_URL=ledger_url)
    opened, wire = wired(settings, _gone_with_history(history))
    async with opened as session:
        job = await submitted(session)
        await age(session, job, timedelta(minutes=61))
        asked = await session.status(job.request_id)
        assert (asked.state, asked.error) == (State.QUEUED, None)
        assert "history could not be asked" in asked.warnings[-1]
        with pytest.raises(NotReady):
            await session.download(job.request_id)
        assert (await on_record(session, job)).state is State.QUEUED
        wire.answer = _history({"request_id": "r-1", "model_status": "COMPLETED", "generation_url": CLIP})
        found = await session.status(job.request_id)
        assert (found.state, found.video_url) == (State.COMPLETED, CLIP)


async def test_a_person_who_asks_for_an_expired_job_has_it_asked_for_again(ledger_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, **QUIET, HAILUO_MCP_DATABASE_URL=ledger_url, HAILUO_MCP_MIN_POLL_SECONDS="60")
    opened, wire = wired(settings, _history(None))
    async with opened as session:
        job = await submitted(session)
        await age(session, job, timedelta(minutes=61))
        assert (await session.status(job.request_id, 45)).state is State.EXPIRED
        wire.answer = breaks
        seen = len(wire.requests)
        assert (await session.status(job.request_id)).warnings == ()
        assert len(wire.requests) == seen, "it was asked for a moment ago"
        await age(session, job, timedelta(seconds=61))
        still = await session.status(job.request_id)
        assert still.state is State.EXPIRED
        assert "asked for again, without an answer" in still.warnings[-1]
        wire.answer = _history({"request_id": "r-1", "model_status": "COMPLETED", "generation_url": CLIP})
        found = await session.status(job.request_id, 45)
        assert (found.state, found.video_url, found.error) == (State.COMPLETED, CLIP, None)
        assert (await on_record(session, job)).state is State.COMPLETED


async def test_a_download_of_an_expired_job_asks_for_it_again_too(tmp_path: Path) -> None:
    opened, wire = listened_to(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    sandbox = wire.answer
    async with opened as session:
        job = await submitted(session)
        await age(session, job, timedelta(minutes=61))
        wire.answer = _history(None)
        with pytest.raises(Expired):
            await session.download(job.request_id)
        wire.answer = sandbox
        saved, path = await session.download(job.request_id)
        assert (saved.state, path.is_file()) == (State.COMPLETED, True)


async def test_an_unknown_id_whose_history_cannot_be_asked_is_not_called_unknown(tmp_path: Path) -> None:
    opened, _ = wired(settings_for(tmp_path, **QUIET), _gone_with_history(says(503)))
    async with opened as session:
        with pytest.raises(GatewayError):
            await session.status(f"{FAST_02}/r-1")


# --- lost submissions -----------------------------------------------------------------------------------------------


async def test_a_lost_submission_is_found_in_the_history_and_its_old_id_goes_on_answering(tmp_path: Path) -> None:
    opened, wire = listened_to(settings_for(tmp_path))
    async with opened as session:
        lost = await submitted(session, prompt="a kite sandbox:lost_answer")
        assert lost.state is State.UNCONFIRMED
        found = await session.status(lost.request_id, 10)
        assert (found.state, found.id) == (State.COMPLETED, lost.id)
        assert found.request_id == f"{FAST_02}/{found.remote_id}" != lost.request_id
        assert found.video_path
        assert found.sandbox
        assert await session.status(lost.request_id) == found == await session.status(found.request_id)
        assert len(wire.posts) == 1


async def test_a_submission_cut_by_a_crash_is_looked_for_once_it_cannot_be_under_way_any_more(tmp_path: Path) -> None:
    opened, wire = listened_to(settings_for(tmp_path))
    async with opened as session:
        lost = await submitted(session, prompt="a kite sandbox:lost_answer")
        # A crash leaves the job as it was entered: nobody saw that the answer was lost.
        await session.ledger.change(lost.id, lambda job: job.model_copy(update={"lost_at": None}))
        asked = len(wire.requests)
        assert (await session.status(lost.request_id)).state is State.UNCONFIRMED
        assert len(wire.requests) == asked
        await age(session, lost, timedelta(seconds=31))
        assert (await session.status(lost.request_id)).state is State.COMPLETED
        assert len(wire.posts) == 1


async def test_a_row_that_came_while_the_history_was_asked_is_the_later_submissions(tmp_path: Path) -> None:
    opened, wire = listened_to(settings_for(tmp_path))
    sandbox = wire.answer
    async with opened as session:
        wire.answer = breaks
        lost = (await session.generate(arguments_for(FAST_02))).job
        later: list[Job] = []

        async def meanwhile(request: httpx.Request) -> httpx.Response:
            if "request-history" in request.url.path and not later:
                later.append((await session.generate(arguments_for(FAST_02), force_new=True)).job)
            answer = sandbox(request)
            return await answer if inspect.isawaitable(answer) else answer

        wire.answer = meanwhile
        same = await session.status(lost.request_id)
    assert later[0].remote_id
    assert (same.state, same.remote_id) == (State.UNCONFIRMED, None)


async def test_two_equal_rows_in_the_history_prove_nothing(tmp_path: Path) -> None:
    opened, _ = listened_to(settings_for(tmp_path))
    async with opened as session:
        lost = await submitted(session, prompt="a kite sandbox:lost_answer")
        await session.generate(arguments_for(FAST_02, prompt="a kite sandbox:lost_answer"), force_new=True)
        asked = await session.status(lost.request_id)
        assert (asked.state, asked.request_id) == (State.UNCONFIRMED, lost.request_id)
        assert asked.error
        assert asked.error.charged == "unknown"


@pytest.mark.parametrize(("model_id", "place"), [(APIXO, "APIXO console"), (AIMLAPI, "usage page of the account")])
async def test_where_there_is_no_history_a_lost_submission_says_honestly_where_to_look(
    model_id: str, place: str, tmp_path: Path
) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET), breaks)
    async with opened as session:
        lost = await submitted(session, model_id)
        asked = len(wire.requests)
        same = await session.status(lost.request_id, 45)
        assert (same.state, len(wire.requests)) == (State.UNCONFIRMED, asked)
        assert same.error
        assert "has no history" in same.error.hint
        assert place in same.error.hint
        assert "paying twice" in same.error.hint
        with pytest.raises(NotReady):
            await session.download(lost.request_id)


async def test_a_history_in_trouble_leaves_a_lost_submission_unconfirmed(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET), breaks)
    async with opened as session:
        lost = await submitted(session)
        wire.answer = says(500)
        assert (await session.status(lost.request_id)).state is State.UNCONFIRMED


# --- ids from elsewhere ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_an_id_polls_without_its_ledger_and_is_entered_again(model_id: str, tmp_path: Path) -> None:
    first, _ = listened_to(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    async with first as session:
        job = await submitted(session, model_id)
    for file in (tmp_path / "state").glob("jobs.sqlite3*"):
        file.unlink()
    opened, wire = listened_to(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    async with opened as second:
        polled = await second.status(job.request_id)
        assert (polled.state, polled.request_id, polled.sandbox) == (State.COMPLETED, job.request_id, True)
        assert polled.video_url
        assert "not in the ledger" in polled.warnings[0]
        assert (await second.jobs()).jobs == (polled,)
        asked = len(wire.requests)
        assert await second.status(job.request_id) == polled
        assert len(wire.requests) == asked
        assert wire.posts == []


@pytest.mark.parametrize("model_id", [FAST_02, APIXO, AIMLAPI])
async def test_an_id_that_neither_ledger_nor_gateway_knows_is_an_error_and_not_entered(
    model_id: str, tmp_path: Path
) -> None:
    opened, wire = listened_to(settings_for(tmp_path))
    async with opened as session:
        with pytest.raises(UnknownRequest):
            await session.status(f"{model_id}/nothing")
        assert len(wire.requests) == (2 if model_id == FAST_02 else 1)  # Segmind's history is asked too
        assert (await session.jobs()).total == 0


async def test_an_id_whose_ledger_is_lost_and_whose_hour_is_over_is_found_in_the_history(tmp_path: Path) -> None:
    row = {"request_id": "gone", "model_status": "COMPLETED", "generation_url": "https://cdn.example/gone.mp4"}
    opened, wire = wired(settings_for(tmp_path, **QUIET), _history(row))
    async with opened as session:
        job = await session.status(f"{FAST_02}/gone")
        assert (job.state, job.video_url) == (State.COMPLETED, "https://cdn.example/gone.mp4")
        assert (await session.jobs()).total == 1
        assert wire.posts == []


@pytest.mark.parametrize("request_id", ["nobody/nothing/x", f"{FAST_02}/unconfirmed-nothing", "segmind/hailuo-9/x"])
async def test_an_id_that_can_be_no_jobs_is_refused_without_asking(request_id: str, tmp_path: Path) -> None:
    opened, wire = listened_to(settings_for(tmp_path))
    async with opened as session:
        with pytest.raises(UnknownRequest):
            await session.status(request_id)
        assert wire.requests == []


async def test_an_unconfirmed_id_answers_only_for_its_own_model(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET), breaks)
    async with opened as session:
        lost = await submitted(session, AIMLAPI)
        asked = len(wire.requests)
        with pytest.raises(UnknownRequest):
            await session.status(lost.request_id.replace(AIMLAPI, FAST_02))
        assert len(wire.requests) == asked


@pytest.mark.parametrize(
    "request_id", [None, 7, "", "r-1", "segmind/r-1", f"{FAST_02}/", f"{FAST_02}/..", f"{FAST_02}/\n"]
)
async def test_what_is_no_request_id_is_refused_with_the_form_of_one(request_id: object, tmp_path: Path) -> None:
    opened, wire = listened_to(settings_for(tmp_path))
    async with opened as session:
        with pytest.raises(InvalidInput, match="request_id"):
            await session.status(request_id)
        assert wire.requests == []


async def test_a_job_of_another_origin_is_told_as_last_known_and_never_asked_for(tmp_path: Path) -> None:
    rehearsal, _ = wired(
        settings_for(tmp_path, **QUIET, SEGMIND_BASE_URL="http://127.0.0.1:9"), segmind(status=PROCESSING)
    )
    async with rehearsal as session:
        job = await submitted(session)
        assert job.origin == "http://127.0.0.1:9"
    opened, wire = wired(settings_for(tmp_path, **QUIET), segmind(status=COMPLETED))
    async with opened as real:
        asked = await real.status(job.request_id, 45)
        assert (asked.state, wire.requests) == (State.QUEUED, [])
        assert "http://127.0.0.1:9, which is not configured now" in asked.warnings[-1]
        with pytest.raises(NotReady):
            await real.download(job.request_id)
        again = await real.generate(arguments_for(FAST_02))
        assert not again.duplicate


# --- several at once, waits -----------------------------------------------------------------------------------------


async def test_questions_about_one_job_at_the_same_moment_share_one_request(tmp_path: Path) -> None:
    arrived, go_on = anyio.Event(), anyio.Event()
    answers: list[State] = []

    async def slowly(request: httpx.Request) -> httpx.Response:
        arrived.set()
        await go_on.wait()
        return httpx.Response(200, json={"status": "PROCESSING"})

    # Who comes after the answer is answered from it.
    settings = settings_for(tmp_path, **QUIET, HAILUO_MCP_MIN_POLL_SECONDS="60")
    opened, wire = wired(settings, segmind(status=slowly))

    async def ask(job: Job) -> None:
        answers.append((await session.status(job.request_id)).state)

    async with opened as session:
        job = await submitted(session)
        async with anyio.create_task_group() as questions:
            for _ in range(5):
                questions.start_soon(ask, job)
            await arrived.wait()
            await anyio.wait_all_tasks_blocked()
            go_on.set()
        assert answers == [State.PROCESSING] * 5
        assert wire.asked.count("GET /v2/requests/r-1/status") == 1


async def test_a_cancelled_wait_leaves_the_job_and_the_others_who_wait(tmp_path: Path) -> None:
    arrived, go_on = anyio.Event(), anyio.Event()

    async def slowly(request: httpx.Request) -> httpx.Response:
        arrived.set()
        await go_on.wait()
        return httpx.Response(200, json={"status": "COMPLETED", "output": CLIP})

    opened, wire = wired(settings_for(tmp_path, **QUIET), segmind(status=slowly))
    async with opened as session:
        job = await submitted(session)
        async with anyio.create_task_group() as questions:
            questions.start_soon(session.status, job.request_id, 45)
            await arrived.wait()
            questions.cancel_scope.cancel()
        go_on.set()
        assert (await session.status(job.request_id)).state is State.COMPLETED
        assert len(wire.posts) == 1


async def test_a_wait_ends_with_the_job_and_tells_its_progress(tmp_path: Path) -> None:
    status = Turns(says(200, {"status": "QUEUED"}), PROCESSING, COMPLETED)
    opened, _ = wired(settings_for(tmp_path, **QUIET), segmind(status=status))
    told: list[State] = []

    async def report(job: Job) -> None:
        told.append(job.state)

    async with opened as session:
        job = await session.status((await submitted(session)).request_id, 45, report)
        assert (job.state, told) == (State.COMPLETED, [State.QUEUED, State.PROCESSING])


async def test_a_wait_that_runs_out_is_an_ordinary_answer_also_while_the_gateway_is_silent(tmp_path: Path) -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    opened, wire = wired(settings_for(tmp_path, **QUIET), segmind(status=PROCESSING))
    async with opened as session:
        job = await submitted(session)
        assert (await session.status(job.request_id, 0.1)).state is State.PROCESSING
        wire.answer = segmind(status=never)
        with anyio.fail_after(5):
            assert (await session.status(job.request_id, 0.1)).state is State.PROCESSING


async def test_a_poll_too_soon_after_the_last_is_answered_from_the_last(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET, HAILUO_MCP_MIN_POLL_SECONDS="60"), segmind(status=PROCESSING))
    async with opened as session:
        job = await submitted(session)
        for _ in range(3):
            assert (await session.status(job.request_id)).state is State.PROCESSING
        assert len(wire.requests) == 2
        await age(session, job, timedelta(seconds=61))
        await session.status(job.request_id)
        assert len(wire.requests) == 3


async def test_a_clock_that_was_ahead_and_is_corrected_keeps_nobody_from_asking(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **QUIET, HAILUO_MCP_MIN_POLL_SECONDS="60"), segmind(status=PROCESSING))
    async with opened as session:
        job = await submitted(session)
        await session.status(job.request_id)
        await age(session, job, timedelta(hours=-5))
        wire.answer = segmind(status=COMPLETED)
        assert (await session.status(job.request_id)).state is State.COMPLETED


# --- clips ----------------------------------------------------------------------------------------------------------


async def test_a_clip_that_cannot_be_saved_is_told_with_its_link_and_changes_no_state(tmp_path: Path) -> None:
    output = "https://127.0.0.1:9/clip.mp4"
    opened, _ = wired(
        settings_for(tmp_path, **KEYS), segmind(status=says(200, {"status": "COMPLETED", "output": output}))
    )
    async with opened as session:
        job = await session.status((await submitted(session)).request_id)
        assert (job.state, job.video_url, job.video_path) == (State.COMPLETED, output, None)
        assert "The clip is not saved yet" in job.warnings[-1]
        assert (await on_record(session, job)).warnings == ()


async def test_a_dead_link_is_replaced_by_a_fresh_one_from_the_gateway(tmp_path: Path) -> None:
    opened, _ = listened_to(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    async with opened as session:
        job = await session.status((await submitted(session)).request_id)
        assert job.video_url
        link = job.video_url
        await session.ledger.change(job.id, lambda j: j.model_copy(update={"video_url": f"{link}.gone"}))
        saved, path = await session.download(job.request_id)
        assert (saved.video_url, saved.video_path) == (link, str(path))
        assert jobs_in(tmp_path) == {path.name: path}


async def test_a_dead_link_without_a_fresh_one_is_expired_and_the_job_stays_completed(tmp_path: Path) -> None:
    opened, wire = listened_to(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0"))
    async with opened as session:
        job = await session.status((await submitted(session)).request_id)
        await session.ledger.change(job.id, lambda j: j.model_copy(update={"video_url": f"{j.video_url}.gone"}))
        for out_of_reach in (says(503), _gone_with_history(says(503))):
            wire.answer = out_of_reach
            with pytest.raises(GatewayError):
                await session.download(job.request_id)
        await age(session, job, timedelta(minutes=61))
        wire.answer = GONE
        with pytest.raises(Expired):
            await session.download(job.request_id)
        assert (await on_record(session, job)).state is State.COMPLETED
