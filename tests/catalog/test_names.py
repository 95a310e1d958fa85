"""Finding models by the names that users know."""

import pytest

from hailuo_mcp.core.errors import UnknownModel
from hailuo_mcp.service.model_choice import explain_choice
from tests.support import MODEL_IDS, PICTURE, arguments_for, catalog_for

ALL = catalog_for(HAILUO_MCP_SANDBOX="1")
IMAGE_CALL = {"prompt": "a cat", "first_frame_image": PICTURE}


@pytest.mark.parametrize(
    ("name", "variables", "expected"),
    [
        ("hailuo-02-fast", {}, "segmind/hailuo-02-fast"),
        ("Hailuo-02-FAST", {}, "segmind/hailuo-02-fast"),
        ("hailuo-2.3-fast", {}, "minimax/hailuo-2.3-fast"),
        ("hailuo-2.3-fast", {"APIXO_API_KEY": "k"}, "apixo/hailuo-2.3-fast"),
        ("hailuo-2-3-fast", {"APIXO_API_KEY": "k"}, "apixo/hailuo-2.3-fast"),
        ("Hailuo 2.3 Fast", {"SEGMIND_API_KEY": "k"}, "segmind/hailuo-2.3-fast"),
        ("MiniMax-Hailuo-02", {"MINIMAX_API_KEY": "k"}, "minimax/hailuo-02"),
        ("MiniMax-Hailuo-02", {"AIMLAPI_API_KEY": "k"}, "aimlapi/hailuo-02"),
        ("minimax-hailuo-2.3", {"AIMLAPI_API_KEY": "k"}, "aimlapi/hailuo-2.3"),
        ("minimax/hailuo-02", {"AIMLAPI_API_KEY": "k"}, "aimlapi/hailuo-02"),
        ("MiniMax/Hailuo-02", {"AIMLAPI_API_KEY": "k"}, "aimlapi/hailuo-02"),
        ("minimax-hailuo-2", {}, "segmind/minimax-hailuo-2"),
        ("segmind/Hailuo 2.3 Fast", {}, "segmind/hailuo-2.3-fast"),
        ("MiniMax-H3", {}, "minimax/h3"),
        ("h3", {}, "minimax/h3"),  # fal's is cheaper, and is not the vendor's own
        ("minimax/h3", {"AIMLAPI_API_KEY": "k"}, "aimlapi/h3"),
        ("H3", {"FAL_API_KEY": "k"}, "fal/h3"),
        ("h3-max", {"FAL_API_KEY": "k"}, "fal/h3-max"),
    ],
)
def test_an_unambiguous_name_is_resolved_with_a_warning(name: str, variables: dict[str, str], expected: str) -> None:
    catalog = catalog_for(**variables) if variables else ALL
    choice = catalog.parse(name, IMAGE_CALL)
    assert choice.spec.id == expected
    (warning,) = explain_choice(choice)
    assert warning.startswith(f'The model "{name}" was taken as {expected}')
    assert catalog.model(name).id == expected


def test_the_cheapest_gateway_that_accepts_the_arguments_is_chosen() -> None:
    choice = ALL.parse("hailuo-2.3-fast", {**IMAGE_CALL, "routing": "value"})
    assert choice.spec.id == "apixo/hailuo-2.3-fast"
    (warning,) = explain_choice(ALL.parse("hailuo-2.3-fast", IMAGE_CALL))
    assert "the cheapest of 6 gateways" in warning
    assert "Next: fal/hailuo-2.3-fast" in warning


@pytest.mark.parametrize("model_id", MODEL_IDS)
def test_an_id_in_any_letter_case_is_accepted_without_a_warning(model_id: str) -> None:
    for spelling in (model_id, model_id.upper(), f" {model_id} "):
        given = {name: value for name, value in arguments_for(model_id).items() if name != "model"}
        choice = ALL.parse(spelling, given)
        assert (choice.spec.id, explain_choice(choice)) == (model_id, ())


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("hailuo", "hailuo-02"),
        ("hailuo-2.3-fst", "/hailuo-2.3-fast"),
        ("segmind/hailuo-2.4-fast", "segmind/hailuo-2.3-fast"),
        ("hailou-02", "/hailuo-02"),
    ],
)
def test_an_ambiguous_name_is_refused_with_the_closest_model(name: str, closest: str) -> None:
    with pytest.raises(UnknownModel) as refused:
        ALL.parse(name, IMAGE_CALL)
    suggested = refused.value.problem.hint.split("?")[0]
    assert suggested.startswith("Did you mean ")
    assert closest in suggested


@pytest.mark.parametrize("name", ["MiniMax-H3", "minimax/h3"])
def test_another_gateways_variant_does_not_replace_the_vendors_own_model(name: str) -> None:
    with pytest.raises(UnknownModel) as refused:
        catalog_for(FAL_API_KEY="k").parse(name, {"prompt": "a cat"})
    assert "Did you mean fal/h3?" in refused.value.problem.hint


def test_an_explicitly_named_gateway_is_not_replaced() -> None:
    with pytest.raises(UnknownModel, match=r"segmind/hailuo-2\.3-fast is not enabled here") as refused:
        catalog_for(APIXO_API_KEY="k").parse("segmind/hailuo-2.3-fast", IMAGE_CALL)
    assert "Did you mean apixo/hailuo-2.3-fast?" in refused.value.problem.hint


def test_a_model_of_no_usable_gateway_is_refused_with_the_key_to_set() -> None:
    with pytest.raises(UnknownModel) as refused:
        catalog_for(APIXO_API_KEY="k").parse("MiniMax-Hailuo-02", IMAGE_CALL)
    assert "is not enabled here" in refused.value.problem.message
    assert "_API_KEY" in refused.value.problem.hint
