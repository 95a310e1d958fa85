"""A batch in this process: transient and persistent failures."""

import base64
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from hailuo_mcp.core.errors import HailuoError, InternalError
from hailuo_mcp.core.job import Job
from hailuo_mcp.ledger import Budget, SubmitPolicy
from hailuo_mcp.ledger.sqlite import SqliteLedger
from hailuo_mcp.service.batch.limits import Limits
from hailuo_mcp.service.batch.progress import Progress, progress_path
from hailuo_mcp.service.batch.rows import ShotStatus
from hailuo_mcp.service.batch.runner import Batch, BatchRetryPolicy
from hailuo_mcp.service.batch.shots import read_shots
from hailuo_mcp.service.batch.validation import check_shots
from hailuo_mcp.service.session import Session
from tests.service.batch.conftest import Shots
from tests.support import Answerer, Turns, body_of, says, settings_for, wired

KEYS = {"SEGMIND_API_KEY": "k", "HAILUO_MCP_SANDBOX": "0"}
RETRY = BatchRetryPolicy(submit_pauses=(0.01,), failure_pause=0.01)
CLIP = b"\0\0\0\x18ftypisom" + b"\0" * 2000


def gateway(submit: Answerer, status: Answerer | None = None) -> Answerer:
    """Segmind, where every job completes immediately and the response contains its clip."""
    clip = "data:video/mp4;base64," + base64.b64encode(CLIP).decode()

    def answer(request: httpx.Request) -> Any:
        if request.method == "POST":
            return submit(request)
        if request.url.path.endswith("/status"):
            return (status or says(200, {"status": "COMPLETED"}))(request)
        return httpx.Response(200, json={"status": "COMPLETED", "output": clip})

    return answer


def accept(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"request_id": body_of(request)["prompt"].replace(" ", "-")})


async def run(session: Session, file: Path, limits: Limits | None = None) -> Batch:
    shots = await check_shots(session, file, read_shots(file))
    batch = Batch(session, shots, limits or Limits(), retry=RETRY)
    progress = Progress.open(file)
    await batch.restore(progress)
    await batch.run(progress)
    return batch


def statuses(batch: Batch) -> list[ShotStatus]:
    return [row.status for row in batch.rows]


async def test_a_transient_refusal_is_retried(tmp_path: Path, shots: Shots) -> None:
    submit = Turns(says(429, {"error": "slow down"}), says(429, {"error": "slow down"}), accept)
    limited = Turns(*[says(429, {"error": "x"})] * 5, accept)  # four tries of the first attempt, and one of the next
    for number, answer in enumerate((submit, limited)):
        opened, _ = wired(settings_for(tmp_path / str(number), **KEYS), gateway(answer))
        async with opened as session:
            batch = await run(session, shots({"prompt": f"A kite {number}"}))
            assert statuses(batch) == [ShotStatus.SAVED]


async def test_persistent_failure_leaves_the_shot_to_the_next_run(tmp_path: Path, shots: Shots) -> None:
    refusing = True

    def submit(request: httpx.Request) -> httpx.Response:
        if refusing:
            raise httpx.ConnectError("refused", request=request)
        return accept(request)

    opened, wire = wired(settings_for(tmp_path, **KEYS), gateway(submit))
    async with opened as session:
        first = await run(session, shots({"prompt": "A kite"}))
        assert statuses(first) == [ShotStatus.WAITING]
        assert first.rows[0].problem is not None
        assert first.rows[0].problem.code == "network_error"
        assert first.spent_usd == 0
        refusing = False
        wire.requests.clear()
        assert statuses(await run(session, shots({"prompt": "A kite"}))) == [ShotStatus.SAVED]
        assert len(wire.posts) == 1


async def test_a_job_that_cannot_be_polled_is_left_to_the_next_run(tmp_path: Path, shots: Shots) -> None:
    failing = True

    def status(_: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(401, json={"error": "key"}) if failing else httpx.Response(200, json={"status": "COMPLETED"})
        )

    opened, wire = wired(settings_for(tmp_path, **KEYS), gateway(accept, status))
    async with opened as session:
        assert statuses(await run(session, shots({"prompt": "A kite"}))) == [ShotStatus.ABANDONED]
        failing = False
        assert statuses(await run(session, shots({"prompt": "A kite"}))) == [ShotStatus.SAVED]
        assert len(wire.posts) == 1


async def test_shots_submitted_at_the_same_time_stay_within_the_budget(tmp_path: Path, shots: Shots) -> None:
    opened, wire = wired(settings_for(tmp_path, **KEYS), gateway(accept))
    async with opened as session:
        lines = [{"prompt": f"A kite {n}", "model": "segmind/minimax-hailuo-2"} for n in range(6)]
        batch = await run(session, shots(*lines), Limits(max_usd=0.9, at_once=6))
        assert len(wire.posts) == 2
        assert batch.stopped is not None
        assert batch.spent_usd == pytest.approx(2 * (batch.rows[0].usd or 0))


async def test_a_refused_shot_frees_its_share_of_the_budget(tmp_path: Path, shots: Shots) -> None:
    submit = Turns(says(400, {"error": "not this one"}), accept)
    opened, _ = wired(settings_for(tmp_path, **KEYS), gateway(submit))
    async with opened as session:
        batch = await run(session, shots({"prompt": "A"}, {"prompt": "B"}), Limits(max_jobs=1, at_once=1))
        assert statuses(batch) == [ShotStatus.FAILED, ShotStatus.SAVED]


class FailsOnce(SqliteLedger):
    """A ledger whose first change is not written."""

    failed = False

    async def change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        if not self.failed:
            self.failed = True
            raise InternalError("The job ledger cannot be used.")
        return await super().change(job_id, change)


async def test_response_that_the_ledger_could_not_store_is_found_in_the_progress(tmp_path: Path, shots: Shots) -> None:
    ledger = FailsOnce(tmp_path / "ledger.sqlite3")
    opened, wire = wired(settings_for(tmp_path, **KEYS), gateway(accept), ledger=ledger)
    async with opened as session:
        file = shots({"prompt": "A kite", "model": "segmind/minimax-hailuo-2"})
        assert statuses(await run(session, file)) == [ShotStatus.SAVED]
        assert statuses(await run(session, file)) == [ShotStatus.SAVED]
        assert len(wire.posts) == 1


def test_damaged_lines_of_the_progress_are_ignored(tmp_path: Path) -> None:
    file = tmp_path / "shots.jsonl"
    key = Progress.open(file).record_attempt("kite", 1, 1)
    with progress_path(file).open("a") as progress:
        progress.write('{"shot": "kite", "attempt": "x"}\n{"shot": "kite"}\n[1]\n{"to')
    assert Progress.open(file).keys == {key: "kite"}


async def test_job_id_is_accepted_only_once(tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **KEYS), gateway(Turns(says(400, {"error": "no"}), accept)))
    async with opened as session:
        call = {"prompt": "A kite", "model": "segmind/minimax-hailuo-2"}
        with pytest.raises(HailuoError):
            await session.generate(call, job_id="mine")
        refused = await session.generate(call, job_id="mine", force_new=True)
        assert (refused.duplicate, refused.job.state, refused.job.id) == (True, "failed", "mine")
        assert len(wire.posts) == 1
        assert (await session.generate(call, job_id="other")).duplicate is False
        job = refused.job.model_copy(update={"fingerprint": "another"})
        policy = SubmitPolicy(Budget(frozenset({job.origin})), timedelta(0), force_new=True)
        created = await session.ledger.create_if_absent(job, policy, job.created_at)
        assert created.job.fingerprint == refused.job.fingerprint
