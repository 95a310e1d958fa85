"""Faults on the local side at each step of a job: the ledger fails, the clock jumps, the call is cancelled, the server
stops. Every job is paid for once, and its clip is on disk in the end."""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from hailuo_mcp.app import sandbox_transport
from hailuo_mcp.core.errors import HailuoError, InternalError
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.ledger import Entered, SubmitPolicy
from hailuo_mcp.ledger.instrumented import InstrumentedLedger
from hailuo_mcp.ledger.opening import open_ledger
from hailuo_mcp.service.session import Session
from tests.fault_injection.passing import let_pass, let_pass_in_postgres
from tests.postgres import Postgres
from tests.support import Wire, arguments_for, settings_for, wired

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

MODELS = ("segmind/hailuo-02-fast", "aimlapi/hailuo-02")


class Step(StrEnum):
    SUBMIT = "submit"
    POLL = "poll"
    DOWNLOAD = "download"


class LocalFault(StrEnum):
    CREATE_FAILS = "no job can be created"
    CHANGE_FAILS = "no job can be changed"
    READS_FAIL = "no job can be read"
    CLOCK_BACK = "clock a year back"
    CLOCK_HOUR_BACK = "clock an hour back"
    CLOCK_AHEAD = "clock a year ahead"
    CANCELLED = "the call is cancelled"
    STOPPED = "the server stops"


JUMPS = {
    LocalFault.CLOCK_BACK: -timedelta(days=365),
    LocalFault.CLOCK_HOUR_BACK: -timedelta(hours=1),
    LocalFault.CLOCK_AHEAD: timedelta(days=365),
}
FAILING = {
    LocalFault.CREATE_FAILS: {"create_if_absent"},
    LocalFault.CHANGE_FAILS: {"change"},
    LocalFault.READS_FAIL: {"get", "find"},
}


class FailingLedger(InstrumentedLedger):
    """A ledger whose methods in `failing` raise an error."""

    failing: frozenset[str] = frozenset()

    def _check(self, method: str) -> None:
        if method in self.failing:
            raise InternalError("The job ledger cannot be used.")

    async def create_if_absent(self, job: Job, policy: SubmitPolicy, first_poll_at: Any) -> Entered:
        self._check("create_if_absent")
        return await super().create_if_absent(job, policy, first_poll_at)

    async def change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        self._check("change")
        return await super().change(job_id, change)

    async def get(self, job_id: str) -> Job | None:
        self._check("get")
        return await super().get(job_id)

    async def find(self, model: str, remote_id: str, tenant: str, prefer_origin: str) -> Job | None:
        self._check("find")
        return await super().find(model, remote_id, tenant, prefer_origin)


