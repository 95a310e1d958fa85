"""The README and the docs say what the code does."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
GENERATED = ("README.md", "docs/catalogue.md")


def test_generated_tables_are_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", *GENERATED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + f"\nrun: uv run cog -r {' '.join(GENERATED)}"
