"""Parameter specs: what each model accepts and declares."""

from itertools import product
from typing import Any

import pytest

from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.parameters import CANONICAL
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import GATEWAYS
from tests.core.models import EVERY_MODEL, MODELS, PICTURE, accepts, minimal_call

H3_INPUTS = "first_frame_image last_frame_image reference_images reference_videos reference_audios"
OFFICIAL = "duration resolution prompt_optimizer fast_pretreatment callback_url"
PLAIN = "duration resolution prompt_optimizer"
FAL_H3 = f"{H3_INPUTS} duration aspect_ratio prompt_expansion seed callback_url resolution"
PARAMETERS = {
    "segmind/hailuo-02-fast": "prompt! first_frame_image! last_frame_image duration go_fast prompt_optimizer",
    "segmind/hailuo-2.3-fast": f"prompt! first_frame_image! {PLAIN}",
    "segmind/minimax-hailuo-2": "prompt! first_frame_image last_frame_image mode prompt_optimizer",
    "segmind/hailuo-2.3": f"prompt! first_frame_image {PLAIN}",
    "apixo/hailuo-2.3-fast": "prompt! first_frame_image! mode resolution duration routing callback_url",
    "apixo/hailuo-2.3": "prompt! first_frame_image mode resolution duration callback_url",
    "aimlapi/hailuo-02": f"prompt! first_frame_image last_frame_image {PLAIN}",
    "aimlapi/hailuo-2.3": f"prompt! first_frame_image {PLAIN}",
    "aimlapi/hailuo-2.3-fast": f"prompt! first_frame_image! {PLAIN}",
    "aimlapi/h3": f"prompt! {H3_INPUTS} duration resolution aspect_ratio",
    "aimlapi/h3-max": f"prompt! {H3_INPUTS} duration resolution aspect_ratio prompt_expansion seed",
    "minimax/hailuo-2.3": f"prompt! first_frame_image {OFFICIAL}",
    "minimax/hailuo-2.3-fast": f"prompt! first_frame_image! {OFFICIAL}",
    "minimax/hailuo-02": f"prompt! first_frame_image last_frame_image {OFFICIAL}",
    "minimax/h3": f"prompt! {H3_INPUTS} duration resolution aspect_ratio callback_url",
    "minimax/h3-max": f"prompt! {H3_INPUTS} duration resolution aspect_ratio prompt_expansion callback_url",
    "minimax/s2v-01": "prompt! subject_reference! callback_url",
    "fal/hailuo-2.3": f"prompt! first_frame_image {PLAIN} callback_url",
    "fal/hailuo-2.3-fast": f"prompt! first_frame_image! {PLAIN} callback_url",
    "fal/hailuo-02": f"prompt! first_frame_image last_frame_image {PLAIN} callback_url",
    "fal/h3": f"prompt! {FAL_H3}",
    "fal/h3-max": f"prompt! {FAL_H3}",
    "replicate/hailuo-2.3": f"prompt! first_frame_image {PLAIN} callback_url",
    "replicate/hailuo-2.3-fast": f"prompt! first_frame_image! {PLAIN} callback_url",
    "replicate/hailuo-02": f"prompt! first_frame_image last_frame_image {PLAIN} callback_url",
}
"""The parameters of each model, in the order in which models are listed; `!` marks the required ones."""


def test_models_are_listed_by_gateway_in_order() -> None:
    assert list(MODELS) == list(PARAMETERS)


@EVERY_MODEL
def test_each_model_accepts_and_requires_the_documented_parameters(model: type[ModelSpec]) -> None:
    assert " ".join(name + "!" * model.is_required(name) for name in model.model_fields) == PARAMETERS[model.id]
    assert model.id.split("/")[0] in {gateway.name for gateway in GATEWAYS if model in gateway.models}


