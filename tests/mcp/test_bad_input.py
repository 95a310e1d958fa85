"""Arguments that a gateway would refuse, or charge for without a useful result: each is refused by name, with a fix."""

import pytest

from hailuo_mcp.core.errors import InvalidInput
from tests.core.models import MODELS
from tests.mcp.bad_calls import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_wrong_argument_is_named_with_its_value_and_a_fix(case: Case) -> None:
    with pytest.raises(InvalidInput) as refused:
        MODELS[case.model].parse(case.arguments)
    problem = refused.value.problem
    assert (problem.code, problem.charged, problem.safe_to_retry) == (case.code, "no", False)
    assert not case.missing_words(problem.message, problem.hint), (problem.message, problem.hint)
    assert (problem.message + problem.hint).isprintable()
    assert len(problem.message) < 400


def test_the_table_covers_every_model_and_every_parameter() -> None:
    assert {case.model for case in CASES} == set(MODELS)
    named = {name for case in CASES for name in case.arguments}
    assert named >= {name for model in MODELS.values() for name in model.model_fields}
    assert len({case.id for case in CASES}) == len(CASES)
