"""The texts of the prompts that make clips: steps with the tools, with models and prices from the catalog."""

import json
import math
from collections.abc import Mapping
from typing import Any

from hailuo_mcp.catalog.catalog import Catalog, Model
from hailuo_mcp.catalog.names import shortest_description
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import format_price, repr_short
from hailuo_mcp.mcp.prompts.recipe import Given
from hailuo_mcp.mcp.prompts.suggestions import SHOTS_MAX, chains, prompt_max
from hailuo_mcp.service.input_files import LAST_FRAME
from hailuo_mcp.service.session import Session

SHOTS = 3
CAMERA: Mapping[str, str] = {
    "[Push in], [Pull out]": "the camera moves closer or back",
    "[Zoom in], [Zoom out]": "the lens zooms, the camera stays",
    "[Pan left], [Pan right]": "the camera turns sideways",
    "[Tilt up], [Tilt down]": "the camera turns up or down",
    "[Truck left], [Truck right]": "the camera moves sideways",
    "[Pedestal up], [Pedestal down]": "the camera rises or sinks",
    "[Tracking shot]": "the camera follows the subject",
    "[Shake]": "handheld camera",
    "[Static shot]": "the camera does not move",
}
"""From MiniMax's API reference."""


def _number_of_shots(given: Given) -> int:
    text = given.get("shots", str(SHOTS))
    number = int(text) if text.isascii() and text.isdigit() else 0  # its length is limited by the argument
    if not 1 <= number <= SHOTS_MAX:
        raise InvalidInput(f"shots must be a whole number from 1 to {SHOTS_MAX}, got {repr_short(text)}.", "")
    return number


def _price(spec: ModelSpec) -> str:
    price = spec.price()
    if price is None:
        return "price not published"
    return f"{format_price(price.usd, price.kind)} a clip ({price.source}, {price.as_of.isoformat()})"


def _facts(spec: ModelSpec) -> str:
    seconds = spec.typical_seconds()
    time = f"usually {seconds:.0f} s" if seconds else "time not published"
    return f"{spec.id}: {spec.summary}; {_price(spec)}; {time}"


def _usd(spec: ModelSpec) -> float:
    """The price of a clip, for comparisons; infinite if it is not published."""
    price = spec.price()
    return price.usd if price else math.inf


def _accepted(model: Model, arguments: Mapping[str, Any]) -> ModelSpec | None:
    try:
        return model.parse(arguments)
    except InvalidInput:
        return None


def _call(**arguments: Any) -> str:
    return json.dumps(arguments, ensure_ascii=False)


def _camera(catalog: Catalog) -> list[str]:
    usable = [model.id for model in catalog.usable]
    without = shortest_description([model.id for model in catalog.usable if model.camera_commands is None], usable)
    return [
        "Camera commands go in square brackets at the place in the prompt where the move happens:",
        *(f"- {commands}: {meaning}" for commands, meaning in CAMERA.items()),
        "Up to three in one bracket happen together, as in [Pan left, Pedestal up]; brackets happen one after another. "
        "Example: a red kite rises over the bay [Push in], then turns into the wind [Pan right].",
        *([f"They are not documented for {', '.join(without)}: describe moves in plain text."] if without else []),
    ]


def _common_rules(session: Session) -> list[str]:
    lines = [
        "A clip takes one to nine minutes and is paid for when it is submitted. Never submit a job again because an "
        "answer was slow or unclear: list_jobs shows whether it exists."
    ]
    if session.settings.in_sandbox:
        lines.append(
            "This is the sandbox: the clips are previews and nothing is charged; the prices are the real ones."
        )
    return lines


def _no_model(catalog: Catalog) -> list[str]:
    return [f"No model is usable here: no gateway key is set. {catalog.how_to_get_keys()} Tell the user this first."]


_POLL = (
    "get_status with the request_id, and wait_seconds as in the last result, until the state is completed or failed; a "
    "wait that runs out is not a failure"
)


# --- the texts ----------------------------------------------------------------------------------------------------


async def animate_picture(session: Session, given: Given) -> list[str]:
    task = [
        "Animate a picture into a video clip.",
        "",
        f"Picture: {given['picture']}",
        f"What should happen: {given['action']}",
    ]
    catalog = session.catalog
    if not catalog.usable:
        return [*task, "", *_no_model(catalog)]
    options = {name: given[name] for name in ("duration", "resolution") if name in given}
    given_arguments = {"prompt": given["action"], "first_frame_image": given["picture"], **options}
    spec = catalog.parse(given.get("model"), given_arguments).spec
    why = "as the user chose" if "model" in given else "the cheapest usable model that accepts this"
    sent = {name: value for name, value in spec.to_dict().items() if name in options}
    arguments = _call(model=spec.id, prompt="<the prompt>", first_frame_image=given["picture"], **sent)
    return [
        *task,
        f"Model, {why}: {_facts(spec)}",
        "",
        f"1. Write the prompt, at most {prompt_max([type(spec)])} characters: what moves and how, from the picture "
        "onward, with the camera commands below where they help. The picture shows what things look like; the prompt "
        "need not.",
        f"2. Call generate_video with {arguments} and dry_run true. Nothing is sent. Tell the user the price, and "
        "continue once they agree.",
        "3. Call generate_video with the same arguments without dry_run. It returns a request_id within seconds; tell "
        "the user.",
        f"4. Call {_POLL}.",
        "5. Completed: give the user video_path, or video_url with its expires_at; download_video saves the clip. "
        "Failed: tell the user the error, its hint, and whether it was charged.",
        "",
        *_camera(catalog),
        "",
        *_common_rules(session),
    ]


