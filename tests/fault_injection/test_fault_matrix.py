"""Every fault at every step of every gateway, over real sockets, with the product's own timeouts and retries."""

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hailuo_mcp.mcp import tools
from hailuo_mcp.service.session import Session
from tests.fault_injection.cells import STEPS, Cell, table
from tests.fault_injection.expected import NOT_CHECKED, Outcome, expected
from tests.fault_injection.faults import BEFORE, Fault, Step
from tests.fault_injection.faulty_gateway import CLIP, FaultyGateway
from tests.fault_injection.names import Names, resolving
from tests.media.samples import png
from tests.support import KEYS, PICTURE, age, open_session, settings_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MODELS = {
    "segmind": "segmind/hailuo-02-fast",
    "apixo": "apixo/hailuo-2.3-fast",
    "aimlapi": "aimlapi/hailuo-02",
    "minimax": "minimax/hailuo-02",
    "fal": "fal/hailuo-02",
    "replicate": "replicate/hailuo-02",
    "aimlapi-h3": "aimlapi/h3",
    "minimax-h3": "minimax/h3",
    "fal-h3": "fal/h3",
}
FINDABLE = ("segmind", "fal", "replicate", "minimax-h3", "fal-h3")
"""Gateways whose history shows the outcome of an unanswered submission."""
SLOW = frozenset({Fault.SILENCE, Fault.DRIP})
CONCURRENT_CELLS = 24
RETENTION_PASSED = timedelta(minutes=70)
SAVED_WITHIN_SECONDS = 45.0
"""After the fault is lifted; a download that hangs notices after 30 s of silence."""


