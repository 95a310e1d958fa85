"""One of several processes on one ledger: it reads lines `WHAT URL NUMBER`, runs each with its own ledger, and prints
the result as a line of JSON."""

import asyncio
import json
import sys
from datetime import timedelta

from hailuo_mcp.core.errors import BudgetExceeded
from hailuo_mcp.core.job import Job, Observation, State
from hailuo_mcp.ledger import Ledger, SubmitPolicy
from tests.ledger.shared import MINUTE, NOON, ORIGINS, POLICY, a_job, create, jobs_a_day, ledger_at

JOBS_A_DAY = 50
CALLS = 20
"""Concurrent calls per process in the budget test."""


async def create_job(ledger: Ledger, fingerprint: str, policy: SubmitPolicy) -> str:
    job = a_job(fingerprint)
    try:
        created = await create(ledger, job, policy)
    except BudgetExceeded:
        return "refused"
    return "created" if created.id == job.id else "duplicate"


async def duplicate(ledger: Ledger, _: str) -> list[str]:
    return await asyncio.gather(*(create_job(ledger, f"kite {n}", POLICY) for n in range(CALLS)))


async def budget(ledger: Ledger, number: str) -> list[str]:
    return await asyncio.gather(*(create_job(ledger, f"{number} {n}", jobs_a_day(JOBS_A_DAY)) for n in range(CALLS)))


async def change(ledger: Ledger, number: str) -> list[str]:
    def observe(job: Job) -> Job:
        state = State.COMPLETED if number == "0" else State.PROCESSING
        return job.apply_observation(Observation(state=state, cost_usd=1.0)).warned(number + str(len(job.warnings)))

    return [(await ledger.change("shared", observe)).state.value for _ in range(10)][-1:]


async def secret(ledger: Ledger, _: str) -> list[str]:
    """The first use, which creates the ledger."""
    return [(await ledger.secret()).hex()]


async def lease(ledger: Ledger, number: str) -> list[str]:
    leased: list[str] = []
    while due := await ledger.lease(number, NOON + MINUTE, timedelta(seconds=60), 3, ORIGINS):
        leased += [job.id for job in due]
    return leased


async def main() -> None:
    actions = {"duplicate": duplicate, "budget": budget, "change": change, "secret": secret, "lease": lease}
    while line := await asyncio.to_thread(sys.stdin.readline):
        what, url, number = line.split()
        ledger = ledger_at(url)
        print(json.dumps(await actions[what](ledger, number)), flush=True)
        await ledger.close()


if __name__ == "__main__":
    asyncio.run(main())