@dataclass(slots=True)
class Cell:
    """One job with one fault at one step."""

    model: str
    step: Step
    fault: LocalFault
    directory: Path
    url: str = ""
    submissions: int = 0
    """How many submissions the gateway received."""
    problems: list[str] = field(default_factory=list[str])
    settings: Settings = field(init=False)
    sandbox: Callable[[httpx.Request], Awaitable[httpx.Response]] = field(init=False)

    async def run(self) -> None:
        settings = settings_for(self.directory, HAILUO_MCP_DATABASE_URL=self.url, HAILUO_MCP_AUTO_DOWNLOAD="0")
        self.sandbox = sandbox_transport(settings, render=False)().handle_async_request
        self.settings = settings
        request_id = await self._repeat_until_done(Step.SUBMIT, self._submit)
        await self._repeat_until_done(Step.POLL, lambda session: self._poll(session, request_id))
        await self._repeat_until_done(Step.DOWNLOAD, lambda session: self._download(session, request_id))

    async def _submit(self, session: Session) -> str | None:
        job = (await session.generate(arguments_for(self.model))).job
        return job.request_id if job.state is not State.UNCONFIRMED else None

    async def _poll(self, session: Session, request_id: str) -> str | None:
        job = await session.status(request_id)
        self._check_state(job)
        return job.request_id if job.state is State.COMPLETED else None

    async def _download(self, session: Session, request_id: str) -> str | None:
        job, path = await session.download(request_id)
        return job.request_id if path.stat().st_size else None

    def _check_state(self, job: Job) -> None:
        if job.state.ended_without_clip:
            self.problems.append(f"{job.state} without proof from the gateway")

    async def _repeat_until_done(self, step: Step, work: Callable[[Session], Any]) -> str:
        """Do what an assistant does: repeat the call until it succeeds, first with the fault, then without."""
        if step is self.step:
            await self._with_fault(work)
        async with self._opened() as (session, _, _):
            for _ in range(20):
                if done := await work(session):
                    return done
                await anyio.sleep(0.1)
        self.problems.append(f"{step} does not succeed after the fault was removed")
        return ""

    async def _with_fault(self, work: Callable[[Session], Any]) -> None:
        async with self._opened() as (session, wire, ledger):
            await session.jobs()  # opens the ledger
            if jump := JUMPS.get(self.fault):
                await (
                    let_pass_in_postgres(self.url, jump)
                    if self.url.startswith("postgres")
                    else anyio.to_thread.run_sync(let_pass, self.settings.database_path, jump)
                )
            ledger.failing = frozenset(FAILING.get(self.fault, ()))
            try:
                if self.fault in (LocalFault.CANCELLED, LocalFault.STOPPED):
                    await self._interrupt(session, wire, work)
                else:
                    await work(session)
            except HailuoError as error:
                if error.problem.code not in ("internal_error", "not_ready", "gateway_error", "network_error"):
                    self.problems.append(f"answered {error.problem.code}")
            if self.fault is not LocalFault.STOPPED:
                ledger.failing = frozenset()

    async def _interrupt(self, session: Session, wire: Wire, work: Callable[[Session], Any]) -> None:
        """Cancel the call while its request is at the gateway. With STOPPED, the services are closed meanwhile."""
        arrived = anyio.Event()
        answer = wire.answer

        async def answer_slowly(request: httpx.Request) -> httpx.Response:
            arrived.set()
            await anyio.sleep(0.2)
            response = answer(request)
            return await response if inspect.isawaitable(response) else response

        wire.answer = answer_slowly
        async with anyio.create_task_group() as calls:
            calls.start_soon(work, session)
            with anyio.move_on_after(1):  # a download from the in-process sandbox sends no request
                await arrived.wait()
            calls.cancel_scope.cancel()

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[tuple[Session, Wire, FailingLedger]]:
        ledger = FailingLedger(open_ledger(self.settings))
        opened, wire = wired(self.settings, self._answer, ledger=ledger, render=False)
        async with opened as session:
            yield session, wire, ledger

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.submissions += request.method == "POST"
        return await self.sandbox(request)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_local_fault_at_any_step_never_pays_twice_or_loses_a_clip(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest, figures: Callable[[str], None]
) -> None:
    cells = [
        Cell(model, step, fault, tmp_path / f"{number} {step} {fault}")
        for number, model in enumerate(MODELS)
        for step in Step
        for fault in LocalFault
    ]
    for cell in cells:
        cell.directory.mkdir()
        with ExitStack() as databases:
            cell.url = f"sqlite:///{cell.directory / 'jobs.sqlite3'}"
            if engine == "postgres":
                server: Postgres = request.getfixturevalue("postgres")
                cell.url = databases.enter_context(server.database())
            await cell.run()
    problems_found = [f"{c.model} {c.step} {c.fault}: {problem}" for c in cells for problem in c.problems]
    not_paid_once = [f"{c.model} {c.step} {c.fault}: {c.submissions} paid" for c in cells if c.submissions != 1]
    figures(
        f"{len(cells)} cells, {sum(cell.submissions for cell in cells)} paid jobs, "
        f"{sum(cell.submissions > 1 for cell in cells)} paid twice, {len(problems_found)} problems"
    )
    assert problems_found + not_paid_once == []
