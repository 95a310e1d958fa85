"""Parameter specs: what each model takes, and that schema, validation and wire say the same."""

import json
import math
from collections.abc import Iterable
from functools import cache
from itertools import product
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hailuo_mcp.core.arguments import present
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.parameters import CANONICAL, PROMPT_MAX, JsonSchema
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import describe, repr_short
from hailuo_mcp.gateways import GATEWAYS, Gateway
from tests.properties import tried_with

MODELS: dict[str, type[ModelSpec]] = {model.id: model for gateway in GATEWAYS for model in gateway.models}
EVERY_MODEL = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
FIRST_OF_ITS_SHAPE = {json.dumps(model.full_schema()): model.id for model in reversed(MODELS.values())}.values()
"""Of models that take the same, by the same rules, one is tried thoroughly."""
PICTURE = "https://example.com/first.png"

# --- what arguments may be ----------------------------------------------------------------------------------------

LISTS: tuple[Any, ...] = ([PICTURE], [PICTURE + "?2"], [PICTURE] * 3, ["https://h/2.mp4"])
VALID: dict[str, tuple[Any, ...]] = {
    "prompt": ("x", " a cat [Push in]", "é漢🎬", "x" * PROMPT_MAX),
    "first_frame_image": (PICTURE, "HTTP://h", "data:image/png;base64,AAAA", "/tmp/x.png", "last-frame:a/b/c"),
    "last_frame_image": (PICTURE, None, "~/x.png"),
    "reference_images": LISTS,
    "reference_videos": LISTS,
    "reference_audios": LISTS,
    "subject_reference": (PICTURE, "~/face.png"),
    "duration": (6, 10),
    "resolution": ("480p", "512p", "768p", "1080p", "2k"),
    "aspect_ratio": ("adaptive", "16:9", "9:16"),
    "prompt_expansion": ("balanced", "disabled"),
    "mode": ("standard", "pro"),
    "prompt_optimizer": (True, False),
    "go_fast": (True, False),
    "fast_pretreatment": (True, False),
    "routing": ("auto", "value", "official"),
    "callback_url": ("https://h", "https://me.example/x?a=b", "https://h:8443/é"),
}
JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 6, 7, 10, -6, 6.5, [], {}, ["x"], {"url": PICTURE}),
    *("", " ", "\n", "x", "auto", "pro", "768p", "512p", PICTURE, PICTURE + "\n", PICTURE + " x", "https://"),
    *("http://h", "https://a@b/", "https://a\\b/", "https://h/\n", "https://h/" + "x" * 2048, "x" * (PROMPT_MAX + 1)),
)


def _is_lenient(value: Any) -> bool:
    """Whether this is one of the leniencies that the schema does not promise: numbers and booleans as strings, letter
    case."""
    if not isinstance(value, str):
        return False
    words = {word for values in VALID.values() for word in values if isinstance(word, str)}
    plain = value.strip().lower()
    return plain.isdigit() or plain in ("true", "false") or (plain != value and plain in words)


values = st.sampled_from(JUNK) | st.text(max_size=8).filter(lambda text: not _is_lenient(text))


def arguments_in(names: Iterable[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"prompt": st.sampled_from(VALID["prompt"])},
        optional={name: st.sampled_from(VALID[name]) | values for name in names if name != "prompt"},
    )


spoilt = st.dictionaries(st.sampled_from([*CANONICAL, "fps", "image_url", "Duration", ""]), values, max_size=2)


@cache
def _valid_by_itself(model: type[ModelSpec]) -> dict[str, list[Any]]:
    """Of each parameter the values that its own schema accepts, so that few calls are drawn in vain."""
    accepted: dict[str, list[Any]] = {}
    for name in (name for name in VALID if model.accepts(name)):
        schema: Any = jsonschema.Draft202012Validator(model.property_schemas()[name])
        accepted[name] = [value for value in VALID[name] if schema.is_valid(value)]
    return accepted


