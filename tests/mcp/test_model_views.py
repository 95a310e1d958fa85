"""What `list_models` shows for the built-in models, compared with committed snapshots."""

import json
from typing import Any

import pytest

from hailuo_mcp.mcp import model_views
from tests.mcp.snapshot_files import SNAPSHOTS, assert_matches_snapshot
from tests.support import MODEL_IDS, catalog_for

KEY_SETS: dict[str, dict[str, str]] = {
    "sandbox": {"HAILUO_MCP_SANDBOX": "1"},
    "segmind": {"SEGMIND_API_KEY": "k"},
    "apixo": {"APIXO_API_KEY": "k"},
    "aimlapi": {"AIMLAPI_API_KEY": "k"},
    "minimax": {"MINIMAX_API_KEY": "k"},
    "two": {"SEGMIND_API_KEY": "k", "MINIMAX_API_KEY": "k"},
    "some": {"HAILUO_MCP_MODELS": "aimlapi/hailuo-02,apixo/hailuo-2.3-fast,segmind/hailuo-2.3-fast"},
    "none": {"HAILUO_MCP_SANDBOX": "0"},
}


@pytest.mark.parametrize("keys", KEY_SETS)
def test_the_list_of_models_matches_its_snapshot(keys: str) -> None:
    catalog = catalog_for(**KEY_SETS[keys])
    view = model_views.model_list(catalog, sandbox=keys == "sandbox")
    content: dict[str, Any] = {
        **view.model_dump(mode="json"),
        "text": model_views.model_list_text(view, catalog).split("\n"),
    }
    assert_matches_snapshot(f"models/list-{keys}", content)


@pytest.mark.parametrize("model_id", MODEL_IDS)
def test_the_details_of_a_model_match_its_snapshot(model_id: str) -> None:
    catalog = catalog_for(HAILUO_MCP_SANDBOX="1")
    view = model_views.model_list(catalog, True, catalog.model(model_id))
    assert json.loads(model_views.model_list_text(view, catalog)) == view.models[0]
    assert_matches_snapshot(f"models/{model_id.replace('/', '-')}", view.model_dump(mode="json"))


def test_every_list_and_every_model_has_a_snapshot_and_none_is_obsolete() -> None:
    expected = {f"list-{keys}" for keys in KEY_SETS} | {model_id.replace("/", "-") for model_id in MODEL_IDS}
    assert {file.stem for file in (SNAPSHOTS / "models").glob("*.json")} == expected
