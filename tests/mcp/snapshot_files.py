"""The committed snapshots of definitions and results."""

import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel

SNAPSHOTS = Path(__file__).parent / "snapshots"


def assert_matches_snapshot(name: str, value: object) -> None:
    """Check that a value equals the file of this name, such as `prompts/storyboard`; with SNAPSHOTS=write, write it."""
    file = SNAPSHOTS / f"{name}.json"
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("SNAPSHOTS") == "write":
        file.write_text(text)
    assert file.read_text() == text, "if this is intended: SNAPSHOTS=write uv run pytest -n 0 tests/mcp"


def as_sent(definition: BaseModel) -> dict[str, Any]:
    """A definition as a client gets it."""
    return definition.model_dump(mode="json", by_alias=True, exclude_none=True)
