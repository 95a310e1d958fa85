"""The README and the docs say what the code does."""

import subprocess
import sys

from tests.docs.blocks import PAGES, ROOT

GENERATED = [page for page in PAGES if "[[[cog" in (ROOT / page).read_text()]


def test_generated_parts_are_up_to_date() -> None:
    command = [sys.executable, "-m", "cogapp", "--check", *GENERATED]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + f"\nrun: uv run cog -r {' '.join(GENERATED)}"
