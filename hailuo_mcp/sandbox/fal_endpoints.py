"""fal's Hailuo endpoints: the input of each, and the clip that an input asks for."""

from collections.abc import Mapping
from typing import cast

from hailuo_mcp.sandbox import body
from hailuo_mcp.sandbox.body import Field, Invalid
from hailuo_mcp.sandbox.jobs import Shot

Values = Mapping[str, object]
_SIDES = {"480P": 480, "512P": 512, "768P": 768, "2K": 1440, "4K": 2160}
_PROMPT = {"prompt": Field(body.prompt, required=True), "prompt_optimizer": Field(body.boolean)}
_LENGTH = {"duration": Field(body.one_of("6", "10"))}
_IMAGE = {"image_url": Field(body.web_url, required=True)}
_FRAMES = {
    **_IMAGE,
    "end_image_url": Field(body.nullable(body.web_url)),
    "resolution": Field(body.one_of("512P", "768P")),
}
_REFERENCES = {"reference_image_urls": 9, "reference_video_urls": 3, "reference_audio_urls": 3}


def _h3(app: str, *resolutions: str) -> Mapping[str, Mapping[str, Field]]:
    """The three endpoints of an H3 model."""
    common = {
        "prompt": Field(body.prompt_of(7000), required=True),
        "duration": Field(body.between(5, 15)),
        "resolution": Field(body.one_of(*resolutions)),
        "prompt_expansion_mode": Field(body.one_of("disabled", "balanced", "quality")),
        "seed": Field(body.integer),
    }
    return {
        f"{app}/text-to-video": {**common, "aspect_ratio": Field(body.one_of(*body.RATIOS))},
        f"{app}/image-to-video": {**common, **_IMAGE, "end_image_url": Field(body.web_url)},
        f"{app}/reference-to-video": {
            **common,
            "aspect_ratio": Field(body.one_of("adaptive", *body.RATIOS)),
            **{name: Field(body.list_of(body.web_url, most)) for name, most in _REFERENCES.items()},
        },
    }


FIELDS: Mapping[str, Mapping[str, Field]] = {
    "fal-ai/minimax/hailuo-02/standard/text-to-video": {**_PROMPT, **_LENGTH},
    "fal-ai/minimax/hailuo-02/standard/image-to-video": {**_PROMPT, **_LENGTH, **_FRAMES},
    "fal-ai/minimax/hailuo-02/pro/text-to-video": _PROMPT,
    "fal-ai/minimax/hailuo-02/pro/image-to-video": {**_PROMPT, **_IMAGE},
    "fal-ai/minimax/hailuo-2.3/standard/text-to-video": {**_PROMPT, **_LENGTH},
    "fal-ai/minimax/hailuo-2.3/standard/image-to-video": {**_PROMPT, **_LENGTH, **_IMAGE},
    "fal-ai/minimax/hailuo-2.3/pro/text-to-video": _PROMPT,
    "fal-ai/minimax/hailuo-2.3/pro/image-to-video": {**_PROMPT, **_IMAGE},
    "fal-ai/minimax/hailuo-2.3-fast/standard/image-to-video": {**_PROMPT, **_LENGTH, **_IMAGE},
    "fal-ai/minimax/hailuo-2.3-fast/pro/image-to-video": {**_PROMPT, **_IMAGE},
    **_h3("minimax/h3", "480P", "768P", "2K", "4K"),
    **_h3("minimax/h3-max", "480P", "768P"),
}
"""Endpoint to the fields of its input."""
APPS = tuple(dict.fromkeys("/".join(endpoint.split("/")[:2]) for endpoint in FIELDS))


def check(endpoint: str, given: object) -> None:
    """Raises `Invalid`."""
    values = body.read_fields(given, FIELDS[endpoint])
    if endpoint.endswith("/reference-to-video"):
        count = body.count_references(values, _REFERENCES)
        if sum(count.values()) == count["reference_audio_urls"]:
            raise Invalid("an image or a video is required, alone or with the audio")


def shot(endpoint: str, values: Values) -> Shot:
    """The clip that an input asks for; the input may be invalid."""

    def text(name: str) -> str | None:
        value = values.get(name)
        first = cast("list[object]", value)[:1] if isinstance(value, list) else [value]
        return first[0] if first and isinstance(first[0], str) and first[0] else None

    side = 1080 if "/pro/" in endpoint else _SIDES.get(text("resolution") or "", 768)
    opening, prompt = text("image_url") or text("reference_image_urls"), text("prompt") or ""
    if "/h3" not in endpoint:
        seconds = 10 if values.get("duration") == "10" else 6
        return Shot(prompt, seconds, side, first=opening, last=text("end_image_url"))
    duration, ratio = values.get("duration"), text("aspect_ratio")
    seconds = duration if isinstance(duration, int) and duration in range(5, 16) else 5
    shape = ratio if ratio in body.RATIOS else None if opening else "16:9"
    return Shot(prompt, seconds, side, opening, text("end_image_url"), ratio=shape, sound=True)
