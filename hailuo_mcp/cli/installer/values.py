"""Values from a configuration, which may be of any type."""

from typing import Any, cast

Key = str | int
"""A key of an object, or an index of an array."""


def as_object(value: Any) -> dict[str, Any] | None:
    return cast(dict[str, Any], value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    return cast(list[Any], value) if isinstance(value, list) else None
