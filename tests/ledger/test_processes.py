"""Several processes on one ledger at the same moment, on both engines."""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hailuo_mcp.jobs import State
from hailuo_mcp.ledger import Ledger
from tests.ledger.shared import GUARD, ORIGINS, a_job
from tests.ledger.worker import CALLS, JOBS_A_DAY

PROCESSES = 8


async def together(what: str, url: str, processes: int = PROCESSES) -> Sequence[str]:
    """All that the processes say that did `what` at the same moment."""
    pipe = asyncio.subprocess.PIPE
    workers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.ledger.worker", what, url, str(n)),
            cwd=Path(__file__).parents[2],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        for n in range(processes)
    ]
    for worker in workers:
        assert worker.stdout
        assert await worker.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(worker.communicate(b"\n") for worker in workers))
    assert [err for _, err in outputs] == [b""] * processes
    return [line for out, _ in outputs for line in out.decode().split()]


async def test_of_equal_calls_in_several_processes_one_is_entered(url: str, ledger: Ledger) -> None:
    said = Counter(await together("duplicate", url))
    assert said == {"entered": CALLS, "duplicate": (PROCESSES - 1) * CALLS}
    assert (await ledger.page("", None, 1, ORIGINS)).total == CALLS


async def test_the_last_places_of_a_budget_are_given_once_over_all_processes(url: str, ledger: Ledger) -> None:
    said = Counter(await together("budget", url))
    assert said == {"entered": JOBS_A_DAY, "refused": PROCESSES * CALLS - JOBS_A_DAY}
    assert (await ledger.page("", None, 1, ORIGINS)).total == JOBS_A_DAY


async def test_changes_of_several_processes_are_never_lost_and_never_go_backward(url: str, ledger: Ledger) -> None:
    await ledger.enter(a_job(key="shared", remote_id="r", state=State.QUEUED), GUARD)
    said = await together("change", url)
    assert said.count("completed") >= 1
    job = await ledger.get("shared")
    assert job
    assert job.state is State.COMPLETED
    assert len(job.warnings) == PROCESSES * 10


async def test_processes_that_start_at_once_make_one_ledger(url: str) -> None:
    said = await together("secret", url, 5)
    assert len(said) == 5
    assert len(set(said)) == 1


async def test_each_due_job_is_leased_by_one_of_several_processes(url: str, ledger: Ledger) -> None:
    jobs = [await ledger.enter(a_job(str(n)), GUARD) for n in range(40)]
    said = await together("lease", url)
    assert len(said) == len(set(said))
    assert set(said) <= {job.key for job in jobs}
    assert len(said) >= 30  # a process that meets only rows that others hold just now goes home early
