"""The catalog: which models can be used, which one is chosen, and what a refusal says."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.errors import HailuoError, InvalidInput, UnknownModel
from hailuo_mcp.core.setting_values import SettingsError
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.service.model_choice import ChoiceNotes, explain_choice, explain_ignored
from tests.support import FIRST_MODEL_IDS, KEYS, MODEL_IDS, PICTURE, arguments_for, catalog_for, settings_for

IMAGE_CALL: Mapping[str, Any] = {"prompt": "a cat", "first_frame_image": PICTURE}
ALL = catalog_for(HAILUO_MCP_SANDBOX="1")


def _refusal(catalog: Catalog, model: object, arguments: Mapping[str, Any]) -> HailuoError:
    with pytest.raises((InvalidInput, UnknownModel)) as refused:
        catalog.parse(model, arguments)
    return refused.value


# --- which models can be used -------------------------------------------------------------------------------------


def _usable(**variables: str) -> list[str]:
    return [model.id for model in catalog_for(**variables).usable]


def test_without_a_key_the_sandbox_offers_every_model() -> None:
    assert _usable() == list(MODEL_IDS)


@pytest.mark.parametrize("variable", sorted(KEYS))
def test_a_key_offers_the_models_of_its_gateway(variable: str) -> None:
    gateway = variable.removesuffix("_API_KEY").lower()
    assert _usable(**{variable: KEYS[variable]}) == [m for m in MODEL_IDS if m.startswith(f"{gateway}/")]


def test_a_forced_sandbox_offers_every_model_regardless_of_keys() -> None:
    assert _usable(HAILUO_MCP_SANDBOX="1", APIXO_API_KEY="k") == list(MODEL_IDS)


def test_a_list_of_models_limits_the_usable_models_and_keeps_their_order() -> None:
    assert _usable(HAILUO_MCP_MODELS="aimlapi/hailuo-02, segmind/hailuo-02-fast") == [
        "segmind/hailuo-02-fast",
        "aimlapi/hailuo-02",
    ]


def test_a_list_with_an_unknown_model_is_refused_at_start() -> None:
    with pytest.raises(SettingsError, match=r"HAILUO_MCP_MODELS: there is no model 'segmind/nothing'; known are segm"):
        catalog_for(HAILUO_MCP_MODELS="segmind/nothing")


def test_without_a_key_and_without_the_sandbox_every_refusal_names_the_keys_to_set() -> None:
    catalog = catalog_for(HAILUO_MCP_SANDBOX="0")
    for model in (None, MODEL_IDS[0], "nothing"):
        refusal = _refusal(catalog, model, IMAGE_CALL)
        assert refusal.code == "unknown_model"
        assert all(variable in refusal.problem.hint for variable in KEYS)
    assert catalog.default_model is None


def test_a_model_without_its_key_is_known_but_not_enabled() -> None:
    catalog = catalog_for(APIXO_API_KEY="k")
    refusal = _refusal(catalog, "aimlapi/hailuo-02", IMAGE_CALL)
    assert "aimlapi/hailuo-02 is not enabled here" in refusal.problem.message
    assert "AIMLAPI_API_KEY" in refusal.problem.hint
    assert "apixo/hailuo-2.3-fast" in refusal.problem.hint
    assert catalog.known_model("aimlapi/hailuo-02") is not None


@pytest.mark.parametrize("model", ["sora", "hailuo", "segmind/", 7, ["x"], {"a": "b"}, True])
def test_an_unknown_model_is_refused_with_the_existing_ids(model: object) -> None:
    refusal = _refusal(ALL, model, IMAGE_CALL)
    assert refusal.code == "unknown_model"
    assert all(model_id in refusal.problem.hint for model_id in MODEL_IDS)


# --- choosing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (IMAGE_CALL, "segmind/hailuo-02-fast"),
        ({"prompt": "x"}, "fal/hailuo-02"),
        ({**IMAGE_CALL, "duration": 10}, "segmind/hailuo-02-fast"),
        ({**IMAGE_CALL, "resolution": "512p"}, "minimax/hailuo-02"),
        ({**IMAGE_CALL, "resolution": "768p"}, "minimax/hailuo-2.3-fast"),
        ({"prompt": "x", "duration": 10}, "fal/hailuo-02"),
        ({**IMAGE_CALL, "last_frame_image": PICTURE, "resolution": "1080p"}, "minimax/hailuo-02"),
        ({**IMAGE_CALL, "routing": "value"}, "apixo/hailuo-2.3-fast"),
        ({**IMAGE_CALL, "mode": "pro"}, "segmind/minimax-hailuo-2"),
    ],
)
def test_without_a_model_the_cheapest_that_accepts_the_arguments_is_chosen(
    arguments: Mapping[str, Any], chosen: str
) -> None:
    choice = ALL.parse(None, arguments)
    assert choice.spec.id == chosen
    (warning,) = explain_choice(choice)
    assert f"No model was named: {chosen} was chosen" in warning
    assert "cheapest" in warning or "only usable model" in warning


def test_the_choice_is_explained_with_price_time_and_the_next_best_model() -> None:
    offered = "segmind/hailuo-02-fast,segmind/hailuo-2.3-fast,aimlapi/hailuo-02"
    choice = catalog_for(HAILUO_MCP_MODELS=offered).parse(None, {**IMAGE_CALL, "duration": 10, "prompt": "x"})
    (warning,) = explain_choice(choice)
    assert warning == (
        "No model was named: segmind/hailuo-02-fast was chosen, the cheapest of 2 usable models that take these "
        "arguments ($0.188; usually 80 s). Next: aimlapi/hailuo-02 (its price is not published; usually "
        "540 s)."
    )
    unpriced = catalog_for(HAILUO_MCP_MODELS="apixo/hailuo-2.3-fast,aimlapi/hailuo-02")
    (warning,) = explain_choice(unpriced.parse(None, IMAGE_CALL))
    assert "apixo/hailuo-2.3-fast was chosen, the first of 2 usable models that take these arguments, none " in warning


def test_models_without_a_published_price_are_chosen_last_with_a_note() -> None:
    catalog = catalog_for(HAILUO_MCP_SANDBOX="1", HAILUO_MCP_MODELS=",".join(FIRST_MODEL_IDS))
    (warning,) = explain_choice(catalog.parse(None, {"prompt": "x", "resolution": "1080p"}))
    assert "aimlapi/hailuo-02 was chosen, the only usable model" in warning
    assert "its price is not published" in warning


@pytest.mark.parametrize(
    ("variables", "default"),
    [
        ({}, "fal/hailuo-02"),
        ({"HAILUO_MCP_MODELS": ",".join(FIRST_MODEL_IDS)}, "segmind/minimax-hailuo-2"),
        ({"MINIMAX_API_KEY": "k"}, "minimax/hailuo-2.3"),
        ({"FAL_KEY": "k"}, "fal/hailuo-02"),
        ({"REPLICATE_API_TOKEN": "k"}, "replicate/hailuo-2.3"),
        ({"APIXO_API_KEY": "k"}, "apixo/hailuo-2.3"),
        ({"AIMLAPI_API_KEY": "k"}, "aimlapi/hailuo-02"),
        ({"HAILUO_MCP_MODELS": "segmind/hailuo-02-fast,segmind/hailuo-2.3-fast"}, "segmind/hailuo-02-fast"),
    ],
)
def test_the_default_model_suits_a_bare_prompt_or_else_an_image(variables: dict[str, str], default: str) -> None:
    assert catalog_for(**variables).default_model == default


# --- refusing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "arguments", "named"),
    [
        ("segmind/minimax-hailuo-2", {**IMAGE_CALL, "duration": 10}, "segmind/hailuo-02-fast"),
        ("segmind/hailuo-2.3-fast", {**IMAGE_CALL, "duration": 10}, "segmind/hailuo-02-fast"),
        (
            "segmind/hailuo-02-fast",
            {"prompt": "x"},
            "fal/hailuo-02 or minimax/hailuo-2.3 or minimax/hailuo-02 or one of ",
        ),
        ("apixo/hailuo-2.3-fast", {**IMAGE_CALL, "last_frame_image": PICTURE}, "segmind/hailuo-02-fast"),
        ("aimlapi/hailuo-02", {**IMAGE_CALL, "mode": "pro"}, "segmind/minimax-hailuo-2"),
        ("minimax/hailuo-2.3", {**IMAGE_CALL, "resolution": "512p"}, "minimax/hailuo-02"),
        ("aimlapi/hailuo-2.3", {**IMAGE_CALL, "last_frame_image": PICTURE, "duration": 6}, "segmind/hailuo-02-fast"),
        ("segmind/hailuo-2.3-fast", {**IMAGE_CALL, "callback_url": "https://a.example"}, "minimax/hailuo-2.3-fast"),
    ],
)
def test_a_refusal_names_the_models_that_would_accept_the_arguments(
    model: str, arguments: Mapping[str, Any], named: str
) -> None:
    refusal = _refusal(ALL, model, arguments)
    assert f"Or take {named}" in refusal.problem.hint
    for name in re.findall(r"[a-z]+/[a-z0-9.-]+\d[a-z0-9.-]*", refusal.problem.hint):
        assert ALL.parse(name.rstrip(".,"), arguments).spec.id == name.rstrip(".,")


def test_a_refusal_names_models_for_each_argument_if_none_accepts_all() -> None:
    refusal = _refusal(
        ALL, "segmind/minimax-hailuo-2", {**IMAGE_CALL, "go_fast": True, "callback_url": "https://a.example"}
    )
    assert "go_fast: segmind/hailuo-02-fast" in refusal.problem.hint
    assert "callback_url: apixo/hailuo-2.3-fast" in refusal.problem.hint


def test_without_a_model_name_the_refusal_is_that_of_the_closest_model() -> None:
    refusal = _refusal(ALL, None, {"prompt": "x", "duration": 20})
    assert refusal.problem.message == "duration must be 6 or 10, got 20"
    assert refusal.problem.hint == "Pass duration as 6 or 10."
    refusal = _refusal(ALL, None, {**IMAGE_CALL, "duration": 10, "resolution": "1080p"})
    assert refusal.problem.message.startswith("No usable model takes these arguments. Closest: duration=10 with")
    assert '768p"' in refusal.problem.hint


FILLED: Mapping[str, Any] = {
    "prompt": "x",
    "first_frame_image": None,
    "last_frame_image": None,
    "duration": 6,
    "resolution": "",
    "mode": "standard",
    "prompt_optimizer": True,
    "go_fast": False,
    "fast_pretreatment": "false",
    "routing": "auto",
    "callback_url": None,
}
"""The arguments of a client that fills in every optional one."""


def test_empty_and_neutral_values_change_neither_the_choice_nor_the_request() -> None:
    bare, filled = ALL.parse(None, {"prompt": "x"}), ALL.parse(None, FILLED)
    assert (filled.spec.id, filled.spec.to_body()) == (bare.spec.id, bare.spec.to_body())
    assert explain_choice(filled)[0] == explain_choice(bare)[0]


@pytest.mark.parametrize("model_id", MODEL_IDS)
def test_neutral_values_of_unsupported_parameters_are_ignored_with_a_warning(model_id: str) -> None:
    needed = {name: value for name, value in arguments_for(model_id).items() if value == PICTURE}
    choice = ALL.parse(model_id, {**FILLED, **needed})
    (warning,) = explain_ignored(choice)
    missing = [name for name in FILLED if not choice.spec.accepts(name) and FILLED[name] not in (None, "")]
    assert missing
    assert all(name in warning for name in missing)


def test_a_note_on_the_choice_is_repeated_to_a_tenant_only_after_a_while() -> None:
    times = iter([0.0, 10.0, 20.0, 700.0])
    notes = ChoiceNotes(lambda: next(times))
    given = [notes.not_given_recently(tenant, ("a", "b")) for tenant in ("ann", "ann", "bob", "ann")]
    assert given == [("a", "b"), (), ("a", "b"), ("a", "b")]


def test_an_unknown_argument_is_refused_with_the_closest_name() -> None:
    refusal = _refusal(ALL, None, {"prompt": "x", "durations": 6})
    assert refusal.problem.message == "no model takes durations (given: 6); did you mean duration?"
    assert refusal.problem.hint == "Instead of durations, pass it as duration."
    refusal = _refusal(ALL, None, {"prompt": "x", "image_url": PICTURE, "resolution": "720p"})
    assert "did you mean first_frame_image?" in refusal.problem.message
    assert '"720p"' in refusal.problem.message
    assert "pass it as first_frame_image" in refusal.problem.hint


def test_an_end_image_leads_to_the_models_that_accept_a_last_frame() -> None:
    refusal = _refusal(ALL, "minimax/hailuo-2.3", {**IMAGE_CALL, "end_image": PICTURE})
    assert "pass it as last_frame_image" in refusal.problem.hint
    assert "Models that take last_frame_image: segmind/hailuo-02-fast" in refusal.problem.hint


def test_a_refusal_asks_for_the_smallest_change_if_no_model_fits(tmp_path: Path) -> None:
    catalog = Catalog(GATEWAYS, settings_for(tmp_path))
    with pytest.raises(InvalidInput) as too_many:
        catalog.parse(None, {"prompt": "a kite", "duration": 10, "mode": "pro"})
    assert "first_frame_image" not in too_many.value.problem.message
    with pytest.raises(InvalidInput) as wrong:
        catalog.parse(None, {"prompt": "a kite", "resolution": "720p"})
    assert '"720p"' in wrong.value.problem.message
