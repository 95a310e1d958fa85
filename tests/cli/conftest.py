"""The command line as a real process, with a home directory of its own."""

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from hailuo_mcp.cli.group import run
from hailuo_mcp.service.poll_policy import PollPolicy
from tests.support import environment

PROGRAM = [sys.executable, "-m", "hailuo_mcp"]
_SPAWN = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
ON_A_TERMINAL = [sys.executable, "-c", _SPAWN]
"""Before a command: runs it on a terminal."""
Process = subprocess.Popen[str]


def started(command: list[str], variables: Mapping[str, str], directory: Path) -> Process:
    """A process with a pipe for each of its streams."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=variables, cwd=directory, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@contextmanager
def running(directory: Path, *args: str, **variables: str) -> Generator[Process]:
    """A process of `hailuo-mcp` that keeps everything in `directory`, and is killed at the end of the block."""
    with started([*PROGRAM, *args], environment(directory, **variables), directory) as process:
        try:
            yield process
        finally:
            process.kill()


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream
    return stream


def send(process: Process, *messages: dict[str, Any]) -> None:
    for message in messages:
        pipe(process.stdin).write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    pipe(process.stdin).flush()


def responses(process: Process, count: int) -> list[dict[str, Any]]:
    return [json.loads(pipe(process.stdout).readline()) for _ in range(count)]


@dataclass(frozen=True, slots=True)
class Cli:
    """Runs `hailuo-mcp` as a fresh process for each call, all with the same state."""

    home: Path
    extra: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def output_dir(self) -> Path:
        return self.home / "clips"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "HAILUO_MCP_OUTPUT_DIR": str(self.output_dir),
            "HAILUO_MCP_SANDBOX_SECONDS": "0.5",
            "HAILUO_MCP_MIN_POLL_SECONDS": "0",
            **self.extra,
        }

    def __call__(self, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *args],
            env={**self.environment, **environment},
            cwd=self.home,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )

    def json(self, *args: str, code: int = 0) -> dict[str, Any]:
        """The JSON document on stdout of a call that must end with `code`."""
        done = self(*args, "--json")
        assert done.returncode == code, done
        return json.loads(done.stdout)

    def start(self, *args: str) -> Process:
        return started([*PROGRAM, *args], self.environment, self.home)


@dataclass(frozen=True, slots=True)
class InProcessCli:
    """Runs the command line in this process, which saves a second per call. Without PyAV the sandbox serves a bundled
    clip, which saves another."""

    environment: Mapping[str, str]
    capsys: pytest.CaptureFixture[str]
    has_pyav: bool = False

    def __call__(self, *args: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**self.environment, **environment}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO())
            if not self.has_pyav:
                patch.setitem(sys.modules, "av", None)
            patch.chdir(self.environment["HOME"])
            self.capsys.readouterr()
            log = logging.getLogger("hailuo_mcp")
            level = log.level
            try:
                code = run(args, PollPolicy(early=(), every=0.2))
            finally:
                log.setLevel(level)  # a command sets it for the process, which the tests share
        captured = self.capsys.readouterr()
        return subprocess.CompletedProcess(args, code, captured.out, captured.err)

    def json(self, *args: str, code: int = 0) -> dict[str, Any]:
        """The JSON document on stdout of a call that must end with `code`."""
        done = self(*args, "--json")
        assert done.returncode == code, done
        return json.loads(done.stdout)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def in_process(cli: Cli, capsys: pytest.CaptureFixture[str]) -> InProcessCli:
    return InProcessCli(cli.environment, capsys)


@pytest.fixture
def finished(in_process: InProcessCli) -> dict[str, Any]:
    """A completed job with a saved clip."""
    return in_process.json("generate", "A finished kite", "--wait")


def facts_of_clip(path: str | Path) -> tuple[str, float]:
    """Codec and length in seconds."""
    import av

    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        assert clip.duration is not None
        return stream.codec_context.name, clip.duration / 1_000_000
