"""A batch on its way: submit what fits the limits, follow every job to its end, save its clip.

The ledger is the truth. What a shot has come to is read from its jobs there, by keys that follow from the batch, the
shot and the attempt; so the same batch, run again after any stop, goes on where it was.
"""

from collections.abc import Callable, Sequence

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
from hailuo_mcp.service.batch.rows import ACCOUNT, PASSING, Row, ShotStatus, shot_status
from hailuo_mcp.service.batch.validation import Checked
from hailuo_mcp.service.session import Session
from hailuo_mcp.service.submission import LAST_FRAME

PAUSES_SECONDS = (5.0, 10.0, 20.0, 40.0, 60.0, 60.0)
"""A submission that was refused by passing trouble is made again after these, and then given up for now."""
TROUBLES_MAX = 5
"""So many polls in a row may be lost, each tried several times, before a job is left alone for now."""
TROUBLE_PAUSE_SECONDS = 5.0


class Batch:
    """Runs the checked shots of one file. `on_change` hears of each row that changed."""

    def __init__(
        self,
        session: Session,
        shots: Sequence[Checked],
        limits: Limits,
        on_change: Callable[[Row], None] = lambda _: None,
    ) -> None:
        self.rows = tuple(Row(checked) for checked in shots)
        self.stopped: Problem | None = None
        """Why nothing more was submitted."""
        self.closed: dict[str, Problem] = {}
        """Gateways that refuse the account, and nothing more is submitted to."""
        self._session = session
        self._limits = limits
        self._spending = Spending(limits)
        self._on_change = on_change
        self._progress: Progress | None = None
        self._under_way: set[int] = set()
        self._changed = anyio.Event()

    @property
    def spent_usd(self) -> float:
        return self._spending.usd

    @property
    def forgotten(self) -> int:
        """How many shots of earlier runs are no longer in the file; nothing is done about them."""
        known = set(self._progress.keys.values()) if self._progress else set[str]()
        return len(known - {row.shot.identity for row in self.rows})

    @property
    def waiting(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.status in (ShotStatus.WAITING, ShotStatus.BLOCKED))

    async def restore(self, progress: Progress | None, *, retry_failed: bool = False) -> None:
        """Find out what earlier runs came to; None where there were none. Nothing is submitted.

        Raises:
            HailuoError: it cannot be known now, so that nothing may be submitted either.
        """
        self._progress = progress
        if progress:
            await restore(self._session, progress, self.rows, self._spending, retry_failed=retry_failed)

    async def run(self, progress: Progress) -> None:
        """Submit, follow and save until nothing is left to do, or everything that is left must wait. Cancelled, it lets
        submissions on their way have their answers; the jobs go on by themselves."""
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

    # --- what comes next ------------------------------------------------------------------------------------------

    def _start_what_fits(self, tasks: TaskGroup) -> None:
        for place, row in enumerate(self.rows):
            if row.status is not ShotStatus.WAITING or place in self._under_way:
                continue
            earlier = [(self.rows[before], before in self._under_way) for before in row.shot.after.values()]
            if any(one.status is not ShotStatus.SAVED for one, _ in earlier):
                if any(self._is_without_clip(one, busy) for one, busy in earlier):
                    self._see(row, ShotStatus.BLOCKED)
                continue
            if len(self._under_way) >= self._limits.at_once or self.stopped or row.checked.gateway in self.closed:
                continue
            if row.problem is None:
                self._start(tasks, place)

    @staticmethod
    def _is_without_clip(row: Row, busy: bool) -> bool:
        return not busy and row.status not in (ShotStatus.SAVED, ShotStatus.WAITING)

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
            self._see(row, ShotStatus.ABANDONED if row.job else ShotStatus.WAITING, error.problem)
        finally:
            self._under_way.discard(place)
            self._changed.set()

    # --- submitting -----------------------------------------------------------------------------------------------

    async def _submit(self, row: Row) -> None:
        """Leaves the row under way, failed, or waiting for another run."""
        for pause in (*PAUSES_SECONDS, None):
            refusal = await self._attempt(row)
            if refusal is None:
                return
            if isinstance(refusal, BudgetExceeded):
                self.stopped = self.stopped or refusal.problem
                self._see(row, ShotStatus.WAITING)
                return
            problem = refusal.problem if isinstance(refusal, HailuoError) else refusal
            if problem.code in ACCOUNT:
                self.closed.setdefault(row.checked.gateway, problem)
            passing = problem.code in PASSING and problem.safe_to_retry
            if pause is None or not passing:
                self._see(row, ShotStatus.WAITING if passing or problem.code in ACCOUNT else ShotStatus.FAILED, problem)
                return
            self._see(row, ShotStatus.SUBMITTING, problem)
            await anyio.sleep(pause)

    async def _attempt(self, row: Row) -> HailuoError | Problem | None:
        """One attempt. Returns why nothing was taken; what was refused by the gateway has used up its attempt."""
        if self._progress is None:
            raise InternalError("The batch has no progress.")
        shot, estimate = row.shot.identity, row.checked.estimate
        if over := self._spending.refusal(estimate):
            return BudgetExceeded(f"Nothing more was submitted: {over}.", "A higher limit lets the rest be submitted.")
        key = self._progress.key(shot, row.attempt)
        self._spending.counted[key] = estimate.budget_cost_usd  # before the first await: others look at it
        self._see(row, ShotStatus.SUBMITTING)
        await anyio.to_thread.run_sync(self._progress.begin, shot, row.attempt, row.shot.line)
        arguments = {**row.checked.arguments, **self._last_frames(row)}
        try:
            submitted = await self._session.generate(arguments, job_id=key, force_new=not row.checked.alone)
        except HailuoError as refusal:
            entered = await self._session.ledger.get(key)
            if entered and not entered.not_charged:  # whatever went wrong here, it may be with the gateway
                self._see(row, ShotStatus.UNDER_WAY, job=entered)
                return None
            self._spending.counted.pop(key, None)
            row.attempt += entered is not None
            return refusal
        job = submitted.job
        if job.id != key:  # an identical job of somebody else's
            self._spending.counted.pop(key, None)
        elif job.not_charged and job.error:  # another process made this attempt just now
            self._spending.counted.pop(key, None)
            row.attempt += 1
            return job.error
        self._see(row, ShotStatus.UNDER_WAY, job=job)
        link = Link(job.id, job.request_id, job.origin)
        await anyio.to_thread.run_sync(self._progress.answered, shot, row.attempt, link)
        return None

    def _last_frames(self, row: Row) -> dict[str, str]:
        jobs = {parameter: self.rows[place].job for parameter, place in row.shot.after.items()}
        return {parameter: f"{LAST_FRAME}{job.request_id}" for parameter, job in jobs.items() if job}

    # --- following ------------------------------------------------------------------------------------------------

    async def _follow(self, row: Row) -> None:
        """Until the job has ended. Leaves the row under way if it has a clip to save.

        Raises:
            HailuoError: it could not be asked for, for a long time.
        """
        if row.job is None:
            return

        async def report(job: Job) -> None:
            self._see(row, row.status, job=job)

        job = await self._session.follow(row.job.request_id, report=report)
        if job.state is State.UNCONFIRMED:
            self._see(row, ShotStatus.UNCONFIRMED, job.error, job)
        elif job.is_final:
            self._see(row, shot_status(job), job.error, job)
        else:
            self._see(row, row.status, job=job)
            raise Unauthorized(f"{job.request_id} cannot be asked for.", self._session.catalog.how_to_get_keys())

    async def _save(self, row: Row) -> None:
        if row.job is None:
            return
        for left in reversed(range(TROUBLES_MAX)):
            try:
                job, _ = await self._session.download(row.job.request_id)
            except Expired as gone:
                self._see(row, ShotStatus.FAILED, gone.problem)
                return
            except (GatewayTrouble, NotReady):
                if not left:
                    raise
                await anyio.sleep(TROUBLE_PAUSE_SECONDS)
            else:
                self._see(row, ShotStatus.SAVED, job=job)
                return

    def _see(self, row: Row, status: ShotStatus, problem: Problem | None = None, job: Job | None = None) -> None:
        row.status, row.problem = status, problem
        if job:
            row.job = job
            if job.id in self._spending.counted:
                self._spending.see(job)
        self._on_change(row)