@st.composite
def valid_calls(draw: st.DrawFn, model: type[ModelSpec]) -> dict[str, Any]:
    choices = _valid_by_itself(model)
    names = [n for n in choices if model.is_required(n) or draw(st.booleans())]
    call = {name: draw(st.sampled_from(choices[name])) for name in names}
    assume(_accepts(model, call))
    return call


def least(model: type[ModelSpec]) -> dict[str, Any]:
    """A valid call, with an image where the model takes one."""
    call = {"first_frame_image": PICTURE} if model.accepts("first_frame_image") else {}
    return {"prompt": "x", **call, **({"subject_reference": PICTURE} if model.is_required("subject_reference") else {})}


def _accepts(model: type[ModelSpec], call: dict[str, Any]) -> bool:
    try:
        model.parse(call)
    except InvalidInput:
        return False
    return True


def schema_of(model: type[ModelSpec]) -> Any:
    jsonschema.Draft202012Validator.check_schema(model.full_schema())
    return jsonschema.Draft202012Validator(model.full_schema())


# --- schema, validation and wire agree ----------------------------------------------------------------------------


@EVERY_MODEL
@tried_with(few=40, many=200)
def test_the_schema_accepts_exactly_what_reading_accepts(model: type[ModelSpec], examples: int) -> None:
    schema = schema_of(model)

    @settings(
        max_examples=examples if model.id in FIRST_OF_ITS_SHAPE else examples // 4,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(arguments_in(name for name in VALID if model.accepts(name)) | arguments_in(VALID), spoilt)
    def agree(call: dict[str, Any], more: dict[str, Any]) -> None:
        call = {**call, **more}
        assert schema.is_valid(present(call)) == _accepts(model, call)

    agree()


@EVERY_MODEL
def test_the_schema_agrees_on_every_combination_of_closed_values(model: type[ModelSpec]) -> None:
    schema = schema_of(model)
    calls: list[dict[str, Any]] = [least(model)]
    for name in ("duration", "resolution", "mode"):
        calls += [{**call, name: value} for call in calls for value in VALID[name] if model.accepts(name)]
    accepted = [call for call in calls if schema.is_valid(call)]
    assert accepted == [call for call in calls if _accepts(model, call)]
    assert accepted
    assert len(accepted) < len(calls) or not model.rules


@EVERY_MODEL
@tried_with(few=20, many=60)
def test_a_valid_call_has_a_wire_body_of_stable_types_and_a_record_that_reads_back(
    model: type[ModelSpec], examples: int
) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
    @given(valid_calls(model))
    def holds(call: dict[str, Any]) -> None:
        spec = model.parse(call)
        body = spec.to_body()
        assert json.loads(json.dumps(body)) == body
        kinds = {
            "duration": str if model.wire_forms.get("duration") == "text" else int,
            "prompt": str,
            "go_fast": bool,
            "prompt_optimizer": bool,
            "fast_pretreatment": bool,
            "mode": str,
            "resolution": str,
        }
        for part in (body, body.get("input", {})):
            assert all(type(part[name]) is kind for name, kind in kinds.items() if name in part)
        record = spec.to_dict()
        assert None not in record.values()
        assert set(record) <= set(model.model_fields)
        again = model.parse(record)
        assert (again.to_body(), again.to_dict()) == (body, record)
        defaults = {name for name, field in model.model_fields.items() if field.default not in (None, ...)}
        assert {name for name in defaults if not model.is_required(name)} <= set(record)

    holds()


@EVERY_MODEL
def test_leniencies_change_nothing_on_the_wire(model: type[ModelSpec]) -> None:
    strict: dict[str, Any] = least(model)
    sizes = model.property_schemas().get("resolution", {}).get("enum", ["768p"])
    size = "768p" if "768p" in sizes else sizes[0]
    loose = dict(strict)
    for name, value, forms in (
        ("duration", 6, ("6", " 6 ", 6.0)),
        ("resolution", size, (size.upper(), f" {size} ")),
        ("mode", "standard", ("Standard", "STANDARD ")),
        ("routing", "auto", ("Auto",)),
        ("aspect_ratio", "adaptive", ("Adaptive",)),
    ):
        if model.accepts(name):
            strict[name] = value
            for form in forms:
                loose[name] = form
                assert model.parse({**strict, name: form}).to_body() == model.parse(strict).to_body()
    assert model.parse(loose).to_body() == model.parse(strict).to_body()


@EVERY_MODEL
def test_a_spec_is_frozen_and_its_wire_names_are_no_arguments(model: type[ModelSpec]) -> None:
    spec = model.parse(least(model))
    with pytest.raises(ValueError, match="frozen"):
        spec.prompt = "y"
    for name in set(spec.to_body()) - set(model.model_fields):
        with pytest.raises(InvalidInput, match=name):
            model.parse({**least(model), name: "x"})


# --- what the specs say of themselves -----------------------------------------------------------------------------


def test_the_models_are_those_of_each_gateway_in_order() -> None:
    assert list(MODELS) == [
        "segmind/hailuo-02-fast",
        "segmind/hailuo-2.3-fast",
        "segmind/minimax-hailuo-2",
        "segmind/hailuo-2.3",
        "apixo/hailuo-2.3-fast",
        "apixo/hailuo-2.3",
        "aimlapi/hailuo-02",
        "aimlapi/hailuo-2.3",
        "aimlapi/hailuo-2.3-fast",
        "aimlapi/h3",
        "aimlapi/h3-max",
        "minimax/hailuo-2.3",
        "minimax/hailuo-2.3-fast",
        "minimax/hailuo-02",
        "minimax/h3",
        "minimax/h3-max",
        "minimax/s2v-01",
        "fal/hailuo-2.3",
        "fal/hailuo-2.3-fast",
        "fal/hailuo-02",
        "fal/h3",
        "fal/h3-max",
        "replicate/hailuo-2.3",
        "replicate/hailuo-2.3-fast",
        "replicate/hailuo-02",
    ]


H3_INPUTS = "first_frame_image last_frame_image reference_images reference_videos reference_audios"
OFFICIAL = "duration resolution prompt_optimizer fast_pretreatment callback_url"
FAL_H3 = "duration aspect_ratio prompt_expansion seed callback_url resolution"
TAKEN = {
    "segmind/hailuo-02-fast": "prompt! first_frame_image! last_frame_image duration go_fast prompt_optimizer",
    "segmind/hailuo-2.3-fast": "prompt! first_frame_image! duration resolution prompt_optimizer",
    "segmind/minimax-hailuo-2": "prompt! first_frame_image last_frame_image mode prompt_optimizer",
    "segmind/hailuo-2.3": "prompt! first_frame_image duration resolution prompt_optimizer",
    "apixo/hailuo-2.3": "prompt! first_frame_image mode resolution duration callback_url",
    "aimlapi/h3": f"prompt! {H3_INPUTS} duration resolution aspect_ratio",
    "aimlapi/h3-max": f"prompt! {H3_INPUTS} duration resolution aspect_ratio prompt_expansion seed",
    "fal/h3": f"prompt! {H3_INPUTS} {FAL_H3}",
    "fal/h3-max": f"prompt! {H3_INPUTS} {FAL_H3}",
    "apixo/hailuo-2.3-fast": "prompt! first_frame_image! mode resolution duration routing callback_url",
    "aimlapi/hailuo-02": "prompt! first_frame_image last_frame_image duration resolution prompt_optimizer",
    "aimlapi/hailuo-2.3": "prompt! first_frame_image duration resolution prompt_optimizer",
    "aimlapi/hailuo-2.3-fast": "prompt! first_frame_image! duration resolution prompt_optimizer",
    "minimax/hailuo-2.3": f"prompt! first_frame_image {OFFICIAL}",
    "minimax/hailuo-2.3-fast": f"prompt! first_frame_image! {OFFICIAL}",
    "minimax/hailuo-02": f"prompt! first_frame_image last_frame_image {OFFICIAL}",
    "minimax/h3": f"prompt! {H3_INPUTS} duration resolution aspect_ratio callback_url",
    "minimax/h3-max": f"prompt! {H3_INPUTS} duration resolution aspect_ratio prompt_expansion callback_url",
    "minimax/s2v-01": "prompt! subject_reference! callback_url",
    **{
        f"{gateway}/{name}": f"prompt! {frames} duration resolution prompt_optimizer callback_url"
        for gateway in ("fal", "replicate")
        for name, frames in (
            ("hailuo-2.3", "first_frame_image"),
            ("hailuo-2.3-fast", "first_frame_image!"),
            ("hailuo-02", "first_frame_image last_frame_image"),
        )
    },
}


@EVERY_MODEL
def test_each_model_takes_and_requires_what_the_contract_says(model: type[ModelSpec]) -> None:
    assert " ".join(name + "!" * model.is_required(name) for name in model.model_fields) == TAKEN[model.id]
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
def test_a_property_has_one_plain_type_and_its_meaning(model: type[ModelSpec]) -> None:
    for name, schema in model.property_schemas().items():
        assert schema["description"] == CANONICAL[name].meaning
        assert not {"anyOf", "oneOf", "allOf", "$ref", "title"} & set(schema)
        assert schema["type"] == (["string", "null"] if model.accepts_null(name) else CANONICAL[name].schema["type"])


@EVERY_MODEL
def test_every_constraint_says_where_it_comes_from(model: type[ModelSpec]) -> None:
    rows = model.constraints()
    assert {row["parameter"] for row in rows} >= set(model.model_fields)
    assert all(row["source"].split(":")[0] in {"documented", "sdk", "observed", "inferred"} for row in rows)
    assert all(row["rule"] for row in rows)


def test_a_merged_parameter_is_one_flat_type() -> None:
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
def test_a_price_that_nobody_publishes_is_none(model_id: str, more: dict[str, Any]) -> None:
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


def test_advice_is_given_where_a_parameter_may_be_ignored_or_refused() -> None:
    def advice(model_id: str, **more: Any) -> str:
        return " ".join(MODELS[model_id].parse({"prompt": "x", "first_frame_image": PICTURE, **more}).warnings())

    assert "last_frame_image may be ignored" in advice("segmind/hailuo-02-fast", last_frame_image=PICTURE)
    assert "may be refused" in advice("aimlapi/hailuo-02", resolution="1080p")
    assert not any(model.parse(least(model)).warnings() for model in MODELS.values())


def test_apixos_resolution_is_another_way_to_say_mode() -> None:
    model = MODELS["apixo/hailuo-2.3-fast"]

    def mode(**more: Any) -> str:
        return model.parse({"prompt": "x", "first_frame_image": PICTURE, **more}).to_body()["input"]["mode"]

    assert mode() == mode(resolution="768p") == mode(mode="standard", resolution="768p") == "standard-image-to-video"
    assert mode(resolution="1080p") == mode(mode="pro") == mode(mode="pro", resolution="1080p") == "pro-image-to-video"


LAST = {"last_frame_image": PICTURE + "?2"}
MATRIX = [
    # model, resolution and seconds: what it is made from, by the vendor's page
    ("minimax/hailuo-2.3", {("768p", 6), ("768p", 10), ("1080p", 6)}, "text first"),
    ("minimax/hailuo-2.3-fast", {("768p", 6), ("768p", 10), ("1080p", 6)}, "first"),
    ("minimax/hailuo-02", {("768p", 6), ("768p", 10), ("1080p", 6)}, "text first both"),
    ("minimax/hailuo-02", {("512p", 6), ("512p", 10)}, "first"),
]


@pytest.mark.parametrize("model_id", sorted(OFFICIALS))
def test_the_vendors_matrix_of_models_resolutions_and_lengths_is_kept(model_id: str) -> None:
    pictures: dict[str, dict[str, Any]] = {
        "text": {},
        "first": {"first_frame_image": PICTURE},
        "last": LAST,
        "both": {"first_frame_image": PICTURE, **LAST},
    }
    for resolution, seconds, what in product(("512p", "768p", "1080p"), (6, 10), pictures):
        call = {"prompt": "x", "resolution": resolution, "duration": seconds, **pictures[what]}
        made = any(model_id == m and (resolution, seconds) in sizes and what in w.split() for m, sizes, w in MATRIX)
        assert _accepts(MODELS[model_id], call) == made, call


def test_with_a_last_frame_there_is_no_pretreatment_to_ask_for_or_to_send() -> None:
    model, both = MODELS["minimax/hailuo-02"], {"prompt": "x", "first_frame_image": PICTURE, **LAST}
    assert model.parse({"prompt": "x"}).to_body()["fast_pretreatment"] is False
    assert "fast_pretreatment" not in model.parse({**both, "fast_pretreatment": False}).to_body()
    with pytest.raises(InvalidInput, match="last_frame_image with fast_pretreatment=true is not available"):
        model.parse({**both, "fast_pretreatment": True})


def test_a_rule_of_absence_reads_as_one() -> None:
    with pytest.raises(InvalidInput, match="resolution=512p without first_frame_image is not available on") as refused:
        MODELS["minimax/hailuo-02"].parse({"prompt": "x", "resolution": "512P"})
    assert "first_frame_image" in refused.value.problem.hint


def test_an_unknown_combination_of_camera_commands_is_nobodys_business() -> None:
    prompt = "[Push in, Pan left, Tilt up, Somersault] [Static shot]"
    for model in MODELS.values():
        assert model.parse({**least(model), "prompt": prompt}).prompt == prompt


def test_a_spec_without_figures_has_none() -> None:
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


# --- words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", '"x"'),
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (6.5, "6.5"),
        (math.inf, "inf"),
        (["x"], "['x']"),
        ("data:image/png;base64,SECRET", '"data:image/png;base64,…"'),
        ("DATA:,SECRET", '"DATA:,…"'),
        ("a\nb\u202e\x00c", '"a b  c"'),
        ("\ud800", '" "'),
        ("x" * 61, '"' + "x" * 60 + '…"'),
        ([1] * 1000, ("[" + "1, " * 1000)[:60] + "…"),
    ],
)
def test_a_value_is_shown_short_on_one_line_and_without_an_images_bytes(value: object, text: str) -> None:
    assert repr_short(value) == text


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"enum": [6, 10], "type": "integer"}, "6 or 10"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "integer"}, "a whole number"),
        ({"type": ["string", "null"]}, "a string or null"),
    ],
)
def test_a_schema_is_told_in_words(schema: JsonSchema, words: str) -> None:
    assert describe(schema) == words


