"""Values out of a configuration, which may hold anything, as what they are hoped to be."""

from typing import Any, cast


def as_object(value: Any) -> dict[str, Any] | None:
    return cast(dict[str, Any], value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    return cast(list[Any], value) if isinstance(value, list) else None
