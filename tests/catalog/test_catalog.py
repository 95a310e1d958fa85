"""The catalog: which models are usable, one schema for all of them, and the choice among them."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import anyio.from_thread
import hypothesis.strategies as st
import jsonschema
import pytest
from anyio.from_thread import BlockingPortal
from hypothesis import given, settings
from mcp_types import CallToolResult

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.arguments import is_neutral, present
from hailuo_mcp.core.errors import HailuoError, InvalidInput, UnknownModel
from hailuo_mcp.core.parameters import CANONICAL, IMAGE_PARAMETERS
from hailuo_mcp.core.setting_values import SettingsError
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import price_in_words
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.mcp import tools
from hailuo_mcp.mcp.model_schema import inputs_sentence, merged_properties
from hailuo_mcp.service.model_choice import ChoiceNotes, explain_choice, explain_ignored
from hailuo_mcp.service.session import Session
from tests.properties import tried_with
from tests.support import (
    FIRST_MODEL_IDS,
    KEYS,
    MODEL_IDS,
    PICTURE,
    arguments_for,
    catalog_for,
    open_session,
    settings_for,
)

SEEN: Mapping[str, Any] = {"prompt": "a cat", "first_frame_image": PICTURE}
ALL = catalog_for(HAILUO_MCP_SANDBOX="1")


def _refusal(catalog: Catalog, model: object, arguments: Mapping[str, Any]) -> HailuoError:
    with pytest.raises((InvalidInput, UnknownModel)) as refused:
        catalog.parse(model, arguments)
    return refused.value


# --- which models can be used -------------------------------------------------------------------------------------


def _usable(**variables: str) -> list[str]:
    return [model.id for model in catalog_for(**variables).usable]


def test_without_a_key_the_sandbox_offers_every_model() -> None:
    assert _usable() == list(MODEL_IDS)


@pytest.mark.parametrize("variable", sorted(KEYS))
def test_a_key_offers_the_models_of_its_gateway(variable: str) -> None:
    gateway = variable.removesuffix("_API_KEY").lower()
    assert _usable(**{variable: KEYS[variable]}) == [m for m in MODEL_IDS if m.startswith(f"{gateway}/")]


def test_the_sandbox_forced_offers_every_model_whatever_keys_are_set() -> None:
    assert _usable(HAILUO_MCP_SANDBOX="1", APIXO_API_KEY="k") == list(MODEL_IDS)


def test_a_list_of_models_narrows_what_is_offered_in_the_usual_order() -> None:
    assert _usable(HAILUO_MCP_MODELS="aimlapi/hailuo-02, segmind/hailuo-02-fast") == [
        "segmind/hailuo-02-fast",
        "aimlapi/hailuo-02",
    ]


def test_a_list_with_a_model_that_does_not_exist_is_refused_at_start() -> None:
    with pytest.raises(SettingsError, match=r"HAILUO_MCP_MODELS: there is no model 'segmind/nothing'; known are segm"):
        catalog_for(HAILUO_MCP_MODELS="segmind/nothing")


def test_without_a_key_and_without_the_sandbox_every_refusal_names_the_keys_to_set() -> None:
    catalog = catalog_for(HAILUO_MCP_SANDBOX="0")
    for model in (None, MODEL_IDS[0], "nothing"):
        refusal = _refusal(catalog, model, SEEN)
        assert refusal.code == "unknown_model"
        assert all(variable in refusal.problem.hint for variable in KEYS)
    assert catalog.default_model is None


def test_a_model_without_its_key_is_known_but_not_enabled() -> None:
    catalog = catalog_for(APIXO_API_KEY="k")
    refusal = _refusal(catalog, "aimlapi/hailuo-02", SEEN)
    assert "aimlapi/hailuo-02 is not enabled here" in refusal.problem.message
    assert "AIMLAPI_API_KEY" in refusal.problem.hint
    assert "apixo/hailuo-2.3-fast" in refusal.problem.hint
    assert catalog.known_model("aimlapi/hailuo-02") is not None


@pytest.mark.parametrize("model", ["sora", "hailuo", "segmind/", 7, ["x"], {"a": "b"}, True])
def test_an_unknown_model_is_answered_with_the_ids_there_are(model: object) -> None:
    refusal = _refusal(ALL, model, SEEN)
    assert refusal.code == "unknown_model"
    assert all(model_id in refusal.problem.hint for model_id in MODEL_IDS)


def test_a_model_id_is_taken_in_any_letter_case() -> None:
    assert ALL.parse(" Segmind/Hailuo-02-FAST ", SEEN).spec.id == "segmind/hailuo-02-fast"


# --- choosing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (SEEN, "segmind/hailuo-02-fast"),
        ({"prompt": "x"}, "fal/hailuo-02"),
        ({**SEEN, "duration": 10}, "segmind/hailuo-02-fast"),
        ({**SEEN, "resolution": "512p"}, "minimax/hailuo-02"),
        ({**SEEN, "resolution": "768p"}, "minimax/hailuo-2.3-fast"),
        ({"prompt": "x", "duration": 10}, "fal/hailuo-02"),
        ({**SEEN, "last_frame_image": PICTURE, "resolution": "1080p"}, "minimax/hailuo-02"),
        ({**SEEN, "routing": "value"}, "apixo/hailuo-2.3-fast"),
        ({**SEEN, "mode": "pro"}, "segmind/minimax-hailuo-2"),
    ],
)
def test_without_a_model_the_cheapest_that_takes_the_arguments_is_chosen_and_told(
    arguments: Mapping[str, Any], chosen: str
) -> None:
    choice = ALL.parse(None, arguments)
    assert choice.spec.id == chosen
    (warning,) = explain_choice(choice)
    assert f"No model was named: {chosen} was chosen" in warning
    assert "cheapest" in warning or "only usable model" in warning


def test_the_choice_is_explained_by_number_price_and_time_and_the_next_is_named() -> None:
    offered = "segmind/hailuo-02-fast,segmind/hailuo-2.3-fast,aimlapi/hailuo-02"
    choice = catalog_for(HAILUO_MCP_MODELS=offered).parse(None, {**SEEN, "duration": 10, "prompt": "x"})
    (warning,) = explain_choice(choice)
    assert warning == (
        "No model was named: segmind/hailuo-02-fast was chosen, the cheapest of 2 usable models that take these "
        "arguments ($0.188; usually 80 s). Next: aimlapi/hailuo-02 (its price is not published; usually "
        "540 s)."
    )
    unpriced = catalog_for(HAILUO_MCP_MODELS="apixo/hailuo-2.3-fast,aimlapi/hailuo-02")
    (warning,) = explain_choice(unpriced.parse(None, SEEN))
    assert "apixo/hailuo-2.3-fast was chosen, the first of 2 usable models that take these arguments, none " in warning


def test_models_of_unknown_price_are_chosen_last_and_said_to_have_none() -> None:
    catalog = catalog_for(HAILUO_MCP_SANDBOX="1", HAILUO_MCP_MODELS=",".join(FIRST_MODEL_IDS))
    (warning,) = explain_choice(catalog.parse(None, {"prompt": "x", "resolution": "1080p"}))
    assert "aimlapi/hailuo-02 was chosen, the only usable model" in warning
    assert "its price is not published" in warning


def test_a_named_model_is_taken_without_a_warning() -> None:
    for model_id in MODEL_IDS:
        arguments = {name: value for name, value in arguments_for(model_id).items() if name != "model"}
        choice = ALL.parse(model_id, arguments)
        assert (choice.spec.id, explain_choice(choice)) == (model_id, ())


@pytest.mark.parametrize(
    ("variables", "default"),
    [
        ({}, "fal/hailuo-02"),
        ({"HAILUO_MCP_MODELS": ",".join(FIRST_MODEL_IDS)}, "segmind/minimax-hailuo-2"),
        ({"MINIMAX_API_KEY": "k"}, "minimax/hailuo-2.3"),
        ({"FAL_KEY": "k"}, "fal/hailuo-02"),
        ({"REPLICATE_API_TOKEN": "k"}, "replicate/hailuo-2.3"),
        ({"APIXO_API_KEY": "k"}, "apixo/hailuo-2.3"),
        ({"AIMLAPI_API_KEY": "k"}, "aimlapi/hailuo-02"),
        ({"HAILUO_MCP_MODELS": "segmind/hailuo-02-fast,segmind/hailuo-2.3-fast"}, "segmind/hailuo-02-fast"),
    ],
)
def test_the_default_model_is_what_a_bare_prompt_gets_else_what_an_image_gets(
    variables: dict[str, str], default: str
) -> None:
    assert catalog_for(**variables).default_model == default


# --- refusing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "arguments", "named"),
    [
        ("segmind/minimax-hailuo-2", {**SEEN, "duration": 10}, "segmind/hailuo-02-fast"),
        ("segmind/hailuo-2.3-fast", {**SEEN, "duration": 10}, "segmind/hailuo-02-fast"),
        (
            "segmind/hailuo-02-fast",
            {"prompt": "x"},
            "fal/hailuo-02 or minimax/hailuo-2.3 or minimax/hailuo-02 or one of ",
        ),
        ("apixo/hailuo-2.3-fast", {**SEEN, "last_frame_image": PICTURE}, "segmind/hailuo-02-fast"),
        ("aimlapi/hailuo-02", {**SEEN, "mode": "pro"}, "segmind/minimax-hailuo-2"),
        ("minimax/hailuo-2.3", {**SEEN, "resolution": "512p"}, "minimax/hailuo-02"),
        ("aimlapi/hailuo-2.3", {**SEEN, "last_frame_image": PICTURE, "duration": 6}, "segmind/hailuo-02-fast"),
        ("segmind/hailuo-2.3-fast", {**SEEN, "callback_url": "https://a.example"}, "minimax/hailuo-2.3-fast"),
    ],
)
def test_a_refusal_names_the_models_that_would_take_the_arguments(
    model: str, arguments: Mapping[str, Any], named: str
) -> None:
    refusal = _refusal(ALL, model, arguments)
    assert f"Or take {named}" in refusal.problem.hint
    for name in re.findall(r"[a-z]+/[a-z0-9.-]+\d[a-z0-9.-]*", refusal.problem.hint):
        assert ALL.parse(name.rstrip(".,"), arguments).spec.id == name.rstrip(".,")


def test_where_no_model_takes_all_the_arguments_each_strange_one_is_told_where_it_belongs() -> None:
    refusal = _refusal(ALL, "segmind/minimax-hailuo-2", {**SEEN, "go_fast": True, "callback_url": "https://a.example"})
    assert "go_fast: segmind/hailuo-02-fast" in refusal.problem.hint
    assert "callback_url: apixo/hailuo-2.3-fast" in refusal.problem.hint


def test_where_no_model_fits_and_none_is_named_the_closest_one_explains_why() -> None:
    refusal = _refusal(ALL, None, {"prompt": "x", "duration": 20})
    assert refusal.problem.message == "duration must be 6 or 10, got 20"
    assert refusal.problem.hint == "Pass duration as 6 or 10."
    refusal = _refusal(ALL, None, {**SEEN, "duration": 10, "resolution": "1080p"})
    assert refusal.problem.message.startswith("No usable model takes these arguments. Closest: duration=10 with")
    assert '768p"' in refusal.problem.hint


FILLED: Mapping[str, Any] = {
    "prompt": "x",
    "first_frame_image": None,
    "last_frame_image": None,
    "duration": 6,
    "resolution": "",
    "mode": "standard",
    "prompt_optimizer": True,
    "go_fast": False,
    "fast_pretreatment": "false",
    "routing": "auto",
    "callback_url": None,
}
"""What a client sends that fills in every optional argument."""


def test_empty_and_neutral_values_change_neither_the_choice_nor_the_request() -> None:
    bare, filled = ALL.parse(None, {"prompt": "x"}), ALL.parse(None, FILLED)
    assert (filled.spec.id, filled.spec.to_body()) == (bare.spec.id, bare.spec.to_body())
    assert explain_choice(filled)[0] == explain_choice(bare)[0]


@pytest.mark.parametrize("model_id", MODEL_IDS)
def test_neutral_values_of_parameters_that_a_model_does_not_have_are_ignored_with_a_warning(model_id: str) -> None:
    needed = {name: value for name, value in arguments_for(model_id).items() if value == PICTURE}
    choice = ALL.parse(model_id, {**FILLED, **needed})
    (warning,) = explain_ignored(choice)
    missing = [name for name in FILLED if not choice.spec.accepts(name) and FILLED[name] not in (None, "")]
    assert missing
    assert all(name in warning for name in missing)


def test_a_note_on_the_choice_is_given_to_a_tenant_once_in_a_while() -> None:
    times = iter([0.0, 10.0, 20.0, 700.0])
    notes = ChoiceNotes(lambda: next(times))
    given = [notes.unsaid(tenant, ("a", "b")) for tenant in ("ann", "ann", "bob", "ann")]
    assert given == [("a", "b"), (), ("a", "b"), ("a", "b")]


@pytest.mark.parametrize(
    ("usd", "kind", "words"),
    [
        (0.28, "exact", "$0.28"),
        (0.41, "upper bound", "at most $0.41"),
        (0.3875, "average", "about $0.3875"),
        (6.175368000000001, "exact", "$6.1754"),
        (12.0, "exact", "$12"),
    ],
)
def test_a_price_is_said_as_exactly_as_it_is_known(usd: float, kind: str, words: str) -> None:
    assert price_in_words(usd, kind) == words


def test_a_name_that_no_model_has_is_refused_by_itself_with_what_is_meant() -> None:
    refusal = _refusal(ALL, None, {"prompt": "x", "durations": 6})
    assert refusal.problem.message == "no model takes durations (given: 6); did you mean duration?"
    assert refusal.problem.hint == "Instead of durations, pass it as duration."
    refusal = _refusal(ALL, None, {"prompt": "x", "image_url": PICTURE, "resolution": "720p"})
    assert "did you mean first_frame_image?" in refusal.problem.message
    assert '"720p"' in refusal.problem.message
    assert "pass it as first_frame_image" in refusal.problem.hint


def test_an_ending_image_for_a_model_without_one_leads_to_the_models_that_take_it() -> None:
    refusal = _refusal(ALL, "minimax/hailuo-2.3", {**SEEN, "end_image": PICTURE})
    assert "pass it as last_frame_image" in refusal.problem.hint
    assert "Models that take last_frame_image: segmind/hailuo-02-fast" in refusal.problem.hint


# --- one schema for all -------------------------------------------------------------------------------------------

TEXT = {"type": "string"}
FORBIDDEN = {
    "additionalProperties",
    "$ref",
    "oneOf",
    "anyOf",
    "allOf",
    "not",
    "const",
    "exclusiveMinimum",
    "if",
    "$defs",
}
SOME_SETTINGS = [
    *({}, {"APIXO_API_KEY": "k"}, {"AIMLAPI_API_KEY": "k"}, {"MINIMAX_API_KEY": "k"}, {"HAILUO_MCP_SANDBOX": "0"}),
    {"HAILUO_MCP_MODELS": ",".join(FIRST_MODEL_IDS)},
    {"HAILUO_MCP_MODELS": "minimax/hailuo-2.3,minimax/hailuo-02,apixo/hailuo-2.3-fast"},
]


def _all_keys(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in cast("dict[str, object]", schema).items():
            yield key
            yield from _all_keys(value)
    elif isinstance(schema, list):
        for item in cast("list[object]", schema):
            yield from _all_keys(item)


@pytest.mark.parametrize("variables", SOME_SETTINGS)
def test_every_input_schema_is_flat_so_that_every_host_takes_it(variables: dict[str, str]) -> None:
    for tool in tools.definitions(catalog_for(**variables)):
        schema = tool.input_schema
        assert not FORBIDDEN & set(_all_keys(schema))
        assert schema["type"] == "object"
        for name, prop in schema["properties"].items():
            assert prop["type"] in ("string", "integer", "number", "boolean", "array"), name
            assert prop.get("items", TEXT) == TEXT, name
            assert prop["description"], name
            assert all(isinstance(value, str) for value in prop.get("enum", ())), name
            assert "properties" not in prop, name


@pytest.mark.parametrize("variables", SOME_SETTINGS)
def test_each_parameter_says_truly_and_briefly_which_models_take_it(variables: dict[str, str]) -> None:
    catalog = catalog_for(**variables)
    for name, prop in merged_properties(catalog).items():
        meaning, said = CANONICAL[name].meaning, prop["description"]
        assert said.startswith(meaning)
        whose, *values = said.removeprefix(meaning).removesuffix(".").strip().split(". ")
        takers = {model.id for model in catalog.usable if model.accepts(name)}
        if whose and ":" in whose:
            whose, values = "", [whose, *values]
        _check_phrase(whose.removesuffix(" only"), takers, catalog)
        narrow = dict(value.split(": ") for value in values)
        for value in prop.get("enum", ()):
            having = {m.id for m in catalog.usable if m.accepts(name) and value in m.property_schemas()[name]["enum"]}
            assert having
            _check_phrase(narrow.get(value, ""), having, catalog, everyone=takers)


def _check_phrase(phrase: str, models: set[str], catalog: Catalog, everyone: set[str] | None = None) -> None:
    """That the words mean these models: gateways, names and ids. Nothing is said of all of them, or of too many to
    name."""
    usable = {model.id for model in catalog.usable}
    if phrase in ("Most models", "Some models"):
        assert (2 * len(models) > len(usable)) is (phrase == "Most models")
        return
    if not phrase:
        return
    words = phrase.split(", ") if phrase else []
    meant = {id for id in usable for word in words if word in (id, *id.split("/", 1))}
    assert (meant or everyone or usable) == models


def test_what_is_said_of_the_models_grows_shorter_where_it_can() -> None:
    said = {name: prop["description"] for name, prop in merged_properties(ALL).items()}
    assert said["fast_pretreatment"] == CANONICAL["fast_pretreatment"].meaning
    assert said["routing"].endswith("apixo/hailuo-2.3-fast only.")
    assert said["go_fast"].endswith(" hailuo-02-fast only.")
    assert said["duration"] == CANONICAL["duration"].meaning
    assert said["resolution"].endswith("2k: h3. 4k: fal/h3.")
    assert said["prompt"] == CANONICAL["prompt"].meaning
    assert "512p" not in merged_properties(catalog_for(AIMLAPI_API_KEY="k"))["resolution"]["enum"]


def test_which_models_need_an_image_is_said() -> None:
    assert inputs_sentence(ALL) == (
        "first_frame_image needed: hailuo-02-fast, hailuo-2.3-fast; subject_reference: s2v-01."
    )
    character = catalog_for(HAILUO_MCP_SANDBOX="1", HAILUO_MCP_MODELS="minimax/s2v-01")
    assert inputs_sentence(character) == "All need subject_reference."
    need = catalog_for(HAILUO_MCP_SANDBOX="1", HAILUO_MCP_MODELS="apixo/hailuo-2.3-fast")
    assert inputs_sentence(need) == "All need first_frame_image."
    only = catalog_for(HAILUO_MCP_SANDBOX="1", HAILUO_MCP_MODELS="minimax/hailuo-02")
    assert inputs_sentence(only) == "Text alone suffices."


@pytest.mark.parametrize(
    ("model_id", "usd"),
    [
        ("minimax/hailuo-2.3", {0.28, 0.56, 0.49}),
        ("minimax/hailuo-2.3-fast", {0.19, 0.32, 0.33}),
        ("minimax/hailuo-02", {0.10, 0.15, 0.28, 0.56, 0.49}),
        ("aimlapi/hailuo-2.3-fast", {0.1995}),
        ("aimlapi/hailuo-2.3", set[float]()),
        ("segmind/hailuo-02-fast", {0.125, 0.188}),
    ],
)
def test_the_range_of_prices_holds_every_price_there_is(model_id: str, usd: set[float]) -> None:
    model = ALL.model(model_id)
    assert {price.usd for price in model.prices} == usd


def test_parameters_of_models_that_cannot_be_used_are_not_offered() -> None:
    assert (
        set(merged_properties(ALL)) == {name for model in ALL.usable for name in model.model_fields} <= set(CANONICAL)
    )
    some = catalog_for(HAILUO_MCP_SANDBOX="1", HAILUO_MCP_MODELS="aimlapi/hailuo-02,aimlapi/hailuo-2.3")
    offered = merged_properties(some)
    assert set(offered) == {
        *("prompt", "first_frame_image", "last_frame_image", "duration", "resolution", "prompt_optimizer")
    }


@pytest.mark.parametrize("model", ALL.usable, ids=lambda model: model.id)
def test_a_models_own_schema_is_sound_and_names_each_parameter(model: type[ModelSpec]) -> None:
    schema = model.full_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == set(model.model_fields) <= set(CANONICAL)


# --- what is listed is what is taken ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with anyio.from_thread.start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def session(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    directory: Path = tmp_path_factory.mktemp("catalog")
    settings = settings_for(directory, HAILUO_MCP_SANDBOX="1", HAILUO_MCP_CALLBACK_HOSTS="*")
    with portal.wrap_async_context_manager(open_session(settings)) as session:
        yield session


async def _no_progress(_done: float, _total: float | None, _said: str) -> None: ...


def _called(portal: BlockingPortal, session: Session, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    return portal.call(tools.call, tool, tools.Call(session, arguments, _no_progress))


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", " ", "8.5", "auto!", 0, 7, 6.5, True, [], {}, -1, 10**30, "x" * 2001]
)
URLS = st.sampled_from([PICTURE, "http://127.0.0.1:80/a?b=c#d", "HTTPS://Pictures.example/ä.png"])
STRANGE_URLS = st.sampled_from(
    [f"{PICTURE} ", "https://h/a b", "ftp://h/x", "https:///x", "data:image/png;base64,AA", "/home/x.png", "https://"]
)
CALLBACKS = st.sampled_from(
    [
        *("https://hooks.example/x", "https://hooks.example:8443", "http://hooks.example", "https://a@b.example/x"),
        *("https://hooks.example:port/x", "https:///x", "https://h/\nx", "https://h\\x"),
        "https://hooks.example/" + "x" * 2048,
    ]
)
SOUND: Mapping[str, st.SearchStrategy[Any]] = {
    "prompt": st.sampled_from(["a cat", "a", "x" * 2000, "\u3000", "🪁" * 2000, "\n a"]),
    "first_frame_image": URLS,
    "last_frame_image": URLS,
    "subject_reference": URLS,
    "reference_images": st.lists(URLS, min_size=1, max_size=9),
    "reference_videos": st.lists(URLS, min_size=1, max_size=3),
    "reference_audios": st.lists(URLS, min_size=1, max_size=3),
    "aspect_ratio": st.sampled_from(["adaptive", "16:9", "9:16"]),
    "prompt_expansion": st.sampled_from(["disabled", "quality"]),
    "duration": st.sampled_from([6, 10, 6.0]),
    "resolution": st.sampled_from(["480p", "512p", "768p", "1080p", "2k"]),
    "mode": st.sampled_from(["standard", "pro"]),
    "prompt_optimizer": st.booleans(),
    "go_fast": st.booleans(),
    "fast_pretreatment": st.booleans(),
    "routing": st.sampled_from(["auto", "value", "official"]),
    "callback_url": CALLBACKS,
}


@st.composite
def _arguments(draw: st.DrawFn, model: type[ModelSpec]) -> dict[str, Any]:
    """Mostly what the model takes, with a mistake now and then. A picture is always something that needs no file: where
    any string may name one, only URLs."""
    needed = {name: PICTURE for name in IMAGE_PARAMETERS if model.is_required(name)}
    arguments: dict[str, Any] = {"prompt": "a cat", **needed}
    names = draw(st.lists(st.sampled_from([*list(model.model_fields) * 12, *CANONICAL, "fps"]), max_size=5))
    for name in names:
        urls_only = "pattern" in model.property_schemas().get(name, {})
        if name in IMAGE_PARAMETERS:
            junk = STRANGE_URLS if urls_only else st.sampled_from([None, "", 7, True, []])
        else:
            junk = JUNK
        sound = SOUND.get(name, JUNK)
        if offered := model.property_schemas().get(name, {}).get("enum"):
            sound = st.one_of(sound, *[st.sampled_from(offered)] * 3)
        arguments[name] = draw(st.one_of(sound, sound, sound, junk))
    if draw(st.integers(0, 9)) == 5:  # not 0, which hypothesis likes best
        arguments.pop(draw(st.sampled_from(sorted(arguments))))
    return arguments


@pytest.mark.parametrize("model", ALL.usable, ids=lambda model: model.id)
@tried_with(few=20, many=60)
def test_the_listed_schema_accepts_exactly_what_a_dry_run_accepts(
    model: type[ModelSpec], portal: BlockingPortal, session: Session, examples: int
) -> None:
    listed = _called(portal, session, "list_models", {"model": model.id})
    assert listed.structured_content
    schema = jsonschema.Draft202012Validator(listed.structured_content["models"][0]["schema"])
    seen = {True: 0, False: 0}

    @settings(max_examples=examples, deadline=None)
    @given(arguments=_arguments(model))
    def agree(arguments: dict[str, Any]) -> None:
        answer = _called(portal, session, "generate_video", {**arguments, "model": model.id, "dry_run": True})
        plain = {n: v for n, v in present(arguments).items() if model.accepts(n) or not is_neutral(n, v)}
        valid = schema.is_valid(plain)  # pyright: ignore[reportUnknownMemberType]  jsonschema leaves it untyped
        seen[valid] += 1
        assert answer.is_error is not valid, answer.structured_content
        if not valid:
            assert answer.structured_content
            assert answer.structured_content["error"]["code"] in ("invalid_input", "invalid_image")
            assert answer.structured_content["error"]["charged"] == "no"

    agree()
    assert min(seen.values()) > examples // 20, seen


def test_where_no_model_fits_the_refusal_asks_for_the_smallest_change(tmp_path: Path) -> None:
    catalog = Catalog(GATEWAYS, settings_for(tmp_path))
    with pytest.raises(InvalidInput) as too_many:
        catalog.parse(None, {"prompt": "a kite", "duration": 10, "mode": "pro"})
    assert "first_frame_image" not in too_many.value.problem.message
    with pytest.raises(InvalidInput) as wrong:
        catalog.parse(None, {"prompt": "a kite", "resolution": "720p"})
    assert '"720p"' in wrong.value.problem.message
