"""The documentation shows what the demo prints."""

import re

import pytest

from tests import transcript
from tests.docs.blocks import ROOT

STANDS_THERE = transcript.TRANSCRIPT.read_text()


@pytest.mark.slow
def test_the_demo_is_shown_as_it_runs() -> None:
    assert _lines(transcript.play()) == _lines(STANDS_THERE), (
        "run: uv run python -m tests.transcript && uv run cog -r docs/sandbox.md"
    )


def test_the_page_of_the_sandbox_shows_it() -> None:
    assert transcript.folded() in (ROOT / "docs" / "sandbox.md").read_text()


def test_what_is_different_each_time_is_put_in_one_form() -> None:
    assert transcript.in_form(STANDS_THERE, "/nowhere") == STANDS_THERE


def _lines(text: str) -> list[str]:
    """Its lines in any order, without the numbers of calls: of several jobs, any may be done first."""
    return sorted(re.sub(r"^ ?\d+  ", "", line) for line in text.splitlines())
