"""The limits that are read from a parameter's type are those of its JSON Schema."""

from typing import Any

import pytest

from hailuo_mcp.core.parameter_limits import ParameterLimits, limits_of
from hailuo_mcp.core.spec import ModelSpec
from tests.core.models import EVERY_MODEL, MODELS


@EVERY_MODEL
def test_the_limits_of_every_parameter_are_those_of_its_schema(model: type[ModelSpec]) -> None:
    for name, schema in model.property_schemas().items():
        limits = limits_of(model.model_fields[name])
        choices: list[Any] = schema.get("enum", [])
        numbers = choices if all(type(choice) is int for choice in choices) else []
        assert [*limits.choices] == choices, name
        assert limits.minimum == min(numbers, default=schema.get("minimum")), name
        assert limits.maximum == max(numbers, default=schema.get("maximum")), name
        if schema["type"] == "string":
            assert limits.max_length == schema.get("maxLength"), name


@pytest.mark.parametrize(
    ("model", "name", "limits"),
    [
        ("minimax/h3", "duration", ParameterLimits((), 4, 15)),
        ("minimax/hailuo-02", "duration", ParameterLimits((6, 10), 6, 10)),
        ("apixo/hailuo-2.3", "resolution", ParameterLimits(("768p", "1080p"))),
        ("minimax/h3", "prompt", ParameterLimits(max_length=7000)),
        ("replicate/hailuo-02", "prompt_optimizer", ParameterLimits()),
    ],
)
def test_limits_are_read_through_optional_and_nested_types(model: str, name: str, limits: ParameterLimits) -> None:
    assert limits_of(MODELS[model].model_fields[name]) == limits