async def storyboard(session: Session, given: Given) -> list[str]:
    shots, picture = _number_of_shots(given), given.get("first_picture")
    catalog = session.catalog
    task = [
        f"Tell a story in {shots} {'shot' if shots == 1 else 'shots'}, one video job each.",
        "",
        f"Story: {given['story']}",
        f"First picture: {picture or 'none'}",
    ]
    models = [catalog.model(given["model"])] if "model" in given else catalog.usable
    if not models:
        return [*task, "", *_no_model(catalog)]
    start = {"first_frame_image": picture} if picture else {}
    chaining = [model for model in models if chains(catalog, model)]
    opening = [spec for model in chaining or models if (spec := _accepted(model, {"prompt": "x", **start}))]
    later = [spec for model in chaining if (spec := _accepted(model, {"prompt": "x", "first_frame_image": LAST_FRAME}))]
    best = min(opening or later, key=_usd) if chaining else None
    longest = prompt_max([type(best)] if best else models)
    plan = [
        f"1. Write the shots with the user: for each one prompt of at most {longest} characters, with the camera "
        "commands below where they help. Each clip is a few seconds long: one action per shot."
    ]
    if best:
        start = start if opening else {"first_frame_image": "<first picture>"}
        first = _call(model=best.id, prompt="<shot 1>", **start)
        following = _call(model=best.id, prompt="<shot 2>", first_frame_image=f"{LAST_FRAME}<request_id of shot 1>")
        task.append(f"Model for all shots, so that they look alike: {_facts(best)}")
        if price := best.price():
            task.append(f"Estimate for {shots} such shots: ${price.usd * shots:.2f}")
        others = [spec for spec in later if spec.id != best.id]
        task += [f"Can also continue from an earlier shot: {_facts(spec)}" for spec in others]
        chain = [
            "4. Wait: call " + _POLL + ". Then call download_video, so that its last frame is available.",
            f"5. Submit shot 2 with {following}: it starts where shot 1 ended. Wait for it and save it, and so on, one "
            "shot after another. This needs the media extra on the server; the error says so if it is missing.",
        ]
        if not opening:
            plan.append("   The first shot needs a picture to start from: ask the user for one.")
    else:
        names = ", ".join(model.id for model in models)
        first = _call(prompt="<shot 1>", first_frame_image=picture or "<web address of its picture>")
        task.append(f"Models: {'; '.join(_facts(spec) for spec in opening) or names}")
        chain = [
            f"4. Shots cannot continue from one another here: {names} takes pictures only from web addresses. Ask the "
            "user for one picture per shot, pass it as first_frame_image, and submit the shots one by one.",
            f"5. For each: call {_POLL}.",
        ]
    return [
        *task,
        "",
        *plan,
        f"2. Call generate_video for shot 1 with {first} and dry_run true; nothing is sent. Tell the user the price of "
        f"a shot, and of {shots} shots together, and continue once they agree.",
        "3. Submit shot 1 with the same arguments without dry_run, and keep its request_id.",
        *chain,
        "6. If a shot fails, stop: tell the user the error and whether it was charged, and agree on the next step "
        "before anything is submitted again.",
        "7. At the end, list the shots in order: prompt, request_id, video_path, cost.",
        "",
        *_camera(catalog),
        "",
        *_common_rules(session),
    ]


async def compare_models(session: Session, given: Given) -> list[str]:
    picture = given.get("picture")
    start = {"first_frame_image": picture} if picture else {}
    task = [
        "Make the same clip with several models and compare them.",
        "",
        f"Prompt: {given['prompt']}",
        f"Picture: {picture or 'none, text only'}",
        "",
    ]
    catalog = session.catalog
    if not catalog.usable:
        return [*task, *_no_model(catalog)]
    specs: list[ModelSpec] = []
    refused: list[str] = []
    for model in catalog.usable:
        try:
            specs.append(model.parse({"prompt": given["prompt"], **start}))
        except InvalidInput as refusal:
            refused.append(f"- {model.id}: {refusal.problem.message}")
    if not specs:
        return [*task, "No usable model accepts this:", *refused, "Ask the user for what is missing, then start again."]
    known = [price.usd for spec in specs if (price := spec.price())]
    unknown = len(specs) - len(known)
    total = f"Together about ${sum(known):.2f}" if known else "No price is published"
    total += f", and {unknown} of unknown price" if known and unknown else ""
    example = _call(model=specs[0].id, prompt=given["prompt"], **start)
    return [
        *task,
        "Models that accept this, with their defaults:",
        *(f"- {_facts(spec)}" for spec in specs),
        f"{total}.",
        *(["Models that do not:", *refused] if refused else []),
        "",
        f"1. For each model call generate_video with its id, as in {example}, and dry_run true. Nothing is sent.",
        "2. Show the user each model with its price and usual time, and the total; ask which of them to run.",
        "3. Submit those, one generate_video call each without dry_run, and keep the request_ids. They run at the same "
        "time.",
        f"4. For each: call {_POLL}. Then call download_video.",
        "5. Show a table: model, state, time taken (elapsed_seconds), cost, video_path. Say which differences come "
        "from settings, such as resolution, and let the user judge the pictures.",
        "",
        *_common_rules(session),
    ]
