"""Arguments as callers really send them: absent and neutral values, and other names for our parameters."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.parameters import CANONICAL, IMAGE_PARAMETERS, MEDIA_PARAMETERS
from hailuo_mcp.core.text import repr_name, repr_short

REQUIRED = frozenset({"prompt"})
"""What every model requires: an empty value is wrong, not absent."""
NEUTRAL = (False, "auto", "standard")
DEFAULTS: Mapping[str, Any] = {"duration": 6, "prompt_optimizer": True, "aspect_ratio": "adaptive"}
"""The defaults that parameter descriptions state. A caller that fills in every argument sends them even to models
without the parameter."""
GENERATE_ARGUMENTS = frozenset({*CANONICAL, "model", "dry_run", "force_new", "max_cost_usd"})
"""What generate_video accepts, for any model."""

UNKNOWN_NAMES_MAX = 5
"""How many unknown arguments a refusal repeats."""

_ALIASES: Mapping[str, str] = {
    "prompt": "text description text_prompt prompt_text input query message",
    "first_frame_image": "image image_url image_urls images image_path image_file image_base64 image_input input_image "
    "input_image_url input_images start_image start_image_url image_start start_frame start_frame_image "
    "start_frame_url first_frame first_frame_url first_frame_image_url first_image first_image_url init_image "
    "initial_image source_image prompt_image keyframe head_image img img_url picture picture_url photo "
    "photo_url frame file file_path",
    "last_frame_image": "end_image end_image_url image_end end_frame end_frame_image end_frame_url tail_image "
    "tail_image_url image_tail last_image last_image_url last_frame last_frame_url last_frame_image_url final_image "
    "final_frame",
    "duration": "seconds length duration_seconds duration_sec duration_s video_length video_duration clip_length "
    "num_seconds secs",
    "resolution": "size video_resolution video_size output_resolution definition",
    "mode": "tier quality quality_tier",
    "aspect_ratio": "ratio aspect",
    "reference_images": "reference_image reference_image_url reference_image_urls ref_image ref_images",
    "reference_videos": "reference_video reference_video_url reference_video_urls video video_url",
    "reference_audios": "reference_audio reference_audio_url reference_audio_urls audio audio_url",
    "subject_reference": "subject_image subject_image_url character_image character_reference",
    "prompt_optimizer": "enhance_prompt prompt_enhancer optimize_prompt prompt_upsampling prompt_extend",
    "routing": "provider route",
    "callback_url": "webhook webhook_url callback notify_url",
    "model": "model_id model_name engine id name",
    "request_id": "task_id id job_id generation_id video_id prediction_id operation_id task job request",
    "wait_seconds": "wait wait_time wait_for timeout timeout_seconds seconds max_wait",
    "state": "status filter",
    "limit": "n count max max_results page_size num",
    "dry_run": "dryrun validate_only simulate test",
    "max_cost_usd": "max_cost max_price max_usd max_price_usd budget budget_usd price_limit cost_limit",
    "force_new": "force force_submit allow_duplicate ignore_duplicate",
}
"""Argument to its names in other tools and gateways."""
_SECRET_NAME = re.compile(r"key|token|secret|passw|auth|credential", re.IGNORECASE)
"""Names of arguments whose values are never repeated in a message."""
_IMAGE_WORD = re.compile(r"image|img|frame|picture|photo", re.IGNORECASE)
_IMAGE_VALUE = re.compile(r"data:image/|\S+\.(?:jpe?g|png|webp|heic|gif|avif)(?:[?#]\S*)?$", re.IGNORECASE)
_MEDIA_VALUE_MIN = 40
"""A value of this length under a name that contains "image" counts as an image, whatever its form."""


def is_absent(value: object) -> bool:
    """Whether a value counts as not given. Clients that fill in every optional argument send these."""
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def present(arguments: Mapping[str, Any], required: Collection[str] = REQUIRED) -> dict[str, Any]:
    """The arguments without the optional ones whose value counts as not given."""
    return {name: value for name, value in arguments.items() if name in required or not is_absent(value)}


def is_neutral(name: str, value: object) -> bool:
    """Whether a canonical parameter's value asks for nothing beyond what happens without the parameter."""
    if name not in CANONICAL:
        return False
    plain: object = value
    if isinstance(value, str):
        word = value.strip().lower()
        plain = {"true": True, "false": False}.get(word, int(word) if re.fullmatch("[0-9]{1,3}", word) else word)
    return any(type(plain) is type(neutral) and plain == neutral for neutral in (*NEUTRAL, DEFAULTS.get(name)))


