"""The limits of a parameter, read from its type alone: generating the JSON Schemas of two dozen models instead would be
a third of what the server adds to the SDK's own start-up time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class ParameterLimits:
    choices: tuple[Any, ...] = ()
    """All possible values; empty if they are not a closed set."""
    minimum: Any = None
    maximum: Any = None
    """The bounds of a number, or its smallest and largest choice; None without a bound."""
    max_length: int | None = None


def limits_of(field: FieldInfo) -> ParameterLimits:
    """As in the field's JSON Schema."""
    kind, metadata = _parts(field.annotation, field.metadata)
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    if choices and all(type(choice) is int for choice in choices):
        return ParameterLimits(choices, min(choices), max(choices))

    def bounds(name: str) -> list[Any]:
        return [bound for each in metadata if (bound := getattr(each, name, None)) is not None]

    return ParameterLimits(
        choices,
        max(bounds("ge"), default=None),
        min(bounds("le"), default=None),
        min(bounds("max_length"), default=None),
    )


def _parts(kind: Any, metadata: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The type without None, and all of its metadata."""
    flat = [part for each in metadata for part in (each.metadata if isinstance(each, FieldInfo) else (each,))]
    if get_origin(kind) is Annotated:
        inner, *own = get_args(kind)
    elif get_origin(kind) in (Union, UnionType):
        (inner,), own = [option for option in get_args(kind) if option is not NoneType], ()
    else:
        return kind, flat
    kind, inside = _parts(inner, own)
    return kind, inside + flat
