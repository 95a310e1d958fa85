"""The machine's clock is set forward and back while workers lease jobs: a job in flight is always due again within two
minutes, and while the clock runs correctly, no two workers have the same job."""

import asyncio
from collections.abc import Generator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule, run_state_machine_as_test

from hailuo_mcp.core.job import Job, State
from hailuo_mcp.ledger import DELAY_MAX, Ledger
from hailuo_mcp.service.poll_policy import POLICY
from tests.ledger.shared import NOON, a_job, create, ledger_at

LEASE = timedelta(seconds=50)
WORKERS = st.sampled_from(["one", "two"])
JUMPS = st.sampled_from([-400, -8, -1, -0.1, 0.1, 1, 8, 400]).map(lambda days: timedelta(days=days))
TICKS = st.integers(1, 60).map(lambda seconds: timedelta(seconds=seconds))


class Clock(RuleBasedStateMachine):
    """Two workers that follow the jobs of one ledger, with an adjustable clock."""

    jobs = Bundle("jobs")

    def __init__(self, ledger: Ledger, loop: asyncio.Runner) -> None:
        super().__init__()
        self.ledger, self.loop = ledger, loop
        self.origin = f"https://{uuid4().hex}.example"
        self.now: datetime = NOON
        self.in_flight: dict[str, Job] = {}
        self.leases: dict[str, tuple[str, datetime]] = {}
        """Job to its worker and the end of its lease, as long as the clock has not been set since."""

    def lease(self, worker: str) -> tuple[Job, ...]:
        # A job that is due too far in the future is made due by one call and leased by the next.
        leased = [
            job
            for _ in range(2)
            for job in self.loop.run(self.ledger.lease(worker, self.now, LEASE, 99, frozenset({self.origin})))
        ]
        for job in leased:
            _, until = self.leases.get(job.id, ("", self.now))
            assert until <= self.now, "another worker has it"
            self.leases[job.id] = (worker, self.now + LEASE)
        return tuple(leased)

    @rule(target=jobs)
    def submit(self) -> str:
        job = a_job(uuid4().hex, origin=self.origin, created_at=self.now, state=State.QUEUED, remote_id=uuid4().hex)
        self.loop.run(create(self.ledger, job))
        self.in_flight[job.id] = job
        return job.id

    @rule(by=JUMPS)
    def set_clock(self, by: timedelta) -> None:
        self.now += by
        self.leases.clear()

    @rule(by=TICKS)
    def tick(self, by: timedelta) -> None:
        self.now += by

    @rule(worker=WORKERS)
    def work(self, worker: str) -> None:
        for job in self.lease(worker):
            delay = POLICY.in_background(job, self.now)
            assert delay, "setting the clock abandons no job"
            self.loop.run(self.ledger.release_lease(job.id, worker, self.now + delay))
            del self.leases[job.id]

    @rule(worker=WORKERS)
    def crash(self, worker: str) -> None:
        self.lease(worker)

    @rule(worker=WORKERS, job_id=consumes(jobs))
    def end(self, worker: str, job_id: str) -> None:
        if job_id in [job.id for job in self.lease(worker)]:
            self.loop.run(self.ledger.release_lease(job_id, worker, None))
            self.leases.pop(job_id)
            del self.in_flight[job_id]

    def teardown(self) -> None:
        """Every job in flight is due within two minutes."""
        due = {job.id for job in self.lease("last")}
        self.now += DELAY_MAX
        due |= {job.id for job in self.lease("last")}
        assert due == set(self.in_flight)


@pytest.fixture
def loop() -> Generator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def test_setting_the_clock_neither_delays_nor_loses_a_job(url: str, loop: asyncio.Runner) -> None:
    ledger = ledger_at(url)

    class LedgerClock(Clock):
        def __init__(self) -> None:
            super().__init__(ledger, loop)

    try:
        run_state_machine_as_test(LedgerClock, settings=settings(max_examples=25, stateful_step_count=20))
    finally:
        loop.run(ledger.close())
