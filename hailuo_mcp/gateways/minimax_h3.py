"""MiniMax's second API, for H3: the bodies that it accepts and the tasks that it returns. `Minimax` sends the requests.

Errors are HTTP statuses here. A task contains its link and its usage, but no prompt.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from hailuo_mcp.core.job import Job, State
from hailuo_mcp.core.parameters import (
    ANY_CASE,
    AspectRatio,
    CallbackUrl,
    Constraint,
    Image,
    OnPage,
    PromptExpansion,
    Source,
)
from hailuo_mcp.core.rules import PriceRule, TimeRule
from hailuo_mcp.core.spec import ModelSpec, WireForm
from hailuo_mcp.gateways import h3
from hailuo_mcp.gateways.answers import mapping, moment, number

SUBMIT = "/v2/video_generation"
QUERY = "/v2/query/video_generation"
INLINE_BYTES_MAX = 1024 * 1024
"""A larger image is uploaded. A body may have 64 MB, but must be sent within the time limit of a submission."""
_PAGE = Source("documented", "MiniMax API reference of H3, as third parties read it")
_CLIENT = Source("sdk", "MiniMax's own command line")
_INFERRED = Source("inferred", "H3")
_PRICES = "MiniMax pay-as-you-go prices, as third parties read them"
_CALLED_BACK = Constraint(_PAGE, "first sent a challenge to echo within 3 s; unsigned")
_RATIO = Constraint(_CLIENT, "from text 16:9 by default; a frame sets it; with references adaptive by default")
_ROLES: Mapping[str, tuple[str, str]] = {
    "first_frame_image": ("image_url", "first_frame"),
    "last_frame_image": ("image_url", "last_frame"),
    "reference_images": ("image_url", "reference_image"),
    "reference_videos": ("video_url", "reference_video"),
    "reference_audios": ("audio_url", "reference_audio"),
}
"""Parameter to the type and the role of its items in `content`."""


def _price(usd: float, resolution: str) -> PriceRule:
    return PriceRule(
        usd,
        "exact",
        _PRICES,
        date(2026, 10, 24),
        when={"resolution": resolution},
        per="second",
        charges_videos=True,
        usd_per_image=0.04,
        free_images=5,
    )


class H3Body(ModelSpec):
    """A body with all inputs in one list, `content`."""

    camera_commands = None
    wire_names: ClassVar[Mapping[str, str]] = {"aspect_ratio": "ratio"}
    wire_forms: ClassVar[Mapping[str, WireForm]] = {"resolution": "upper"}

    def to_body(self) -> dict[str, Any]:
        body = super().to_body()
        for name in ("prompt", *_ROLES, "prompt_expansion"):
            body.pop(self.wire_name(name), None)
        expansion = getattr(self, "prompt_expansion", None)
        extra = {"extra": {"prompt_expansion_mode": expansion}} if expansion else {}
        return {"model": self.remote_name, "content": [*self._content()], **body, **extra}

    def _content(self) -> Iterator[Mapping[str, Any]]:
        yield {"type": "text", "text": self.prompt}
        for name, (kind, role) in _ROLES.items():
            given = getattr(self, name, None) or ()
            for url in (given,) if isinstance(given, str) else given:
                yield {"type": kind, kind: {"url": url}, "role": role}


class _H3(H3Body, h3.H3):
    """What both models share."""

    documented_at = "https://platform.minimax.io/docs/api-reference/video-generation-h3"
    page = _CLIENT
    rules = (*h3.input_rules(_CLIENT), *h3.ratio_rules(_CLIENT))
    fills = h3.RATIO_FILLS
    media = h3.media_rules(_PAGE)
    times = (TimeRule(120.0),)
    notes = (
        Constraint(_PAGE, "always with sound; a clip may be up to 0.5 s longer than asked for"),
        Constraint(_PAGE, "paid by the second; seconds of reference_videos cost the same, rounded up; frames count"),
    )

    last_frame_image: Annotated[Image | None, OnPage("optional, also alone")] = None
    reference_images: Annotated[h3.UpTo9, OnPage("at most 9")] = None
    reference_videos: Annotated[h3.UpTo3, OnPage("at most 3")] = None
    reference_audios: Annotated[h3.UpTo3, OnPage("at most 3")] = None


class H3(_H3):
    id = "minimax/h3"
    remote_name = "MiniMax-H3"
    prices = (_price(0.08, "768p"), _price(0.13, "2k"))

    prompt: Annotated[h3.PromptUpTo7000, OnPage("1–7,000 characters")]
    duration: Annotated[h3.Seconds4To15, OnPage("4–15 seconds, default 5")] = 5
    resolution: Annotated[Literal["768p", "2k"], ANY_CASE, Constraint(_PAGE, "768p (default) or 2k")] = "768p"
    aspect_ratio: Annotated[AspectRatio | None, _RATIO] = None
    callback_url: Annotated[CallbackUrl | None, _CALLED_BACK] = None


class H3Max(_H3):
    id = "minimax/h3-max"
    remote_name = "MiniMax-H3-Max"
    prices = (_price(0.05, "480p"), _price(0.08, "768p"))
    notes = (*_H3.notes, Constraint(_INFERRED, "limits of references and their prices are those of H3"))

    prompt: Annotated[h3.PromptUpTo7000, Constraint(_INFERRED, "1–7,000 characters")]
    duration: Annotated[h3.Seconds5To15, Constraint(_PAGE, "5–15 seconds, default 5")] = 5
    resolution: Annotated[h3.UpTo768p, Constraint(_PAGE, "480p or 768p (default)")] = "768p"
    aspect_ratio: Annotated[AspectRatio | None, _RATIO] = None
    prompt_expansion: Annotated[
        PromptExpansion | None, Constraint(_PAGE, "disabled, balanced or quality; sent only when asked for")
    ] = None
    callback_url: Annotated[CallbackUrl | None, _CALLED_BACK] = None


STATES = {
    "queued": State.QUEUED,
    "running": State.PROCESSING,
    "succeeded": State.COMPLETED,
    "failed": State.FAILED,
    "expired": State.FAILED,
    "cancelled": State.CANCELLED,
}
SENSITIVE = ("1026", "1027")
"""Codes of a task's error that mean sensitive content."""
_UNKNOWN_TASK = re.compile(r"invalid task[_ ]id|task[_ ]not[_ ]found", re.IGNORECASE)
_CREATED_WITHIN = timedelta(seconds=45)
"""Allows for clock differences and a submission that takes 30 s."""


