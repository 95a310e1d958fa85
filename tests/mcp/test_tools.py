"""The tools as a client sees them: their definitions, as committed in snapshots, and the shape of every result."""

import json
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import pytest
from mcp_types import ListToolsResult

from hailuo_mcp.core.job import State
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.mcp import tools
from tests.catalog.test_comparison import CRITERIA
from tests.mcp.calling import APIXO, DEFINITIONS, FAST_02, NAMES, open_caller
from tests.mcp.snapshot_files import SNAPSHOTS, as_sent, assert_matches_snapshot
from tests.model_mistakes.tokens import IMPORT_WARNING, tokens
from tests.support import (
    FIRST_MODEL_IDS,
    KEYS,
    MODEL_IDS,
    PICTURE,
    arguments_for,
    breaks,
    catalog_for,
    facts_of,
    says,
    settings_for,
    text_of,
)

# --- definitions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_tools_definition_matches_its_snapshot(name: str) -> None:
    assert_matches_snapshot(name, as_sent(DEFINITIONS[name]))


def test_every_tool_has_a_snapshot_and_a_handler_and_none_is_obsolete() -> None:
    assert tuple(DEFINITIONS) == NAMES == tuple(tools.BY_NAME)
    assert {file.stem for file in SNAPSHOTS.glob("*.json")} == set(NAMES)


@pytest.mark.filterwarnings(IMPORT_WARNING)
@pytest.mark.parametrize("models", [MODEL_IDS, FIRST_MODEL_IDS, *[(m,) for m in MODEL_IDS]], ids=len)
def test_the_definitions_take_no_more_tokens_than_promised(models: tuple[str, ...]) -> None:
    defined = tools.definitions(catalog_for(HAILUO_MCP_MODELS=",".join(models)))
    assert sum(tokens(t.name + (t.description or "") + json.dumps(t.input_schema)) for t in defined) <= 1300
    listed = ListToolsResult(tools=defined)
    message = listed.model_dump_json(by_alias=True, exclude_none=True)
    assert tokens(message) <= 2500
    if len(models) <= len(FIRST_MODEL_IDS):
        assert tokens(json.dumps(json.loads(message))) <= 2500


def test_an_icon_needs_no_request_and_runs_no_script() -> None:
    icons = [icon for tool in DEFINITIONS.values() for icon in tool.icons or ()]
    assert icons
    for icon in icons:
        kind, _, svg = icon.src.partition(",")
        assert kind == "data:image/svg+xml"
        root = ElementTree.fromstring(unquote(svg))  # noqa: S314  our own
        assert {element.tag.rpartition("}")[2] for element in root.iter()} == {"svg", "path"}


@pytest.mark.parametrize(
    ("name", "read_only", "destructive", "idempotent", "open_world"),
    [
        ("generate_video", False, True, False, True),
        ("get_status", True, False, True, True),
        ("list_models", True, False, True, True),
        ("list_jobs", True, False, True, False),
        ("download_video", False, False, True, True),
        ("cancel_job", False, False, True, True),
    ],
)
def test_annotations_are_explicit(
    name: str, read_only: bool, destructive: bool, idempotent: bool, open_world: bool
) -> None:
    hints = DEFINITIONS[name].annotations
    assert hints
    assert (hints.read_only_hint, hints.destructive_hint) == (read_only, destructive)
    assert (hints.idempotent_hint, hints.open_world_hint) == (idempotent, open_world)


@pytest.mark.parametrize("name", NAMES)
def test_an_output_schema_is_valid_and_every_field_has_one_type_and_maybe_null(name: str) -> None:
    """What else hosts require of it is in `test_schema_lint.py`."""
    schema = DEFINITIONS[name].output_schema
    assert schema
    jsonschema.Draft202012Validator.check_schema(schema)
    for prop in schema["properties"].values():
        kinds = prop["type"]
        assert isinstance(kinds, str) or (len(kinds) == 2 and kinds[1] == "null")


# --- results: each one is checked against its schema -----------------------------------------------------------------


async def test_a_submitted_job_says_what_to_call_next(settings: Settings) -> None:
    async with open_caller(settings) as sandbox:
        result = await sandbox("generate_video", **arguments_for(FAST_02))
        facts = facts_of(result)
        assert (facts["state"], facts["sandbox"], facts["duplicate"]) == ("queued", True, False)
        assert facts["request_id"].startswith(f"{FAST_02}/")
        assert facts["created_at"].endswith("Z")
        assert (facts["estimated_cost_usd"], facts["estimated_seconds"]) == (0.125, 80.0)
        assert facts["poll_after_seconds"] == 2
        assert f'get_status with request_id "{facts["request_id"]}"' in facts["next_step"]
        assert "[sandbox: a preview, nothing is charged; set a gateway's key for real clips]" in text_of(result)
        assert facts["request"] is None