OFFICIALS = [model_id for model_id in MODELS if model_id.startswith("minimax/hailuo")]
RESELLERS = [model_id for model_id in MODELS if model_id.startswith(("aimlapi/", "fal/", "replicate/"))]
DEFAULTS: dict[str, dict[str, Any]] = {
    "segmind/hailuo-02-fast": {"last_frame_image": None, "duration": 6, "go_fast": False, "prompt_optimizer": True},
    "segmind/hailuo-2.3-fast": {"duration": 6, "resolution": "1080p", "prompt_optimizer": True},
    "segmind/minimax-hailuo-2": {"last_frame_image": None, "mode": "standard", "prompt_optimizer": True},
    "apixo/hailuo-2.3-fast": {"duration": 6},
    **{model_id: {"duration": 6, "resolution": "768p", "prompt_optimizer": True} for model_id in RESELLERS},
    "replicate/hailuo-02": {"duration": 6, "resolution": "1080p", "prompt_optimizer": True},
    **{
        model_id: {"duration": 6, "resolution": "768p", "prompt_optimizer": True, "fast_pretreatment": False}
        for model_id in OFFICIALS
    },
    "minimax/h3": {"duration": 5, "resolution": "768p"},
    "minimax/h3-max": {"duration": 5, "resolution": "768p"},
    "minimax/s2v-01": {},
    "segmind/hailuo-2.3": {"duration": 6, "resolution": "768p", "prompt_optimizer": True},
    "apixo/hailuo-2.3": {},
    "aimlapi/h3": {"duration": 6, "resolution": "2k"},
    "aimlapi/h3-max": {"duration": 5, "resolution": "768p", "prompt_expansion": "balanced"},
    "fal/h3": {"duration": 5, "resolution": "768p"},
    "fal/h3-max": {"duration": 5, "resolution": "768p"},
}


@EVERY_MODEL
def test_the_schema_shows_the_documented_defaults(model: type[ModelSpec]) -> None:
    properties = model.property_schemas()
    assert {name: p["default"] for name, p in properties.items() if "default" in p} == DEFAULTS[model.id]


@EVERY_MODEL
def test_a_property_has_one_plain_type_and_a_description(model: type[ModelSpec]) -> None:
    assert set(model.property_schemas()) == set(model.model_fields) <= set(CANONICAL)
    for name, schema in model.property_schemas().items():
        assert schema["description"] == CANONICAL[name].meaning
        assert not {"anyOf", "oneOf", "allOf", "$ref", "title"} & set(schema)
        assert schema["type"] == (["string", "null"] if model.accepts_null(name) else CANONICAL[name].schema["type"])


@EVERY_MODEL
def test_every_constraint_names_its_source(model: type[ModelSpec]) -> None:
    rows = model.constraints()
    assert {row["parameter"] for row in rows} >= set(model.model_fields)
    assert all(row["source"].split(":")[0] in {"documented", "sdk", "observed", "inferred"} for row in rows)
    assert all(row["rule"] for row in rows)


def test_a_merged_parameter_has_one_flat_type() -> None:
    for name, canonical in CANONICAL.items():
        assert canonical.schema["type"] in {"string", "integer", "boolean", "array"}, name
        assert (canonical.schema.get("items") == {"type": "string"}) == (canonical.schema["type"] == "array"), name
        assert all(isinstance(value, str) for value in canonical.schema.get("enum", ())), "enums of strings only"
        assert canonical.meaning


