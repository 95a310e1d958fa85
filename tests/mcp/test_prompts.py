"""The prompts: their definitions match committed snapshots, and the calls in their texts work."""

import json
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, TextContent

from hailuo_mcp.app import load_settings
from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.ledger import Budget, SubmitPolicy
from hailuo_mcp.mcp import prompts, tools
from hailuo_mcp.mcp.prompts.texts import CAMERA
from hailuo_mcp.sandbox import preview
from hailuo_mcp.service.poll_policy import POLICY
from hailuo_mcp.service.session import Session
from tests.support import KEYS, MODEL_IDS, PICTURE, arguments_for, open_session, says, settings_for, wired

SNAPSHOTS = Path(__file__).parent / "snapshots" / "prompts"
REWRITE = "SNAPSHOTS=write"
NAMES = ("animate_picture", "storyboard", "compare_models", "rescue_clips")
REQUIRED: Mapping[str, dict[str, str]] = {
    "animate_picture": {"picture": PICTURE, "action": "the kite climbs into the clouds"},
    "storyboard": {"story": "A kite breaks loose, crosses the bay and lands in a tree."},
    "compare_models": {"prompt": "a red kite rises [Push in]"},
    "rescue_clips": {},
}
OPTIONS: Mapping[str, dict[str, str]] = {
    "animate_picture": {"model": "segmind/hailuo-2.3-fast", "duration": "10", "resolution": "768P"},
    "storyboard": {"shots": "5", "first_picture": PICTURE, "model": "aimlapi/hailuo-02"},
    "compare_models": {"picture": PICTURE},
    "rescue_clips": {},
}
ALL = Catalog(GATEWAYS, load_settings({"HAILUO_MCP_SANDBOX": "1"}))
NO_LIMITS = SubmitPolicy(Budget(frozenset()), timedelta(0))
NO_KEY = {"HAILUO_MCP_SANDBOX": "0"}
FAST_02, APIXO, S2V_01 = "segmind/hailuo-02-fast", "apixo/hailuo-2.3-fast", "minimax/s2v-01"
FROM_AN_IMAGE = [model_id for model_id in MODEL_IDS if model_id != S2V_01]


def assert_matches_snapshot(file: Path, defined: object) -> None:
    """Check that a definition equals the committed file."""
    if f"SNAPSHOTS={os.environ.get('SNAPSHOTS', '')}" == REWRITE:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(defined, indent=2, ensure_ascii=False) + "\n")
    assert json.loads(file.read_text()) == defined, f"if this is intended: {REWRITE} uv run pytest tests"


async def prompt_text(session: Session, name: str, **arguments: str) -> str:
    """The text of a prompt."""
    result = await prompts.get(session, name, arguments)
    (message,) = result.messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    return message.content.text


async def refusal(session: Session, name: str, **arguments: str) -> MCPError:
    with pytest.raises(MCPError) as refused:
        await prompts.get(session, name, arguments)
    return refused.value


async def stored_job(session: Session, **facts: Any) -> Job:
    """A job in the ledger with these fields."""
    origin = session.gateways[facts.get("model", FAST_02).split("/")[0]].origin
    fields: dict[str, Any] = {"model": FAST_02, "origin": origin, "parameters": {"prompt": "a red kite"}, **facts}
    job = Job(**fields)
    return (await session.ledger.create_if_absent(job, NO_LIMITS, POLICY.first_poll_at(job))).job


# --- definitions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", prompts.definitions(ALL), ids=NAMES)
def test_a_prompts_definition_matches_its_snapshot(prompt: Any) -> None:
    defined = prompt.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert_matches_snapshot(SNAPSHOTS / f"{prompt.name}.json", defined)
    assert all(argument["title"] and argument["description"] for argument in defined["arguments"])


def test_every_prompt_has_a_snapshot_and_no_snapshot_is_obsolete() -> None:
    assert tuple(prompt.name for prompt in prompts.definitions(ALL)) == NAMES
    assert {file.stem for file in SNAPSHOTS.glob("*.json")} == set(NAMES)


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


def calls_in(text: str) -> list[dict[str, Any]]:
    """The JSON objects in a text, which are arguments of calls."""
    found: list[dict[str, Any]] = []
    for start in re.finditer(r"\{", text):
        value, _ = json.JSONDecoder().raw_decode(text[start.start() :])
        found.append(value)
    return found


def fill_placeholders(call: dict[str, Any]) -> dict[str, Any]:
    """The call with its placeholders filled in, and an image instead of a last frame that does not exist yet."""
    filled = {name: "a kite" if str(value).startswith("<") else value for name, value in call.items()}
    if "first_frame_image" in call and ("<" in call["first_frame_image"]):
        filled["first_frame_image"] = PICTURE
    return filled


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