@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_a_job_of_each_model_completes_and_is_listed(model_id: str, tmp_path: Path) -> None:
    async with open_caller(settings_for(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0")) as sandbox:
        request_id = (await sandbox.facts("generate_video", **arguments_for(model_id)))["request_id"]
        facts = await sandbox.facts("get_status", request_id=request_id, wait_seconds=10)
        assert (facts["state"], facts["video_path"], facts["poll_after_seconds"]) == ("completed", None, None)
        assert facts["video_url"]
        listed = await sandbox.facts("list_jobs")
        assert (listed["total"], listed["jobs"][0]["request_id"]) == (1, request_id)
        assert set(listed["jobs"][0]) == {
            *("request_id", "model", "state", "created_at", "prompt", "video_url", "video_path", "expires_at")
        }


async def test_a_saved_clip_is_returned_with_its_path(settings: Settings, tmp_path: Path) -> None:
    async with open_caller(settings) as sandbox:
        request_id = (await sandbox.facts("generate_video", **arguments_for(FAST_02)))["request_id"]
        facts = await sandbox.facts("get_status", request_id=request_id, wait_seconds=10)
        assert facts["state"] == "completed"
        assert facts["video_path"] in facts["next_step"]
        for _ in range(2):
            result = await sandbox("download_video", request_id=request_id)
            assert result.structured_content == {
                "request_id": request_id,
                "video_path": facts["video_path"],
                "bytes": Path(facts["video_path"]).stat().st_size,
                "total": Path(facts["video_path"]).stat().st_size,
                "next_step": "Tell the user where the clip is.",
                "media_type": "video/mp4",
            }
            assert Path(facts["video_path"]).is_relative_to(tmp_path / "clips")
            assert f"Saved at {facts['video_path']}" in text_of(result)
            assert request_id in text_of(result)


async def test_a_dry_run_says_why_a_model_was_chosen_once_and_a_submission_always(settings: Settings) -> None:
    async with open_caller(settings) as sandbox:
        call = {"prompt": "x", "duration": 6}
        first, second = [await sandbox.facts("generate_video", **call, dry_run=True) for _ in range(2)]
        submitted = await sandbox.facts("generate_video", **call)
        explained = ["No model was named" in str(facts["warnings"]) for facts in (first, second, submitted)]
        assert explained == [True, False, True]
        assert all("exact" not in str(facts["warnings"]) for facts in (first, second, submitted))
        ignored = [await sandbox.facts("generate_video", **call, mode="standard", dry_run=True) for _ in range(2)]
        assert all('mode "standard"' in str(facts["warnings"]) for facts in ignored)


async def test_the_path_of_a_saved_clip_is_absolute_if_the_output_directory_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_caller(settings_for(tmp_path, HAILUO_MCP_OUTPUT_DIR="my clips")) as sandbox:
        request_id = (await sandbox.facts("generate_video", **arguments_for(FAST_02)))["request_id"]
        await sandbox.facts("get_status", request_id=request_id, wait_seconds=10)
        path = (await sandbox.facts("download_video", request_id=request_id))["video_path"]
        assert Path(path).is_relative_to(tmp_path / "my clips")


async def test_a_dry_run_has_the_request_and_no_id(settings: Settings) -> None:
    async with open_caller(settings) as sandbox:
        facts = await sandbox.facts("generate_video", **arguments_for(FAST_02), dry_run=True)
        assert (facts["state"], facts["request_id"], facts["error"], facts["poll_after_seconds"]) == (
            *("dry_run", None, None, None),
        )
        assert facts["request"]["method"] == "POST"
        assert facts["request"]["url"] == "https://api.segmind.com/v2/hailuo-02-fast"
        assert facts["request"]["headers"]["x-api-key"] == "***"
        assert facts["request"]["body"]["first_frame_image"] == PICTURE
        assert sandbox.wire.requests == []


async def test_an_unconfirmed_job_is_no_error_and_advises_against_a_retry(tmp_path: Path) -> None:
    async with open_caller(settings_for(tmp_path, **KEYS), breaks) as call:
        result = await call("generate_video", **arguments_for(APIXO))
        facts = facts_of(result)
        assert (result.is_error, facts["state"]) == (False, "unconfirmed")
        assert (facts["error"]["code"], facts["error"]["charged"]) == ("unconfirmed", "unknown")
        assert facts["error"]["safe_to_retry"] is False
        assert "do not submit again" in facts["next_step"]
        again = await call.facts("generate_video", **arguments_for(APIXO))
        assert (again["duplicate"], again["request_id"]) == (True, facts["request_id"])
        assert (await call.facts("get_status", request_id=facts["request_id"]))["state"] == "unconfirmed"


async def test_a_failed_job_is_not_an_error(settings: Settings) -> None:
    async with open_caller(settings) as sandbox:
        call = arguments_for(FAST_02, prompt="a kite sandbox:content_violation")
        request_id = (await sandbox.facts("generate_video", **call))["request_id"]
        facts = await sandbox.facts("get_status", request_id=request_id, wait_seconds=10)
        assert (facts["state"], facts["error"]["code"]) == ("failed", "content_violation")
        assert facts["next_step"] == facts["error"]["hint"]
        error = await sandbox.error("download_video", request_id=request_id)
        assert (error["code"], error["request_id"], error["safe_to_retry"]) == ("not_ready", request_id, False)


async def test_a_refused_submission_is_an_error_with_its_request_id(settings: Settings) -> None:
    async with open_caller(settings) as sandbox:
        error = await sandbox.error("generate_video", **arguments_for(FAST_02, prompt="a kite sandbox:no_credits"))
        assert (error["code"], error["charged"], error["safe_to_retry"]) == ("insufficient_credits", "no", False)
        failed = await sandbox.facts("get_status", request_id=error["request_id"])
        assert (failed["state"], failed["error"]["code"]) == ("failed", "insufficient_credits")


async def test_progress_is_reported_while_a_call_waits(tmp_path: Path) -> None:
    async with open_caller(
        settings_for(tmp_path, HAILUO_MCP_SANDBOX_SECONDS="1", HAILUO_MCP_AUTO_DOWNLOAD="0")
    ) as sandbox:
        request_id = (await sandbox.facts("generate_video", **arguments_for(FAST_02)))["request_id"]
        assert (await sandbox.facts("get_status", request_id=request_id, wait_seconds=20))["state"] == "completed"
        assert sandbox.progress
        assert all(total == 80.0 and "s" in message for _, total, message in sandbox.progress)
        assert [done for done, _, _ in sandbox.progress] == sorted(done for done, _, _ in sandbox.progress)


# --- listing ---------------------------------------------------------------------------------------------------------


async def test_every_usable_model_is_listed_with_its_price(settings: Settings) -> None:
    async with open_caller(settings) as sandbox:
        result = await sandbox("list_models")
        facts = facts_of(result)
        assert [model["model"] for model in facts["models"]] == list(MODEL_IDS)
        assert (facts["default_model"], facts["sandbox"]) == ("fal/hailuo-02", True)
        prices = {model["model"]: model["price_usd"] for model in facts["models"]}
        assert prices[FAST_02] == [0.125, 0.188]
        assert prices[APIXO] is None


@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_one_model_is_listed_with_its_schema_and_the_sources_of_its_rules(
    model_id: str, settings: Settings
) -> None:
    async with open_caller(settings) as sandbox:
        (model,) = (await sandbox.facts("list_models", model=model_id))["models"]
        assert model["model"] == model_id
        assert model["schema"]["additionalProperties"] is False
        assert {row["parameter"] for row in model["constraints"]} >= set(model["required"])
        for row in model["constraints"]:
            assert row["source"].split(":")[0] in ("documented", "sdk", "observed", "inferred")
        for price in model["prices"]:
            assert price["kind"] in ("exact", "upper bound", "average")


async def test_without_a_usable_model_the_list_says_which_keys_to_set(tmp_path: Path) -> None:
    async with open_caller(settings_for(tmp_path, HAILUO_MCP_SANDBOX="0"), says(500)) as call:
        result = await call("list_models")
        assert result.structured_content == {
            "models": [],
            "default_model": None,
            "sandbox": False,
            "best_for": {criterion: [] for criterion in CRITERIA},
            "sold_by": {},
        }
        assert all(variable in text_of(result) for variable in KEYS)
        for tool, arguments in (("generate_video", {"prompt": "x"}), ("list_models", {"model": FAST_02})):
            refused = await call(tool, **arguments)
            assert refused.is_error
            assert all(variable in text_of(refused) for variable in KEYS)


async def test_jobs_are_listed_newest_first_by_state_up_to_a_limit(settings: Settings) -> None:
    async with open_caller(settings) as sandbox:
        for word in ("sandbox:never", "sandbox:fail", "x" * 100):
            await sandbox.facts("generate_video", **arguments_for(FAST_02, prompt=f"a kite {word}"))
        listed = await sandbox.facts("list_jobs", limit="2")
        assert [job["prompt"] for job in listed["jobs"]] == ["a kite " + "x" * 73, "a kite sandbox:fail"]
        assert (listed["total"], listed["spent_usd"]) == (3, 0.375)
        await sandbox.facts("get_status", request_id=listed["jobs"][1]["request_id"], wait_seconds=10)
        failed = await sandbox.facts("list_jobs", state="FAILED")
        assert (failed["total"], failed["spent_usd"]) == (1, 0.25)
        for state in State:
            await sandbox.facts("list_jobs", state=state.value, limit=50)