@pytest.mark.parametrize(
    ("model_id", "more", "usd", "kind"),
    [
        ("segmind/hailuo-02-fast", {}, 0.125, "exact"),
        ("segmind/hailuo-02-fast", {"duration": 10}, 0.188, "exact"),
        ("segmind/hailuo-2.3-fast", {}, 0.41, "upper bound"),
        ("segmind/minimax-hailuo-2", {}, 0.3875, "average"),
        ("segmind/hailuo-2.3", {}, 0.35, "exact"),
        ("segmind/hailuo-2.3", {"duration": 10}, 0.7, "exact"),
        ("segmind/hailuo-2.3", {"resolution": "1080p"}, 0.7, "upper bound"),
        ("aimlapi/hailuo-2.3-fast", {}, 0.1995, "exact"),
        ("minimax/hailuo-2.3", {}, 0.28, "exact"),
        ("minimax/hailuo-2.3", {"duration": 10}, 0.56, "exact"),
        ("minimax/hailuo-2.3", {"resolution": "1080p"}, 0.49, "exact"),
        ("minimax/hailuo-2.3-fast", {}, 0.19, "exact"),
        ("minimax/hailuo-2.3-fast", {"duration": 10}, 0.32, "exact"),
        ("minimax/hailuo-2.3-fast", {"resolution": "1080p"}, 0.33, "exact"),
        ("minimax/hailuo-02", {"resolution": "512p"}, 0.10, "exact"),
        ("minimax/hailuo-02", {"resolution": "512p", "duration": 10}, 0.15, "exact"),
        ("minimax/hailuo-02", {"resolution": "1080p"}, 0.49, "exact"),
        ("minimax/h3", {}, 0.4, "exact"),
        ("minimax/h3", {"resolution": "2k", "duration": 15}, 1.95, "exact"),
        ("minimax/h3-max", {"resolution": "480p"}, 0.25, "exact"),
        ("fal/hailuo-2.3", {}, 0.28, "exact"),
        ("fal/hailuo-2.3", {"duration": 10}, 0.56, "exact"),
        ("fal/hailuo-2.3", {"resolution": "1080p"}, 0.49, "exact"),
        ("fal/hailuo-2.3-fast", {"duration": 10}, 0.32, "exact"),
        ("fal/hailuo-02", {}, 0.27, "exact"),
        ("fal/hailuo-02", {"resolution": "512p", "duration": 10}, 0.17, "exact"),
        ("fal/hailuo-02", {"resolution": "1080p"}, 0.48, "exact"),
    ],
)
def test_a_price_is_an_estimate_with_its_source(model_id: str, more: dict[str, Any], usd: float, kind: str) -> None:
    price = MODELS[model_id].parse({"prompt": "x", "first_frame_image": PICTURE, **more}).price()
    assert price is not None
    assert (price.usd, price.kind) == (usd, kind)
    assert price.source


@pytest.mark.parametrize(
    ("model_id", "more"),
    [
        ("apixo/hailuo-2.3-fast", {}),
        ("aimlapi/hailuo-02", {}),
        ("aimlapi/hailuo-2.3", {}),
        ("replicate/hailuo-2.3", {}),
        ("aimlapi/hailuo-2.3-fast", {"duration": 10}),
        ("aimlapi/hailuo-2.3-fast", {"resolution": "1080p"}),
    ],
)
def test_an_unpublished_price_is_none(model_id: str, more: dict[str, Any]) -> None:
    assert MODELS[model_id].parse({"prompt": "x", "first_frame_image": PICTURE, **more}).price() is None


@pytest.mark.parametrize(
    ("model_id", "more", "low", "high"),
    [
        ("segmind/hailuo-02-fast", {}, 80, 80),
        ("segmind/hailuo-2.3-fast", {}, 113, 126),
        ("segmind/minimax-hailuo-2", {}, 173, 174),
        ("aimlapi/hailuo-02", {}, 240, 300),
        ("aimlapi/hailuo-02", {"duration": 10}, 480, 540),
    ],
)
def test_the_typical_time_is_the_published_one(model_id: str, more: dict[str, Any], low: float, high: float) -> None:
    seconds = MODELS[model_id].parse({"prompt": "x", "first_frame_image": PICTURE, **more}).typical_seconds()
    assert low <= (seconds or 0) <= high


def test_advice_is_given_if_a_parameter_may_be_ignored_or_refused() -> None:
    def advice(model_id: str, **more: Any) -> str:
        return " ".join(MODELS[model_id].parse({"prompt": "x", "first_frame_image": PICTURE, **more}).warnings())

    assert "last_frame_image may be ignored" in advice("segmind/hailuo-02-fast", last_frame_image=PICTURE)
    assert "may be refused" in advice("aimlapi/hailuo-02", resolution="1080p")
    assert not any(model.parse(minimal_call(model)).warnings() for model in MODELS.values())


