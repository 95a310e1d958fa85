"""Builds a `ModelSpec` subclass, like those of the gateways, from an entry of a file."""

from collections.abc import Iterator, Mapping, Sequence
from types import new_class
from typing import Annotated, Any, Literal, Protocol, TypeVar, cast, get_args

from pydantic import Field, create_model

from hailuo_mcp.catalog.custom_models.document import Document, Place, WrongEntry
from hailuo_mcp.catalog.custom_models.entries import ModelEntry, ParameterEntry, read_entries
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.parameters import CANONICAL_TYPES, IMAGE_PARAMETERS, Constraint, Flag, ImageUrl, SendsNull
from hailuo_mcp.core.rules import GIVEN, Advice, Forbid, PriceRule, TimeRule
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import repr_name, repr_short
from hailuo_mcp.gateways import Gateway

Values = tuple[bool | int | str, ...]
PRESENCE: Mapping[str, Any] = {"given": GIVEN, "absent": None}
"""Values in `forbid` and `when` for a parameter that has no closed set of values."""


class Builder:
    """Builds the models of several files, whose ids must differ."""

    def __init__(self, gateways: Sequence[type[Gateway]]) -> None:
        self._gateways = {gateway.name: gateway for gateway in gateways}
        self._taken = {model.id: "is built in" for gateway in gateways for model in gateway.models}

    def models_in(self, document: Document) -> list[type[ModelSpec]]:
        """Raises SettingsError: one line with the file, the line and the correction."""
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
        gateway = self._gateways.get(ModelId.parse(entry.id).gateway)
        if gateway is None:
            known = ", ".join(f"{name}/" for name in self._gateways)
            raise WrongEntry((*place, "id"), f"id {repr_short(entry.id)} names no gateway; begin with one of {known}")
        if where := self._taken.get(entry.id):
            raise WrongEntry((*place, "id"), f"id {repr_short(entry.id)} {where}; choose another name")
        base = _base(entry, place, gateway)
        facts = {
            "__module__": __name__,
            "id": entry.id,
            "remote_name": entry.remote_name,
            "summary": entry.summary,
            "documented_at": entry.documented_at,
            "notes": tuple(Constraint(note.source, note.text) for note in entry.notes),
        }
        named = cast("type[ModelSpec]", new_class("OwnModel", (base,), {}, lambda body: body.update(facts)))
        fields = _fields(entry, place, base, urls_only=gateway.image_transfer == "url")
        model = create_model("OwnModel", __base__=named, __module__=__name__, **fields)
        model.rules = tuple(_rules(entry, place, model))
        model.prices = tuple(
            PriceRule(price.usd, price.kind, price.source, price.as_of, when)
            for price, when in _each(entry.prices, (*place, "prices"), model)
        )
        model.times = tuple(
            TimeRule(time.seconds, when) for time, when in _each(entry.times, (*place, "times"), model)
        ) or ((TimeRule(entry.typical_seconds),) if entry.typical_seconds else ())
        model.advice = tuple(
            Advice(advice.text, _checked(advice.when, (*place, "advice", index, "when"), model))
            for index, advice in enumerate(entry.advice)
        )
        return model


def _base(entry: ModelEntry, place: Place, gateway: type[Gateway]) -> type[ModelSpec]:
    """The class that gives the request body its format."""
    known = gateway.body_formats
    name = entry.body_format or next(iter(known))
    if name not in known:
        names = " or ".join(f'"{name}"' for name in known)
        raise WrongEntry(
            (*place, "body_format"), f"{gateway.title} has no body format {repr_short(name)}; take {names}"
        )
    return known[name]


# --- parameters ---------------------------------------------------------------------------------------------------


