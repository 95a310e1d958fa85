"""The texts of the prompts: steps with the tools, with models and prices from the catalog and jobs from the ledger."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hailuo_mcp.catalog.catalog import Catalog, Model
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.job import IN_PROCESS, Job, State, utc_now
from hailuo_mcp.core.parameters import PROMPT_MAX
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import price_in_words, repr_short
from hailuo_mcp.mcp.prompts.recipe import Given
from hailuo_mcp.mcp.prompts.suggestions import SHOTS_MAX, chains
from hailuo_mcp.mcp.views import timestamp
from hailuo_mcp.service.input_files import LAST_FRAME
from hailuo_mcp.service.poller import FIND_WINDOW
from hailuo_mcp.service.session import Session

SHOTS = 3
RESCUED_PER_STATE = 50
CAMERA: Mapping[str, str] = {
    "[Push in], [Pull out]": "the camera moves closer or back",
    "[Zoom in], [Zoom out]": "the lens zooms, the camera stays",
    "[Pan left], [Pan right]": "the camera turns sideways",
    "[Tilt up], [Tilt down]": "the camera turns up or down",
    "[Truck left], [Truck right]": "the camera moves sideways",
    "[Pedestal up], [Pedestal down]": "the camera rises or sinks",
    "[Tracking shot]": "the camera follows the subject",
    "[Shake]": "held in the hand",
    "[Static shot]": "the camera does not move",
}
"""MiniMax API reference."""


def _number_of_shots(given: Given) -> int:
    text = given.get("shots", str(SHOTS))
    number = int(text) if text.isascii() and text.isdigit() else 0  # its length is limited by the argument
    if not 1 <= number <= SHOTS_MAX:
        raise InvalidInput(f"shots must be a whole number from 1 to {SHOTS_MAX}, got {repr_short(text)}.", "")
    return number


def _picked(given: Given, *names: str) -> dict[str, str]:
    return {name: given[name] for name in names if name in given}


def _price(spec: ModelSpec) -> str:
    price = spec.price()
    if price is None:
        return "price not published"
    return f"{price_in_words(price.usd, price.kind)} a clip ({price.source}, {price.as_of.isoformat()})"


def _facts(spec: ModelSpec) -> str:
    seconds = spec.typical_seconds()
    time = f"usually {seconds:.0f} s" if seconds else "time not published"
    return f"{spec.id}: {spec.summary}; {_price(spec)}; {time}"


def _cheapest(specs: Sequence[ModelSpec]) -> ModelSpec:
    return min(specs, key=lambda spec: price.usd if (price := spec.price()) else float("inf"))


def _accepted(model: Model, arguments: Mapping[str, Any]) -> ModelSpec | None:
    try:
        return model.parse(arguments)
    except InvalidInput:
        return None


def _call(**arguments: Any) -> str:
    return json.dumps(arguments, ensure_ascii=False)


def _camera() -> list[str]:
    return [
        "Camera commands go in square brackets at the place in the prompt where the move happens:",
        *(f"- {commands}: {meaning}" for commands, meaning in CAMERA.items()),
        "Up to three in one bracket happen together, as in [Pan left, Pedestal up]; brackets happen one after another. "
        "Example: a red kite rises over the bay [Push in], then turns into the wind [Pan right].",
    ]


def _house_rules(session: Session) -> list[str]:
    lines = [
        "A clip takes one to nine minutes and is paid for when it is submitted. Never submit a job again because an "
        "answer was slow or unclear: list_jobs shows whether it exists.",
    ]
    if session.settings.in_sandbox:
        lines.append(
            "This is the sandbox: the clips are previews and nothing is charged; the prices are the real ones."
        )
    return lines


def _no_model(catalog: Catalog) -> list[str]:
    return [f"No model is usable here: no gateway key is set. {catalog.how_to_get_keys()} Tell the user this first."]


_POLL = (
    "get_status with the request_id and wait_seconds as the last answer says, again and again until the state is "
    "completed or failed; a wait that runs out is not a failure"
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
    options = _picked(given, "duration", "resolution")
    asked = {"prompt": given["action"], "first_frame_image": given["picture"], **options}
    spec = catalog.parse(given.get("model"), asked).spec
    why = "as the user chose" if "model" in given else "the cheapest usable model that takes this"
    sent = {name: value for name, value in spec.to_dict().items() if name in options}
    arguments = _call(model=spec.id, prompt="<the prompt>", first_frame_image=given["picture"], **sent)
    return [
        *task,
        f"Model, {why}: {_facts(spec)}",
        "",
        f"1. Write the prompt, at most {PROMPT_MAX} characters: what moves and how, from the picture onward, with the "
        "camera commands below where they help. The picture shows what things look like; the prompt need not.",
        f"2. Call generate_video with {arguments} and dry_run true. Nothing is sent. Tell the user the price, and go "
        "on once they agree.",
        "3. Call generate_video with the same arguments without dry_run. It answers in seconds with a request_id; tell "
        "it to the user.",
        f"4. Call {_POLL}.",
        "5. Completed: give the user video_path, or video_url with its expires_at; download_video saves the clip. "
        "Failed: tell the user the error, its hint, and whether it was charged.",
        "",
        *_camera(),
        "",
        *_house_rules(session),
    ]


async def storyboard(session: Session, given: Given) -> list[str]:
    shots, picture = _number_of_shots(given), given.get("first_picture")
    catalog = session.catalog
    task = [
        f"Tell a story in {shots} {'shot' if shots == 1 else 'shots'}, one video job each.",
        "",
        f"Story: {given['story']}",
        f"First picture: {picture or 'none was given'}",
    ]
    models = [catalog.model(given["model"])] if "model" in given else catalog.usable
    if not models:
        return [*task, "", *_no_model(catalog)]
    start = {"first_frame_image": picture} if picture else {}
    chaining = [model for model in models if chains(catalog, model)]
    opening = [spec for model in chaining or models if (spec := _accepted(model, {"prompt": "x", **start}))]
    later = [spec for model in chaining if (spec := _accepted(model, {"prompt": "x", "first_frame_image": LAST_FRAME}))]
    plan = [
        f"1. Write the shots with the user: for each one prompt of at most {PROMPT_MAX} characters, with the camera "
        "commands below where they help. Each clip is a few seconds long: one action a shot."
    ]
    if chaining:
        best = _cheapest(opening or later)
        start = start if opening else {"first_frame_image": "<first picture>"}
        first = _call(model=best.id, prompt="<shot 1>", **start)
        following = _call(model=best.id, prompt="<shot 2>", first_frame_image=f"{LAST_FRAME}<request_id of shot 1>")
        task += [f"Model for all shots, so that they look alike: {_facts(best)}", *_total(best, shots)]
        others = [spec for spec in later if spec.id != best.id]
        task += [f"Can also continue from an earlier shot: {_facts(spec)}" for spec in others]
        chain = [
            "4. Wait: call " + _POLL + ". Then call download_video, so that its last frame is available.",
            f"5. Submit shot 2 with {following}: it starts where shot 1 ended. Wait for it and save it, and so on, one "
            "shot after another. This needs the media extra on the server; the refusal says so where it is missing.",
        ]
        if not opening:
            plan.append("   The first shot needs a picture to start from: ask the user for one.")
    else:
        names = ", ".join(model.id for model in models)
        first = _call(prompt="<shot 1>", first_frame_image=picture or "<web address of its picture>")
        task.append(f"Models: {'; '.join(_facts(spec) for spec in opening) or names}")
        chain = [
            f"4. Shots cannot continue from one another here: {names} takes pictures only from web addresses. Ask the "
            "user for one picture a shot, pass it as first_frame_image, and submit the shots one by one.",
            f"5. For each: call {_POLL}.",
        ]
    return [
        *task,
        "",
        *plan,
        f"2. Call generate_video for shot 1 with {first} and dry_run true; nothing is sent. Tell the user the price of "
        f"a shot, and of {shots} shots together, and go on once they agree.",
        "3. Submit shot 1 with the same arguments without dry_run, and keep its request_id.",
        *chain,
        "6. If a shot fails, stop: tell the user the error and whether it was charged, and agree on the next step "
        "before anything is submitted again.",
        "7. At the end list the shots in their order: prompt, request_id, video_path, cost.",
        "",
        *_camera(),
        "",
        *_house_rules(session),
    ]


def _total(spec: ModelSpec, shots: int) -> list[str]:
    price = spec.price()
    return [f"Estimate for {shots} such shots: ${price.usd * shots:.2f}"] if price else []


async def compare_models(session: Session, given: Given) -> list[str]:
    picture = given.get("picture")
    start = {"first_frame_image": picture} if picture else {}
    task = [
        "Make the same clip with several models and compare them.",
        "",
        f"Prompt: {given['prompt']}",
        f"Picture: {picture or 'none, from text alone'}",
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
        return [*task, "No usable model takes this:", *refused, "Ask the user for what is missing, then start again."]
    known = [price.usd for spec in specs if (price := spec.price())]
    unknown = len(specs) - len(known)
    total = f"Together about ${sum(known):.2f}" if known else "No price is published"
    total += f", and {unknown} of unknown price" if known and unknown else ""
    example = _call(model=specs[0].id, prompt=given["prompt"], **start)
    return [
        *task,
        "Models that take this, with their defaults:",
        *(f"- {_facts(spec)}" for spec in specs),
        f"{total}.",
        *(["Models that do not:", *refused] if refused else []),
        "",
        f"1. For each model call generate_video with its id, as in {example}, and dry_run true. Nothing is sent.",
        "2. Show the user each model with its price and usual time, and the sum; ask which of them to run.",
        "3. Submit those, one generate_video call each without dry_run, and keep the request_ids. They run at the same "
        "time.",
        f"4. For each: call {_POLL}. Then call download_video.",
        "5. Show a table: model, state, time taken (elapsed_seconds), cost, video_path. Say which differences come "
        "from settings, such as resolution, and leave the judgement of the pictures to the user.",
        "",
        *_house_rules(session),
    ]


async def rescue_clips(session: Session, _: Given) -> list[str]:
    now = utc_now()
    pages = [await session.jobs(state, RESCUED_PER_STATE) for state in State if not state.is_terminal]
    pages.append(await session.jobs(State.COMPLETED, RESCUED_PER_STATE))
    jobs = [job for page in pages for job in page.jobs if job.origin != IN_PROCESS or session.settings.in_sandbox]
    jobs.sort(key=lambda job: _urgency(job, now))
    unsaved = [job for job in jobs if job.state is State.COMPLETED and not job.video_path]
    running = [job for job in jobs if not job.state.is_terminal and now - job.created_at < FIND_WINDOW]
    lines = ["Save the clips that are paid for and not yet on disk, before the gateways drop them.", ""]
    if not unsaved and not running:
        return [
            *lines,
            "The newest jobs in the ledger are all saved or ended. Call list_jobs with limit 50 to make sure, and call "
            "download_video for each completed job without a video_path. Then tell the user that nothing is at risk.",
        ]
    if unsaved:
        lines += ["Completed and not saved, the most urgent first:", *(_at_risk(job, now) for job in unsaved)]
    if running:
        lines += ["Not known to be completed yet:", *(_at_risk(job, now) for job in running)]
    return [
        *lines,
        "",
        "1. For each completed job, in this order, call download_video with its request_id. Saving costs nothing, and "
        "a clip that was saved already is not fetched again.",
        "2. For each of the others call get_status with its request_id; those that turn out completed, save as well. "
        "Do not submit an unconfirmed one again: it may be charged already.",
        "3. Where download_video says that a clip has expired, it has asked the gateway's history already; tell the "
        "user. A new clip is a new charge: do not make one without asking.",
        "4. Call list_jobs with limit 50: are there older completed jobs without a video_path? Save them too.",
        "5. Tell the user what was saved and where, what still runs, and what is lost.",
    ]


def _urgency(job: Job, now: datetime) -> tuple[int, datetime]:
    """Sort key: clips that can still be saved in time, then those with no known time, then those probably lost."""
    if job.expires_at is None:
        return 1, job.created_at
    return (0 if job.expires_at > now else 2), job.expires_at


def _at_risk(job: Job, now: datetime) -> str:
    line = f'- {job.request_id}: {job.state}, submitted {timestamp(job.created_at)}, "{job.excerpt}"'
    if job.expires_at is None:
        return f"{line}; the gateway does not say how long it is kept"
    minutes = int((job.expires_at - now).total_seconds() // 60)
    left = f"in {minutes} minutes" if minutes >= 1 else "within a minute" if job.expires_at > now else "already past"
    return f"{line}; kept until {timestamp(job.expires_at)}, {left}"


# --- the list -----------------------------------------------------------------------------------------------------
