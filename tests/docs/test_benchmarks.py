"""`docs/benchmarks.md` has the numbers of one run of every benchmark."""

import re
import subprocess
import sys
from datetime import date

import pytest

from benchmarks.__main__ import MEASURED, PAGE, discovered, report
from benchmarks.figures import HEAD, Figure
from tests.docs.blocks import ROOT

TABLE = MEASURED.search(PAGE.read_text())
HINT = "run: uv run python -m benchmarks --write"


def test_the_table_states_its_date_machine_and_load() -> None:
    assert TABLE, HINT
    line = TABLE[0].strip().splitlines()[2]
    match = re.fullmatch(
        r"(\d{4}-\d\d-\d\d), \d+ cores, \d+ GiB, \w+, Python 3\.[\d.]+; "
        r"load average \d+\.\d before, \d+\.\d after.*\.",
        line,
    )
    assert match, HINT
    assert date.fromisoformat(match[1]) > date(2026, 1, 1)


def test_every_benchmark_is_in_the_table_and_explained() -> None:
    assert TABLE
    assert f"| {' | '.join(HEAD)} |" in TABLE[0]
    measured, explained = _names(TABLE[0]), _names(PAGE.read_text()[TABLE.end() :])
    assert measured == explained
    assert measured >= discovered().keys(), HINT


def test_every_benchmark_module_is_discovered() -> None:
    programs = {file.stem for file in (ROOT / "benchmarks").glob("*.py") if "__main__" in file.read_text()}
    measuring = {name for name in programs if not name.startswith(("bare_", "__"))}
    assert measuring == discovered().keys(), "every benchmark module needs a function `figures`"


@pytest.mark.slow
def test_the_command_runs_only_the_requested_benchmark() -> None:
    """Run the benchmark that takes a few seconds; the others take minutes."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "tokens"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert _names(done.stdout) == {"tokens"}
    assert "load average" in done.stdout.splitlines()[0]


def _names(text: str) -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


def test_each_ratio_is_the_figure_divided_by_its_floor() -> None:
    text = report([Figure("waiting", "requests", "", 4, 10, "≤ 12")], (0.0, 0.0))
    assert "| `waiting` | requests | 4 | 10 | 2.50 | ≤ 12 |" in text
    assert "busy" not in text
    assert "busy" in report([], (0.0, 999.0))
