"""`hailuo-mcp batch` against the sandbox on a port."""

import csv
import json
import os
import pty
import signal
import subprocess
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM
from tests.media.samples import png
from tests.media.test_concat import decode
from tests.service.batch.conftest import Gateways, Shots, mixed
from tests.support import PICTURE

pytestmark = pytest.mark.slow


def paths(stdout: str) -> list[Path]:
    return [Path(line) for line in stdout.splitlines()]


def test_a_batch_saves_every_clip_and_prints_the_paths_in_order(gateways: Gateways, shots: Shots) -> None:
    file = shots(*mixed(6))
    done = gateways.cli("batch", str(file), "--yes")
    assert done.returncode == 3, done.stderr
    saved = paths(done.stdout)
    assert [clip.name.split("-shot-")[1][:2] for clip in saved] == ["00", "01", "02", "04", "05"]
    assert all(clip.stat().st_size > 1000 for clip in saved)
    assert "shots.jsonl:4: failed: Segmind failed the job" in done.stderr
    assert "6 shots: 5 saved, 1 failed" in done.stderr
    assert gateways.job_counts == Counter(line["prompt"] for line in mixed(6))
    again = gateways.cli("batch", str(file))  # nothing to submit, so no confirmation
    assert (again.returncode, again.stdout) == (3, done.stdout)
    assert sum(gateways.job_counts.values()) == 6


def test_only_retry_failed_submits_a_failed_shot_again(gateways: Gateways, shots: Shots) -> None:
    file = shots({"prompt": "sandbox:fail A kite"})
    for _ in range(2):
        assert gateways.cli.json("batch", str(file), "--yes", code=3)["shots"][0]["attempt"] == 1
        assert gateways.job_counts.total() == 1
    retried = gateways.cli.json("batch", str(file), "--yes", "--retry-failed", code=3)
    assert retried["shots"][0]["attempt"] == 2
    assert retried["shots"][0]["error"]["code"] == "gateway_error"
    assert gateways.job_counts.total() == 2
    assert gateways.cli("batch", str(file), "--yes").returncode == 3
    assert gateways.job_counts.total() == 2


def test_a_dry_run_shows_prices_and_sends_nothing(gateways: Gateways, shots: Shots) -> None:
    file = shots({"prompt": "A kite", "name": "opening"}, {"prompt": "B", "model": "aimlapi/hailuo-02"})
    shown = gateways.cli("batch", str(file), "--dry-run")
    assert shown.returncode == 0
    table = [line.split() for line in shown.stdout.splitlines()]
    assert table[0] == ["line", "shot", "model", "length", "price", "status"]
    assert table[1][:3] == ["1", "opening", "fal/hailuo-02"]  # the cheapest that accepts only a prompt
    assert table[1][-2].startswith("$")
    assert table[2][-2:] == ["unknown", "waiting"]
    assert "and 1 of unknown price" in shown.stderr
    document = gateways.cli.json("batch", str(file), "--dry-run")
    assert document["to_submit"] == 2
    assert document["to_submit_usd"] == pytest.approx(float(table[1][-2][1:]), rel=0.01)
    assert document["of_unknown_price"] == 1
    assert gateways.jobs == []
    assert sorted(path.name for path in file.parent.glob("shots*")) == ["shots.jsonl"]


