"""A job's state is a function of its record and the clock, so it survives a restart of the application."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hailuo_mcp.sandbox.jobs import Failure, Fault, Job, Phase, Shot
from hailuo_mcp.sandbox.store import Store

from .wire import GATEWAYS, Clock, in_process


def job(**changes: object) -> Job:
    record: dict[str, object] = {
        "id": "1",
        "gateway": "segmind",
        "remote_id": "r",
        "owner": "o",
        "model": "m",
        "body": {},
        "shot": Shot("p", 6, 512),
        "submitted_at": 1000.0,
        "takes": 100.0,
    }
    return Job(**(record | changes))  # pyright: ignore[reportArgumentType]  the record is valid by construction


@pytest.mark.parametrize(
    ("age", "phase"),
    [
        (-5, Phase.QUEUED),
        (0, Phase.QUEUED),
        (14.9, Phase.QUEUED),
        (15, Phase.PROCESSING),
        (99.9, Phase.PROCESSING),
        (100, Phase.COMPLETED),
        (3599, Phase.COMPLETED),
        (3600, Phase.GONE),
    ],
)
def test_job_is_queued_then_processed_then_completed_then_gone(age: float, phase: Phase) -> None:
    assert job().phase(1000 + age, retention=3600) is phase


def test_a_job_that_takes_no_time_is_done_at_once() -> None:
    assert job(takes=0.0).phase(1000) is Phase.COMPLETED
    assert job(takes=0.0, failure=Failure(Fault.OTHER, "x")).phase(1000) is Phase.FAILED
    assert job(takes=0.0, ends=False).phase(1000) is Phase.PROCESSING
    assert job(takes=0.0, forgotten=True).phase(1000) is Phase.GONE


@given(
    times=some.lists(some.floats(-10, 5000), min_size=2, max_size=2),
    takes=some.floats(0, 1000),
    ends=some.booleans(),
    forgotten=some.booleans(),
    failure=some.sampled_from([None, Failure(Fault.IMAGE, "x")]),
)
def test_a_job_never_goes_backward(
    times: list[float], takes: float, ends: bool, forgotten: bool, failure: Failure | None
) -> None:
    order = [Phase.QUEUED, Phase.PROCESSING, Phase.COMPLETED, Phase.FAILED, Phase.GONE]
    one = job(takes=takes, ends=ends, forgotten=forgotten, failure=failure)
    earlier, later = (order.index(one.phase(1000 + age, retention=3600)) for age in sorted(times))
    assert earlier <= later


def test_a_record_is_read_from_the_store_as_it_was_written(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs")
    kept = job(
        failure=Failure(Fault.CONTENT, "no"), body={"prompt": "é", "last": None}, shot=Shot("é", 10, 768, "a", "b")
    )
    store.add(kept)
    assert store.get("1") == store.find("segmind", "r", "o") == kept
    assert store.of("segmind", "o") == [kept]
    assert store.find("segmind", "r", "another") is None


@pytest.mark.parametrize("name", GATEWAYS)
async def test_jobs_survive_a_restart(tmp_path: Path, clock: Clock, name: str) -> None:
    async with in_process(tmp_path, seconds=60, clock=clock) as client:
        submitted = await GATEWAYS[name].submit(client)
        before = (await GATEWAYS[name].poll(client, submitted)).json()
    async with in_process(tmp_path, seconds=1, clock=clock) as client:
        assert (await GATEWAYS[name].poll(client, submitted)).json() == before


async def test_key_of_a_job_is_not_stored(tmp_path: Path) -> None:
    async with in_process(tmp_path) as client:
        await GATEWAYS["segmind"].submit(client, key="very-secret-key")
    assert b"very-secret-key" not in (tmp_path / "sandbox.sqlite3").read_bytes()


def test_several_processes_write_into_one_state_directory_at_once(tmp_path: Path) -> None:
    code = f"""
import pathlib
from hailuo_mcp.sandbox.jobs import Job, Shot
from hailuo_mcp.sandbox.store import Store
import uuid
store = Store(pathlib.Path({str(tmp_path / "sandbox.sqlite3")!r}))
for _ in range(20):
    name = uuid.uuid4().hex
    store.add(Job(name, "segmind", name, "owner", "m", {{}}, Shot("p", 6, 512), 0.0, 1.0))
"""
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(Store(tmp_path / "sandbox.sqlite3").of("segmind", "owner")) == 60
