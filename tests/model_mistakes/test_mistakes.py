"""Mistakes that language models make, tried on the real server: each error leads to a correct call within two further
calls, and nothing is charged twice."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.media.samples import encoded, picture
from tests.model_mistakes.assistant import Answer, Assistant, Call
from tests.support import facts_of, server

pytestmark = pytest.mark.slow  # each mistake has its own server

FURTHER_CALLS = 2
PROMPT = "a red kite rises"
TEXT_TO_VIDEO = "segmind/minimax-hailuo-2"
AIMLAPI = "aimlapi/hailuo-02"
STALE = f"{TEXT_TO_VIDEO}/0f5e8a52-yesterday"
RUNNING = {"queued", "processing"}


class SandboxRun:
    """An assistant, and the sandbox's own count of the jobs that it accepted."""

    def __init__(self, assistant: Assistant, directory: Path) -> None:
        self.assistant = assistant
        self._directory = directory

    @property
    def charged(self) -> int:
        """How many jobs the sandbox's gateways accepted, by their own records."""
        count = 0  # nothing is written before the first request
        for records in self._directory.rglob("sandbox.sqlite3"):
            with closing(sqlite3.connect(records)) as connection:
                count += connection.execute("SELECT count(*) FROM jobs").fetchone()[0]
        return count

    async def job(self, prompt: str = PROMPT) -> str:
        """Submit a job; returns its request id."""
        return facts_of((await self.assistant.call("generate_video", prompt=prompt)).result)["request_id"]

    async def recover(self, wrong: Call, *, to: str) -> Answer:
        """The successful answer of the tool `to` that the wrong call leads to within two further calls."""
        answer = await self.assistant.make(wrong)
        further = 0
        while answer.is_error or answer.call.tool != to:
            assert further < FURTHER_CALLS, f"no successful answer after {further} further calls: {answer.text}"
            further += 1
            answer = await self.assistant.follow(answer)
        return answer


@asynccontextmanager
async def sandbox_run(directory: Path, **variables: str) -> AsyncGenerator[SandboxRun]:
    """Clips are saved only on request: rendering one takes longer than everything else here."""
    photo = directory / "pictures" / "kite.png"
    photo.parent.mkdir()
    photo.write_bytes(encoded(picture(), "PNG"))
    async with server(directory, HAILUO_MCP_AUTO_DOWNLOAD="0", **variables) as client:
        yield SandboxRun(Assistant(client, str(photo)), directory)


LINK = "https://pictures.example/kite.png"
ALL_NULL: dict[str, Any] = dict.fromkeys(
    [
        *("model", "first_frame_image", "last_frame_image", "duration", "resolution", "mode", "prompt_optimizer"),
        *("go_fast", "fast_pretreatment", "routing", "callback_url", "dry_run", "force_new"),
    ]
)
"""Every optional argument, as sent by clients that always give each a value: OpenAI's strict mode and LlamaIndex."""
NEUTRAL: dict[str, Any] = {
    **dict.fromkeys(("go_fast", "fast_pretreatment", "dry_run", "force_new"), False),
    "duration": 6,
    "prompt_optimizer": True,
    "mode": "standard",
    "routing": "auto",
}
"""Other clients fill in a default, or the first of the values: CrewAI, NeMo, langflow."""
FIRST_VALUES: dict[str, Any] = {"model": "segmind/hailuo-02-fast", "resolution": "512p"}
WRONG_SUBMISSIONS: dict[str, list[dict[str, Any]]] = {
    "sends numbers as strings": [
        {"duration": "6"},
        {"duration": " 10 ", "resolution": "768p"},
        {"duration": "6 seconds"},
        {"duration": "5"},
        {"duration": 6.0},
    ],
    "sends flags as strings": [
        {"prompt_optimizer": "true"},
        {"dry_run": "False"},
        {"force_new": "false"},
    ],
    "sends extra keys": [
        {"aspect_ratio": "16:9", "seed": "4", "negative_prompt": "blur"},
        {"model": TEXT_TO_VIDEO, "duration": 6},
        {"model": TEXT_TO_VIDEO, "n": 1, "response_format": "url"},
    ],
    "writes names and values in the wrong case": [
        {"resolution": "768P"},
        {"mode": "Standard"},
        {"model": "Segmind/MiniMax-Hailuo-2"},
        {"model": "hailuo-02"},
        {"model": AIMLAPI, "resolution": "1080P", "duration": "10"},
    ],
    "fills in every optional argument": [
        ALL_NULL,
        {**ALL_NULL, "first_frame_image": LINK},
        dict.fromkeys(ALL_NULL, ""),
        {**{name: [] for name in ALL_NULL}, "duration": 6},
        {**ALL_NULL, **NEUTRAL},
        {**ALL_NULL, **NEUTRAL, "prompt_optimizer": False, "last_frame_image": "", "first_frame_image": LINK},
        {**ALL_NULL, **NEUTRAL, **FIRST_VALUES, "first_frame_image": ""},
        {**ALL_NULL, **NEUTRAL, **FIRST_VALUES, "first_frame_image": LINK},
        {**ALL_NULL, "duration": "6", "dry_run": "False", "force_new": "false", "prompt_optimizer": "TRUE"},
    ],
    "names an image as other tools do": [
        {"image_url": LINK},
        {"image": "~/pictures/kite.png"},
        {"start_image": LINK, "tail_image": LINK, "seconds": "6"},
        {"first_frame": LINK, "end_image": LINK},
        {"init_image": LINK, "length": 6, "model": TEXT_TO_VIDEO},
        {"my_photo": LINK, "fps": 24},
        {"firstFrameImage": LINK, "lastFrameImage": LINK, "model": "minimax/hailuo-2.3"},
        {"image_urls": LINK, "model_id": "hailuo-2.3-fast"},
    ],
    "names a model as people do": [
        {"model": "hailuo-2.3"},
        {"model": "MiniMax-Hailuo-02"},
        {"model": "Hailuo 2.3 Fast", "first_frame_image": LINK},
        {"model_name": "hailuo-02"},
        {"model": "hailuo-2.3-fst", "first_frame_image": LINK},
    ],
    "names local pictures with a tilde": [
        {"first_frame_image": "~/pictures/kite.png"},
        {"first_frame_image": "file://~/pictures/kite.png"},
        {"first_frame_image": "~/pictures/kite.jpeg"},
    ],
}
"""Each mistake, with submissions that make it."""