def test_a_csv_table_is_submitted_like_json_lines(gateways: Gateways, tmp_path: Path) -> None:
    with (tmp_path / "shots.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "prompt", "model", "first_frame_image", "duration", "go_fast"])
        writer.writerow(["a", "A kite, red", "segmind/hailuo-02-fast", "kite.png", "10", "true"])
        writer.writerow(["", "A boat", "", "", "", ""])
    (tmp_path / "kite.png").write_bytes(png())
    done = gateways.cli("batch", "shots.csv", "--yes")
    assert done.returncode == 0, done.stderr
    bodies = {job["shot"]["prompt"]: job["body"] for job in gateways.jobs}
    assert bodies.keys() == {"A kite, red", "A boat"}
    assert bodies["A kite, red"]["duration"] == 10
    assert bodies["A kite, red"]["go_fast"] is True
    assert bodies["A kite, red"]["first_frame_image"].startswith("http")


def test_all_errors_are_reported_before_anything_is_sent(gateways: Gateways, shots: Shots) -> None:
    file = shots(
        {"prompt": "A kite"},
        {"prompt": "B", "duration": 60},
        {"prompt": "C", "colour": "red"},
        {"prompt": "D", "model": "segmind/nope"},
        {"prompt": "E", "first_frame_image": "missing.png"},
        {"prompt": "F", "first_frame_image": "last-frame:1", "model": "apixo/hailuo-2.3-fast"},
        {"first_frame_image": "last-frame:1"},
    )
    done = gateways.cli("batch", str(file), "--yes", "--json")
    assert done.returncode == 2
    document = json.loads(done.stdout)
    assert document["error"]["code"] == "invalid_input"
    found = {one["line"]: one["message"] for one in document["lines"]}
    assert found.keys() == {2, 3, 4, 5, 6, 7}
    for line, word in {2: "duration", 3: "colour", 4: "segmind/nope", 5: "missing.png", 6: "URL", 7: "prompt"}.items():
        assert word in found[line]
        assert f"shots.jsonl:{line}: {found[line]}" in done.stderr
    assert gateways.jobs == []


def test_shots_continue_each_other_and_are_joined_into_a_film(rendering_gateways: Gateways, shots: Shots) -> None:
    file = shots(
        {"prompt": "A kite rises", "name": "rise", "model": "segmind/hailuo-02-fast", "first_frame_image": PICTURE},
        {"prompt": "It turns", "first_frame_image": "last-frame:rise", "model": "segmind/hailuo-02-fast"},
        {"prompt": "It lands", "first_frame_image": "last-frame:2", "model": "segmind/hailuo-02-fast"},
    )
    film = file.parent / "film.mp4"
    done = rendering_gateways.cli("batch", str(file), "--yes", "--join", str(film))
    assert (done.returncode, done.stdout) == (0, f"{film}\n"), done.stderr
    rise, turn, land = rendering_gateways.jobs
    assert [job["shot"]["prompt"] for job in (rise, turn, land)] == ["A kite rises", "It turns", "It lands"]
    assert rise["submitted_at"] + rise["takes"] <= turn["submitted_at"]
    assert turn["shot"]["first"] != land["shot"]["first"]
    joined = decode(film)
    assert len(joined.times) == 3 * 6 * 12
    assert float(joined.seconds) == pytest.approx(18, abs=1 / 12)
    assert all(earlier < later for earlier, later in zip(joined.times, joined.times[1:], strict=False))


def test_a_shot_that_continues_one_without_a_clip_is_not_submitted(gateways: Gateways, shots: Shots) -> None:
    file = shots(
        {"prompt": "sandbox:fail A kite", "name": "a"},
        {"prompt": "It turns", "first_frame_image": "last-frame:a", "name": "b"},
        {"prompt": "It lands", "first_frame_image": "last-frame:b"},
    )
    document = gateways.cli.json("batch", str(file), "--yes", "--join", "film.mp4", code=3)
    assert [shot["state"] for shot in document["shots"]] == ["failed", "blocked", "blocked"]
    assert document["film"] is None
    assert gateways.job_counts.total() == 1


@pytest.mark.parametrize(
    ("limit", "fits"), [(["--max-jobs", "2"], 2), (["--max-usd", "0.8"], 2), (["--max-usd", "0.3"], 0)]
)
def test_a_budget_covers_all_runs(gateways: Gateways, shots: Shots, limit: list[str], fits: int) -> None:
    file = shots(*({"prompt": f"Shot {n}", "model": "segmind/minimax-hailuo-2"} for n in range(4)))
    for _ in range(2):
        document = gateways.cli.json("batch", str(file), "--yes", *limit, code=5)
        assert Counter(shot["state"] for shot in document["shots"]) == {"waiting": 4 - fits} | (
            {"saved": fits} if fits else {}
        )
        assert document["stopped"]["code"] == "budget_exceeded"
        assert gateways.job_counts.total() == fits
    assert gateways.cli("batch", str(file), "--yes").returncode == 0
    assert set(gateways.job_counts.values()) == {1}


def test_the_daily_budget_also_stops_a_batch(gateways: Gateways, shots: Shots) -> None:
    file = shots(*({"prompt": f"Shot {n}"} for n in range(3)))
    done = gateways.cli("batch", str(file), "--yes", HAILUO_MCP_MAX_JOBS_PER_DAY="1")
    assert done.returncode == 5
    assert "The budget of 1 jobs a day is used up" in done.stderr
    assert "3 shots: 2 waiting, 1 saved" in done.stderr
    assert gateways.job_counts.total() == 1


def test_at_most_the_given_number_of_jobs_runs_at_once(gateways: Gateways, shots: Shots) -> None:
    assert gateways.cli("batch", str(shots(*mixed(8)[4:])), "--yes", "--at-once", "2").returncode == 0
    ends = [(job["submitted_at"], job["submitted_at"] + job["takes"]) for job in gateways.jobs]
    assert max(sum(begin <= at < end for begin, end in ends) for at, _ in ends) <= 2


def test_changed_lines_are_new_shots_and_removed_ones_are_left_alone(gateways: Gateways, shots: Shots) -> None:
    a, b, c = ({"prompt": f"Shot {word}"} for word in "abc")
    assert gateways.cli("batch", str(shots(a, b)), "--yes").returncode == 0
    done = gateways.cli("batch", str(shots(c, b)), "--yes")
    assert "To submit: 1," in done.stderr
    assert "1 from earlier runs are no longer in the file and are ignored." in done.stderr
    assert gateways.job_counts == {"Shot a": 1, "Shot b": 1, "Shot c": 1}


def test_equal_lines_are_separate_shots(gateways: Gateways, shots: Shots) -> None:
    done = gateways.cli("batch", str(shots({"prompt": "A kite"}, {"prompt": "A kite"})), "--yes")
    assert len(set(paths(done.stdout))) == 2
    assert gateways.job_counts == {"A kite": 2}


def test_a_clip_that_was_just_generated_by_hand_is_not_paid_for_again(gateways: Gateways, shots: Shots) -> None:
    by_hand = gateways.cli.json("generate", "A kite")
    document = gateways.cli.json("batch", str(shots({"prompt": "A kite"})), "--yes")
    assert document["shots"][0]["request_id"] == by_hand["request_id"]
    assert gateways.job_counts == {"A kite": 1}


def test_submission_without_a_response_is_never_repeated(gateways: Gateways, shots: Shots) -> None:
    file = shots({"prompt": "sandbox:lost_answer A kite", "model": "aimlapi/hailuo-02"})
    for more in ((), ("--retry-failed",)):
        done = gateways.cli("batch", str(file), "--yes", *more)
        assert done.returncode == 7
        assert "shots.jsonl:1: unconfirmed" in done.stderr
        assert gateways.job_counts.total() == 1


def test_out_of_credits_leaves_the_rest_for_the_next_run(gateways: Gateways, shots: Shots) -> None:
    file = shots(
        {"prompt": "sandbox:no_credits A kite"}, {"prompt": "A boat"}, {"prompt": "C", "model": "aimlapi/hailuo-02"}
    )
    document = gateways.cli.json("batch", str(file), "--yes", "--at-once", "1", code=5)
    assert [shot["state"] for shot in document["shots"]] == ["waiting", "waiting", "saved"]
    assert document["shots"][0]["error"]["code"] == "insufficient_credits"
    again = gateways.cli.json("batch", str(file), "--yes", code=5)
    assert [shot["attempt"] for shot in again["shots"]] == [3, 1, 1], "each run tries the refused shot once"
    assert gateways.job_counts == {"C": 1} | ({"A boat": 1} if again["shots"][1]["state"] == "saved" else {})


def test_without_a_terminal_nothing_is_submitted_unless_confirmed_by_option(gateways: Gateways, shots: Shots) -> None:
    done = gateways.cli("batch", str(shots({"prompt": "A kite"})))
    assert done.returncode == 2
    assert "Add --yes" in done.stderr
    assert gateways.jobs == []


def test_in_process_sandbox_needs_no_confirmation(gateways: Gateways, shots: Shots) -> None:
    done = gateways.cli("batch", str(shots({"prompt": "A kite"})), "--json", HAILUO_MCP_SANDBOX="1")
    document = json.loads(done.stdout)
    assert document["sandbox"] is True
    assert document["shots"][0]["state"] == "saved"


def test_sandbox_jobs_do_not_count_as_gateway_jobs(gateways: Gateways, shots: Shots) -> None:
    file = shots({"prompt": "A kite"})
    assert gateways.cli("batch", str(file), HAILUO_MCP_SANDBOX="1").returncode == 0
    assert gateways.jobs == []
    assert gateways.cli("batch", str(file), "--yes").returncode == 0
    assert gateways.cli("batch", str(file), "--yes").returncode == 0
    assert gateways.job_counts == {"A kite": 1}


@pytest.mark.parametrize(("answer", "code", "jobs"), [("y\n", 0, 1), ("n\n", 130, 0), ("\x03", 130, 0)])
def test_on_a_terminal_the_total_is_confirmed(
    gateways: Gateways, shots: Shots, answer: str, code: int, jobs: int
) -> None:
    file = shots({"prompt": "A kite"})
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "batch", str(file)],
        env={**gateways.process.environment, "TERM": "xterm", "COLUMNS": "110", "LINES": "30"},
        cwd=gateways.process.home,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        preexec_fn=os.setsid,
    ) as running:
        os.close(theirs)
        question = _read_until(ours, b"Submit them? [y/N]:")
        if answer == "\x03":
            _press_ctrl_c(running)
        else:
            os.write(ours, answer.encode())
        output = _read_until(ours, None)
        running.wait(30)
    os.close(ours)
    assert b"To submit: 1, about $0.27." in question
    assert running.returncode == code
    assert gateways.job_counts.total() == jobs
    if jobs:
        assert b"segmind/" not in output.split(b"1 saved")[-1]
        assert b"spent or reserved" in output, "the live table"


def _press_ctrl_c(running: "subprocess.Popen[bytes]") -> None:
    """Repeated until it takes effect: just before Python reads from the terminal, it is noticed only after the read."""
    for _ in range(5):
        running.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            running.wait(5)
            return


def _read_until(handle: int, end: bytes | None) -> bytes:
    output = b""
    while end is None or end not in output:
        try:
            chunk = os.read(handle, 4096)
        except OSError:  # the other side has closed it
            break
        if not chunk:
            break
        output += chunk
    return output


def test_after_the_wait_the_jobs_are_left_to_the_next_run(gateways: Gateways, shots: Shots) -> None:
    file = shots({"prompt": "sandbox:never A kite"}, {"prompt": "A boat"})
    done = gateways.cli("batch", str(file), "--yes", "--wait", "12")
    assert done.returncode == 4
    assert "The same command continues from here." in done.stderr
    assert len(paths(done.stdout)) == 1


def test_an_impossible_film_stops_the_batch_before_anything_is_submitted(gateways: Gateways, shots: Shots) -> None:
    done = gateways.cli("batch", str(shots({"prompt": "A kite"})), "--yes", "--join", "film.avi")
    assert done.returncode == 2
    assert gateways.jobs == []
