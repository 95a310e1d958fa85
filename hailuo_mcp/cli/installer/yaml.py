"""YAML, edited in place: PyYAML locates a value in the text, and only those characters change."""

import json
from collections.abc import Sequence
from typing import Any

import yaml

from hailuo_mcp.cli.installer.values import Key, as_object, nested, newline_of, value_at, with_last_newline


def parse(text: str) -> dict[str, Any]:
    """
    Raises:
        ValueError: it is not YAML, or not a mapping; the message gives the line and column.
    """
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
    root = _compose(text)
    if root is None:
        return with_last_newline(text) + _dump(nested(path, value), "", newline_of(text))
    mapping, pair, depth = _locate(root, path)
    if pair is None:
        return _insert(text, mapping, nested(path[depth:], value))
    return _replace(text, pair[1], nested(path[depth + 1 :], value))


def drop(text: str, path: Sequence[Key]) -> str:
    """The text without the item at `path`.

    Raises:
        KeyError: there is none.
        ValueError: something on the path is not a mapping.
    """
    mapping, pair, depth = _locate(_compose(text), path)
    if pair is None or depth < len(path) - 1:
        raise KeyError(path[depth])
    if mapping.flow_style or (len(mapping.value) == 1 and depth > 0):
        data = value_at(parse(text), path[:-1])
        return _replace(text, mapping, {key: value for key, value in data.items() if key != path[-1]})
    start = text.rfind("\n", 0, pair[0].start_mark.index) + 1
    end = _end(pair[1])
    if text[end - 1] != "\n":
        end = text.find("\n", end) + 1 or len(text)
    return text[:start] + text[end:]


def _compose(text: str) -> Any:
    # Its stubs leave the stream's type open.
    return yaml.compose(text, Loader=yaml.SafeLoader)  # pyright: ignore


def _locate(root: Any, path: Sequence[Key]) -> tuple[Any, tuple[Any, Any] | None, int]:
    """The innermost existing mapping on the path, its pair of key and value there, and the depth of that key. The pair
    is None if there is nothing at that depth; its value may be a null instead of the mapping that the path needs."""
    mapping, depth = root, 0
    while True:
        if mapping.id != "mapping":
            raise ValueError("something on the path is not a mapping")
        pair = next((pair for pair in mapping.value if pair[0].value == path[depth]), None)
        if pair is None or depth == len(path) - 1 or pair[1].tag == "tag:yaml.org,2002:null":
            return mapping, pair, depth
        mapping, depth = pair[1], depth + 1


def _insert(text: str, mapping: Any, value: Any) -> str:
    """Add pairs to a mapping: before its first pair, so that comments below its last one stay where they are."""
    if not mapping.value:
        return _replace(text, mapping, value)
    if mapping.flow_style:
        end = mapping.end_mark.index - 1
        return text[:end].rstrip() + ", " + json.dumps(value, ensure_ascii=False)[1:-1] + text[end:]
    first = mapping.value[0][0].start_mark
    if first.column == 0:  # the top level: at the end
        return with_last_newline(text) + _dump(value, "", newline_of(text))
    start = text.rfind("\n", 0, first.index) + 1
    return text[:start] + _dump(value, text[start : first.index], newline_of(text)) + text[start:]


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
    dumped = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000)
    return "".join(indent + line + newline for line in dumped.splitlines())
