"""A session driven at random: it submits, crashes, restarts, and loses its ledger and its files, while hours pass."""

import asyncio
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from hailuo_mcp.core.errors import Expired, HailuoError, NotReady, UnknownRequest
from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.core.request_id import RequestId
from hailuo_mcp.sandbox.jobs import Phase
from hailuo_mcp.sandbox.store import Store
from hailuo_mcp.service.session import Submitted
from tests.fault_injection.life import Life
from tests.fault_injection.passing import let_pass
from tests.fault_injection.watched_gateway import Moment, watched_gateway
from tests.support import arguments_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

EXAMPLES, STEPS = 25, 40
JOB_SECONDS = 60.0
WINDOW = timedelta(minutes=10)
STILL_BEING_SENT = timedelta(seconds=40)
"""After this, a submission without a response no longer counts as in progress."""
SEGMIND_KEEPS_SECONDS = 3600
Call = dict[str, Any]
CALLS: tuple[Call, ...] = tuple(
    arguments_for(model, prompt=prompt)
    for model, prompt in (
        ("segmind/minimax-hailuo-2", "a kite"),
        ("segmind/hailuo-02-fast", "a kite"),
        ("apixo/hailuo-2.3-fast", "a kite"),
        ("aimlapi/hailuo-02", "a kite"),
        ("segmind/minimax-hailuo-2", "a boat sandbox:lost_answer"),
        ("apixo/hailuo-2.3-fast", "a boat sandbox:lost_answer"),
        ("segmind/minimax-hailuo-2", "a dog sandbox:fail"),
        ("aimlapi/hailuo-02", "a dog sandbox:content_violation"),
        ("segmind/minimax-hailuo-2", "a cat sandbox:expire"),
        ("apixo/hailuo-2.3-fast", "a hill sandbox:never"),
    )
)
REFUSED = arguments_for("aimlapi/hailuo-02", prompt="a tree sandbox:no_credits")
TIMES = (timedelta(seconds=20), timedelta(minutes=2), timedelta(minutes=11), timedelta(hours=2))
calls, picks = st.sampled_from(CALLS), st.integers(0, 99)
totals: Counter[str] = Counter()


