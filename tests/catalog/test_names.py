"""Models by the names that users know."""

import pytest

from hailuo_mcp.core.errors import UnknownModel
from hailuo_mcp.service.model_choice import explain_choice
from tests.support import MODEL_IDS, PICTURE, arguments_for, catalog_for

ALL = catalog_for(HAILUO_MCP_SANDBOX="1")
SEEN = {"prompt": "a cat", "first_frame_image": PICTURE}


@pytest.mark.parametrize(
    ("asked", "variables", "taken"),
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
def test_a_name_that_means_one_model_is_taken_with_a_warning(asked: str, variables: dict[str, str], taken: str) -> None:
    catalog = catalog_for(**variables) if variables else ALL
    choice = catalog.parse(asked, SEEN)
    assert choice.spec.id == taken
    (warning,) = explain_choice(choice)
    assert warning.startswith(f'The model "{asked}" was taken as {taken}')
    assert catalog.model(asked).id == taken


def test_of_several_gateways_the_cheapest_that_accepts_the_arguments_is_taken() -> None:
    choice = ALL.parse("hailuo-2.3-fast", {**SEEN, "routing": "value"})
    assert choice.spec.id == "apixo/hailuo-2.3-fast"
    (warning,) = explain_choice(ALL.parse("hailuo-2.3-fast", SEEN))
    assert "the cheapest of 6 gateways" in warning
    assert "Next: fal/hailuo-2.3-fast" in warning


@pytest.mark.parametrize("model_id", MODEL_IDS)
def test_an_id_is_taken_as_it_is_in_any_letter_case_without_a_warning(model_id: str) -> None:
    for asked in (model_id, model_id.upper(), f" {model_id} "):
        given = {name: value for name, value in arguments_for(model_id).items() if name != "model"}
        choice = ALL.parse(asked, given)
        assert (choice.spec.id, explain_choice(choice)) == (model_id, ())


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("hailuo", "hailuo-02"),
        ("hailuo-2.3-fst", "/hailuo-2.3-fast"),
        ("segmind/hailuo-2.4-fast", "segmind/hailuo-2.3-fast"),
        ("hailou-02", "/hailuo-02"),
    ],
)
def test_a_name_that_means_no_model_for_certain_is_answered_with_the_nearest(asked: str, meant: str) -> None:
    with pytest.raises(UnknownModel) as refused:
        ALL.parse(asked, SEEN)
    suggested = refused.value.problem.hint.split("?")[0]
    assert suggested.startswith("Did you mean ")
    assert meant in suggested


@pytest.mark.parametrize("asked", ["MiniMax-H3", "minimax/h3"])
def test_what_another_gateway_makes_of_a_model_is_not_taken_for_the_vendors_own(asked: str) -> None:
    with pytest.raises(UnknownModel) as refused:
        catalog_for(FAL_API_KEY="k").parse(asked, {"prompt": "a cat"})
    assert "Did you mean fal/h3?" in refused.value.problem.hint


def test_a_gateway_that_is_named_is_not_replaced_by_another() -> None:
    with pytest.raises(UnknownModel, match=r"segmind/hailuo-2\.3-fast is not enabled here") as refused:
        catalog_for(APIXO_API_KEY="k").parse("segmind/hailuo-2.3-fast", SEEN)
    assert "Did you mean apixo/hailuo-2.3-fast?" in refused.value.problem.hint


def test_a_model_that_no_usable_gateway_has_is_named_with_its_key() -> None:
    with pytest.raises(UnknownModel) as refused:
        catalog_for(APIXO_API_KEY="k").parse("MiniMax-Hailuo-02", SEEN)
    assert "is not enabled here" in refused.value.problem.message
    assert "_API_KEY" in refused.value.problem.hint
