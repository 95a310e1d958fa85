"""From an entry of a file to a spec like those in the gateways' files: a `ModelSpec` subclass."""

from collections.abc import Iterator, Mapping, Sequence
from types import new_class
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import Field, create_model

from hailuo_mcp.catalog.custom_models.document import Document, Place, WrongEntry
from hailuo_mcp.catalog.custom_models.entries import ModelEntry, ParameterEntry, read_entries
from hailuo_mcp.core.spec import (
    CANONICAL_TYPES,
    GIVEN,
    IMAGE_PARAMETERS,
    Constraint,
    Flag,
    Forbid,
    ImageUrl,
    ModelSpec,
    Price,
    PriceRule,
    SendsNull,
    repr_name,
    repr_short,
)
from hailuo_mcp.gateways import Gateway

Values = tuple[bool | int | str, ...]
PRESENCE: Mapping[str, Any] = {"given": GIVEN, "absent": None}
"""What a rule or a price may say of a parameter that has no closed set of values."""


class Builder:
    """Builds the models of several files, whose ids must differ."""

    def __init__(self, gateways: Sequence[type[Gateway]]) -> None:
        self._gateways = {gateway.name: gateway for gateway in gateways}
        self._taken = {model.id: "is built in" for gateway in gateways for model in gateway.models}

    def models_in(self, document: Document) -> list[type[ModelSpec]]:
        """Raises SettingsError: one line with file, line and cure."""
        models: list[type[ModelSpec]] = []
        for index, entry in enumerate(read_entries(document)):
            try:
                models.append(self._model(entry, ("models", index)))
            except WrongEntry as wrong:
                raise document.refusal(wrong) from None
            line = document.line_of(("models", index, "id"))
            self._taken[entry.id] = f"is there already, in {document.path}:{line}"
        return models

    def _model(self, entry: ModelEntry, place: Place) -> type[ModelSpec]:
        gateway = self._gateways.get(entry.id.split("/")[0])
        if gateway is None:
            known = ", ".join(f"{name}/" for name in self._gateways)
            raise WrongEntry((*place, "id"), f"id {repr_short(entry.id)} names no gateway; begin with one of {known}")
        if where := self._taken.get(entry.id):
            raise WrongEntry((*place, "id"), f"id {repr_short(entry.id)} {where}; choose another name")
        shape = _shape(entry, place, gateway)
        facts = {
            "__module__": __name__,
            "id": entry.id,
            "remote_name": entry.remote_name,
            "summary": entry.makes,
            "documented_at": entry.documented_at,
            "usual_seconds": entry.typical_seconds,
        }
        named = cast("type[ModelSpec]", new_class("OwnModel", (shape,), {}, lambda body: body.update(facts)))
        fields = _fields(entry, place, shape, addresses_only=gateway.pictures == "url")
        model = create_model("OwnModel", __base__=named, __module__=__name__, **fields)
        model.rules = tuple(_rules(entry, place, model))
        model.price_rules = tuple(_price_rules(entry, place, model))
        return model


def _shape(entry: ModelEntry, place: Place, gateway: type[Gateway]) -> type[ModelSpec]:
    if entry.shape is None:
        return next(iter(gateway.body_formats.values()))
    if entry.shape not in gateway.body_formats:
        known = " or ".join(f'"{name}"' for name in gateway.body_formats)
        raise WrongEntry((*place, "shape"), f"{gateway.title} has no shape {repr_short(entry.shape)}; take {known}")
    return gateway.body_formats[entry.shape]


# --- parameters ---------------------------------------------------------------------------------------------------


