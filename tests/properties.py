"""How many examples a property is tested with."""

import pytest


def with_examples(few: int, many: int) -> pytest.MarkDecorator:
    """Parametrize a test with `examples`: few in the fast run, many in the slow run."""
    cases = [pytest.param(few, id="few"), pytest.param(many, id="many", marks=pytest.mark.slow)]
    return pytest.mark.parametrize("examples", cases)