@pytest.mark.parametrize("mistake", WRONG_SUBMISSIONS)
async def test_a_wrong_submission_leads_to_one_job(mistake: str, tmp_path: Path) -> None:
    async with sandbox_run(tmp_path) as run:
        for number, arguments in enumerate(WRONG_SUBMISSIONS[mistake], 1):
            wrong = Call("generate_video", {"prompt": f"{PROMPT}, take {number}", **arguments})
            job = facts_of((await run.recover(wrong, to="generate_video")).result)
            assert (job["state"], job["duplicate"]) == ("queued", False), arguments
            images = sum("kite." in str(value) for value in arguments.values())
            assert sum("kite." in str(value) for value in job["parameters"].values()) == images, arguments
            assert run.charged == number, arguments


WRONG_QUERIES: dict[str, list[Call]] = {
    "sends numbers as strings": [
        Call("get_status", {"wait_seconds": "20"}),
        Call("get_status", {"wait_seconds": "60"}),
        Call("get_status", {"wait_seconds": 300}),
    ],
    "sends extra keys": [
        Call("get_status", {"timeout": 30, "format": "json"}),
        Call("download_video", {"path": "~/Desktop/kite.mp4"}),
        Call("download_video", {"output_dir": "~", "overwrite": "true"}),
    ],
    "forgets the id, shortens it, or changes its case": [
        Call("get_status", {"request_id": None}),
        Call("get_status", {"request_id": ""}),
        Call("get_status", {"request_id": "the kite video"}),
        Call("get_status", {"request_id": "0f5e8a52-1c1f"}),
        Call("get_status", {"request_id": "SEGMIND/MINIMAX-HAILUO-2/0F5E8A52"}),
    ],
    "asks by a stale id": [
        Call("get_status", {"request_id": STALE}),
        Call("get_status", {"request_id": STALE, "wait_seconds": 45}),
        Call("get_status", {"request_id": f"{TEXT_TO_VIDEO}/unconfirmed-0f5e8a52"}),
        Call("get_status", {"request_id": "segmind/hailuo-01/0f5e8a52"}),
    ],
}
"""Each mistake, with calls that make it. Those without an id ask about the existing job."""


@pytest.mark.parametrize("mistake", WRONG_QUERIES)
async def test_a_wrong_query_leads_to_the_existing_job(mistake: str, tmp_path: Path) -> None:
    async with sandbox_run(tmp_path) as run:
        request_id = await run.job()
        for call in WRONG_QUERIES[mistake]:
            wrong = Call(call.tool, {"request_id": request_id, **call.arguments})
            answer = facts_of((await run.recover(wrong, to=call.tool)).result)
            assert answer["request_id"] == request_id, call
            assert answer.get("video_url") or Path(answer["video_path"]).is_file(), call
        assert run.charged == 1


@pytest.mark.parametrize("name", ["task_id", "id", "job_id", "requestId"])
async def test_a_model_that_sends_the_id_under_another_name_is_led_to_the_job(name: str, tmp_path: Path) -> None:
    async with sandbox_run(tmp_path) as run:
        request_id = await run.job()
        for tool in ("get_status", "download_video"):
            answer = await run.recover(Call(tool, {name: request_id}), to=tool)
            assert facts_of(answer.result)["request_id"] == request_id
        assert run.charged == 1


async def test_a_model_that_sends_no_id_is_led_to_the_job(tmp_path: Path) -> None:
    async with sandbox_run(tmp_path) as run:
        request_id = await run.job()
        for tool in ("get_status", "download_video"):
            answer = facts_of((await run.recover(Call(tool, {}), to="get_status")).result)
            assert (answer["request_id"], answer["state"]) == (request_id, "completed")
        assert run.charged == 1


