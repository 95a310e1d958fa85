"""A model from a file is the same spec as a built-in one: each built-in model, written to a file, is read back
unchanged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import GATEWAYS
from tests.catalog.custom_models.written import models_in, written
from tests.core.models import MODELS
from tests.properties import with_examples
from tests.support import PICTURE

CALLS = st.fixed_dictionaries(
    {"prompt": st.just("a kite")},
    optional={
        "first_frame_image": st.sampled_from([PICTURE, "kite.png", None]),
        "last_frame_image": st.sampled_from([PICTURE, None]),
        "duration": st.sampled_from([6, 10, "6", 8, True]),
        "resolution": st.sampled_from(["768p", "1080P", "720p"]),
        "mode": st.sampled_from(["standard", "PRO", "best"]),
        "prompt_optimizer": st.sampled_from([True, False, "yes"]),
        "go_fast": st.booleans(),
        "routing": st.sampled_from(["auto", "value"]),
        "callback_url": st.just("https://me.example/hook"),
    },
)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, type[ModelSpec]]:
    """Each built-in model's copy, from one file."""
    text = "".join(written(model, f"{model.id}-twin") for model in MODELS.values())
    return {model.id.removesuffix("-twin"): model for model in models_in(tmp_path_factory.mktemp("config"), text)}


def _outcome(model: type[ModelSpec], call: Mapping[str, Any]) -> object:
    """Everything that a call results in, except the model's id."""
    try:
        spec = model.parse(call)
    except InvalidInput as refusal:
        return (refusal.problem.message.replace("-twin", ""), refusal.problem.hint.replace("-twin", ""))
    return spec.to_body(), spec.to_dict(), spec.price(), spec.typical_seconds(), spec.warnings()


@pytest.mark.parametrize("model_id", MODELS)
def test_a_model_from_a_file_has_the_schema_and_prices_of_the_built_in_one(
    model_id: str, twins: Mapping[str, type[ModelSpec]]
) -> None:
    model, twin = MODELS[model_id], twins[model_id]
    assert twin.property_schemas() == model.property_schemas()
    assert twin.full_schema()["required"] == model.full_schema()["required"]
    assert twin.full_schema().get("allOf") == model.full_schema().get("allOf")
    for facts in ("prices", "times", "advice", "notes"):
        assert getattr(twin, facts) == getattr(model, facts)


@pytest.mark.parametrize("model_id", MODELS)
@with_examples(few=20, many=60)
def test_a_call_gives_the_same_body_or_the_same_refusal(
    model_id: str, twins: Mapping[str, type[ModelSpec]], examples: int
) -> None:
    @settings(max_examples=examples)
    @given(call=CALLS)
    def check(call: Mapping[str, Any]) -> None:
        assert _outcome(twins[model_id], call) == _outcome(MODELS[model_id], call)

    check()


def test_models_from_a_file_are_not_added_to_the_built_in_ones(tmp_path: Path) -> None:
    for gateway in GATEWAYS:
        assert not any(model.id.endswith("-twin") for model in gateway.models)
    assert models_in(tmp_path, "models = []") == ()
