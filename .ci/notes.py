"""Print the changelog's section of a version: `python .ci/notes.py 1.2.3`. The release workflow uses it."""

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"


def notes(version: str, changelog: str) -> str:
    """
    Raises:
        LookupError: the changelog has no section of this version, or an empty one.
    """
    found = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not found or not (text := found.group(1).strip()):
        raise LookupError(f"CHANGELOG.md has no section [{version}]")
    return text


if __name__ == "__main__":
    sys.stdout.write(notes(sys.argv[1], CHANGELOG.read_text()) + "\n")
