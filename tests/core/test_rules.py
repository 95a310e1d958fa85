"""Specs of models that take references and are priced per second: one such model, from its rules to its request
body."""

from datetime import date
from itertools import product
from typing import Annotated, Any, ClassVar, Literal

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, StrictInt

from hailuo_mcp.core.arguments import present
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.parameters import (
    ANY_CASE,
    AS_TEXT_TOO,
    MINIMAX,
    AspectRatio,
    Constraint,
    Image,
    PromptText,
    References,
)
from hailuo_mcp.core.rules import PriceRule
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways.h3 import RATIO_FILLS, input_rules, media_rules, ratio_rules
from tests.core.models import accepts

IMAGE, VIDEO, AUDIO = "https://h/x.png", "clip:minimax/h3/7", "~/voice.mp3"
RATIOS = ("adaptive", "16:9", "9:16")


class Film(ModelSpec):
    id = "x/film"
    remote_name = "film-1"
    summary = "text, image, video, audio to video"
    documented_at = "https://example.com"
    rules = (*input_rules(MINIMAX), *ratio_rules(MINIMAX))
    fills = RATIO_FILLS
    media = media_rules(MINIMAX)
    wire_forms: ClassVar = {"duration": "text", "resolution": "upper", "last_frame_image": "list"}
    prices = (
        PriceRule(
            0.13,
            "exact",
            "a page",
            date(2026, 11, 1),
            when={"resolution": ("2k", "4k")},
            per="second",
            charges_videos=True,
            usd_per_image=0.04,
            free_images=5,
        ),
        PriceRule(0.08, "exact", "a page", date(2026, 11, 1), per="second"),
    )

    prompt: Annotated[PromptText, Field(max_length=7000), Constraint(MINIMAX, "1–7000 characters")]
    first_frame_image: Annotated[Image | None, Constraint(MINIMAX, "optional")] = None
    last_frame_image: Annotated[Image | None, Constraint(MINIMAX, "optional")] = None
    reference_images: Annotated[References | None, Field(max_length=9), Constraint(MINIMAX, "at most 9")] = None
    reference_videos: Annotated[References | None, Field(max_length=3), Constraint(MINIMAX, "at most 3")] = None
    reference_audios: Annotated[References | None, Field(max_length=3), Constraint(MINIMAX, "at most 3")] = None
    duration: Annotated[StrictInt, Field(ge=4, le=15), AS_TEXT_TOO, Constraint(MINIMAX, "4–15")] = 5
    resolution: Annotated[Literal["768p", "2k", "4k"], ANY_CASE, Constraint(MINIMAX, "768p, 2k or 4k")] = "768p"
    aspect_ratio: Annotated[AspectRatio | None, Constraint(MINIMAX, "16:9 from text")] = None


SCHEMA: Any = jsonschema.Draft202012Validator(Film.full_schema())


def test_the_schema_has_plain_lists_and_bounds() -> None:
    jsonschema.Draft202012Validator.check_schema(Film.full_schema())
    properties = Film.property_schemas()
    assert {k: v for k, v in properties["reference_images"].items() if k != "description"} == {
        "type": "array",
        "minItems": 1,
        "maxItems": 9,
        "items": {"type": "string", "minLength": 1},
    }
    assert (properties["duration"]["minimum"], properties["duration"]["maximum"]) == (4, 15)
    assert properties["prompt"]["maxLength"] == 7000


def test_schema_and_parse_agree_on_combinations_of_inputs() -> None:
    counts = {True: 0, False: 0}
    for first, last, images, videos, audios, ratio in product(
        (None, IMAGE), (None, IMAGE), (0, 1, 7, 8, 9, 10), (0, 1, 2, 3, 4), (0, 1, 2, 3), (None, *RATIOS)
    ):
        given_lists = {"reference_images": [IMAGE] * images, "reference_videos": [VIDEO] * videos}
        given_lists["reference_audios"] = [AUDIO] * audios
        given = {"first_frame_image": first, "last_frame_image": last, "aspect_ratio": ratio, **given_lists}
        call = {"prompt": "x", **{name: value for name, value in given.items() if value}}
        accepted = accepts(Film, call)
        counts[accepted] += 1
        assert SCHEMA.is_valid(call) == accepted, call
    assert min(counts.values()) > 50


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 3, 4, 15, 16, 4.5, [], {}, "", "2k", [""], [7], [IMAGE], [IMAGE] * 4, "16:9", "x"]
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([*Film.model_fields]), JUNK, max_size=4))
def test_the_schema_accepts_exactly_what_parse_accepts(more: dict[str, Any]) -> None:
    call = {"prompt": "x", **more}
    assert SCHEMA.is_valid(present(call)) == accepts(Film, call)