def status_of(status: int, body: Mapping[str, Any]) -> int:
    """A task that is unknown, or was deleted after 7 days, is refused as a bad request."""
    unknown = status == 400 and _UNKNOWN_TASK.search(str(mapping(body.get("error")).get("message")))
    return 404 if unknown else status


def cost_of(model: type[ModelSpec], task: Mapping[str, Any]) -> float | None:
    """The price of a task, computed from its usage; None if it has none."""
    usage = mapping(task.get("usage"))
    seconds, resolution = number(usage.get("output_seconds")), str(task.get("resolution")).lower()
    rule = next((price for price in model.prices if price.when.get("resolution") == resolution), None)
    if seconds is None or rule is None:
        return None
    seconds = round(seconds) + math.ceil(number(usage.get("input_seconds")) or 0)
    images = max(0, (number(usage.get("input_image_count")) or 0) - rule.free_images)
    return round(rule.usd * seconds + rule.usd_per_image * images, 6)


def is_same(job: Job, task: Mapping[str, Any]) -> bool:
    """Whether a task may be this submission: a task has no prompt, so everything else must match."""
    created = created_at(task)
    ratio = job.body.get("ratio")
    return (
        created is not None
        and abs(created - job.created_at) <= _CREATED_WITHIN
        and all(task.get(name) == job.body.get(name) for name in ("model", "resolution", "duration"))
        and (ratio == "adaptive" or task.get("ratio") == ratio)
    )


def is_older(job: Job, task: Mapping[str, Any]) -> bool:
    """Whether a task is from before this submission."""
    created = created_at(task)
    return created is not None and created < job.created_at - _CREATED_WITHIN


def created_at(task: Mapping[str, Any]) -> datetime | None:
    """The creation time, which may be in seconds or milliseconds, or text."""
    value = task.get("created_at")
    if (seconds := number(value)) is None:
        return moment(value)
    try:
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