async def test_a_model_that_asks_for_unknown_states_gets_the_list(tmp_path: Path) -> None:
    async with sandbox_run(tmp_path) as run:
        request_id = await run.job()
        for arguments in (
            {"state": "RUNNING"},
            {"limit": "100"},
            {"limit": "5", "status": "done"},
            {"state": "Queued"},
        ):
            answer = await run.recover(Call("list_jobs", arguments), to="list_jobs")
            assert [row["request_id"] for row in facts_of(answer.result)["jobs"]] == [request_id], arguments


async def test_a_model_that_submits_again_gets_the_same_job(tmp_path: Path) -> None:
    async with sandbox_run(tmp_path) as run:
        request_id = await run.job()
        again = await run.assistant.call("generate_video", prompt=PROMPT)
        assert (facts_of(again.result)["request_id"], facts_of(again.result)["duplicate"]) == (request_id, True)
        assert facts_of((await run.assistant.follow(again)).result)["state"] == "completed"
        assert run.charged == 1


async def test_a_model_that_polls_too_early_is_told_to_wait(tmp_path: Path) -> None:
    async with sandbox_run(tmp_path, HAILUO_MCP_SANDBOX_SECONDS="2", HAILUO_MCP_MIN_POLL_SECONDS="0.2") as run:
        request_id = await run.job()
        polled = [await run.assistant.call("get_status", request_id=request_id) for _ in range(3)]
        assert {facts_of(answer.result)["state"] for answer in polled} <= RUNNING
        early = Call("download_video", {"request_id": request_id})
        waited = await run.recover(early, to="get_status")
        assert facts_of(waited.result)["state"] == "completed"
        assert not (await run.assistant.make(early)).is_error
        assert run.charged == 1


async def test_a_model_that_retries_every_error_pays_at_most_once(tmp_path: Path) -> None:
    async with sandbox_run(tmp_path) as run:
        wrong = Call("generate_video", {"prompt": PROMPT, "duration": 60})
        refused = [await run.assistant.make(wrong) for _ in range(3)]
        assert len({answer.text for answer in refused}) == 1
        assert run.charged == 0
        assert not (await run.recover(wrong, to="generate_video")).is_error
        assert run.charged == 1

        for word, code in (("no_credits", "insufficient_credits"), ("rate_limit", "rate_limited")):
            for _ in range(3):
                answer = await run.assistant.call("generate_video", prompt=f"{PROMPT} sandbox:{word}")
                assert facts_of(answer.result)["error"]["code"] == code
                assert "charged: no" in answer.text
                assert ("do not retry unchanged" in answer.text) is (code == "insufficient_credits")
        assert run.charged == 1


async def test_a_model_that_retries_after_a_lost_response_is_led_to_the_job(tmp_path: Path) -> None:
    async with sandbox_run(tmp_path) as run:
        # at a gateway with a history; at others a lost job stays unconfirmed
        call = Call("generate_video", {"model": TEXT_TO_VIDEO, "prompt": f"{PROMPT} sandbox:lost_answer"})
        lost = [await run.assistant.make(call) for _ in range(3)]
        assert {facts_of(answer.result)["state"] for answer in lost} == {"unconfirmed"}
        assert all("do not submit again" in answer.text for answer in lost)
        found = facts_of((await run.assistant.follow(lost[-1])).result)
        assert found["state"] == "completed"
        assert found["video_url"]
        assert run.charged == 1


async def test_a_model_that_asks_again_about_a_failed_job_is_told_what_to_change(tmp_path: Path) -> None:
    async with sandbox_run(tmp_path) as run:
        request_id = await run.job(f"{PROMPT} sandbox:content_violation")
        answers = [await run.assistant.call("get_status", request_id=request_id) for _ in range(3)]
        assert all("Change the prompt" in answer.text and not answer.is_error for answer in answers)
        saved = await run.assistant.call("download_video", request_id=request_id)
        assert "failed" in saved.text
        assert run.charged == 1


async def test_a_model_that_calls_in_parallel_submits_one_job(tmp_path: Path) -> None:
    async with sandbox_run(tmp_path) as run:
        answers: list[Answer] = []

        async def submit(number: int) -> None:
            arguments = {"prompt": PROMPT, **({"duration": "6"} if number % 2 else {"duration": 6})}
            answers.append(await run.recover(Call("generate_video", arguments), to="generate_video"))

        async def ask(answer: Answer) -> None:
            answers.append(await run.assistant.follow(answer))

        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(submit, number)
        assert sorted(facts_of(answer.result)["duplicate"] for answer in answers) == [False, *[True] * 5]
        async with anyio.create_task_group() as tasks:
            for answer in tuple(answers):
                tasks.start_soon(ask, answer)
        assert len({facts_of(answer.result)["request_id"] for answer in answers}) == 1
        assert {facts_of(answer.result)["state"] for answer in answers[6:]} == {"completed"}
        assert run.charged == 1