# --- animate_picture --------------------------------------------------------------------------------------------------


def test_exactly_the_existing_camera_commands_are_explained() -> None:
    explained = {command.lower() for commands in CAMERA for command in re.findall(r"\[([^\]]+)\]", commands)}
    assert explained == set(preview.COMMANDS)


async def test_animate_picture_names_the_cheapest_model_its_price_and_the_steps(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        text = await prompt_text(session, "animate_picture", **REQUIRED["animate_picture"])
    assert f"the cheapest usable model that accepts this: {FAST_02}" in text
    assert "$0.125 a clip (Segmind pricing page" in text
    steps = ["dry_run true", "without dry_run", "get_status", "download_video"]
    assert sorted(steps, key=text.index) == steps
    assert "[Push in], [Pull out]: the camera moves closer or back" in text


async def test_animate_picture_passes_options_in_the_models_form(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        text = await prompt_text(
            session, "animate_picture", **REQUIRED["animate_picture"], **OPTIONS["animate_picture"]
        )
    (call,) = calls_in(text)
    assert call == {
        "model": "segmind/hailuo-2.3-fast",
        "prompt": "<the prompt>",
        "first_frame_image": PICTURE,
        "duration": 10,
        "resolution": "768p",
    }
    assert "as the user chose" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "sora"}, "Usable models: "),
        ({"model": APIXO, "picture": "kite.png"}, "the picture must be an http(s) URL"),
        ({"duration": "3"}, "duration must be"),
        ({"duration": "10", "resolution": "1080p"}, "duration=10 with resolution=1080p"),
        ({"model": FAST_02, "resolution": "1080p"}, "does not take resolution"),
    ],
)
async def test_animate_picture_refuses_options_that_the_model_does_not_accept(
    options: dict[str, str], message: str, tmp_path: Path
) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        refused = await refusal(session, "animate_picture", **{**REQUIRED["animate_picture"], **options})
    assert refused.code == INVALID_PARAMS
    assert message in refused.message


@pytest.mark.parametrize("name", [name for name in NAMES if name != "rescue_clips"])
async def test_without_a_usable_model_a_prompt_says_which_keys_to_set(name: str, tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path, **NO_KEY)) as session:
        text = await prompt_text(session, name, **REQUIRED[name])
    assert all(variable in text for variable in KEYS)


# --- storyboard -------------------------------------------------------------------------------------------------------