def _fields(entry: ModelEntry, place: Place, base: type[ModelSpec], *, urls_only: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    sent_names = {} if "prompt" in entry.parameters else {"prompt": "prompt"}
    for name, parameter in entry.parameters.items():
        here = (*place, "parameters", name)
        if name not in CANONICAL_TYPES:
            raise WrongEntry(
                here, f"there is no parameter {repr_name(name)}; this server has {', '.join(CANONICAL_TYPES)}"
            )
        wire = parameter.wire_name or base.wire_names.get(name, name)
        if other := sent_names.get(wire):
            raise WrongEntry(here, f"{name} is sent as {wire}, as {other} is; give one of them another wire name")
        sent_names[wire] = name
        fields[name] = _field(name, parameter, wire, here, urls_only=urls_only)
    return fields


def _field(name: str, parameter: ParameterEntry, wire: str, place: Place, *, urls_only: bool) -> Any:
    """Type and default, as `create_model` takes them."""
    canonical, allowed = _narrowed(name, parameter, place, urls_only=urls_only)
    _check_presence(name, parameter, allowed, place)
    metadata: list[Any] = [Constraint(parameter.source, parameter.rule or _rule_text(parameter))]
    if wire != name:
        metadata.append(Field(serialization_alias=wire))
    if parameter.sends_null:
        metadata.append(SendsNull())
    required = parameter.required or name == "prompt"
    kind = canonical if required or parameter.default is not None else canonical | None
    return Annotated[(kind, *metadata)], ... if required else parameter.default


def _narrowed(name: str, parameter: ParameterEntry, place: Place, *, urls_only: bool) -> tuple[Any, Values]:
    """The canonical type, limited to the given values, and these values; none where they are not a closed set."""
    canonical, given = CANONICAL_TYPES[name], parameter.values
    plain, *checks = get_args(canonical)
    possible: Values = get_args(plain)  # of a Literal; nothing else has any
    if not possible:
        if given is not None:
            raise WrongEntry((*place, "values"), f"{name} has no set of values to choose from; remove this line")
        address = name in IMAGE_PARAMETERS and urls_only
        return ImageUrl if address else canonical, (True, False) if canonical is Flag else ()
    if given is None:
        raise WrongEntry(
            place, f"{name} must name its values; add values = {_toml(possible)}, or those of them that it takes"
        )
    for index, value in enumerate(given):
        if not _among(value, possible):
            message = f"{name} cannot have the value {repr_short(value)}; take from {_toml(possible)}"
            raise WrongEntry((*place, "values", index), message)
        if _among(value, tuple(given[:index])):
            raise WrongEntry((*place, "values", index), f"{name} has the value {repr_short(value)} twice; remove one")
    literal: Any = Literal
    return Annotated[(literal[tuple(given)], *checks)], tuple(given)


def _check_presence(name: str, parameter: ParameterEntry, allowed: Values, place: Place) -> None:
    """Check `required`, `default` and `sends_null` against each other."""
    default, required = parameter.default, parameter.required or name == "prompt"
    if name == "prompt" and "required" in parameter.model_fields_set and not parameter.required:
        raise WrongEntry((*place, "required"), "every model requires a prompt; remove this line")
    if default is not None and required:
        raise WrongEntry((*place, "default"), f"{name} is required, so it has no default; remove one of the two")
    if default is not None and not allowed:
        raise WrongEntry((*place, "default"), f"{name} has no default worth sending; remove this line")
    if default is not None and not _among(default, allowed):
        raise WrongEntry(
            (*place, "default"), f"{name} cannot have the default {repr_short(default)}; take from {_toml(allowed)}"
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


# --- rules, prices, times ---------------------------------------------------------------------------------------------


def _rules(entry: ModelEntry, place: Place, model: type[ModelSpec]) -> Iterator[Forbid]:
    for index, rule in enumerate(entry.rules):
        here = (*place, "rules", index, "forbid")
        values = _checked(rule.forbid, here, model)
        if all(model.model_fields[name].default == value for name, value in values.items()):
            raise WrongEntry(here, "this forbids the defaults themselves; change a default, or the rule")
        yield Forbid(values, rule.fix_hint, rule.source)


class _Conditional(Protocol):
    @property
    def when(self) -> Mapping[str, bool | int | str]: ...


_C = TypeVar("_C", bound=_Conditional)


def _each(entries: Sequence[_C], place: Place, model: type[ModelSpec]) -> Iterator[tuple[_C, dict[str, Any]]]:
    """Entries of which the first that matches counts, each with its condition."""
    for index, entry in enumerate(entries):
        if index and not entries[index - 1].when:
            what = str(place[-1]).removesuffix("s")
            raise WrongEntry(
                (*place, index),
                f"the {what} above always applies, so this one never does; put the one without when last",
            )
        yield entry, _checked(entry.when, (*place, index, "when"), model)


def _checked(values: Mapping[str, bool | int | str], place: Place, model: type[ModelSpec]) -> dict[str, Any]:
    """The values as a spec has them. For a parameter without a closed set of values, `given` and `absent` are
    possible."""
    schemas = model.property_schemas()
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in schemas or name == "prompt":
            choice = ", ".join(other for other in schemas if other != "prompt") or "none; remove this"
            what = "is always there" if name == "prompt" else "is no parameter of this model"
            raise WrongEntry((*place, name), f"{repr_name(name)} {what}; take from {choice}")
        possible = _possible(schemas[name]) or tuple(PRESENCE)
        if not _among(value, possible):
            message = f"{name} never has the value {repr_short(value)}; take from {_toml(possible)}"
            raise WrongEntry((*place, name), message)
        checked[name] = value if _possible(schemas[name]) else PRESENCE[str(value)]
    return checked


def _possible(schema: Mapping[str, Any]) -> Values:
    return (True, False) if schema.get("type") == "boolean" else tuple(schema.get("enum", ()))


def _among(value: bool | int | str, allowed: Values) -> bool:
    """Unlike `in`, tells `1` from `true`."""
    return any(value == one and type(value) is type(one) for one in allowed)


def _toml(values: Values) -> str:
    """A list in TOML."""
    return "[" + ", ".join(_word(value, quote='"') for value in values) + "]"


def _word(value: bool | int | str | None, quote: str = "") -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{quote}{value}{quote}" if isinstance(value, str) else str(value)