async def _no_progress(*_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls the tools and keeps all results."""

    session: Session
    cell: Cell

    async def __call__(self, name: str, **arguments: Any) -> dict[str, Any]:
        result = await tools.call(name, tools.Call(self.session, arguments, _no_progress))
        self.cell.outputs.append(result.model_dump_json())
        return result.structured_content or {}


def outcome_of(answer: dict[str, Any]) -> Outcome:
    if error := answer.get("error"):
        return Outcome(error["code"], error["charged"], error["safe_to_retry"])
    return Outcome(answer["state"])


async def run_cell(cell: Cell, directory: Path, names: Names) -> None:
    host = "-".join((cell.gateway, cell.step, cell.fault)).lower().replace(" ", "-")
    gateway = FaultyGateway(cell.gateway, cell.step, cell.fault, host, names)
    variable = cell.variable
    settings = settings_for(
        directory,
        **{f"{variable}_API_KEY": KEYS[f"{variable}_API_KEY"], f"{variable}_BASE_URL": gateway.base_url},
        HAILUO_MCP_MAX_VIDEO_MB="1",
    )
    image = directory / "pictures" / "first.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(png(640, 360))
    arguments = {
        "model": MODELS[cell.gateway],
        "prompt": f"a red kite, {cell}",
        "first_frame_image": str(image) if cell.step is Step.UPLOAD else PICTURE,
    }
    async with gateway.serving(), open_session(settings) as session:
        call = Caller(session, cell)
        answer = await call("generate_video", **arguments)
        if (cell.gateway, cell.step) in BEFORE:
            request_id = answer["request_id"]
            cell.outcome = await _trigger_later_fault(cell, call, request_id)
            await gateway.fix()
        else:
            cell.outcome = outcome_of(answer)
            await gateway.fix()
            request_id = await _submit_again(cell, call, arguments, answer, gateway)
        status = await call("get_status", request_id=request_id)
        cell.check("state" in status, f"{request_id} has no status: {status.get('error')}")
        is_lost = cell.step is Step.SUBMIT and status.get("state") == "unconfirmed"
        findable = cell.gateway in FINDABLE and gateway.accepted
        cell.check(not (is_lost and findable), "the job is in the history, but was not found")
        if not is_lost:
            await _wait_until_saved(cell, call, request_id)
        await _check_totals(cell, session, gateway, is_lost=is_lost)


async def _trigger_later_fault(cell: Cell, call: Caller, request_id: str) -> Outcome:
    """The outcome when the job was accepted, and the fault is at a later step."""
    if cell.step is Step.HISTORY:  # the gateway no longer keeps the result, but its history does
        job = await call.session.known(request_id)
        assert job
        await age(call.session, job, RETENTION_PASSED)
    answer = await call("get_status", request_id=request_id)
    if cell.step is not Step.DOWNLOAD or cell.fault is Fault.NUMBER:
        return outcome_of(answer)
    cell.check(answer.get("state") == "completed", f"a failed download changed the job: {answer}")
    cell.check(
        answer.get("video_url") and not answer.get("video_path"), "a completed job must have a link, and no file yet"
    )
    if cell.fault in SLOW:
        return NOT_CHECKED
    return outcome_of(await call("download_video", request_id=request_id))


async def _submit_again(
    cell: Cell, call: Caller, arguments: dict[str, Any], first: dict[str, Any], gateway: FaultyGateway
) -> str:
    """The same call once the gateway is fixed: a refused one succeeds, an unconfirmed one is not sent twice."""
    sent_before = gateway.submissions
    again = await call("generate_video", **arguments)
    sent = gateway.submissions - sent_before
    if first.get("state") == "unconfirmed":
        cell.check(again.get("duplicate") is True and sent == 0, "an unconfirmed job was submitted again")
        return str(first["request_id"])
    if cell.fault is Fault.NUMBER:
        cell.check(again.get("duplicate") is True and sent == 0, "an accepted job was submitted again")
        return str(first["request_id"])
    cell.check(
        first["error"]["charged"] == "no" and not gateway.accepted[:-1],
        "reported as refused, but accepted by the gateway",
    )
    cell.check(again.get("duplicate") is False and sent == 1, "the call after a refusal did not submit a new job")
    return str(again["request_id"])


async def _wait_until_saved(cell: Cell, call: Caller, request_id: str) -> None:
    answer: dict[str, Any] = {}
    try:
        async with asyncio.timeout(SAVED_WITHIN_SECONDS):
            while not answer.get("video_path"):
                answer = await call("get_status", request_id=request_id)
                await asyncio.sleep(0.1)
    except TimeoutError:
        cell.check(None, f"not saved after the fault was lifted: {answer}")
        return
    cell.saved = Path(answer["video_path"]).read_bytes() == CLIP
    cell.check(cell.saved, "the saved file is not the clip")
    cell.check(answer["state"] == "completed", f"a saved job is {answer['state']}")


async def _check_totals(cell: Cell, session: Session, gateway: FaultyGateway, *, is_lost: bool) -> None:
    page = await session.ledger.page("", None, 100, frozenset({gateway.base_url}))
    known = {job.remote_id for job in page.jobs if job.remote_id}
    unconfirmed = [job for job in page.jobs if job.state == "unconfirmed"]
    cell.accepted = len(gateway.accepted)
    cell.check(gateway.keys == {KEYS[f"{cell.variable}_API_KEY"]}, "a wrong key was sent, or none")
    cell.check(cell.accepted <= 1, f"{cell.accepted} jobs were paid for")
    cell.check(cell.accepted == 1 or is_lost, "no job was accepted at all")
    lost = [job for job in gateway.accepted if job.remote_id not in known]
    cell.check(len(lost) <= len(unconfirmed), "a paid job is lost")
    names = [path.name for path in session.settings.output_dir.iterdir()]
    cell.check(len(names) == cell.saved, f"the output directory contains {names}")


@contextmanager
def all_log_lines() -> Generator[list[str]]:
    """All log lines of all libraries, at the most verbose level."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    root, keep = logging.getLogger(), Keep()
    levels = {logger: logger.level for logger in (root, logging.getLogger("hailuo_mcp"))}
    old_handlers = root.handlers[:]
    root.handlers = [keep]  # so that a failing test does not print all of it
    for logger in levels:
        logger.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.handlers = old_handlers
        for logger, level in levels.items():
            logger.setLevel(level)


async def test_fault_at_any_step_never_pays_twice_loses_a_job_or_leaks_a_key(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    cells = [Cell(gateway, step, fault) for fault in Fault for gateway, step in STEPS]
    limiter = asyncio.Semaphore(CONCURRENT_CELLS)

    async def run(number: int, cell: Cell) -> None:
        directory = tmp_path / str(number)
        try:
            if cell.fault in SLOW:  # these only wait
                await run_cell(cell, directory, names)
            else:
                async with limiter:
                    await run_cell(cell, directory, names)
        except Exception as error:
            cell.check(None, f"{type(error).__name__}: {error}")

    with resolving() as names, all_log_lines() as lines:
        await asyncio.gather(*(run(n, cell) for n, cell in enumerate(cells) if cell.fault is not Fault.HUGE))
        # One at a time and alone: a body of this size must reach the size limit before the time limit.
        for number, cell in enumerate(cells):
            if cell.fault is Fault.HUGE:
                await run(number, cell)
    for cell in cells:
        wanted = expected(cell.gateway, cell.step, cell.fault)
        cell.check(cell.outcome == wanted, f"got {cell.outcome!r}, expected {wanted!r}")
    places_searched = {
        "an output": "\n".join(text for cell in cells for text in cell.outputs),
        "the log": "\n".join(lines),
        "a file": "\n".join(_texts_below(tmp_path)),
    }
    figures(table(cells))
    print(table(cells))
    assert not [problem for cell in cells for problem in cell.problems]
    for place, text in places_searched.items():
        leaked = [key for key in KEYS.values() if key in text]
        assert not leaked, f"{place} contains a key"


def _texts_below(directory: Path) -> list[str]:
    return [path.read_bytes().decode("latin-1") for path in directory.rglob("*") if path.is_file()]
