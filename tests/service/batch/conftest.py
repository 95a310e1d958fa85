"""Files of shots, and the jobs that the gateways received."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, InProcessCli
from tests.support import PICTURE, sandbox_on_a_port

Shots = Callable[..., Path]


@dataclass(frozen=True)
class Gateways:
    """The sandbox on a port in place of every gateway, and the command line that uses it."""

    directory: Path
    cli: InProcessCli
    process: Cli

    @property
    def jobs(self) -> list[Mapping[str, Any]]:
        """Every job that was accepted, oldest first."""
        with closing(sqlite3.connect(self.directory / "sandbox" / "sandbox.sqlite3")) as connection:
            rows = connection.execute("SELECT record FROM jobs ORDER BY submitted_at").fetchall()
        return [json.loads(record) for (record,) in rows]

    @property
    def job_counts(self) -> Counter[str]:
        """The number of jobs for each prompt."""
        return Counter(job["shot"]["prompt"] for job in self.jobs)


@pytest.fixture
def gateways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Gateways]:
    """Their clip is the bundled one, since rendering takes seconds; it is too small to continue from."""
    with gateways_on_a_port(tmp_path, capsys, render=False) as gateways:
        yield gateways


@pytest.fixture
def rendering_gateways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Gateways]:
    with gateways_on_a_port(tmp_path, capsys, render=True) as gateways:
        yield gateways


@contextmanager
def gateways_on_a_port(directory: Path, capsys: pytest.CaptureFixture[str], *, render: bool) -> Generator[Gateways]:
    with sandbox_on_a_port(directory, seconds=0.3, render=render) as variables:
        process = Cli(directory, variables)
        yield Gateways(directory, InProcessCli(process.environment, capsys, has_pyav=True), process)


@pytest.fixture
def shots(tmp_path: Path) -> Shots:
    """Writes a file of shots, one JSON object per line."""

    def write(*lines: Mapping[str, Any], name: str = "shots.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return write


def mixed(count: int) -> list[dict[str, Any]]:
    """Shots for every gateway in turn, each with a unique prompt; the fourth fails."""
    kinds: tuple[dict[str, Any], ...] = (
        {"model": "aimlapi/hailuo-02"},
        {"model": "apixo/hailuo-2.3-fast", "first_frame_image": PICTURE},
        {"model": "segmind/minimax-hailuo-2"},
        {"model": "segmind/hailuo-02-fast", "first_frame_image": PICTURE, "duration": 6},
    )
    lines = [{"prompt": f"Shot {n:02} of a kite", **kinds[n % 4]} for n in range(count)]
    lines[3]["prompt"] = "Shot 03 of a kite sandbox:fail"
    return lines
