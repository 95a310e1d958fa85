"""The README and the docs say what the code does."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(page for page in ROOT.glob("docs/*.md") if "[[[cog" in page.read_text())
GENERATED = ["README.md", *(f"docs/{page.name}" for page in PAGES)]


def test_generated_parts_are_up_to_date() -> None:
    command = [sys.executable, "-m", "cogapp", "--check", *GENERATED]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + f"\nrun: uv run cog -r {' '.join(GENERATED)}"
