"""Models written as TOML."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from hailuo_mcp.app import load_settings
from hailuo_mcp.catalog.custom_models import own_models
from hailuo_mcp.catalog.names import gateway_of
from hailuo_mcp.core.rules import GIVEN, AtMost, Exclusive, Forbid
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import GATEWAYS

PAGE = Path(__file__).parents[3] / "docs" / "custom-models.md"


PRESENT: Mapping[Any, str] = {GIVEN: "given", None: "absent"}
"""How a file says that an image is given, or absent."""


def example() -> str:
    """The file that the page shows."""
    return PAGE.read_text().split("```toml\n")[1].split("```")[0]


def models_in(directory: Path, text: str) -> tuple[type[ModelSpec], ...]:
    """The models of a file in a configuration directory."""
    (directory / "models.toml").write_text(text)
    return own_models(load_settings({}).model_copy(update={"config_dir": directory}), GATEWAYS)


def written(model: type[ModelSpec], name: str) -> str:
    """A built-in model under another name, as a file would define it."""
    lines = [
        "[[models]]",
        f"id = {_value(name)}",
        f"remote_name = {_value(model.remote_name)}",
        f"summary = {_value(model.summary)}",
        f"documented_at = {_value(model.documented_at)}",
        f"body_format = {_value(_body_format(model))}",
    ]
    schemas = model.property_schemas()
    for parameter in model.model_fields:
        schema = schemas[parameter]
        if parameter == "prompt":
            facts = {"max_length": schema["maxLength"], "source": "documented: the same page"}
            lines += ["", "[models.parameters.prompt]", *_lines(facts)]
            continue
        entry: dict[str, Any] = {"source": "documented: the same page", "wire_name": model.wire_name(parameter)}
        entry |= {key: schema[name] for key, name in _BOUNDS.items() if name in schema}
        entry |= {"wire_form": model.wire_forms[parameter]} if parameter in model.wire_forms else {}
        entry |= {"required": True} if model.is_required(parameter) else {}
        entry |= {"sends_null": True} if model.accepts_null(parameter) else {}
        entry |= {"default": schema["default"]} if schema.get("default") is not None else {}
        lines += ["", f"[models.parameters.{parameter}]", *_lines(entry)]
    for rule in model.rules:
        facts: dict[str, Any] = {"fix_hint": rule.fix_hint, "source": str(rule.source)}
        if isinstance(rule, Forbid):
            facts["forbid"] = _when(rule.values)
        if isinstance(rule, Exclusive):
            facts |= {"these": [*rule.these], "those": [*rule.those]}
        if isinstance(rule, AtMost):
            facts |= {"at_most": rule.count, "together": [*rule.together]}
        lines += ["", "[[models.rules]]", *_lines(facts)]
    for fill in model.fills:
        facts = {"parameter": fill.parameter, "value": fill.value, "when": _when(fill.when)}
        lines += ["", "[[models.fills]]", *_lines(facts)]
    for medium, rule in model.media.items():
        facts = {f.name: v for f in fields(rule) if (v := getattr(rule, f.name)) is not None and f.name != "source"}
        facts["source"] = str(rule.source)
        lines += ["", f"[models.media.{medium}]", *_lines(facts)]
    for note in model.notes:
        lines += ["", "[[models.notes]]", *_lines({"text": note.text, "source": str(note.source)})]
    for price in model.prices:
        facts = {f.name: getattr(price, f.name) for f in fields(price) if f.name not in ("as_of", "when")}
        facts["when"] = _when(price.when)
        lines += ["", "[[models.prices]]", *_lines(facts), f"as_of = {price.as_of.isoformat()}"]
    for time in model.times:
        lines += ["", "[[models.times]]", *_lines({"seconds": time.seconds, "when": _when(time.when)})]
    for advice in model.advice:
        lines += ["", "[[models.advice]]", *_lines({"text": advice.text, "when": _when(advice.when)})]
    return "\n".join(lines) + "\n\n"


_BOUNDS = {"values": "enum", "minimum": "minimum", "maximum": "maximum", "max_items": "maxItems"}
"""A parameter's keys in a file, and the keywords of its JSON schema."""


def _when(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: PRESENT.get(value, value) for name, value in values.items()}


def _body_format(model: type[ModelSpec]) -> str:
    gateway = next(gateway for gateway in GATEWAYS if gateway.name == gateway_of(model))
    return next(name for name, base in gateway.body_formats.items() if issubclass(model, base))


def _lines(facts: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {_value(value)}" for name, value in facts.items()]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(inner)}" for name, inner in value.items()) + " }"  # pyright: ignore[reportUnknownVariableType]
    return json.dumps(value, ensure_ascii=False)