def test_apixos_resolution_is_an_alias_of_mode() -> None:
    model = MODELS["apixo/hailuo-2.3-fast"]

    def mode(**more: Any) -> str:
        return model.parse({"prompt": "x", "first_frame_image": PICTURE, **more}).to_body()["input"]["mode"]

    assert mode() == mode(resolution="768p") == mode(mode="standard", resolution="768p") == "standard-image-to-video"
    assert mode(resolution="1080p") == mode(mode="pro") == mode(mode="pro", resolution="1080p") == "pro-image-to-video"


LAST = {"last_frame_image": PICTURE + "?2"}
MATRIX = [
    # model, resolutions with durations, and the inputs they support, according to the vendor's page
    ("minimax/hailuo-2.3", {("768p", 6), ("768p", 10), ("1080p", 6)}, "text first"),
    ("minimax/hailuo-2.3-fast", {("768p", 6), ("768p", 10), ("1080p", 6)}, "first"),
    ("minimax/hailuo-02", {("768p", 6), ("768p", 10), ("1080p", 6)}, "text first both"),
    ("minimax/hailuo-02", {("512p", 6), ("512p", 10)}, "first"),
]


@pytest.mark.parametrize("model_id", sorted(OFFICIALS))
def test_the_vendors_matrix_of_resolutions_durations_and_inputs_is_enforced(model_id: str) -> None:
    frames: dict[str, dict[str, Any]] = {
        "text": {},
        "first": {"first_frame_image": PICTURE},
        "last": LAST,
        "both": {"first_frame_image": PICTURE, **LAST},
    }
    for resolution, seconds, inputs in product(("512p", "768p", "1080p"), (6, 10), frames):
        call = {"prompt": "x", "resolution": resolution, "duration": seconds, **frames[inputs]}
        supported = any(
            model_id == m and (resolution, seconds) in sizes and inputs in w.split() for m, sizes, w in MATRIX
        )
        assert accepts(MODELS[model_id], call) == supported, call


def test_fast_pretreatment_is_neither_accepted_nor_sent_with_a_last_frame() -> None:
    model, both = MODELS["minimax/hailuo-02"], {"prompt": "x", "first_frame_image": PICTURE, **LAST}
    assert model.parse({"prompt": "x"}).to_body()["fast_pretreatment"] is False
    assert "fast_pretreatment" not in model.parse({**both, "fast_pretreatment": False}).to_body()
    with pytest.raises(InvalidInput, match="last_frame_image with fast_pretreatment=true is not available"):
        model.parse({**both, "fast_pretreatment": True})


def test_a_rule_about_a_missing_parameter_says_without() -> None:
    with pytest.raises(InvalidInput, match="resolution=512p without first_frame_image is not available on") as refused:
        MODELS["minimax/hailuo-02"].parse({"prompt": "x", "resolution": "512P"})
    assert "first_frame_image" in refused.value.problem.hint


def test_unknown_camera_commands_are_accepted() -> None:
    prompt = "[Push in, Pan left, Tilt up, Somersault] [Static shot]"
    for model in MODELS.values():
        assert model.parse({**minimal_call(model), "prompt": prompt}).prompt == prompt


def test_a_spec_without_prices_and_times_returns_none() -> None:
    class Bare(ModelSpec):
        id = "x/bare"
        remote_name = "bare"
        summary = "text to video"
        documented_at = "https://example.com"

    bare = Bare.parse({"prompt": "x"})
    assert (bare.price(), bare.typical_seconds(), bare.warnings()) == (None, None, [])
    assert (bare.to_body(), bare.to_dict(), Bare.full_schema()["required"]) == (
        {"prompt": "x"},
        {"prompt": "x"},
        ["prompt"],
    )
    assert not Bare.accepts("duration")
    assert not Bare.is_required("duration")
