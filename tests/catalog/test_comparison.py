"""What `list_models` compares: the cheapest, the fastest, and which models have features that others lack."""

import pytest

from hailuo_mcp.catalog.comparison import best_for
from hailuo_mcp.mcp import model_views
from tests.core.models import accepts
from tests.support import PICTURE, catalog_for

CRITERIA = ("cheapest", "fastest", "1080p", "10s", "last_frame", "text_only")
ALL = catalog_for(HAILUO_MCP_SANDBOX="1")


def test_cheapest_and_fastest_depend_on_published_figures() -> None:
    only = catalog_for(HAILUO_MCP_MODELS="aimlapi/hailuo-02,apixo/hailuo-2.3-fast,segmind/hailuo-2.3-fast")
    best = best_for(only.usable)
    assert tuple(best) == CRITERIA
    assert (best["cheapest"], best["fastest"]) == (["segmind/hailuo-2.3-fast"], ["segmind/hailuo-2.3-fast"])
    unpriced = catalog_for(HAILUO_MCP_MODELS="apixo/hailuo-2.3-fast")
    assert best_for(unpriced.usable)["cheapest"] == []
    assert dict(model_views.best_for_lines(model_views.model_list(unpriced, sandbox=False)))["cheapest"] == "none known"


@pytest.mark.parametrize(
    ("criterion", "asked"),
    [
        ("1080p", {"first_frame_image": PICTURE, "resolution": "1080p"}),
        ("10s", {"first_frame_image": PICTURE, "resolution": "768p", "duration": 10}),
        ("last_frame", {"first_frame_image": PICTURE, "last_frame_image": PICTURE}),
        ("text_only", {}),
    ],
)
def test_exactly_the_listed_models_accept_such_a_call(criterion: str, asked: dict[str, object]) -> None:
    listed = best_for(ALL.usable)[criterion]
    assert listed
    for model in ALL.usable:
        call = {"prompt": "a kite", **asked}
        sizes = model.property_schemas().get("resolution", {}).get("enum", ())
        if criterion == "10s" and "768p" not in sizes:
            del call["resolution"]
        assert accepts(model, call) == (model.id in listed), model.id


def test_the_list_ends_with_the_comparison_and_a_single_model_has_none() -> None:
    offered = catalog_for(HAILUO_MCP_MODELS="segmind/hailuo-02-fast,segmind/minimax-hailuo-2,aimlapi/hailuo-02")
    view = model_views.model_list(offered, sandbox=True)
    assert tuple(view.best_for) == CRITERIA
    text = model_views.model_list_text(view, offered)
    assert "\nCheapest: segmind/hailuo-02-fast, at its lowest price.\n" in text
    assert "for a prompt alone segmind/minimax-hailuo-2, the cheapest at default settings." in text
    assert "\nText only: minimax-hailuo-2, aimlapi.\n" in text
    assert model_views.model_list(ALL, True, ALL.usable[0]).best_for == {}


def test_a_model_at_several_gateways_has_one_line_with_the_cheapest_first() -> None:
    view = model_views.model_list(ALL, sandbox=True)
    offers = view.sold_by["hailuo-2.3"]
    assert [offer["model"].partition("/")[0] for offer in offers] == [
        *("minimax", "fal", "segmind", "apixo", "aimlapi", "replicate")
    ]
    assert offers[2] == {"model": "segmind/hailuo-2.3", "price_usd": [0.35, 0.7], "typical_seconds": [157.0, 157.0]}
    assert view.sold_by["h3"][0]["variant"] == "open weights"
    (line,) = [line for line in model_views.model_list_text(view, ALL).split("\n") if line.startswith("hailuo-2.3:")]
    prices = "minimax $0.28–0.56, fal $0.28–0.56, segmind $0.35–0.7 157 s; price unknown: apixo, aimlapi, replicate; "
    assert prices in line
    assert "fast_pretreatment (minimax)" in line
    assert {offer["model"] for of_name in view.sold_by.values() for offer in of_name} == {m.id for m in ALL.usable}
    assert model_views.model_list(ALL, True, ALL.usable[0]).sold_by == {}


def test_each_model_states_whether_camera_commands_are_documented() -> None:
    without = {model.id for model in ALL.usable if model.camera_commands is None}
    assert {model_id.partition("/")[2] for model_id in without} == {"h3", "h3-max", "s2v-01"}
    (official,) = model_views.model_list(ALL, True, ALL.model("minimax/hailuo-02")).models
    assert official["camera_commands"] == "documented: MiniMax API reference"
    (resold,) = model_views.model_list(ALL, True, ALL.model("fal/hailuo-02")).models
    assert resold["camera_commands"].startswith("inferred: ")
    (h3,) = model_views.model_list(ALL, True, ALL.model("fal/h3")).models
    assert h3["camera_commands"] == "not documented: describe the move in plain text"
