"""The text of each prompt: the models, prices and steps in it."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mcp_types import INVALID_PARAMS

from hailuo_mcp.core.job import State, utc_now
from hailuo_mcp.mcp.prompts.texts import CAMERA
from hailuo_mcp.sandbox import preview
from tests.mcp.calling import APIXO, FAST_02
from tests.mcp.prompting import NAMES, NO_KEY, OPTIONS, REQUIRED, calls_in, prompt_text, refusal
from tests.mcp.stored import stored_job
from tests.support import KEYS, MODEL_IDS, PICTURE, arguments_for, open_session, says, settings_for, wired

S2V_01 = "minimax/s2v-01"

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
    assert all(f"- {model_id}: " in included for model_id in MODEL_IDS if model_id != S2V_01)
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
