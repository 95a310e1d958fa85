"""JSON with comments is edited in place, and nothing else is touched."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailuo_mcp.cli.installer import jsonc
from hailuo_mcp.cli.installer.values import as_list, as_object

ENTRY = {"command": "/bin/hailuo", "args": ["a"], "env": {"KEY": "ü"}}
Config = dict[str, Any]
SCALARS = st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-9, 9) | st.text(max_size=8)
OUR_SECTIONS = ("mcpServers", "servers", "inputs")
KEYS = st.text(max_size=6).filter(lambda key: key not in OUR_SECTIONS)


def _inside(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)


VALUES = st.recursive(SCALARS, _inside, max_leaves=8)
SERVERS = st.dictionaries(KEYS.filter(lambda key: key != "hailuo"), VALUES, max_size=3)


@st.composite
def written(draw: st.DrawFn) -> tuple[Config, str]:
    """A configuration, and one of the many ways to write it."""
    config: Config = draw(st.dictionaries(KEYS, VALUES, max_size=2))
    if draw(st.booleans()):
        config["mcpServers"] = draw(SERVERS)
    config |= draw(st.dictionaries(KEYS, VALUES, max_size=2))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    fillers = st.sampled_from(
        ["", "", "", " ", newline, f"{newline}  ", f"{newline}\t\t", f" // c, }} \" ' {newline}", "/* , ] */", "/* */ "]
    )
    commas = draw(st.booleans())

    def write(value: Any) -> str:
        if (mapping := as_object(value)) is not None:
            items = [f"{json.dumps(k)}{draw(fillers)}:{draw(fillers)}{write(v)}" for k, v in mapping.items()]
            ends = "{}"
        elif (sequence := as_list(value)) is not None:
            items = [write(item) for item in sequence]
            ends = "[]"
        else:
            return json.dumps(value, ensure_ascii=draw(st.booleans()))
        inside = ",".join(f"{draw(fillers)}{item}{draw(fillers)}" for item in items) or draw(fillers)
        comma = "," + draw(fillers) if items and commas and draw(st.booleans()) else ""
        return ends[0] + inside + comma + ends[1]

    return config, draw(fillers) + write(config) + draw(fillers)


@given(written())
def test_text_with_comments_is_parsed(case: tuple[Config, str]) -> None:
    config, text = case
    assert jsonc.parse(text) == config


@given(written())
def test_adding_an_entry_leaves_everything_else_equal_and_in_order(case: tuple[Config, str]) -> None:
    config, text = case
    after = jsonc.parse(jsonc.put(text, ("mcpServers", "hailuo"), ENTRY))
    assert after["mcpServers"].pop("hailuo") == ENTRY
    if "mcpServers" not in config:
        assert after.pop("mcpServers") == {}
    assert json.dumps(after) == json.dumps(config)


@given(written())
def test_adding_and_dropping_an_entry_restores_every_character(case: tuple[Config, str]) -> None:
    config, text = case
    after = jsonc.drop(jsonc.put(text, ("mcpServers", "hailuo"), ENTRY), ("mcpServers", "hailuo"))
    if config.get("mcpServers"):
        assert after == text
    else:
        assert jsonc.parse(after) == {"mcpServers": {}, **config}


@given(written(), st.data())
def test_dropping_an_item_drops_nothing_else(case: tuple[Config, str], data: st.DataObject) -> None:
    config, text = case
    if config:
        key = data.draw(st.sampled_from(sorted(config)))
        assert jsonc.parse(jsonc.drop(text, (key,))) == {k: v for k, v in config.items() if k != key}


@given(written(), SCALARS, st.data())
def test_replacing_an_item_replaces_nothing_else(case: tuple[Config, str], value: Any, data: st.DataObject) -> None:
    config, text = case
    if config:
        key = data.draw(st.sampled_from(sorted(config)))
        assert jsonc.parse(jsonc.put(text, (key,), value)) == {**config, key: value}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": 1', "line 1"),
        ('{\n"a" 1}', "line 2"),
        ('{"a": 1,,}', "line 1"),
        ("{,}", "line 1"),
        ('{"a": [,]}', "line 1"),
        ("{a: 1}", "line 1"),
        ('{"a": "b\n/* " */}', "line 1"),
        ('{"a": 1} /* no end', "line 1"),
        ('{"a": 1} {}', "line 1"),
        ('{"a": NaN}', "NaN"),
        ("[]", "not an object"),
        ("[" * 100_000, "deeply"),
    ],
)
def test_invalid_text_is_refused_with_its_position(text: str, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        jsonc.parse(text)


@pytest.mark.parametrize("text", ['{"a": 1} // c', '{"a": 1,}', "/* c */{}"])
def test_strict_json_has_no_comments(text: str) -> None:
    assert jsonc.parse(text) in ({"a": 1}, {})
    with pytest.raises(ValueError, match="line 1"):
        jsonc.parse(text, comments=False)


def test_a_duplicate_key_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        jsonc.put('{"mcpServers": {}, "mcpServers": {"a": 1}}', ("mcpServers", "hailuo"), {})


def test_new_items_follow_the_layout_around_them() -> None:
    text = '{\r\n\t"a": {\r\n\t\t"b": 1 // one\r\n\t}\r\n}'
    assert jsonc.put(text, ("a", "c"), {"d": [2]}) == (
        '{\r\n\t"a": {\r\n\t\t"b": 1, // one\r\n\t\t"c": {\r\n\t\t\t"d": [\r\n\t\t\t\t2\r\n\t\t\t]\r\n\t\t}\r\n\t}\r\n}'
    )
    assert jsonc.put('{"a":{"b":1}}', ("a", "c"), [2]) == '{"a":{"b":1, "c": [2]}}'
    assert jsonc.put('{"a":[{"b":1}]}', ("a", 1), 2) == '{"a":[{"b":1}, 2]}'