@pytest.mark.parametrize(
    ("more", "message", "hint"),
    [
        ({"duration": 3}, "duration must be a whole number from 4 to 15, got 3", "whole number from 4 to 15"),
        ({"duration": "five"}, "duration must be a whole number from 4 to 15", "Pass duration"),
        ({"resolution": "1080p"}, "resolution must be 768p or 2k or 4k", "768p"),
        ({"prompt": "x" * 7001}, "prompt has 7001 characters; at most 7000 are possible", "Shorten"),
        ({"reference_images": [IMAGE] * 10}, "reference_images has 10 entries; x/film takes at most 9", "fewer"),
        ({"reference_images": [IMAGE, ""]}, "reference_images[1] is empty", "file path"),
        ({"reference_images": [IMAGE, 7]}, "reference_images[1] must be a string, got 7", "as a string"),
        ({"reference_images": IMAGE}, "reference_images must be a list of strings", "as a list of strings"),
        (
            {"reference_images": [IMAGE], "first_frame_image": IMAGE},
            "first_frame_image/last_frame_image with reference_images/",
            "frames or references, not both",
        ),
        (
            {"reference_audios": [AUDIO]},
            "reference_audios without reference_images or reference_videos is not available",
            "to the audio",
        ),
        (
            {"reference_images": [IMAGE] * 9, "reference_videos": [VIDEO] * 3, "reference_audios": [AUDIO]},
            "more than 12 of reference_images, reference_videos, reference_audios together",
            "at most 12 references",
        ),
        ({"aspect_ratio": "adaptive"}, "aspect_ratio=adaptive without first_frame_image", "such as 16:9"),
        (
            {"aspect_ratio": "1:1", "last_frame_image": IMAGE},
            "last_frame_image with aspect_ratio",
            "leave aspect_ratio",
        ),
    ],
)
def test_a_refusal_names_the_value_and_the_fix(more: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Film.parse({"prompt": "x", **more})
    assert message in refused.value.problem.message
    assert hint in refused.value.problem.hint


@pytest.mark.parametrize(
    ("more", "ratio"),
    [
        ({}, "16:9"),
        ({"aspect_ratio": "9:16"}, "9:16"),
        ({"first_frame_image": IMAGE}, "adaptive"),
        ({"last_frame_image": IMAGE}, "adaptive"),
        ({"reference_images": [IMAGE]}, "adaptive"),
        ({"reference_videos": [VIDEO], "aspect_ratio": "1:1"}, "1:1"),
    ],
)
def test_a_value_that_depends_on_others_is_filled_in_and_recorded(more: dict[str, Any], ratio: str) -> None:
    spec = Film.parse({"prompt": "x", **more})
    assert spec.to_dict()["aspect_ratio"] == ratio
    assert Film.parse(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("more", "videos", "usd", "kind"),
    [
        ({}, None, 0.4, "exact"),
        ({"duration": 15}, None, 1.2, "exact"),
        ({"reference_videos": [VIDEO]}, None, 0.4, "exact"),
        ({"resolution": "2K"}, None, 0.65, "exact"),
        ({"resolution": "2k", "reference_videos": [VIDEO]}, None, 2.6, "upper bound"),
        ({"resolution": "4k", "reference_videos": [VIDEO, VIDEO]}, 7, 1.56, "exact"),
        ({"resolution": "2k", "reference_images": [IMAGE] * 5}, None, 0.65, "exact"),
        ({"resolution": "2k", "reference_images": [IMAGE] * 8}, None, 0.77, "exact"),
        ({"resolution": "2k", "first_frame_image": IMAGE, "last_frame_image": IMAGE}, None, 0.65, "exact"),
    ],
)
def test_a_price_is_computed_per_second_and_per_reference(
    more: dict[str, Any], videos: float | None, usd: float, kind: str
) -> None:
    price = Film.parse({"prompt": "x", **more}).price(videos)
    assert price
    assert (price.usd, price.kind) == (usd, kind)
    assert Film.price_range() == (0.32, 1.95)


def test_a_value_is_sent_in_the_form_the_gateway_expects() -> None:
    body = Film.parse({"prompt": "x", "resolution": "2K", "last_frame_image": IMAGE}).to_body()
    assert body == {
        "prompt": "x",
        "duration": "5",
        "resolution": "2K",
        "last_frame_image": [IMAGE],
        "aspect_ratio": "adaptive",
    }


def test_every_limit_on_media_files_is_listed() -> None:
    rules = {row["parameter"]: row["rule"] for row in Film.constraints()}
    assert rules["reference_videos"].endswith("2–15 s each, 15 s together, 23.976–60 fps")
    assert "256–5760 px a side, ratio 0.4–2.5" in rules["first_frame_image, last_frame_image, reference_images"]