@dataclass(frozen=True, slots=True)
class Names:
    """The names of arguments, checked."""

    known: dict[str, Any]
    """The arguments with a known name, or a recognized alias of one."""
    problems: list[tuple[str, str]]
    """The problem and the fix for each of the others."""


def check_names(
    arguments: Mapping[str, Any], accepted: Collection[str], refusal: str, elsewhere: Collection[str] = ()
) -> Names:
    """Separate the accepted arguments from the others. `refusal` begins the sentence about one that is not accepted;
    `elsewhere` are names that may be meant and that another model accepts."""
    names = Names({name: value for name, value in arguments.items() if name in accepted}, [])
    unknown = [name for name in arguments if name not in accepted]
    for name in unknown[:UNKNOWN_NAMES_MAX]:
        value = arguments[name]
        shown = "not shown" if _SECRET_NAME.search(name) else f"given: {repr_short(value)}"
        suggested = intended(name, {*accepted, *elsewhere})
        guess = f"; did you mean {suggested}?" if suggested else ""
        problem = f"{refusal} {repr_name(name)} ({shown}){guess}"
        names.problems.append((problem, _instead(name, value, suggested, arguments)))
        if suggested and suggested in accepted and suggested not in arguments:
            names.known[suggested] = value
    if (more := len(unknown) - UNKNOWN_NAMES_MAX) > 0:
        names.problems.append((f"further unknown arguments: {more}", ""))
    return names


def intended(name: str, accepted: Collection[str]) -> str | None:
    """The accepted argument that this name is an alias of; None if there is none, or if the name is itself a
    parameter."""
    if name in CANONICAL:
        return None
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:80]).lower().replace("-", "_").replace(" ", "_")
    return _nearest(plain, frozenset(accepted))


@lru_cache(maxsize=256)  # a call without a model is checked against every model
def _nearest(name: str, accepted: frozenset[str]) -> str | None:
    if name in accepted:
        return name
    from difflib import get_close_matches  # start-up time: only wrong names need it

    meant = (target for target, aliases in _ALIASES.items() if target in accepted and name in aliases.split())
    return next(meant, None) or next(iter(get_close_matches(name, sorted(accepted), 1, 0.8)), None)


def refuse(problems: Collection[tuple[str, str]]) -> InvalidInput:
    """The error for these problems, each with its fix."""
    hint = "; ".join(dict.fromkeys(fix for _, fix in problems if fix))
    return InvalidInput("; ".join(wrong for wrong, _ in problems), hint[:1].upper() + hint[1:] + "." if hint else None)


def _instead(name: str, value: object, suggested: str | None, given: Mapping[str, Any]) -> str:
    """What to do instead of passing a name that is not accepted. It never suggests leaving an image out: a caller that
    did so would buy a clip without it."""
    if suggested and suggested in given and suggested in IMAGE_PARAMETERS:
        return f"pass one image as {suggested}, not a second as {repr_name(name)}"
    if suggested and suggested in given:
        return f"{suggested} is given already: leave {repr_name(name)} out"
    if suggested:
        return f"instead of {repr_name(name)}, pass it as {suggested}"
    if name in MEDIA_PARAMETERS:
        return f"choose a model that takes {name}"
    if _is_image(name, value):
        return f"pass the image in {repr_name(name)} as first_frame_image, or last_frame_image if the clip ends on it"
    return f"leave {repr_name(name)} out"


def _is_image(name: str, value: object) -> bool:
    """Whether the value of an unknown argument is probably an image."""
    if isinstance(value, dict):
        value = list(cast("dict[str, object]", value).values())
    texts = cast("list[object]", value)[:10] if isinstance(value, list) else [value]
    for head in (text.strip()[:2048] for text in texts if isinstance(text, str)):
        may_be_image = len(head) >= _MEDIA_VALUE_MIN or "/" in head or "\\" in head
        if _IMAGE_VALUE.match(head) or (may_be_image and _IMAGE_WORD.search(name)):
            return True
    return False
