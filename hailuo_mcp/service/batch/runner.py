"""Running a batch: submit what fits the limits, follow every job to its end, save its clip.

The ledger is the source of truth: a shot's state is read from its jobs there, by keys that follow from the batch, the
shot and the attempt. So the same batch, run again after any stop, continues where it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from hailuo_mcp.core.errors import (
    BudgetExceeded,
    Expired,
    GatewayTrouble,
    HailuoError,
    InternalError,
    NotReady,
    Problem,
    Unauthorized,
)
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.service.batch.limits import Limits, Spending
from hailuo_mcp.service.batch.progress import Link, Progress
from hailuo_mcp.service.batch.restore import restore
from hailuo_mcp.service.batch.rows import ACCOUNT, TRANSIENT, WITHOUT_CLIP, Row, ShotStatus, shot_status
from hailuo_mcp.service.batch.validation import CheckedShot
from hailuo_mcp.service.confirmation import agreed
from hailuo_mcp.service.input_files import LAST_FRAME
from hailuo_mcp.service.session import Session


@dataclass(frozen=True, slots=True)
class BatchRetryPolicy:
    """How often a batch repeats what failed for a transient reason, beyond the retries of each request."""

    submit_pauses: tuple[float, ...] = (5.0, 10.0, 20.0, 40.0, 60.0, 60.0)
    """Seconds between attempts to submit a shot; after the last, it waits for the next run."""
    failures_max: int = 5
    """After this many failed polls or downloads in a row, a job is left to the next run."""
    failure_pause: float = 5.0
    """Seconds after a failed poll or download."""


class Batch:
    """Runs the checked shots of one file. `on_change` is called with each row that changed."""

    def __init__(
        self,
        session: Session,
        shots: Sequence[CheckedShot],
        limits: Limits,
        on_change: Callable[[Row], None] = lambda _: None,
        *,
        retry: BatchRetryPolicy | None = None,
    ) -> None:
        self.rows = tuple(Row(checked) for checked in shots)
        self.stopped: Problem | None = None
        """Why no more shots were submitted."""
        self.closed: dict[str, Problem] = {}
        """Gateways that refuse the account, and get no more submissions."""
        self._session = session
        self._limits = limits
        self._retry = retry or BatchRetryPolicy()
        self._spending = Spending(limits)
        self._on_change = on_change
        self._progress: Progress | None = None
        self._under_way: set[int] = set()
        self._changed = anyio.Event()

    @property
    def spent_usd(self) -> float:
        return self._spending.usd

    @property
    def removed_count(self) -> int:
        """How many shots of earlier runs are no longer in the file; they are left alone."""
        known = set(self._progress.keys.values()) if self._progress else set[str]()
        return len(known - {row.shot.identity for row in self.rows})

    @property
    def waiting(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.status in (ShotStatus.WAITING, ShotStatus.BLOCKED))

    async def restore(self, progress: Progress | None, *, retry_failed: bool = False) -> None:
        """Read the results of earlier runs; `progress` is None if there were none. Nothing is submitted.

        Raises:
            HailuoError: they cannot be determined now, so nothing may be submitted either.
        """
        self._progress = progress
        if progress:
            await restore(self._session, progress, self.rows, self._spending, retry_failed=retry_failed)

    async def run(self, progress: Progress) -> None:
        """Submit, follow and save until everything is done or must wait. When cancelled, submissions in flight still
        get their answers; the jobs continue."""
        self._progress = progress
        async with anyio.create_task_group() as tasks:
            for place, row in enumerate(self.rows):
                if row.status is ShotStatus.UNDER_WAY:
                    self._start(tasks, place)
            while True:
                self._changed = anyio.Event()
                self._start_what_fits(tasks)
                if not self._under_way:
                    break
                await self._changed.wait()

    # --- scheduling -----------------------------------------------------------------------------------------------

    def _start_what_fits(self, tasks: TaskGroup) -> None:
        for place, row in enumerate(self.rows):
            if row.status is not ShotStatus.WAITING or place in self._under_way:
                continue
            earlier = {self.rows[before].status for before in row.shot.after.values()}
            if earlier & WITHOUT_CLIP:
                self._update(row, ShotStatus.BLOCKED)
                continue
            if earlier - {ShotStatus.SAVED}:
                continue
            if len(self._under_way) >= self._limits.at_once or self.stopped or row.checked.gateway in self.closed:
                continue
            if row.problem is None:
                self._start(tasks, place)

    def _start(self, tasks: TaskGroup, place: int) -> None:
        self._under_way.add(place)
        tasks.start_soon(self._run_shot, place)

    async def _run_shot(self, place: int) -> None:
        row = self.rows[place]
        try:
            if row.status is ShotStatus.WAITING:
                await self._submit(row)
            if row.status is ShotStatus.UNDER_WAY:
                await self._follow(row)
            if row.status is ShotStatus.UNDER_WAY:
                await self._save(row)
        except HailuoError as error:
            if isinstance(error, InternalError) and not self.stopped:
                self.stopped = error.problem
            self._update(row, ShotStatus.ABANDONED if row.job else ShotStatus.WAITING, error.problem)
        finally:
            self._under_way.discard(place)
            self._changed.set()

    # --- submitting -----------------------------------------------------------------------------------------------

    async def _submit(self, row: Row) -> None:
        """Leaves the row under way, failed, or waiting for the next run."""
        for pause in (*self._retry.submit_pauses, None):
            problem = await self._attempt(row)
            if problem is None:
                return
            if problem.code == BudgetExceeded.code:
                self.stopped = self.stopped or problem
                self._update(row, ShotStatus.WAITING)
                return
            if problem.code in ACCOUNT:
                self.closed.setdefault(row.checked.gateway, problem)
            is_transient = problem.code in TRANSIENT and problem.safe_to_retry
            if pause is None or not is_transient:
                may_succeed_later = is_transient or problem.code in ACCOUNT
                self._update(row, ShotStatus.WAITING if may_succeed_later else ShotStatus.FAILED, problem)
                return
            self._update(row, ShotStatus.SUBMITTING, problem)
            await anyio.sleep(pause)

    async def _attempt(self, row: Row) -> Problem | None:
        """One attempt. Returns why it was refused, or None; a refusal by the gateway uses up the attempt's number."""
        if self._progress is None:
            raise InternalError("The batch has no record of progress.")
        shot, estimate = row.shot.identity, row.checked.estimate
        if over := self._spending.refusal(estimate):
            message = f"No more shots were submitted: {over}."
            return BudgetExceeded(message, "Raise the limit to submit the rest.").problem
        key = self._progress.key(shot, row.attempt)
        self._spending.counted[key] = estimate.budget_cost_usd  # before the first await: other shots read it
        self._update(row, ShotStatus.SUBMITTING)
        await anyio.to_thread.run_sync(self._progress.record_attempt, shot, row.attempt, row.shot.line)
        arguments = {**row.checked.arguments, **self._last_frames(row)}
        try:
            submitted = await self._session.generate(
                arguments, job_id=key, force_new=not row.checked.is_unique, confirm=agreed
            )
        except HailuoError as refusal:
            entered = await self._session.ledger.get(key)
            if entered and not entered.not_charged:  # whatever failed here, the gateway may have the job
                self._update(row, ShotStatus.UNDER_WAY, job=entered)
                return None
            self._spending.counted.pop(key, None)
            row.attempt += entered is not None
            return refusal.problem
        job = submitted.job
        if job.id != key:  # an identical job that is not this batch's
            self._spending.counted.pop(key, None)
        elif job.not_charged and job.error:  # another process just made this attempt
            self._spending.counted.pop(key, None)
            row.attempt += 1
            return job.error
        self._update(row, ShotStatus.UNDER_WAY, job=job)
        link = Link(job.id, job.request_id, job.origin)
        await anyio.to_thread.run_sync(self._progress.record_answer, shot, row.attempt, link)
        return None

    def _last_frames(self, row: Row) -> dict[str, str]:
        jobs = {parameter: self.rows[place].job for parameter, place in row.shot.after.items()}
        return {parameter: f"{LAST_FRAME}{job.request_id}" for parameter, job in jobs.items() if job}

    # --- following ------------------------------------------------------------------------------------------------

    async def _follow(self, row: Row) -> None:
        """Until the job has ended. Leaves the row under way if it has a clip to save.

        Raises:
            HailuoError: its gateway did not answer for several minutes.
        """
        if row.job is None:
            return

        async def report(job: Job) -> None:
            self._update(row, row.status, job=job)

        job = await self._session.follow(row.job.request_id, report=report)
        if job.state is State.UNCONFIRMED:
            self._update(row, ShotStatus.UNCONFIRMED, job.error, job)
        elif job.is_final:
            self._update(row, shot_status(job), job.error, job)
        else:
            self._update(row, row.status, job=job)
            raise Unauthorized(f"{job.request_id} cannot be asked for.", self._session.catalog.how_to_get_keys())

    async def _save(self, row: Row) -> None:
        if row.job is None:
            return
        for attempts_left in reversed(range(self._retry.failures_max)):
            try:
                job, _ = await self._session.download(row.job.request_id)
            except Expired as expired:
                self._update(row, ShotStatus.FAILED, expired.problem)
                return
            except (GatewayTrouble, NotReady):
                if not attempts_left:
                    raise
                await anyio.sleep(self._retry.failure_pause)
            else:
                self._update(row, ShotStatus.SAVED, job=job)
                return

    def _update(self, row: Row, status: ShotStatus, problem: Problem | None = None, job: Job | None = None) -> None:
        row.status, row.problem = status, problem
        if job:
            row.job = job
            if job.id in self._spending.counted:
                self._spending.update(job)
        self._on_change(row)
