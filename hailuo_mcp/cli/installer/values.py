"""What the editors of all formats share: values, which may be of any type, and the ends of lines."""

from collections.abc import Sequence
from typing import Any, cast

Key = str | int
"""A key of an object, or an index of an array."""


def as_object(value: Any) -> dict[str, Any] | None:
    return cast(dict[str, Any], value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    return cast(list[Any], value) if isinstance(value, list) else None


def value_at(data: Any, path: Sequence[Key]) -> Any:
    """The value at a path of objects; None if there is none."""
    for key in path:
        data = (as_object(data) or {}).get(str(key))
    return data


def nested(path: Sequence[Key], value: Any) -> Any:
    """The value inside new objects and arrays, such that it is at `path`."""
    for key in reversed(path):
        value = {key: value} if isinstance(key, str) else [value]
    return value


def newline_of(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def with_last_newline(text: str) -> str:
    """The text, its last line ended; an empty text stays empty."""
    return text if not text or text.endswith("\n") else text + newline_of(text)
