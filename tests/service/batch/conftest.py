"""Files of shots, and the jobs that the gateways received."""

import io
import json
import logging
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hailuo_mcp.cli.group import run
from hailuo_mcp.service.poll_policy import PollPolicy
from tests.cli.conftest import Cli
from tests.support import sandbox_on_a_port

PICTURE = "https://pictures.example/first.png"
Shots = Callable[..., Path]


@dataclass(frozen=True)
class Gateways:
    """The sandbox on a port in place of every gateway, and the command line that uses it."""

    directory: Path
    cli: "InProcessCli"
    process: Cli

    @property
    def jobs(self) -> list[Mapping[str, Any]]:
        """Every job that was accepted, oldest first."""
        with closing(sqlite3.connect(self.directory / "sandbox" / "sandbox.sqlite3")) as connection:
            rows = connection.execute("SELECT record FROM jobs ORDER BY submitted_at").fetchall()
        return [json.loads(record) for (record,) in rows]

    @property
    def taken(self) -> Counter[str]:
        """The number of jobs for each prompt."""
        return Counter(job["shot"]["prompt"] for job in self.jobs)


@dataclass(frozen=True)
class InProcessCli:
    """Runs the command line in this process, which saves a second per call."""

    environment: Mapping[str, str]
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *args: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**self.environment, **environment}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO())
            patch.chdir(self.environment["HOME"])
            self.capsys.readouterr()
            log = logging.getLogger("hailuo_mcp")
            level = log.level
            try:
                code = run(args, PollPolicy(early=(), every=0.2))
            finally:
                log.setLevel(level)  # a command sets it for its process, which all tests here share
        captured = self.capsys.readouterr()
        return subprocess.CompletedProcess(args, code, captured.out, captured.err)

    def json(self, *args: str, code: int = 0) -> dict[str, Any]:
        """The JSON document on stdout of a call that must end with `code`."""
        done = self(*args, "--json")
        assert done.returncode == code, done
        return json.loads(done.stdout)


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
        yield Gateways(directory, InProcessCli(process.environment, capsys), process)


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