def _fields(entry: ModelEntry, place: Place, shape: type[ModelSpec], *, addresses_only: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    on_the_wire = {} if "prompt" in entry.parameters else {"prompt": "prompt"}
    for name, parameter in entry.parameters.items():
        here = (*place, "parameters", name)
        if name not in CANONICAL_TYPES:
            raise WrongEntry(
                here, f"there is no parameter {repr_name(name)}; this server has {', '.join(CANONICAL_TYPES)}"
            )
        wire = parameter.wire or shape.wire_names.get(name, name)
        if other := on_the_wire.get(wire):
            raise WrongEntry(here, f"{name} is sent as {wire}, as {other} is; give one of them another wire name")
        on_the_wire[wire] = name
        fields[name] = _field(name, parameter, wire, here, addresses_only=addresses_only)
    return fields


def _field(name: str, parameter: ParameterEntry, wire: str, place: Place, *, addresses_only: bool) -> Any:
    """Type and default, as `create_model` takes them."""
    canonical, allowed = _narrowed(name, parameter, place, addresses_only=addresses_only)
    _check_presence(name, parameter, allowed, place)
    metadata: list[Any] = [Constraint(parameter.source, parameter.says or _in_words(parameter))]
    if wire != name:
        metadata.append(Field(serialization_alias=wire))
    if parameter.null_sent:
        metadata.append(SendsNull())
    required = parameter.required or name == "prompt"
    kind = canonical if required or parameter.default is not None else canonical | None
    return Annotated[(kind, *metadata)], ... if required else parameter.default


def _narrowed(name: str, parameter: ParameterEntry, place: Place, *, addresses_only: bool) -> tuple[Any, Values]:
    """The canonical type with no more than the given values, and these; none where they are not a closed set."""
    canonical, given = CANONICAL_TYPES[name], parameter.values
    plain, *checks = get_args(canonical)
    possible: Values = get_args(plain)  # of a Literal; nothing else has any
    if not possible:
        if given is not None:
            raise WrongEntry((*place, "values"), f"{name} has no set of values to choose from; remove this line")
        address = name in IMAGE_PARAMETERS and addresses_only
        return ImageUrl if address else canonical, (True, False) if canonical is Flag else ()
    if given is None:
        raise WrongEntry(
            place, f"{name} must name its values; add values = {_written(possible)}, or those of them that it takes"
        )
    for index, value in enumerate(given):
        if not _among(value, possible):
            message = f"{name} cannot have the value {repr_short(value)}; take from {_written(possible)}"
            raise WrongEntry((*place, "values", index), message)
        if _among(value, tuple(given[:index])):
            raise WrongEntry((*place, "values", index), f"{name} has the value {repr_short(value)} twice; remove one")
    literal: Any = Literal
    return Annotated[(literal[tuple(given)], *checks)], tuple(given)


def _check_presence(name: str, parameter: ParameterEntry, allowed: Values, place: Place) -> None:
    """Whether it may be left out, and what stands for it then."""
    default, required = parameter.default, parameter.required or name == "prompt"
    if name == "prompt" and "required" in parameter.model_fields_set and not parameter.required:
        raise WrongEntry((*place, "required"), "every model requires a prompt; remove this line")
    if default is not None and required:
        raise WrongEntry((*place, "default"), f"{name} is required, so it has no default; remove one of the two")
    if default is not None and not allowed:
        raise WrongEntry((*place, "default"), f"{name} has no default worth sending; remove this line")
    if default is not None and not _among(default, allowed):
        raise WrongEntry(
            (*place, "default"), f"{name} cannot have the default {repr_short(default)}; take from {_written(allowed)}"
        )
    if parameter.null_sent and (default is not None or required):
        raise WrongEntry((*place, "null_sent"), f"null is never sent for {name}, which always has a value; remove this")


def _in_words(parameter: ParameterEntry) -> str:
    words = ["required"] if parameter.required else []
    words += [" or ".join(map(str, parameter.values))] if parameter.values else []
    words += [f"default {_word(parameter.default)}"] if parameter.default is not None else []
    words += ["sent as null when absent"] if parameter.null_sent else []
    return "; ".join(words) or "optional"


# --- rules and prices ---------------------------------------------------------------------------------------------


def _rules(entry: ModelEntry, place: Place, model: type[ModelSpec]) -> Iterator[Forbid]:
    for index, rule in enumerate(entry.rules):
        here = (*place, "rules", index, "forbid")
        values = _checked(rule.forbid, here, model)
        if all(model.model_fields[name].default == value for name, value in values.items()):
            raise WrongEntry(here, "this forbids the defaults themselves; change a default, or the rule")
        yield Forbid(values, rule.cure, rule.source)


def _price_rules(entry: ModelEntry, place: Place, model: type[ModelSpec]) -> Iterator[PriceRule]:
    for index, price in enumerate(entry.prices):
        here = (*place, "prices", index)
        if index and not entry.prices[index - 1].when:
            raise WrongEntry(
                here, "the price above holds always, so this one never does; put the one without when last"
            )
        when = _checked(price.when, (*here, "when"), model)
        yield PriceRule(Price(price.usd, price.kind, price.source, price.as_of), when)


def _checked(values: Mapping[str, bool | int | str], place: Place, model: type[ModelSpec]) -> dict[str, Any]:
    """The values as a spec would have them: of a parameter that is open, a file says only whether it is there."""
    schemas = model.property_schemas()
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in schemas or name == "prompt":
            choice = ", ".join(other for other in schemas if other != "prompt") or "none; remove this"
            what = "is always there" if name == "prompt" else "is no parameter of this model"
            raise WrongEntry((*place, name), f"{repr_name(name)} {what}; take from {choice}")
        possible = _possible(schemas[name]) or tuple(PRESENCE)
        if not _among(value, possible):
            message = f"{name} never has the value {repr_short(value)}; take from {_written(possible)}"
            raise WrongEntry((*place, name), message)
        checked[name] = value if _possible(schemas[name]) else PRESENCE[str(value)]
    return checked


def _possible(schema: Mapping[str, Any]) -> Values:
    return (True, False) if schema.get("type") == "boolean" else tuple(schema.get("enum", ()))


def _among(value: bool | int | str, allowed: Values) -> bool:
    """`1` is not `true`, though Python takes them for equal."""
    return any(value == one and type(value) is type(one) for one in allowed)


def _written(values: Values) -> str:
    """As they stand in TOML."""
    return "[" + ", ".join(_word(value, quote='"') for value in values) + "]"


def _word(value: bool | int | str | None, quote: str = "") -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{quote}{value}{quote}" if isinstance(value, str) else str(value)
