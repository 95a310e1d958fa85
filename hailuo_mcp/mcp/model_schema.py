"""The parameters of all usable models, merged into the properties of one flat JSON schema."""

from collections.abc import Collection, Sequence

from hailuo_mcp.catalog.catalog import Catalog, Model, gateway_of
from hailuo_mcp.catalog.names import shortest_description
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.parameter_limits import ParameterLimits, limits_of
from hailuo_mcp.core.parameters import CANONICAL, PROMPT_MAX, JsonSchema

WORDS_MAX = 2
_MOST, _SOME = "Most models", "Some models"


def merged_properties(catalog: Catalog) -> dict[str, JsonSchema]:
    """The schema of every parameter that a usable model accepts; its description names the models unless all do."""
    properties: dict[str, JsonSchema] = {}
    for name, canonical in CANONICAL.items():
        accepting = [model for model in catalog.usable if model.accepts(name)]
        if not accepting and name != "prompt":
            continue
        description = canonical.meaning + _only(accepting, catalog)
        limits = {model: limits_of(model.model_fields[name]) for model in accepting}
        properties[name] = {**canonical.schema, **_widest(limits.values()), "description": description}
        if name == "prompt":
            properties[name]["maxLength"] = max((each.max_length or 0 for each in limits.values()), default=PROMPT_MAX)
        if "enum" in canonical.schema:
            values = canonical.schema["enum"]
            by_value = {value: [m for m in accepting if value in limits[m].choices] for value in values}
            properties[name]["enum"] = [value for value, models in by_value.items() if models]
            properties[name]["description"] += "".join(
                f" {value}: {_phrase(models, catalog)}."
                for value, models in by_value.items()
                if 0 < len(models) < len(accepting) and len(_words(models, catalog)) == 1
            )
    return properties


def _widest(limits: Collection[ParameterLimits]) -> JsonSchema:
    """The widest of these bounds; a bound that one of them lacks is left out."""
    bounds: JsonSchema = {}
    if limits and all(each.minimum is not None for each in limits):
        bounds["minimum"] = min(each.minimum for each in limits)
    if limits and all(each.maximum is not None for each in limits):
        bounds["maximum"] = max(each.maximum for each in limits)
    return bounds


def models_sentence(catalog: Catalog) -> str:
    """The names of the usable models, and of their gateways if there are several."""
    names = dict.fromkeys(ModelId.parse(model.id).name for model in catalog.usable)
    gateways = dict.fromkeys(map(gateway_of, catalog.usable))
    chosen = f" Or gateway/model: {', '.join(gateways)}." if len(gateways) > 1 else ""
    return f"One of {', '.join(names)}.{chosen}"


def inputs_sentence(catalog: Catalog) -> str:
    """What some of the usable models need besides a prompt."""
    needs = {name: [m for m in catalog.usable if m.is_required(name)] for name in CANONICAL if name != "prompt"}
    if common := [name for name, need in needs.items() if need and len(need) == len(catalog.usable)]:
        return f"All need {' and '.join(common)}."
    by_name = [(name, _phrase(need, catalog)) for name, need in needs.items() if need]
    if not by_name:
        return "A prompt is enough."
    (first, who), *others = by_name
    return "; ".join([f"{first} needed: {who}", *(f"{name}: {phrase}" for name, phrase in others)]) + "."


def _only(models: Sequence[Model], catalog: Catalog) -> str:
    if len(models) == len(catalog.usable):
        return ""
    phrase = _phrase(models, catalog)
    return "" if phrase in (_MOST, _SOME) else f" {phrase} only."


def _phrase(models: Sequence[Model], catalog: Catalog) -> str:
    """These models in as few words as possible. A long list would cost more context than an error, which names the
    models that accept the parameter."""
    words = _words(models, catalog)
    if len(words) <= WORDS_MAX:
        return ", ".join(words)
    return _MOST if 2 * len(models) > len(catalog.usable) else _SOME


def _words(models: Sequence[Model], catalog: Catalog) -> list[str]:
    return shortest_description([model.id for model in models], [model.id for model in catalog.usable])
