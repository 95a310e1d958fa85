"""For each model, schema, validation and request body agree."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hailuo_mcp.core.arguments import present
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.parameters import CANONICAL, PROMPT_MAX
from hailuo_mcp.core.spec import ModelSpec
from tests.core.models import CHOICES, EVERY_MODEL, MODELS, PICTURE, accepts, minimal_call
from tests.properties import with_examples

FIRST_OF_ITS_SHAPE = {json.dumps(model.full_schema()): model.id for model in reversed(MODELS.values())}.values()
"""Of the models with the same parameters and rules, only one is tested thoroughly."""


# --- possible arguments -------------------------------------------------------------------------------------------

LISTS: tuple[Any, ...] = ([PICTURE], [PICTURE + "?2"], [PICTURE] * 3, ["https://h/2.mp4"])
VALID: dict[str, tuple[Any, ...]] = {
    "prompt": ("x", " a cat [Push in]", "é漢🎬", "x" * PROMPT_MAX),
    "first_frame_image": (PICTURE, "HTTP://h", "data:image/png;base64,AAAA", "/tmp/x.png", "last-frame:a/b/c"),
    "last_frame_image": (PICTURE, None, "~/x.png"),
    "reference_images": LISTS,
    "reference_videos": LISTS,
    "reference_audios": LISTS,
    "subject_reference": (PICTURE, "~/face.png"),
    **CHOICES,
    "callback_url": ("https://h", "https://me.example/x?a=b", "https://h:8443/é"),
}
JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 6, 7, 10, -6, 6.5, [], {}, ["x"], {"url": PICTURE}),
    *("", " ", "\n", "x", "auto", "pro", "768p", "512p", PICTURE, PICTURE + "\n", PICTURE + " x", "https://"),
    *("http://h", "https://a@b/", "https://a\\b/", "https://h/\n", "https://h/" + "x" * 2048, "x" * (PROMPT_MAX + 1)),
)


def _is_lenient(value: Any) -> bool:
    """Whether this value may be accepted although the schema does not say so: a number or a boolean as a string, or a
    word in another letter case."""
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


extra_arguments = st.dictionaries(st.sampled_from([*CANONICAL, "fps", "image_url", "Duration", ""]), values, max_size=2)


@cache
def _valid_by_itself(model: type[ModelSpec]) -> dict[str, list[Any]]:
    """For each parameter, values that its own schema accepts, so that few of the generated calls are discarded."""
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
    assume(accepts(model, call))
    return call


def schema_of(model: type[ModelSpec]) -> Any:
    jsonschema.Draft202012Validator.check_schema(model.full_schema())
    return jsonschema.Draft202012Validator(model.full_schema())


# --- schema, validation and request body agree ----------------------------------------------------------------------


@EVERY_MODEL
@with_examples(few=24, many=200)
def test_the_schema_accepts_exactly_what_parse_accepts(model: type[ModelSpec], examples: int) -> None:
    schema = schema_of(model)

    @settings(
        max_examples=examples if model.id in FIRST_OF_ITS_SHAPE else examples // 4,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(arguments_in(name for name in VALID if model.accepts(name)) | arguments_in(VALID), extra_arguments)
    def agree(call: dict[str, Any], more: dict[str, Any]) -> None:
        call = {**call, **more}
        assert schema.is_valid(present(call)) == accepts(model, call)

    agree()


@EVERY_MODEL
def test_the_schema_agrees_on_every_combination_of_closed_values(model: type[ModelSpec]) -> None:
    schema = schema_of(model)
    calls: list[dict[str, Any]] = [minimal_call(model)]
    for name in ("duration", "resolution", "mode"):
        calls += [{**call, name: value} for call in calls for value in VALID[name] if model.accepts(name)]
    accepted = [call for call in calls if schema.is_valid(call)]
    assert accepted == [call for call in calls if accepts(model, call)]
    assert accepted
    assert len(accepted) < len(calls) or not model.rules


@EVERY_MODEL
@with_examples(few=10, many=60)
def test_a_valid_call_has_a_typed_body_and_a_dict_that_parses_back(model: type[ModelSpec], examples: int) -> None:
    @settings(max_examples=examples, suppress_health_check=[HealthCheck.filter_too_much])
    @given(valid_calls(model))
    def check(call: dict[str, Any]) -> None:
        spec = model.parse(call)
        body = spec.to_body()
        assert json.loads(json.dumps(body)) == body
        types = {
            "duration": str if model.wire_forms.get("duration") == "text" else int,
            "prompt": str,
            "go_fast": bool,
            "prompt_optimizer": bool,
            "fast_pretreatment": bool,
            "mode": str,
            "resolution": str,
        }
        for part in (body, body.get("input", {})):
            assert all(type(part[name]) is type_ for name, type_ in types.items() if name in part)
        stored = spec.to_dict()
        assert None not in stored.values()
        assert set(stored) <= set(model.model_fields)
        again = model.parse(stored)
        assert (again.to_body(), again.to_dict()) == (body, stored)
        defaults = {name for name, field in model.model_fields.items() if field.default not in (None, ...)}
        assert {name for name in defaults if not model.is_required(name)} <= set(stored)

    check()


@EVERY_MODEL
def test_lenient_spellings_do_not_change_the_body(model: type[ModelSpec]) -> None:
    strict: dict[str, Any] = minimal_call(model)
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
def test_a_spec_is_frozen_and_does_not_accept_wire_names(model: type[ModelSpec]) -> None:
    spec = model.parse(minimal_call(model))
    with pytest.raises(ValueError, match="frozen"):
        spec.prompt = "y"
    for name in set(spec.to_body()) - set(model.model_fields):
        with pytest.raises(InvalidInput, match=name):
            model.parse({**minimal_call(model), name: "x"})