def test_a_number_too_large_to_write_out_is_told_as_such() -> None:
    assert repr_short(10**5000) == "a very large number"
    with pytest.raises(InvalidInput, match="got a very large number"):
        MODELS["aimlapi/hailuo-02"].parse({"prompt": "x", "duration": 10**5000})


def test_a_refusal_names_every_wrong_value_and_every_cure_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        MODELS["segmind/hailuo-2.3-fast"].parse({"prompt": "", "duration": 7, "seed": "\ud800", "password": "hunter2"})
    problem = refused.value.problem
    for name in ("prompt", "first_frame_image", "duration", "seed", "password"):
        assert problem.message.count(name) >= 1
        assert name in problem.hint
    assert "hunter2" not in problem.message
    assert problem.hint.endswith(".")
    (problem.message + problem.hint).encode()


# --- gateways -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gateway", GATEWAYS, ids=lambda gateway: gateway.name)
def test_a_gateway_declares_all_that_is_needed_to_use_it(gateway: type[Gateway]) -> None:
    assert gateway.hosts["base"].startswith("https://")
    assert gateway.image_transfer in {"upload", "data", "url"}
    assert (gateway.image_transfer == "upload") == ("upload" in gateway.hosts)
    assert gateway.has_history or "history" not in gateway.hosts
    assert gateway.check_hint.endswith(".")
    for model in gateway.models:
        assert model.documented_at.startswith("https://")
