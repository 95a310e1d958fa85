"""The documentation shows what the demo prints."""

import re

import pytest

from tests import transcript
from tests.docs.blocks import ROOT

DOCUMENTED = transcript.TRANSCRIPT.read_text()


@pytest.mark.slow
def test_the_documented_output_is_that_of_the_demo() -> None:
    assert _lines(transcript.play()) == _lines(DOCUMENTED), (
        "run: uv run python -m tests.transcript && uv run cog -r docs/sandbox.md"
    )


def test_the_sandbox_page_contains_the_output() -> None:
    assert transcript.folded() in (ROOT / "docs" / "sandbox.md").read_text()


def test_the_documented_output_is_normalized() -> None:
    assert transcript.normalized(DOCUMENTED, "/nowhere") == DOCUMENTED


def _lines(text: str) -> list[str]:
    """The sorted lines, without the numbers of calls: several jobs may finish in any order."""
    return sorted(re.sub(r"^ ?\d+  ", "", line) for line in text.splitlines())
