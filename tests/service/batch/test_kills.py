"""A batch is stopped at bad moments; the same command continues, and every shot has one job at its gateway."""

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from hailuo_mcp.app import load_settings
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.job import Job
from hailuo_mcp.service.batch.progress import Progress, progress_path
from tests.service.batch.conftest import Gateways, Shots, mixed
from tests.support import age, open_session

pytestmark = pytest.mark.slow


def killed_after(gateways: Gateways, file: Path, lines: int, word: str, *args: str, pause: float = 0) -> None:
    """Run until this many lines with the word were printed, or to the end, and kill -9."""
    with gateways.process.start("batch", str(file), "--yes", *args) as running:
        assert running.stderr is not None
        for line in running.stderr:
            lines -= word in line
            if lines <= 0:
                break
        time.sleep(pause)
        running.kill()
        running.communicate()


def test_batch_killed_right_after_its_submissions_repeats_none(gateways: Gateways, shots: Shots) -> None:
    file = shots(*mixed(4))
    # One at a time: when it is killed, it has the response but has not recorded it yet.
    for _ in range(2):
        killed_after(gateways, file, 1, "queued", "--at-once", "1")
    job_counts = gateways.job_counts
    assert 1 <= job_counts.total() <= 2
    document = gateways.cli.json("batch", str(file), "--yes", code=3)
    assert [shot["state"] for shot in document["shots"]] == ["saved", "saved", "saved", "failed"]
    assert gateways.job_counts == Counter(line["prompt"] for line in mixed(4))


@pytest.mark.timeout(500)
def test_twelve_shots_are_twelve_jobs_despite_kills_at_random_moments(
    gateways: Gateways, shots: Shots, figures: Callable[[str], None]
) -> None:
    file = shots(*mixed(12))
    dice = random.Random(20261121)
    for _ in range(8):
        killed_after(gateways, file, dice.randint(2, 14), " ", pause=dice.choice((0.0, 0.0, 0.01, 0.2)))
    done = gateways.process("batch", str(file), "--json", "--yes", "--wait", "100")
    document = gateways.cli.json("batch", str(file), "--yes", code=done.returncode)
    by_prompt = dict(zip((line["prompt"] for line in mixed(12)), document["shots"], strict=True))
    for prompt, shot in by_prompt.items():
        times = gateways.job_counts[prompt]
        # After a kill between the ledger and the response, it is unknown whether the job was submitted: it is found in
        # the gateway's history, or, without a history, never submitted again.
        assert times == 1 or (times == 0 and shot["state"] == "unconfirmed"), (prompt, times, shot)
        assert shot["state"] in ("saved", "unconfirmed", "failed")
    assert by_prompt["Shot 03 of a kite sandbox:fail"]["state"] in ("failed", "unconfirmed")
    assert sum(shot["state"] == "saved" for shot in by_prompt.values()) >= 6
    assert done.returncode in (3, 7)
    states = Counter(shot["state"] for shot in by_prompt.values())
    figures(f"8 kills, 12 shots, {gateways.job_counts.total()} jobs at the gateways: {dict(states)}")


def test_after_ctrl_c_the_jobs_continue_and_the_next_run_finds_them(gateways: Gateways, shots: Shots) -> None:
    file = shots(*mixed(4))
    with gateways.process.start("batch", str(file), "--yes") as running:
        assert running.stderr is not None
        next(line for line in running.stderr if "queued" in line)
        running.send_signal(signal.SIGINT)
        stderr = running.communicate()[1]
    assert running.returncode == 130
    assert "The same command continues from here." in stderr
    assert "Traceback" not in stderr
    states = [shot["state"] for shot in gateways.cli.json("batch", str(file), "--dry-run")["shots"]]
    assert "unconfirmed" not in states, "submissions in flight got their responses"
    gateways.cli.json("batch", str(file), "--yes", code=3)
    assert gateways.job_counts == Counter(line["prompt"] for line in mixed(4))


def test_the_same_batch_run_twice_at_once_submits_each_shot_once(gateways: Gateways, shots: Shots) -> None:
    file = shots(*mixed(4))
    processes = [gateways.process.start("batch", str(file), "--yes", "--wait", "1") for _ in range(2)]
    for running in processes:
        running.communicate(timeout=60)
    gateways.cli.json("batch", str(file), "--yes", code=3)
    assert gateways.job_counts == Counter(line["prompt"] for line in mixed(4))
    assert sorted(path.name for path in file.parent.glob(".*.part")) == []


# --- recovery after a stop -----------------------------------------------------------------------------------------


def forget_answers(file: Path) -> None:
    """Simulate that the process died each time between the response and recording it."""
    path = progress_path(file)
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "request_id" not in line) + '{"torn')


def test_batch_resumes_from_the_ledger_alone_days_later(gateways: Gateways, shots: Shots) -> None:
    file = shots({"prompt": "A kite"}, {"prompt": "A boat"})
    before = gateways.cli.json("batch", str(file), "--yes")
    forget_answers(file)
    _age_everything(gateways, before, timedelta(days=3))
    after = gateways.cli.json("batch", str(file), "--yes")
    assert [shot["request_id"] for shot in after["shots"]] == [shot["request_id"] for shot in before["shots"]]
    assert gateways.job_counts.total() == 2


def _age_everything(gateways: Gateways, document: dict[str, Any], by: timedelta) -> None:
    settings = load_settings(gateways.cli.environment).model_copy(
        update={"state_dir": gateways.directory / "state" / "hailuo-mcp"}
    )

    async def work() -> None:
        async with open_session(settings) as session:
            for shot in document["shots"]:
                job: Job | None = await session.known(shot["request_id"])
                assert job is not None
                await age(session, job, by)

    anyio.run(work)


def test_a_lost_ledger_is_restored_from_the_gateways(gateways: Gateways, shots: Shots) -> None:
    file = shots({"prompt": "A kite"}, {"prompt": "sandbox:expire A boat", "model": "aimlapi/hailuo-02"})
    gateways.cli("batch", str(file), "--yes", "--wait", "2")
    shutil.rmtree(gateways.directory / "state")
    document = gateways.cli.json("batch", str(file), "--yes", code=3)
    assert [shot["state"] for shot in document["shots"]] == ["saved", "failed"]
    assert "which is no longer known" in document["shots"][1]["error"]["message"]
    assert gateways.job_counts.total() == 2


def test_an_invalid_record_of_progress_is_refused(gateways: Gateways, shots: Shots, tmp_path: Path) -> None:
    file = shots({"prompt": "A kite"})
    progress_path(file).write_text("something else\n")
    assert gateways.cli("batch", str(file), "--yes").returncode == 2
    assert gateways.jobs == []
    with pytest.raises(InvalidInput, match="cannot be written"):
        Progress.open(tmp_path / "missing" / "shots.jsonl")
