"""How many examples a property is tried with."""

import pytest


def tried_with(few: int, many: int) -> pytest.MarkDecorator:
    """Parametrizes a test with `examples`: few among the fast tests, many among the slow ones."""
    cases = [pytest.param(few, id="few"), pytest.param(many, id="many", marks=pytest.mark.slow)]
    return pytest.mark.parametrize("examples", cases)
