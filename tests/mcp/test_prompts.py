"""The prompts: their definitions match committed snapshots, the calls in their texts work, and values are suggested."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from hailuo_mcp.app import load_settings
from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.mcp import prompts, tools
from tests.mcp.calling import APIXO, FAST_02
from tests.mcp.prompting import NAMES, NO_KEY, OPTIONS, REQUIRED, calls_in, fill_placeholders, prompt_text, refusal
from tests.mcp.snapshot_files import SNAPSHOTS, as_sent, assert_matches_snapshot
from tests.support import KEYS, MODEL_IDS, PICTURE, arguments_for, open_session, settings_for

ALL = Catalog(GATEWAYS, load_settings({"HAILUO_MCP_SANDBOX": "1"}))
FROM_AN_IMAGE = [model_id for model_id in MODEL_IDS if model_id != "minimax/s2v-01"]


# --- definitions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", prompts.definitions(ALL), ids=NAMES)
def test_a_prompts_definition_matches_its_snapshot(prompt: Any) -> None:
    defined = as_sent(prompt)
    assert_matches_snapshot(f"prompts/{prompt.name}", defined)
    assert all(argument["title"] and argument["description"] for argument in defined["arguments"])


def test_every_prompt_has_a_snapshot_and_no_snapshot_is_obsolete() -> None:
    assert tuple(prompt.name for prompt in prompts.definitions(ALL)) == NAMES
    assert {file.stem for file in (SNAPSHOTS / "prompts").glob("*.json")} == set(NAMES)


def test_only_arguments_that_a_prompt_needs_are_required() -> None:
    for prompt in prompts.definitions(ALL):
        assert {a.name for a in prompt.arguments or () if a.required} == set(REQUIRED[prompt.name])
        assert {a.name for a in prompt.arguments or () if not a.required} == set(OPTIONS[prompt.name])


def test_durations_and_resolutions_are_those_of_the_usable_models() -> None:
    def descriptions(**variables: str) -> list[str | None]:
        catalog = Catalog(GATEWAYS, load_settings(variables))
        animate = prompts.definitions(catalog)[0].arguments or []
        return [argument.description for argument in animate if argument.name in ("duration", "resolution")]

    depending = ", depending on the model"
    assert descriptions(MINIMAX_API_KEY="k") == [f"4 to 15{depending}.", f"480p, 512p, 768p, 1080p or 2k{depending}."]
    assert descriptions(APIXO_API_KEY="k") == ["6 or 10.", "768p or 1080p."]
    assert descriptions(HAILUO_MCP_SANDBOX="0") == descriptions(HAILUO_MCP_SANDBOX="1")
    only_h3 = {"AIMLAPI_API_KEY": "k", "HAILUO_MCP_MODELS": "aimlapi/h3"}
    assert descriptions(**only_h3) == ["4 to 15.", "2k."]


async def test_a_prompt_may_be_as_long_as_the_model_allows(tmp_path: Path) -> None:
    story = {"picture": PICTURE, "action": "a kite " * 900}
    async with open_session(settings_for(tmp_path, HAILUO_MCP_MODELS="minimax/h3")) as session:
        assert "at most 7000 characters" in await prompt_text(session, "animate_picture", **story)
        assert "at most 7000 characters" in await prompt_text(session, "storyboard", story="a kite")
        suggested = await prompts.suggestions(session, "animate_picture", "duration", {})
        assert suggested == [str(seconds) for seconds in range(4, 16)]
    async with open_session(settings_for(tmp_path, HAILUO_MCP_MODELS="minimax/hailuo-02")) as session:
        assert "the maximum is 2000" in (await refusal(session, "animate_picture", **story)).message
        assert "at most 2000 characters" in await prompt_text(session, "storyboard", story="a kite")


# --- all prompts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [REQUIRED, OPTIONS], ids=["as little as possible", "everything"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("variables", [{}, KEYS, NO_KEY], ids=["sandbox", "keys", "no key"])
async def test_every_call_in_a_prompts_text_is_accepted(
    name: str, options: Mapping[str, dict[str, str]], variables: dict[str, str], tmp_path: Path
) -> None:
    usable = variables is not NO_KEY
    arguments = {**REQUIRED[name], **options[name]}
    if not usable:
        arguments.pop("model", None)
    async with open_session(settings_for(tmp_path, **variables)) as session:
        text = await prompt_text(session, name, **arguments)
        for call in calls_in(text):
            dry = await session.generate(fill_placeholders(call), dry_run=True)
            assert dry.job.model == call.get("model", dry.job.model)
    assert bool(calls_in(text)) == (usable and name != "rescue_clips")
    assert all(value in text for value in REQUIRED[name].values())
    assert ("sandbox" in text) == (not variables and name != "rescue_clips")
    named = {word for word in re.findall(r"[a-z]+(?:_[a-z]+)+", text) if word.split("_")[0] in _VERBS}
    assert named <= set(tools.BY_NAME)
    assert not re.search(r"\b(MUST|NEVER|ALWAYS|IMPORTANT|DO NOT)\b", text)


_VERBS = {name.split("_")[0] for name in tools.BY_NAME}


@pytest.mark.parametrize(
    ("name", "argument"), [(name, argument) for name, arguments in REQUIRED.items() for argument in arguments]
)
@pytest.mark.parametrize("blank", [None, "", "  "])
async def test_a_missing_argument_is_refused_by_name(
    name: str, argument: str, blank: str | None, tmp_path: Path
) -> None:
    given = {key: value for key, value in REQUIRED[name].items() if key != argument}
    async with open_session(settings_for(tmp_path)) as session:
        refused = await refusal(session, name, **given, **({} if blank is None else {argument: blank}))
    assert refused.code == INVALID_PARAMS
    assert f"{name}: {argument} is missing" in refused.message
    assert refused.data == {"argument": argument}


@pytest.mark.parametrize("name", NAMES)
async def test_an_unknown_argument_is_refused_with_the_known_ones(name: str, tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        refused = await refusal(session, name, **REQUIRED[name], tempo="fast")
    assert refused.code == INVALID_PARAMS
    assert f"{name} has no argument tempo" in refused.message
    assert all(argument in refused.message for argument in OPTIONS[name])


async def test_an_unknown_prompt_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        refused = await refusal(session, "make_me_rich")
    assert refused.code == INVALID_PARAMS
    assert all(name in refused.message for name in NAMES)


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("animate_picture", "action", "x" * 50_001),
        ("animate_picture", "picture", "data:image/png;base64," + "A" * 5000),
        ("compare_models", "prompt", "x" * 50_001),
        ("storyboard", "story", "x" * 20_001),
    ],
)
async def test_a_too_long_argument_is_refused_by_name_and_not_repeated(
    name: str, argument: str, value: str, tmp_path: Path
) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        refused = await refusal(session, name, **{**REQUIRED[name], argument: value})
    assert (refused.code, refused.data) == (INVALID_PARAMS, {"argument": argument})
    assert f"{argument} has {len(value)} characters" in refused.message
    assert len(refused.message) < 300


async def test_an_unreadable_ledger_is_not_blamed_on_the_arguments(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, HAILUO_MCP_DATABASE_URL=f"sqlite:///{tmp_path}")
    async with open_session(settings) as session:
        assert (await refusal(session, "rescue_clips")).code == INTERNAL_ERROR


# --- suggestions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "argument", "given", "values"),
    [
        ("animate_picture", "model", {}, FROM_AN_IMAGE),
        ("animate_picture", "action", {}, []),
        ("animate_picture", "picture", {}, []),
        ("animate_picture", "duration", {}, [str(seconds) for seconds in range(4, 16)]),
        ("animate_picture", "duration", {"model": "aimlapi/hailuo-02"}, ["6", "10"]),
        ("animate_picture", "duration", {"model": "segmind/minimax-hailuo-2"}, []),
        ("animate_picture", "duration", {"model": "sora"}, [str(seconds) for seconds in range(4, 16)]),
        ("animate_picture", "resolution", {}, ["480p", "512p", "768p", "1080p", "2k", "4k"]),
        ("animate_picture", "resolution", {"model": FAST_02}, []),
        ("animate_picture", "resolution", {"model": APIXO}, ["768p", "1080p"]),
        ("storyboard", "model", {}, [model_id for model_id in FROM_AN_IMAGE if not model_id.startswith("apixo/")]),
        ("storyboard", "shots", {}, [str(number) for number in range(1, 13)]),
        ("storyboard", "story", {}, []),
        ("compare_models", "prompt", {}, []),
    ],
)
async def test_sensible_values_are_suggested_for_an_argument(
    name: str, argument: str, given: dict[str, str], values: list[str], tmp_path: Path
) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        assert list(await prompts.suggestions(session, name, argument, given)) == values


async def test_an_image_can_be_the_last_frame_of_any_saved_clip(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        saved = (await session.generate(arguments_for("aimlapi/hailuo-02"))).job
        await session.status(saved.request_id, 10)
        await session.generate(arguments_for(FAST_02))
        for name, argument in (
            ("animate_picture", "picture"),
            ("storyboard", "first_picture"),
            ("compare_models", "picture"),
        ):
            offered = await prompts.suggestions(session, name, argument, {})
            assert list(offered) == [f"last-frame:{saved.request_id}"]
        text = await prompt_text(session, "animate_picture", picture=offered[0], action="it goes on")
        (call,) = calls_in(text)
        assert call["first_frame_image"] == offered[0]
        assert (await session.generate(fill_placeholders(call), dry_run=True)).request


@pytest.mark.parametrize(("name", "argument"), [("rescue_clips", "model"), ("make_me_rich", "model")])
async def test_suggestions_for_an_unknown_argument_or_prompt_are_refused(
    name: str, argument: str, tmp_path: Path
) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        with pytest.raises(MCPError) as refused:
            await prompts.suggestions(session, name, argument, {})
    assert refused.value.code == INVALID_PARAMS
