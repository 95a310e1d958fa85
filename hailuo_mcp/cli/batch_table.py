"""How a batch is shown: a live table on a terminal, otherwise a line for each change."""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hailuo_mcp.cli.output import in_commands, stderr_console
from hailuo_mcp.core.job import EXCERPT_LENGTH, utc_now
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.service.batch.rows import Row, ShotStatus
from hailuo_mcp.service.batch.runner import Batch

STYLES = {
    ShotStatus.SAVED: "green",
    ShotStatus.FAILED: "red",
    ShotStatus.BLOCKED: "red",
    ShotStatus.UNCONFIRMED: "yellow",
    ShotStatus.ABANDONED: "yellow",
    ShotStatus.UNDER_WAY: "bold",
    ShotStatus.SUBMITTING: "bold",
}
_SPARE_LINES = 5
_PROMPT_WIDTH = 40


def state_of(row: Row) -> str:
    """The status in one word: the job's state if there is a job but no clip."""
    if row.job and row.status in (ShotStatus.UNDER_WAY, ShotStatus.FAILED):
        return row.job.state.value
    return row.status.value


def summary(batch: Batch) -> str:
    """`12 shots: 5 saved, 2 under way, 5 waiting`"""
    counts = Counter(row.status for row in batch.rows)
    return f"{len(batch.rows)} shot{'s' * (len(batch.rows) != 1)}: " + ", ".join(
        f"{counts[s]} {s}" for s in ShotStatus if counts[s]
    )


def price(row: Row) -> str:
    return "unknown" if row.usd is None else f"${row.usd:.3g}"


def reason(row: Row) -> str:
    """Why a shot has its status. A gateway's hint about calling again is left out: a batch handles that itself."""
    if row.problem is None:
        return ""
    message = row.problem.message + ("" if row.problem.message.endswith((".", "!", "?")) else ".")
    return in_commands(message if row.job else f"{message} {row.problem.hint}".strip())


def plan_table(batch: Batch) -> Table:
    """Every shot with its price, before anything is sent."""
    table = _table("line", "shot", "model", "length", "price", "status")
    for row in batch.rows:
        length = row.checked.estimate.parameters.get("duration")
        table.add_row(
            str(row.shot.line),
            _title(row),
            row.model,
            f"{length} s" if length else "",
            price(row),
            Text(state_of(row), STYLES.get(row.status, "")),
        )
    return table


@contextmanager
def shown_live(batch: Batch) -> Generator[None]:
    """A table that follows the batch while the block runs; nothing without a terminal."""
    if not stderr_console().is_terminal:
        yield
        return
    with Live(
        get_renderable=lambda: _live_table(batch),
        console=stderr_console(),
        transient=True,
        refresh_per_second=4,
    ):
        yield


class PlainLines:
    """A line for each change of a shot, for logs and pipes."""

    def __init__(self) -> None:
        self._last: dict[int, str] = {}

    def __call__(self, row: Row) -> None:
        if stderr_console().is_terminal:
            return
        job = f" {row.job.request_id}" if row.job else ""
        line = f"{row.shot.label}: {state_of(row)}{job}" + (f": {reason(row)}" if row.problem else "")
        if self._last.get(row.shot.line) != line:
            self._last[row.shot.line] = line
            stderr_console().print(line)


def _live_table(batch: Batch) -> Group:
    table = _table("line", "shot", "model", "state", "time", "price")
    for row in _rows_that_fit(batch.rows, stderr_console().height - _SPARE_LINES):
        table.add_row(
            str(row.shot.line),
            _title(row),
            ModelId.parse(row.model).name,
            Text(state_of(row), STYLES.get(row.status, "")),
            _time(row),
            price(row),
        )
    return Group(table, Text(f"{summary(batch)}; ${batch.spent_usd:.2f} spent or reserved", "dim"))


def _rows_that_fit(rows: Sequence[Row], height: int) -> list[Row]:
    """All rows, or the most active ones, in their order."""
    if len(rows) <= height:
        return list(rows)
    rank = {
        ShotStatus.UNDER_WAY: 0,
        ShotStatus.SUBMITTING: 0,
        ShotStatus.UNCONFIRMED: 1,
        ShotStatus.FAILED: 1,
        ShotStatus.WAITING: 2,
    }
    chosen = sorted(rows, key=lambda row: rank.get(row.status, 3))[: max(1, height)]
    return sorted(chosen, key=lambda row: row.shot.line)


def _title(row: Row) -> str:
    text = row.shot.name or " ".join(str(row.shot.arguments.get("prompt", ""))[:EXCERPT_LENGTH].split())
    return text if len(text) <= _PROMPT_WIDTH else text[: _PROMPT_WIDTH - 1] + "…"


def _time(row: Row) -> str:
    if row.job is None:
        return ""
    about = row.job.estimated_seconds
    elapsed = f"{row.job.elapsed_seconds(utc_now()):.0f} s"
    return f"{elapsed} of ~{about:.0f} s" if about and row.status is ShotStatus.UNDER_WAY else elapsed


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table