class StudioMachine(RuleBasedStateMachine):
    """Compares the gateway's jobs with the ledger's after every step."""

    def __init__(self) -> None:
        super().__init__()
        self._resources = ExitStack()
        self._home = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="hailuo-")))
        self._gateway = self._resources.enter_context(watched_gateway(self._home / "gateway", JOB_SECONDS))
        self._store = Store(self._home / "gateway" / "sandbox.sqlite3")
        self._crashed: list[Life] = []
        self._life = self._begin()
        self._ids: dict[str, None] = {}
        self._orphans: set[str] = set()
        """Remote ids of jobs that were submitted under an earlier ledger."""
        self._seen: dict[str, Job] = {}
        totals["runs"] += 1

    # --- events -------------------------------------------------------------------------------------------------------

    @rule(call=calls)
    def submit(self, call: Call) -> None:
        before, count = self._duplicates_of(call), self._gateway.submissions
        submitted = self._generate(call)
        after = self._duplicates_of(call)
        assert self._gateway.submissions - count == (0 if submitted.duplicate else 1)
        # A job may end in the background while the call runs, and is no duplicate from then on.
        if submitted.duplicate:
            assert submitted.job.id in before | after
        else:
            assert not before & after

    @rule(call=calls)
    def submit_again(self, call: Call) -> None:
        before = self._gateway.submissions
        assert not self._generate(call, force_new=True).duplicate
        assert self._gateway.submissions - before == 1

    @rule()
    def be_refused(self) -> None:
        before = len(self._gateway.paid())
        with pytest.raises(HailuoError) as refused:
            self._generate(REFUSED)
        assert refused.value.problem.charged == "no"
        assert len(self._gateway.paid()) == before

    @rule(call=calls)
    def rehearse(self, call: Call) -> None:
        before, known = self._gateway.submissions, len(self._jobs())
        assert self._life.run(self._life.session.generate(call, dry_run=True)).request
        assert (self._gateway.submissions, len(self._jobs())) == (before, known)

    @rule(pick=picks, seconds=st.sampled_from((0.0, 0.2)))
    def ask(self, pick: int, seconds: float) -> None:
        if not self._ids:
            return
        began = time.monotonic()
        self._ask(self._picked(pick), seconds)
        assert time.monotonic() - began < 20

    @rule(pick=picks)
    def download(self, pick: int) -> None:
        if not self._ids:
            return
        request_id = self._picked(pick)
        try:
            job, path = self._life.run(self._life.session.download(request_id))
        except (NotReady, Expired):
            return
        except UnknownRequest:
            assert self._is_gone(request_id)
        else:
            assert path.read_bytes()[4:8] == b"ftyp"
            assert job.video_path == str(path)

    @rule()
    def crash(self) -> None:
        self._crashed.append(self._life)
        self._life = self._begin()

    @rule(call=calls)
    def crash_before_the_answer(self, call: Call) -> None:
        """The gateway has accepted the job; its response is lost."""
        before = self._gateway.moments[Moment.SUBMISSION_TAKEN]

        async def hold(moment: Moment, _path: str) -> None:
            if moment is Moment.SUBMISSION_TAKEN:
                await asyncio.sleep(0.3)

        self._gateway.on_moment = hold
        work = self._life.session.generate(call, force_new=True)
        self._life.leave_behind(work, lambda: self._gateway.moments[Moment.SUBMISSION_TAKEN] > before)
        self.crash()
        self._let_pass(STILL_BEING_SENT)

    @rule()
    def restart(self) -> None:
        self._life.close()
        self._life = self._begin()

    @rule(time=st.sampled_from(TIMES))
    def let_time_pass(self, time: timedelta) -> None:
        self._let_pass(time)

    @rule(pick=picks)
    def delete_a_file(self, pick: int) -> None:
        clips = sorted((self._home / "clips").glob("*.mp4"), key=lambda clip: clip.stat().st_mtime_ns)
        if clips:
            clips[pick % len(clips)].unlink()

    @rule()
    def delete_the_ledger(self) -> None:
        self._life.close()
        for path in self._home.glob("jobs.sqlite3*"):
            path.unlink()
        self._orphans = {job.remote_id for job in self._gateway.paid()}
        self._ids = {request_id: None for request_id in self._ids if "/unconfirmed-" not in request_id}
        self._seen = {}
        self._life = self._begin()

    def teardown(self) -> None:
        try:
            for request_id in list(self._ids):
                self._ask(request_id, 0)
            self.every_paid_job_is_known_once()
        finally:
            totals["paid jobs"] += len(self._gateway.paid())
            totals["crashes"] += len(self._crashed)
            for life in (*self._crashed, self._life):
                life.close()
            self._resources.close()

    # --- invariants ---------------------------------------------------------------------------------------------------

    @invariant()
    def every_paid_job_is_known_once(self) -> None:
        totals["steps"] += 1
        jobs, paid = self._jobs(), self._gateway.paid()
        known = [job.remote_id for job in jobs if job.remote_id]
        assert len(known) == len(set(known))
        assert set(known) <= {job.remote_id for job in paid}
        open_questions = [(job.model.split("/")[0], job.prompt) for job in jobs if job.state is State.UNCONFIRMED]
        nameless = [(job.gateway, job.prompt) for job in paid if job.remote_id not in {*known, *self._orphans}]
        assert sorted(nameless) == sorted(open_questions)

    @invariant()
    def every_id_is_in_the_ledger_or_was_of_an_earlier_one(self) -> None:
        jobs = self._jobs()
        known = {job.request_id for job in jobs} | {f"{job.model}/unconfirmed-{job.id}" for job in jobs}
        assert all(i in known or RequestId.parse(i).remote_id in self._orphans for i in self._ids)

    @invariant()
    def nothing_goes_backward(self) -> None:
        jobs = {job.id: job for job in self._jobs()}
        assert jobs.keys() >= self._seen.keys()
        for key, before in self._seen.items():
            now = jobs[key]
            assert now.state.rank >= before.state.rank
            recalled = before.state is State.EXPIRED and now.state is State.COMPLETED
            assert now.state is before.state or not before.state.is_terminal or recalled
            assert before.remote_id in (None, now.remote_id)
            assert now.has_clip or not before.has_clip
            # A report, or a failure that costs nothing, may replace an estimate; nothing else lowers it.
            assert now.cost_estimate >= before.cost_estimate - 1e-9 or now.not_charged or now.cost_usd is not None
        self._seen = jobs

    # --- helpers ------------------------------------------------------------------------------------------------------

    def _begin(self) -> Life:
        return Life(self._home, self._gateway.environment)

    def _generate(self, call: Call, *, force_new: bool = False) -> Submitted:
        submitted = self._life.run(self._life.session.generate(call, force_new=force_new))
        self._ids[submitted.job.request_id] = None
        return submitted

    def _ask(self, request_id: str, seconds: float) -> None:
        """Raises only if neither the ledger nor the gateway has the job any more."""
        try:
            job = self._life.run(self._life.session.status(request_id, seconds))
        except UnknownRequest:
            assert self._is_gone(request_id)
        else:
            self._ids[job.request_id] = None

    def _is_gone(self, request_id: str) -> bool:
        """Whether the job was of an earlier ledger, and its gateway no longer answers for it."""
        remote_id = RequestId.parse(request_id).remote_id
        (paid,) = (job for job in self._gateway.paid() if job.remote_id == remote_id)
        job = self._store.get(paid.id)
        keeps = SEGMIND_KEEPS_SECONDS if paid.gateway == "segmind" else float("inf")
        forgotten = job is not None and job.phase(time.time(), keeps) is Phase.GONE
        return forgotten and remote_id in self._orphans

    def _duplicates_of(self, call: Call) -> set[str]:
        """Jobs that an identical call would return, by the documentation: those that have not ended, and for some time
        those that have a clip."""
        now = utc_now()
        return {
            job.id
            for job in self._jobs()
            if (job.model, job.prompt) == (call["model"], call["prompt"])
            and not job.not_charged
            and (
                not job.state.is_terminal
                or (job.state is State.COMPLETED and now - (job.ended_at or job.created_at) <= WINDOW)
            )
            and job.fingerprint  # a job imported without its ledger is not known to be identical
        }

    def _jobs(self) -> list[Job]:
        ledger = self._home / "jobs.sqlite3"
        if not ledger.exists():
            return []
        with closing(sqlite3.connect(ledger, timeout=30)) as db:
            return [Job.model_validate_json(document) for (document,) in db.execute("SELECT document FROM jobs")]

    def _picked(self, pick: int) -> str:
        """An id by its position, which is the same when a run is repeated."""
        return list(self._ids)[pick % len(self._ids)]

    def _let_pass(self, time: timedelta) -> None:
        self._gateway.let_pass(time)
        if (self._home / "jobs.sqlite3").exists():
            let_pass(self._home / "jobs.sqlite3", time)


def test_every_paid_job_stays_known_once_and_no_state_goes_backward(figures: Callable[[str], None]) -> None:
    totals.clear()
    run_state_machine_as_test(
        StudioMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
            phases=[Stage.generate],  # shrinking a failure would take longer than the time limit
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    figures(", ".join(f"{count} {name}" for name, count in totals.items()))
