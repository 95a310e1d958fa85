"""Several processes on one ledger at the same time, on both engines."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

from hailuo_mcp.core.job import State
from hailuo_mcp.ledger import Ledger
from tests.ledger.shared import ORIGINS, a_job, create
from tests.ledger.worker import CALLS, JOBS_A_DAY

PROCESSES = 8
Workers: TypeAlias = "Sequence[subprocess.Popen[str]]"


@pytest.fixture(scope="module")
def workers() -> Generator[Workers]:
    """Processes that wait for work; the tests share them, because they are slow to start."""
    pipe = subprocess.PIPE
    command = (sys.executable, "-m", "tests.ledger.worker")
    directory = Path(__file__).parents[2]
    workers = [subprocess.Popen(command, cwd=directory, stdin=pipe, stdout=pipe, text=True) for _ in range(PROCESSES)]
    yield workers
    for worker in workers:
        worker.communicate()
        assert worker.returncode == 0


async def run_together(workers: Workers, what: str, url: str) -> list[str]:
    """The output of the processes, which run `what` at the same time."""

    def one(number: int, worker: "subprocess.Popen[str]") -> list[str]:
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(f"{what} {url} {number}\n")
        worker.stdin.flush()
        return json.loads(worker.stdout.readline())

    results = await asyncio.gather(*(asyncio.to_thread(one, n, worker) for n, worker in enumerate(workers)))
    return [line for lines in results for line in lines]


async def test_identical_calls_in_several_processes_create_one_job(workers: Workers, url: str, ledger: Ledger) -> None:
    results = Counter(await run_together(workers, "duplicate", url))
    assert results == {"created": CALLS, "duplicate": (PROCESSES - 1) * CALLS}
    assert (await ledger.page("", None, 1, ORIGINS)).total == CALLS


async def test_the_budget_is_not_exceeded_by_several_processes(workers: Workers, url: str, ledger: Ledger) -> None:
    results = Counter(await run_together(workers, "budget", url))
    assert results == {"created": JOBS_A_DAY, "refused": PROCESSES * CALLS - JOBS_A_DAY}
    assert (await ledger.page("", None, 1, ORIGINS)).total == JOBS_A_DAY


async def test_changes_by_several_processes_are_never_lost_or_reverted(
    workers: Workers, url: str, ledger: Ledger
) -> None:
    await create(ledger, a_job(id="shared", remote_id="r", state=State.QUEUED))
    results = await run_together(workers, "change", url)
    assert results.count("completed") >= 1
    job = await ledger.get("shared")
    assert job
    assert job.state is State.COMPLETED
    assert len(job.warnings) == PROCESSES * 10
    for state, total in ((None, 1), (State.COMPLETED, 1), (State.QUEUED, 0), (State.PROCESSING, 0)):
        page = await ledger.page("", state, 1, ORIGINS)
        assert (page.total, page.spent_usd) == (total, 1.0)


async def test_processes_that_start_at_the_same_time_create_one_ledger(workers: Workers, url: str) -> None:
    results = await run_together(workers[:5], "secret", url)
    assert len(results) == 5
    assert len(set(results)) == 1


async def test_each_due_job_is_leased_by_one_of_several_processes(workers: Workers, url: str, ledger: Ledger) -> None:
    jobs = [await create(ledger, a_job(str(n))) for n in range(40)]
    results = await run_together(workers, "lease", url)
    assert len(results) == len(set(results))
    assert set(results) <= {job.id for job in jobs}
    assert len(results) >= 30  # a process that finds only rows locked by others ends early
