"""Arguments as clients and models really send them."""

from itertools import product

import pytest

from hailuo_mcp.core.arguments import GENERATE_ARGUMENTS, check_names, intended, is_neutral, present
from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.parameters import CANONICAL
from hailuo_mcp.core.spec import ModelSpec
from tests.core.models import EVERY_MODEL, MODELS, PICTURE

FIRST = "image image_url image_urls start_image first_frame init_image input_image picture firstFrameImage first-frame"
LAST = "end_image tail_image last_image_url last_frame endImage last_frame_imge"


@pytest.mark.parametrize("absent", [None, "", " ", []])
def test_an_empty_optional_argument_is_dropped(absent: object) -> None:
    assert present({"prompt": "x", "duration": absent}) == {"prompt": "x"}
    assert present({"prompt": absent}) == {"prompt": absent}
    assert present({"request_id": absent, "state": absent}, ["request_id"]) == {"request_id": absent}


@pytest.mark.parametrize("value", [False, 0, 0.0, {}, "x", [""]])
def test_a_value_that_is_not_empty_is_kept(value: object) -> None:
    assert present({"prompt": "x", "duration": value})["duration"] == value


def test_null_is_sent_only_if_the_gateway_documents_it() -> None:
    call = {"prompt": "x", "first_frame_image": PICTURE, "last_frame_image": None}
    assert MODELS["segmind/hailuo-02-fast"].parse(call).to_body()["last_frame_image"] is None
    assert "last_image_url" not in MODELS["aimlapi/hailuo-02"].parse(call).to_body()


@pytest.mark.parametrize(("word", "value"), [("true", True), ("False", False), (" TRUE ", True)])
def test_a_boolean_is_read_in_any_letter_case(word: str, value: bool) -> None:
    spec = MODELS["segmind/hailuo-02-fast"].parse({"prompt": "x", "first_frame_image": PICTURE, "go_fast": word})
    assert spec.to_dict()["go_fast"] is value


@pytest.mark.parametrize(
    ("name", "value", "neutral"),
    [
        ("go_fast", False, True),
        ("go_fast", "false", True),
        ("go_fast", True, False),
        ("prompt_optimizer", True, True),
        ("prompt_optimizer", False, True),
        ("duration", 6, True),
        ("duration", "6", True),
        ("duration", 10, False),
        ("duration", 0, False),
        ("mode", "Standard", True),
        ("mode", "pro", False),
        ("routing", "auto", True),
        ("aspect_ratio", "Adaptive", True),
        ("aspect_ratio", "16:9", False),
        ("resolution", "768p", False),
        ("last_frame_image", PICTURE, False),
        ("watermark", False, False),
    ],
)
def test_a_neutral_value_is_recognized(name: str, value: object, neutral: bool) -> None:
    assert is_neutral(name, value) is neutral


@pytest.mark.parametrize(
    ("names", "argument"),
    [
        (FIRST, "first_frame_image"),
        (LAST, "last_frame_image"),
        ("seconds length durations Duration duration_seconds", "duration"),
        ("model_id modelId id", "model"),
        ("promt text", "prompt"),
        ("reference_image ref_images referenceImages", "reference_images"),
        ("video_url", "reference_videos"),
        ("subject_image", "subject_reference"),
        ("resolutions size", "resolution"),
    ],
)
def test_an_alias_is_mapped_to_the_argument(names: str, argument: str) -> None:
    assert {intended(name, GENERATE_ARGUMENTS) for name in names.split()} == {argument}


@pytest.mark.parametrize("name", ["task_id", "id", "job_id", "taskId", "requestId", "request-id", "generation_id"])
def test_an_alias_of_request_id_is_mapped_to_it(name: str) -> None:
    assert intended(name, {"request_id", "wait_seconds"}) == "request_id"


@pytest.mark.parametrize("name", ["fps", "api_key", "negative_prompt", "x" * 10_000, "", "\ud800"])
def test_an_unrelated_name_is_mapped_to_nothing(name: str) -> None:
    assert intended(name, GENERATE_ARGUMENTS) is None


@EVERY_MODEL
def test_no_refusal_advises_leaving_an_image_out(model: type[ModelSpec]) -> None:
    names = (*FIRST.split(), *LAST.split(), "first_frame_image", "last_frame_image", "my_photo")
    values = (PICTURE, "data:image/png;base64,AAAA", ["~/kite.jpg"], {"url": PICTURE})
    for name, value, more in product(names, values, ({}, {"first_frame_image": PICTURE})):
        call = {"prompt": "x", **more, name: value}
        try:
            model.parse(call)
        except InvalidInput as refused:
            hint = refused.problem.hint.lower()
            assert f"leave {name.lower()} out" not in hint, call
            assert "image" in hint, call


def test_the_value_of_an_alias_is_checked_like_the_argument() -> None:
    with pytest.raises(InvalidInput) as refused:
        MODELS["segmind/hailuo-02-fast"].parse({"prompt": "x", "image": PICTURE, "seconds": 7})
    problem = refused.value.problem
    assert "first_frame_image is missing" not in problem.message
    assert "duration must be 6 or 10, got 7" in problem.message
    assert "pass it as first_frame_image" in problem.hint
    assert "instead of seconds, pass it as duration" in problem.hint


def test_many_unknown_names_are_counted_and_only_a_few_listed() -> None:
    names = check_names({f"argument_{number}": 1 for number in range(100_000)}, CANONICAL, "no model takes")
    assert len(names.problems) == 6
    assert names.problems[-1][0] == "further unknown arguments: 99995"


def test_a_secret_under_an_unknown_name_is_not_repeated() -> None:
    ((message, _),) = check_names({"api_key": "sk-1"}, CANONICAL, "no model takes").problems
    assert message == "no model takes api_key (not shown)"
