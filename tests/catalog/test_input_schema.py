"""One schema for all models: flat, and correct about which model accepts what."""

from collections.abc import Iterator
from typing import cast

import pytest

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.catalog.names import shortest_description
from hailuo_mcp.core.parameters import CANONICAL
from hailuo_mcp.mcp import tools
from hailuo_mcp.mcp.model_schema import inputs_sentence, merged_properties
from tests.support import FIRST_MODEL_IDS, catalog_for

ALL = catalog_for(HAILUO_MCP_SANDBOX="1")


TEXT = {"type": "string"}
FORBIDDEN = {
    "additionalProperties",
    "$ref",
    "$defs",
    "oneOf",
    "anyOf",
    "allOf",
    "not",
    "if",
    "const",
    "exclusiveMinimum",
}
SOME_SETTINGS = [
    *({}, {"APIXO_API_KEY": "k"}, {"AIMLAPI_API_KEY": "k"}, {"MINIMAX_API_KEY": "k"}, {"HAILUO_MCP_SANDBOX": "0"}),
    {"HAILUO_MCP_MODELS": ",".join(FIRST_MODEL_IDS)},
    {"HAILUO_MCP_MODELS": "minimax/hailuo-2.3,minimax/hailuo-02,apixo/hailuo-2.3-fast"},
]


def _all_keys(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in cast("dict[str, object]", schema).items():
            yield key
            yield from _all_keys(value)
    elif isinstance(schema, list):
        for item in cast("list[object]", schema):
            yield from _all_keys(item)


@pytest.mark.parametrize("variables", SOME_SETTINGS)
def test_every_input_schema_is_flat(variables: dict[str, str]) -> None:
    for tool in tools.definitions(catalog_for(**variables)):
        schema = tool.input_schema
        assert not FORBIDDEN & set(_all_keys(schema))
        assert schema["type"] == "object"
        for name, prop in schema["properties"].items():
            assert prop["type"] in ("string", "integer", "number", "boolean", "array"), name
            assert prop.get("items", TEXT) == TEXT, name
            assert prop["description"], name
            assert all(isinstance(value, str) for value in prop.get("enum", ())), name
            assert "properties" not in prop, name


@pytest.mark.parametrize("variables", SOME_SETTINGS)
def test_each_parameters_description_names_the_models_that_accept_it(variables: dict[str, str]) -> None:
    catalog = catalog_for(**variables)
    for name, prop in merged_properties(catalog).items():
        meaning, description = CANONICAL[name].meaning, prop["description"]
        assert description.startswith(meaning)
        owners, *values = description.removeprefix(meaning).removesuffix(".").strip().split(". ")
        accepting = {model.id for model in catalog.usable if model.accepts(name)}
        if owners and ":" in owners:
            owners, values = "", [owners, *values]
        everyone = {model.id for model in catalog.usable}
        _check_phrase(owners.removesuffix(" only"), accepting, everyone, catalog)
        owners_by_value = dict(value.split(": ") for value in values)
        for value in prop.get("enum", ()):
            with_value = {
                m.id for m in catalog.usable if m.accepts(name) and value in m.property_schemas()[name]["enum"]
            }
            assert with_value
            _check_phrase(owners_by_value.get(value, ""), with_value, accepting, catalog)


def _check_phrase(phrase: str, models: set[str], everyone: set[str], catalog: Catalog) -> None:
    """Check that the phrase, a list of gateways, names and ids, stands for these models. It is empty for everyone, and
    for models that one word cannot name."""
    usable = [model.id for model in catalog.usable]
    if phrase:
        assert {id for id in usable for word in phrase.split(", ") if word in (id, *id.split("/", 1))} == models
    else:
        assert models == everyone or len(shortest_description(models, usable)) > 1


def test_descriptions_name_models_as_briefly_as_possible() -> None:
    descriptions = {name: prop["description"] for name, prop in merged_properties(ALL).items()}
    assert descriptions["fast_pretreatment"] == CANONICAL["fast_pretreatment"].meaning
    assert descriptions["routing"].endswith("apixo/hailuo-2.3-fast only.")
    assert descriptions["go_fast"].endswith(" hailuo-02-fast only.")
    assert descriptions["duration"] == CANONICAL["duration"].meaning
    assert descriptions["resolution"].endswith("2k: h3. 4k: fal/h3.")
    assert descriptions["prompt"] == CANONICAL["prompt"].meaning
    assert "512p" not in merged_properties(catalog_for(AIMLAPI_API_KEY="k"))["resolution"]["enum"]


def test_the_inputs_sentence_names_the_models_that_need_an_image() -> None:
    assert inputs_sentence(ALL) == (
        "first_frame_image needed: hailuo-02-fast, hailuo-2.3-fast; subject_reference: s2v-01."
    )
    character = catalog_for(HAILUO_MCP_SANDBOX="1", HAILUO_MCP_MODELS="minimax/s2v-01")
    assert inputs_sentence(character) == "All need subject_reference."
    need = catalog_for(HAILUO_MCP_SANDBOX="1", HAILUO_MCP_MODELS="apixo/hailuo-2.3-fast")
    assert inputs_sentence(need) == "All need first_frame_image."
    only = catalog_for(HAILUO_MCP_SANDBOX="1", HAILUO_MCP_MODELS="minimax/hailuo-02")
    assert inputs_sentence(only) == "A prompt is enough."


@pytest.mark.parametrize(
    ("model_id", "usd"),
    [
        ("minimax/hailuo-2.3", {0.28, 0.56, 0.49}),
        ("minimax/hailuo-2.3-fast", {0.19, 0.32, 0.33}),
        ("minimax/hailuo-02", {0.10, 0.15, 0.28, 0.56, 0.49}),
        ("aimlapi/hailuo-2.3-fast", {0.1995}),
        ("aimlapi/hailuo-2.3", set[float]()),
        ("segmind/hailuo-02-fast", {0.125, 0.188}),
    ],
)
def test_a_model_lists_every_published_price(model_id: str, usd: set[float]) -> None:
    model = ALL.model(model_id)
    assert {price.usd for price in model.prices} == usd


def test_parameters_of_unusable_models_are_not_offered() -> None:
    assert (
        set(merged_properties(ALL)) == {name for model in ALL.usable for name in model.model_fields} <= set(CANONICAL)
    )
    some = catalog_for(HAILUO_MCP_SANDBOX="1", HAILUO_MCP_MODELS="aimlapi/hailuo-02,aimlapi/hailuo-2.3")
    offered = merged_properties(some)
    assert set(offered) == {
        *("prompt", "first_frame_image", "last_frame_image", "duration", "resolution", "prompt_optimizer")
    }
