"""Waiting for a job to end, with a progress bar."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from hailuo_mcp.cli.exits import Exit
from hailuo_mcp.cli.output import command, print_json, stderr_console
from hailuo_mcp.core.job import Job, utc_now
from hailuo_mcp.mcp.views import JobView, job_view
from hailuo_mcp.service.session import Session

BAR_WIDTH = 32
_SHOWN_FULL = 0.97
"""The share at which the bar stops if a job takes longer than estimated."""


@dataclass(slots=True)
class Watched:
    """The last known state of a command's job, in case the command is interrupted."""

    request_id: str | None = None
    job: Job | None = None

    def see(self, job: Job) -> None:
        self.job, self.request_id = job, job.request_id


async def wait_for_end(session: Session, watched: Watched, seconds: float) -> Job:
    """Follow a job until it ends, its state can no longer change, or the time is up. `seconds` may be infinite.

    Raises:
        HailuoError: its gateway did not respond for several minutes.
    """

    async def report(job: Job) -> None:
        if not stderr_console().is_terminal and (watched.job is None or watched.job.state is not job.state):
            stderr_console().print(f"{job.request_id}: {job.state}")
        watched.see(job)

    with _bar(watched):
        job = await session.follow(watched.request_id, seconds, report)
    watched.see(job)
    return job


def view_of(session: Session, job: Job, *, duplicate: bool = False) -> JobView:
    return job_view(job, duplicate=duplicate, held_back=session.held_back(job))


def interrupted(watched: Watched, *, as_json: bool) -> Exit:
    """Print, after Ctrl-C, that the job continues and how to look it up."""
    if as_json and watched.job:
        print_json(job_view(watched.job))
    if watched.request_id is None:
        stderr_console().print("Interrupted. Check the list of jobs before submitting again: " + command("jobs"))
    else:
        stderr_console().print("Interrupted; the job continues. Look it up with")
        stderr_console().print(f"  {command('status', watched.request_id, '--wait')}")
    return Exit.INTERRUPTED


def _bar(watched: Watched) -> AbstractContextManager[object]:
    if not stderr_console().is_terminal:
        return nullcontext()
    return Live(
        get_renderable=lambda: _line(watched.job),
        console=stderr_console(),
        transient=True,
        refresh_per_second=4,
        screen=False,
    )


def _line(job: Job | None) -> Table:
    grid = Table.grid(padding=(0, 2))
    if job is None:
        grid.add_row("connecting…")
        return grid
    elapsed, estimate = job.elapsed_seconds(utc_now()), job.estimated_seconds
    if estimate:
        bar = ProgressBar(total=1.0, completed=min(elapsed / estimate, _SHOWN_FULL), width=BAR_WIDTH)
        words = f"{elapsed:.0f} s of about {estimate:.0f} s"
    else:
        bar, words = ProgressBar(pulse=True, width=BAR_WIDTH), f"{elapsed:.0f} s"
    grid.add_row(job.state.value, bar, words)
    return grid
