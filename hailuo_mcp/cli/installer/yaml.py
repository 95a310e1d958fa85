"""YAML, edited in place: PyYAML locates a value in the text, and only those characters change."""

import json
from collections.abc import Sequence
from typing import Any

from hailuo_mcp.cli.installer.values import Key, as_object


def parse(text: str) -> dict[str, Any]:
    """
    Raises:
        ValueError: it is not YAML, or not a mapping; the message gives the line and column.
    """
    import yaml  # start-up time: one host of many has YAML

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if data is None:
        return {}
    if (mapping := as_object(data)) is None:
        raise ValueError("its top level is not a mapping")
    # An empty section is usually written as a key without a value.
    return {key: {} if value is None else value for key, value in mapping.items()}


def put(text: str, path: Sequence[Key], value: Any) -> str:
    """The text with `value` at `path`; missing mappings on the path are created. `text` must be valid for `parse`.

    Raises:
        ValueError: something on the path is not a mapping.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    keys = [str(key) for key in path]
    node = _compose(text)
    if node is None:
        start = text if not text or text.endswith("\n") else text + newline
        return start + _dump(_nested(keys, value), "", newline)
    while True:
        key = keys[0]
        pair = next((pair for pair in _pairs(node) if pair[0].value == key), None)
        if pair is None:
            return _insert(text, node, _nested(keys, value), newline)
        if len(keys) == 1 or _is_null(pair[1]):
            return _replace(text, pair[1], _nested(keys[1:], value) if len(keys) > 1 else value)
        node, keys = pair[1], keys[1:]


def drop(text: str, path: Sequence[Key]) -> str:
    """The text without the item at `path`.

    Raises:
        KeyError: there is none.
        ValueError: something on the path is not a mapping.
    """
    node = _compose(text)
    *above, last = (str(key) for key in path)
    parent = None
    for key in above:
        parent = node
        node = next(value for name, value in _pairs(node) if name.value == key)
    pairs = _pairs(node)
    index = next((n for n, (name, _) in enumerate(pairs) if name.value == last), None)
    if index is None:
        raise KeyError(last)
    if node.flow_style or (len(pairs) == 1 and parent is not None):
        data: Any = parse(text)
        for key in above:
            data = data[key]
        return _replace(text, node, {key: value for key, value in data.items() if key != last})
    start = text.rfind("\n", 0, pairs[index][0].start_mark.index) + 1
    end = _end(pairs[index][1])
    if text[end - 1] != "\n":
        end = text.find("\n", end) + 1 or len(text)
    return text[:start] + text[end:]


def _compose(text: str) -> Any:
    import yaml  # start-up time: one host of many has YAML

    # Its stubs leave the stream's type open.
    return yaml.compose(text, Loader=yaml.SafeLoader)  # pyright: ignore


def _pairs(node: Any) -> list[tuple[Any, Any]]:
    if node.id != "mapping":
        raise ValueError("something on the path is not a mapping")
    return node.value


def _is_null(node: Any) -> bool:
    return node.tag == "tag:yaml.org,2002:null"


def _nested(keys: Sequence[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _insert(text: str, node: Any, value: Any, newline: str) -> str:
    """Add pairs to a mapping: before its first pair, so that comments below its last one stay where they are."""
    if not node.value:
        return _replace(text, node, value)
    if node.flow_style:
        end = node.end_mark.index - 1
        return text[:end].rstrip() + ", " + json.dumps(value, ensure_ascii=False)[1:-1] + text[end:]
    first = node.value[0][0].start_mark
    start = text.rfind("\n", 0, first.index) + 1
    if first.column == 0:  # the top level: at the end
        before = text if text.endswith("\n") else text + newline
        return before + _dump(value, "", newline)
    return text[:start] + _dump(value, text[start : first.index], newline) + text[start:]


def _replace(text: str, node: Any, value: Any) -> str:
    """Write a value inline, as JSON, which is YAML too."""
    start = node.start_mark.index
    if _is_block(node):
        start = len(text[:start].rstrip())
    space = " " if text[:start].endswith(":") else ""
    return text[:start] + space + json.dumps(value, ensure_ascii=False) + text[_end(node) :]


def _end(node: Any) -> int:
    """Where a value ends. PyYAML's end mark of a block is where the next one begins, after blank lines and comments."""
    if not _is_block(node):
        return node.end_mark.index
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _is_block(node: Any) -> bool:
    return node.id != "scalar" and not node.flow_style


def _dump(value: Any, indent: str, newline: str) -> str:
    import yaml  # start-up time: one host of many has YAML

    dumped = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000)
    return "".join(indent + line + newline for line in dumped.splitlines())
