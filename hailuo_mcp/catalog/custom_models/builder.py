"""Builds a `ModelSpec` subclass, like those of the gateways, from an entry of a file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import new_class
from typing import Any, cast

from pydantic import create_model

from hailuo_mcp.catalog.custom_models.document import Document, Place, WrongEntry
from hailuo_mcp.catalog.custom_models.entries import Entry, ModelEntry, PriceEntry, TimeEntry, read_entries
from hailuo_mcp.catalog.custom_models.fields import Choices, among, fields, numbers, toml
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.parameters import CANONICAL, REFERENCE_PARAMETERS, Constraint, MediaRule
from hailuo_mcp.core.rules import GIVEN, Advice, AtMost, Exclusive, Fill, Forbid, PriceRule, Rule, TimeRule
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import repr_name, repr_short
from hailuo_mcp.gateways import Gateway

PRESENCE: Mapping[str, Any] = {"given": GIVEN, "absent": None}
"""Values in `forbid` and `when` for any parameter that may be absent."""


class Builder:
    """Builds the models of several files, whose ids must differ."""

    def __init__(self, gateways: Sequence[type[Gateway]]) -> None:
        self._gateways = {gateway.name: gateway for gateway in gateways}
        self._taken = {model.id: "is built in" for gateway in gateways for model in gateway.models}

    def models_in(self, document: Document) -> list[type[ModelSpec]]:
        """Raises SettingsError: one line with the file, the line number and the fix."""
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
        base, parameters = _base(entry, place, gateway), entry.parameters.items()
        facts = {
            "__module__": __name__,
            "id": entry.id,
            "remote_name": entry.remote_name,
            "summary": entry.summary,
            "documented_at": entry.documented_at,
            "notes": tuple(Constraint(note.source, note.text) for note in entry.notes),
            "media": {medium: MediaRule(**_values(rule)) for medium, rule in entry.media.items()},
            "wire_names": {**base.wire_names, **{n: p.wire_name for n, p in parameters if p.wire_name}},
            "wire_forms": {**base.wire_forms, **{n: p.wire_form for n, p in parameters if p.wire_form}},
        }
        named = cast("type[ModelSpec]", new_class("OwnModel", (base,), {}, lambda body: body.update(facts)))
        made = fields(entry, place, base, urls_only=gateway.image_transfer == "url")
        model = create_model("OwnModel", __base__=named, __module__=__name__, **made)
        model.rules = tuple(_rules(entry, place, model))
        model.fills = tuple(_fills(entry, place, model))
        conditions = _conditions(entry.prices, (*place, "prices"), model)
        model.prices = tuple(
            replace(PriceRule(**_values(price)), when=when)
            for price, when in zip(entry.prices, conditions, strict=True)
        )
        for index, price in enumerate(entry.prices):
            if price.per == "second" and not model.accepts("duration"):
                raise WrongEntry((*place, "prices", index, "per"), "this model has no duration; give a price per clip")
        conditions = _conditions(entry.times, (*place, "times"), model)
        model.times = tuple(
            TimeRule(time.seconds, when=when) for time, when in zip(entry.times, conditions, strict=True)
        )
        if entry.typical_seconds and not model.times:
            model.times = (TimeRule(entry.typical_seconds),)
        model.advice = tuple(
            Advice(advice.text, when=_checked(advice.when, (*place, "advice", index, "when"), model))
            for index, advice in enumerate(entry.advice)
        )
        return model


def _base(entry: ModelEntry, place: Place, gateway: type[Gateway]) -> type[ModelSpec]:
    """The base class, which determines the format of the request body."""
    known = gateway.body_formats
    name = entry.body_format or next(iter(known))
    if name not in known:
        names = " or ".join(f'"{name}"' for name in known)
        raise WrongEntry(
            (*place, "body_format"), f"{gateway.title} has no body format {repr_short(name)}; take {names}"
        )
    return known[name]


def _rules(entry: ModelEntry, place: Place, model: type[ModelSpec]) -> Iterator[Rule]:
    for index, rule in enumerate(entry.rules):
        rule_place = (*place, "rules", index)
        forms = (rule.forbid is not None, rule.at_most is not None, bool(rule.these))
        pairs = (rule.at_most is not None) == bool(rule.together) and bool(rule.these) == bool(rule.those)
        if sum(forms) != 1 or not pairs:
            raise WrongEntry(
                rule_place, "a rule has forbid, or these and those, or at_most and together; correct this one"
            )
        for key, known in (("together", REFERENCE_PARAMETERS), ("these", CANONICAL), ("those", CANONICAL)):
            for number, name in enumerate(getattr(rule, key)):
                if name not in known or not model.accepts(name):
                    what = "list" if key == "together" else "parameter"
                    raise WrongEntry((*rule_place, key, number), f"{repr_name(name)} is not a {what} of this model")
        if rule.at_most is not None:
            yield AtMost(rule.at_most, tuple(rule.together), rule.fix_hint, rule.source)
        elif rule.these:
            yield Exclusive(tuple(rule.these), tuple(rule.those), rule.fix_hint, rule.source)
        else:
            forbid_place = (*rule_place, "forbid")
            forbid = Forbid(_checked(rule.forbid or {}, forbid_place, model), rule.fix_hint, rule.source)
            if forbid.matches(model.model_construct()):
                raise WrongEntry(forbid_place, "this forbids the defaults themselves; change a default, or the rule")
            yield forbid


def _fills(entry: ModelEntry, place: Place, model: type[ModelSpec]) -> Iterator[Fill]:
    for index, fill in enumerate(entry.fills):
        fill_place = (*place, "fills", index)
        value = _checked({fill.parameter: fill.value}, (*fill_place, "parameter"), model)[fill.parameter]
        yield Fill(fill.parameter, value, when=_checked(fill.when, (*fill_place, "when"), model))


def _values(entry: Entry) -> dict[str, Any]:
    """The values of an entry as a rule takes them: lists become tuples."""
    return {n: tuple(cast("list[Any]", v)) if isinstance(v, list) else v for n, v in vars(entry).items()}


def _conditions(
    entries: Sequence[PriceEntry | TimeEntry], place: Place, model: type[ModelSpec]
) -> list[dict[str, Any]]:
    """The condition of each entry. The first entry that matches counts, so only the last may match always."""
    conditions: list[dict[str, Any]] = []
    for index, entry in enumerate(entries):
        if index and not entries[index - 1].when:
            what = str(place[-1]).removesuffix("s")
            raise WrongEntry(
                (*place, index),
                f"the {what} above always applies, so this one never does; put the one without when last",
            )
        conditions.append(_checked(entry.when, (*place, index, "when"), model))
    return conditions


def _checked(values: Mapping[str, Any], place: Place, model: type[ModelSpec]) -> dict[str, Any]:
    """The values as in a spec. An optional parameter can also be `given` or `absent`."""
    schemas = model.property_schemas()
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in schemas or name == "prompt":
            choice = ", ".join(other for other in schemas if other != "prompt") or "none; remove this"
            what = "is always given" if name == "prompt" else "is not a parameter of this model"
            raise WrongEntry((*place, name), f"{repr_name(name)} {what}; take from {choice}")
        closed = _possible(schemas[name])
        optional = not closed or model.model_fields[name].default is None
        possible = (*closed, *PRESENCE) if optional else closed
        for one in cast("Choices", value if isinstance(value, tuple) else (value,)):
            if not among(one, possible):
                message = f"{name} never has the value {repr_short(one)}; take from {toml(possible)}"
                raise WrongEntry((*place, name), message)
        checked[name] = PRESENCE.get(value, value) if isinstance(value, str) else value
    return checked


def _possible(schema: Mapping[str, Any]) -> Choices:
    if schema.get("type") == "boolean":
        return (True, False)
    return tuple(schema.get("enum", ())) or numbers(schema.get("minimum"), schema.get("maximum"))
