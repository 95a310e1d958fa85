"""Values and schemas as text."""

import math

import pytest

from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.parameters import JsonSchema
from hailuo_mcp.core.text import describe, format_price, repr_short
from tests.core.models import MODELS


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
def test_a_value_is_shortened_to_one_line_without_image_data(value: object, text: str) -> None:
    assert repr_short(value) == text


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
def test_a_price_is_described_as_exactly_as_it_is_known(usd: float, kind: str, words: str) -> None:
    assert format_price(usd, kind) == words


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"enum": [6, 10], "type": "integer"}, "6 or 10"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "integer"}, "a whole number"),
        ({"type": ["string", "null"]}, "a string or null"),
    ],
)
def test_a_schema_is_described_in_english(schema: JsonSchema, words: str) -> None:
    assert describe(schema) == words


def test_a_huge_number_is_described_instead_of_written_out() -> None:
    assert repr_short(10**5000) == "a very large number"
    with pytest.raises(InvalidInput, match="got a very large number"):
        MODELS["aimlapi/hailuo-02"].parse({"prompt": "x", "duration": 10**5000})


def test_a_refusal_names_every_wrong_value_and_its_fix() -> None:
    with pytest.raises(InvalidInput) as refused:
        MODELS["segmind/hailuo-2.3-fast"].parse({"prompt": "", "duration": 7, "seed": "\ud800", "password": "hunter2"})
    problem = refused.value.problem
    for name in ("prompt", "first_frame_image", "duration", "seed", "password"):
        assert (problem.message.count(name), problem.hint.count(name)) == (1, 1)
    assert "hunter2" not in problem.message
    assert problem.hint.endswith(".")
    (problem.message + problem.hint).encode()
