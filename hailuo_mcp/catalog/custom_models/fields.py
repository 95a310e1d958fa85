"""The parameters of an entry of a file, as the fields of a spec."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Field, StrictInt

from hailuo_mcp.catalog.custom_models.document import Place, WrongEntry
from hailuo_mcp.catalog.custom_models.entries import ModelEntry, ParameterEntry
from hailuo_mcp.core.parameters import (
    AS_TEXT_TOO,
    CANONICAL,
    IMAGE_PARAMETERS,
    PROMPT_MAX,
    Constraint,
    Flag,
    ImageUrl,
    References,
    SendsNull,
    WholeNumber,
)
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import repr_name, repr_short

Choices = tuple[bool | int | str, ...]
_LISTED_MAX = 100
"""A range of numbers up to this size is a closed set of values."""


def fields(entry: ModelEntry, place: Place, base: type[ModelSpec], *, urls_only: bool) -> dict[str, Any]:
    made: dict[str, Any] = {}
    sent_names = {} if "prompt" in entry.parameters else {"prompt": "prompt"}
    for name, parameter in entry.parameters.items():
        parameter_place = (*place, "parameters", name)
        if name not in CANONICAL:
            raise WrongEntry(
                parameter_place, f"there is no parameter {repr_name(name)}; this server has {', '.join(CANONICAL)}"
            )
        wire = parameter.wire_name or base.wire_names.get(name, name)
        if other := sent_names.get(wire):
            raise WrongEntry(
                parameter_place, f"{name} is sent as {wire}, as {other} is; give one of them another wire name"
            )
        sent_names[wire] = name
        made[name] = _field(name, parameter, parameter_place, urls_only=urls_only)
    return made


def _field(name: str, parameter: ParameterEntry, place: Place, *, urls_only: bool) -> Any:
    """Type and default, as `create_model` takes them."""
    canonical, allowed = _narrowed(name, parameter, place, urls_only=urls_only)
    _check_presence(name, parameter, allowed, place)
    metadata: list[Any] = [Constraint(parameter.source, parameter.rule or _rule_text(parameter))]
    if parameter.sends_null:
        metadata.append(SendsNull())
    required = parameter.required or name == "prompt"
    kind = canonical if required or parameter.default is not None else canonical | None
    return Annotated[(kind, *metadata)], ... if required else parameter.default


def _narrowed(name: str, parameter: ParameterEntry, place: Place, *, urls_only: bool) -> tuple[Any, Choices]:
    """The canonical type, narrowed as the entry says, and its values; none if they are not a closed set."""
    canonical, given = CANONICAL[name].kind, parameter.values
    kind = "list" if canonical is References else "number" if canonical is WholeNumber else name
    for key, of in (("max_length", "prompt"), ("max_items", "list"), ("minimum", "number"), ("maximum", "number")):
        if getattr(parameter, key) is not None and kind != of:
            raise WrongEntry((*place, key), f"{name} has no {key}; remove this line")
    plain, *checks = get_args(canonical)
    possible: Choices = get_args(plain) if get_origin(plain) is Literal else ()
    if kind == "number":
        return _number(name, parameter, place)
    if not possible:
        if given is not None:
            raise WrongEntry((*place, "values"), f"{name} has no set of values to choose from; remove this line")
        if kind == "prompt":
            return Annotated[canonical, Field(max_length=parameter.max_length or PROMPT_MAX)], ()
        if kind == "list":
            listed = Annotated[tuple[ImageUrl, ...], Field(min_length=1)] if urls_only else canonical
            return Annotated[listed, Field(max_length=parameter.max_items)], ()
        address = name in IMAGE_PARAMETERS and urls_only
        return ImageUrl if address else canonical, (True, False) if canonical is Flag else ()
    if given is None:
        raise WrongEntry(
            place, f"{name} must name its values; add values = {toml(possible)}, or those of them that it takes"
        )
    return _choice(name, given, possible, place, checks)


def _choice(name: str, given: list[Any], possible: Choices, place: Place, checks: Sequence[Any]) -> tuple[Any, Choices]:
    for index, value in enumerate(given):
        if not among(value, possible):
            message = f"{name} cannot have the value {repr_short(value)}; take from {toml(possible)}"
            raise WrongEntry((*place, "values", index), message)
        if among(value, tuple(given[:index])):
            raise WrongEntry((*place, "values", index), f"{name} has the value {repr_short(value)} twice; remove one")
    literal: Any = Literal
    return Annotated[(literal[tuple(given)], *checks)], tuple(given)


def _number(name: str, parameter: ParameterEntry, place: Place) -> tuple[Any, Choices]:
    """A whole number: one of its values, or within its bounds."""
    low, high = parameter.minimum, parameter.maximum
    if parameter.values is not None:
        if low is not None or high is not None:
            raise WrongEntry((*place, "values"), f"{name} has values and bounds; remove one of the two")
        for index, value in enumerate(parameter.values):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                message = f"{name} cannot have the value {repr_short(value)}; take whole numbers from 1"
                raise WrongEntry((*place, "values", index), message)
        return _choice(name, parameter.values, tuple(parameter.values), place, [AS_TEXT_TOO])
    if low is not None and high is not None and low > high:
        raise WrongEntry((*place, "maximum"), f"{name} has a maximum below its minimum; correct one of the two")
    if name == "duration" and (low is None or high is None):
        raise WrongEntry(place, f"{name} must name its values; add values = [6, 10], or a minimum and a maximum")
    return Annotated[StrictInt, Field(ge=low, le=high), AS_TEXT_TOO], numbers(low, high)


def _check_presence(name: str, parameter: ParameterEntry, allowed: Choices, place: Place) -> None:
    """Check `required`, `default` and `sends_null` against each other."""
    default, required = parameter.default, parameter.required or name == "prompt"
    if name == "prompt" and "required" in parameter.model_fields_set and not parameter.required:
        raise WrongEntry((*place, "required"), "every model requires a prompt; remove this line")
    if default is not None and required:
        raise WrongEntry((*place, "default"), f"{name} is required, so it has no default; remove one of the two")
    if default is not None and not allowed:
        raise WrongEntry((*place, "default"), f"{name} cannot have a default; remove this line")
    if default is not None and not among(default, allowed):
        raise WrongEntry(
            (*place, "default"), f"{name} cannot have the default {repr_short(default)}; take from {toml(allowed)}"
        )
    if parameter.sends_null and (default is not None or required):
        raise WrongEntry(
            (*place, "sends_null"), f"null is never sent for {name}, which always has a value; remove this"
        )


def _rule_text(parameter: ParameterEntry) -> str:
    words = ["required"] if parameter.required else []
    words += [" or ".join(map(str, parameter.values))] if parameter.values else []
    words += [f"default {_word(parameter.default)}"] if parameter.default is not None else []
    words += ["sent as null when absent"] if parameter.sends_null else []
    return "; ".join(words) or "optional"


def among(value: bool | int | str, allowed: Choices) -> bool:
    """Like `in`, but distinguishes `1` from `true`."""
    return any(value == one and type(value) is type(one) for one in allowed)


def toml(values: Choices) -> str:
    """A list in TOML."""
    return "[" + ", ".join(_word(value, quote='"') for value in values) + "]"


def _word(value: bool | int | str | None, quote: str = "") -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{quote}{value}{quote}" if isinstance(value, str) else str(value)


def numbers(low: int | None, high: int | None) -> Choices:
    """The whole numbers within these bounds; none if there are too many for a closed set."""
    if low is None or high is None or high - low >= _LISTED_MAX:
        return ()
    return tuple(range(low, high + 1))
