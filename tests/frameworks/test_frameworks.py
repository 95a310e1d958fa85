"""Agent frameworks, each in its own environment and with its own defaults, run against the real server. No model is
called: a script follows only what the framework would send to a model."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import npm
from tests.frameworks.cases import CASES, EXAMPLES, LOCKS, SCRIPTS, Case

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
INSTALL_SECONDS, RUN_SECONDS = 600, 240
READS = {
    "[": "text",
    "r": "text",
    "m": "text and structured content",
    '{"_meta"': "text and structured content",
    "{": "structured content",
}
"""How the text that a model reads begins: our text with `[sandbox` or `request_id`; a printed result of the SDK, with
`meta=`, or as JSON; or our JSON."""
CommandOf = Callable[[Case, Path], list[str]]
"""The command that runs a script or an example of a case."""


@pytest.fixture(scope="module")
def command_of(tmp_path_factory: pytest.TempPathFactory) -> CommandOf:
    """Each lock is installed once per run."""
    installed: dict[str, Path] = {}

    def command(case: Case, file: Path) -> list[str]:
        lock = case.lock or f"node {case.node_lock}"
        if lock not in installed:
            installed[lock] = directory = tmp_path_factory.mktemp("framework")
            _install_for_python(lock, directory) if case.lock else _install_for_node(case.node_lock, directory)
        directory = installed[lock]
        if case.lock:
            return [str(directory / "bin" / "python"), str(file)]
        return ["node", str(directory / file.parent.name / file.name)]

    return command


def _install_for_python(lock: str, directory: Path) -> None:
    uv = shutil.which("uv")
    assert uv, "uv makes the environments"
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(directory)], INSTALL_SECONDS)
    python = str(directory / "bin" / "python")
    _run([uv, "pip", "install", "--quiet", "--python", python, "-r", str(LOCKS / f"{lock}.txt")], INSTALL_SECONDS)


def _install_for_node(lock: str, directory: Path) -> None:
    """Node searches for packages from a script's directory upward, so the scripts are copied next to them."""
    npm.install(LOCKS / lock, directory, options=("--legacy-peer-deps",))
    for scripts in (SCRIPTS, EXAMPLES):
        shutil.copytree(scripts, directory / scripts.name)


def _run(command: list[str], seconds: float, **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def _environment(directory: Path, **variables: str) -> dict[str, str]:
    """No key, and everything written below the directory."""
    scripts = Path(sys.executable).parent
    return {
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(directory),
        "XDG_STATE_HOME": str(directory / "state"),
        "MCP_USE_ANONYMIZED_TELEMETRY": "false",
        **variables,
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scripted_model_gets_both_clips_and_a_clear_error(case: Case, command_of: CommandOf, tmp_path: Path) -> None:
    image = tmp_path / "pictures" / "kite.png"
    image.parent.mkdir()
    Image.new("RGB", (640, 480), "red").save(image)
    environment = _environment(
        tmp_path,
        HAILUO_MCP_SANDBOX="1",
        HAILUO_MCP_SANDBOX_SECONDS=str(case.job_seconds),
        HAILUO_MCP_OUTPUT_DIR=str(tmp_path / "clips"),
        HAILUO_MCP_INPUT_DIRS=str(image.parent),
        HAILUO_PYTHON=sys.executable,
        IMAGE=str(image),
    )
    (script,) = SCRIPTS.glob(f"{case.name}.*")
    out = _run(command_of(case, script), RUN_SECONDS, cwd=tmp_path, env=environment)
    seen = json.loads(out.splitlines()[-1])

    assert {"generate_video", "get_status", "download_video", "list_jobs", "list_models"} <= set(seen["tools"])
    clips = [str(clip) for clip in (tmp_path / "clips").glob("*.mp4")]
    assert len(clips) == 2
    for flow in ("from_text", "from_image"):
        # A framework may not have reached the server in time, and may have reported that to the model.
        first, last = next(text for text in seen[flow] if "wait_seconds" in text), seen[flow][-1]
        assert re.search(r"\w+/[\w.-]+/[\w-]+", first), first
        assert re.search(r"(\$|estimated_cost_usd\W+)0\.\d+", first), first
        assert any(clip in last for clip in clips), last
        assert next(read for begin, read in READS.items() if first.startswith(begin)) == case.reads
    (waits, *_) = (waits for text in seen["from_text"] if (waits := re.findall(r"wait_seconds (\d+)", text)))
    assert int(waits[0]) == case.first_wait
    for word in ("invalid_input", "duration", "6 or 10", "charged"):
        assert word in seen["mistake"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_example_from_the_docs_runs(case: Case, command_of: CommandOf, tmp_path: Path) -> None:
    (example,) = EXAMPLES.glob(f"{case.name}.*")
    out = _run(command_of(case, example), RUN_SECONDS, cwd=tmp_path, env=_environment(tmp_path))
    assert case.example_shows in out
