"""The page about batches: its files are created, and its commands run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hailuo_mcp.cli.batch import batch
from tests.cli.conftest import Cli
from tests.media.samples import png

PAGE = Path(__file__).parents[3] / "docs" / "batch.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_command_of_the_page_succeeds(tmp_path: Path) -> None:
    cli = Cli(tmp_path, {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HAILUO_MCP_SANDBOX_SECONDS": "0.2"})
    (tmp_path / "kite.png").write_bytes(png())
    ran = 0
    for kind, name, content in BLOCK.findall(PAGE.read_text()):
        if name:
            (tmp_path / name).write_text(content)
            continue
        assert kind == "sh", "a block is a named file, or commands"
        for line in content.splitlines():
            done = subprocess.run(
                ["sh", "-c", line], env=cli.environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 0, (line, done.stderr)
            ran += 1
    assert ran == 6
    assert (tmp_path / "film.mp4").stat().st_size > 100_000


def test_the_page_names_every_option() -> None:
    text = PAGE.read_text()
    for option in batch.params:
        for name in option.opts:
            assert name in text or not name.startswith("--"), name