async def test_storyboard_from_text_uses_a_model_that_can_continue_a_shot(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        text = await prompt_text(session, "storyboard", **REQUIRED["storyboard"])
    first, second = calls_in(text)
    assert first == {"model": "fal/hailuo-02", "prompt": "<shot 1>"}
    assert second["first_frame_image"] == "last-frame:<request_id of shot 1>"
    assert "3 shots" in text
    assert "Estimate for 3 such shots: $0.81" in text


async def test_storyboard_from_an_image_names_the_cheapest_model_and_the_total(
    tmp_path: Path,
) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        text = await prompt_text(session, "storyboard", story="A kite.", shots="4", first_picture="kite.png")
    first, second = calls_in(text)
    assert (first["model"], first["first_frame_image"]) == (FAST_02, "kite.png")
    assert second["model"] == FAST_02
    assert text.index("Estimate for 4 such shots: $0.50") < text.index("Submit shot 1")


async def test_storyboard_asks_for_an_image_if_the_model_needs_one(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        text = await prompt_text(session, "storyboard", story="A kite.", model=FAST_02)
    assert "The first shot needs a picture to start from" in text
    assert calls_in(text)[0]["first_frame_image"] == "<first picture>"


@pytest.mark.parametrize("more", [{"model": APIXO}, {"first_picture": PICTURE}])
async def test_storyboard_does_not_chain_shots_if_images_must_be_web_addresses(
    more: dict[str, str], tmp_path: Path
) -> None:
    only_apixo = {"APIXO_API_KEY": KEYS["APIXO_API_KEY"]}
    async with open_session(settings_for(tmp_path, **only_apixo)) as session:
        text = await prompt_text(session, "storyboard", story="A kite.", **more)
    assert "last-frame" not in text
    assert "one picture per shot" in text


async def test_storyboard_accepts_a_single_shot(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        assert "in 1 shot," in await prompt_text(session, "storyboard", story="A kite.", shots="1")


@pytest.mark.parametrize("shots", ["0", "13", "-1", "three", "2.5", "²", "9999"])
async def test_storyboard_refuses_an_invalid_number_of_shots(shots: str, tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        refused = await refusal(session, "storyboard", story="A kite.", shots=shots)
    assert refused.code == INVALID_PARAMS
    assert "shots" in refused.message


async def test_storyboard_refuses_an_unknown_model(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        refused = await refusal(session, "storyboard", story="A kite.", model="sora")
    assert refused.code == INVALID_PARAMS
    assert FAST_02 in refused.message


# --- compare_models ---------------------------------------------------------------------------------------------------


async def test_compare_models_lists_prices_and_why_models_are_excluded(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        text = await prompt_text(session, "compare_models", prompt="a kite")
    included, excluded = text.split("Models that do not:")
    assert "segmind/minimax-hailuo-2: text or image (+ last frame) to video; about $0.3875" in included
    assert "aimlapi/hailuo-02: text or image (+ last frame) to video; price not published" in included
    assert "Together about $3.35, and 7 of unknown price." in included
    assert f"- {FAST_02}: first_frame_image is missing" in excluded


async def test_compare_models_includes_all_models_that_accept_an_image_url(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        text = await prompt_text(session, "compare_models", prompt="a kite", picture=PICTURE)
    included, excluded = text.split("Models that do not:")
    assert all(f"- {model_id}: " in included for model_id in FROM_AN_IMAGE)
    assert re.findall(r"^- (\S+): ", excluded, re.MULTILINE) == [S2V_01]
    assert "and 9 of unknown price" in included


async def test_compare_models_says_if_no_price_is_known_or_no_model_fits(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path, HAILUO_MCP_MODELS=APIXO)) as session:
        assert "No price is published." in await prompt_text(
            session, "compare_models", prompt="a kite", picture=PICTURE
        )
        assert "No usable model accepts this" in await prompt_text(session, "compare_models", prompt="a kite")


# --- rescue_clips -----------------------------------------------------------------------------------------------------


async def test_rescue_clips_lists_unsaved_clips_by_urgency_then_running_jobs(tmp_path: Path) -> None:
    now = utc_now()
    link: dict[str, Any] = {"state": State.COMPLETED, "video_url": "https://clips.example/x.mp4"}
    opened, wire = wired(settings_for(tmp_path, **KEYS), says(500))
    async with opened as session:
        await stored_job(session, remote_id="gone", expires_at=now - timedelta(hours=3), **link)
        await stored_job(session, remote_id="later", expires_at=now + timedelta(minutes=40, seconds=5), **link)
        await stored_job(session, remote_id="at-once", expires_at=now + timedelta(seconds=30), **link)
        await stored_job(session, remote_id="soon", expires_at=now + timedelta(minutes=5, seconds=5), **link)
        await stored_job(session, model="aimlapi/hailuo-02", remote_id="id:a/b", **link)
        await stored_job(session, remote_id="saved", video_path="/clips/x.mp4", expires_at=now, **link)
        await stored_job(session, remote_id="waiting", state=State.QUEUED, expires_at=now + timedelta(minutes=59))
        lost = await stored_job(session)
        await stored_job(session, remote_id="failed", state=State.FAILED)
        await stored_job(session, remote_id="old", state=State.PROCESSING, created_at=now - timedelta(days=30))
        text = await prompt_text(session, "rescue_clips")
    listed = re.findall(r"^- (\S+): (\w+)", text, re.MULTILINE)
    assert listed == [
        (f"{FAST_02}/at-once", "completed"),
        (f"{FAST_02}/soon", "completed"),
        (f"{FAST_02}/later", "completed"),
        ("aimlapi/hailuo-02/id:a/b", "completed"),
        (f"{FAST_02}/gone", "completed"),
        (f"{FAST_02}/waiting", "queued"),
        (lost.request_id, "unconfirmed"),
    ]
    for phrase in ("within a minute", "in 5 minutes", "in 40 minutes", "does not say how long", "already past"):
        assert phrase in text
    assert "Do not submit an unconfirmed one again" in text
    assert not wire.requests


async def test_rescue_clips_asks_to_check_the_list_if_nothing_is_at_risk(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        text = await prompt_text(session, "rescue_clips")
        assert "Call list_jobs with limit 50" in text
        job = (await session.generate(arguments_for(FAST_02))).job
        assert job.request_id in await prompt_text(session, "rescue_clips")
        await session.ledger.change(
            job.id, lambda j: j.model_copy(update={"state": State.COMPLETED, "video_path": "/clips/x.mp4"})
        )
        assert await prompt_text(session, "rescue_clips") == text


async def test_rescue_clips_ignores_sandbox_jobs_once_a_key_is_set(tmp_path: Path) -> None:
    async with open_session(settings_for(tmp_path)) as session:
        sandbox_job = (await session.generate(arguments_for(FAST_02))).job
    async with open_session(settings_for(tmp_path, **KEYS)) as session:
        assert sandbox_job.request_id not in await prompt_text(session, "rescue_clips")


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
