"""The parameters of all usable models as the properties of one flat JSON schema, and which models accept each."""

from collections.abc import Sequence

from hailuo_mcp.catalog.catalog import Catalog, Model, gateway_of
from hailuo_mcp.core.parameters import CANONICAL, JsonSchema


def merged_properties(catalog: Catalog) -> dict[str, JsonSchema]:
    """Every parameter that some usable model accepts; its description names the models."""
    properties: dict[str, JsonSchema] = {}
    for name, canonical in CANONICAL.items():
        accepting = [model for model in catalog.usable if model.accepts(name)]
        if not accepting and name != "prompt":
            continue
        description = f"{canonical.meaning} {_models_phrase(accepting, catalog)}."
        properties[name] = {**canonical.schema, "description": description}
        if "enum" in canonical.schema:
            offered = {model: model.property_schemas()[name].get("enum", ()) for model in accepting}
            by_value = {value: [m for m in accepting if value in offered[m]] for value in canonical.schema["enum"]}
            properties[name]["enum"] = [value for value, models in by_value.items() if models]
            properties[name]["description"] += "".join(
                f" {value}: {_ids(models, catalog)}."
                for value, models in by_value.items()
                if 0 < len(models) < len(accepting)
            )
    return properties


def inputs_sentence(catalog: Catalog) -> str:
    """Which of the usable models work from text alone."""
    from_text = [model for model in catalog.usable if not model.is_required("first_frame_image")]
    if len(from_text) == len(catalog.usable):
        return "All make clips from text."
    if not from_text:
        return "All need first_frame_image."
    return f"Text alone: {_ids(from_text, catalog)}; the others need first_frame_image."


def _models_phrase(models: Sequence[Model], catalog: Catalog) -> str:
    """These models, by inclusion or by exclusion, whichever is shorter."""
    others = [model for model in catalog.usable if model not in models]
    if not others:
        return "All models"
    included, excluded = _ids(models, catalog), _ids(others, catalog)
    return f"All but {excluded}" if len(excluded) < len(included) else f"For {included}"


def _ids(models: Sequence[Model], catalog: Catalog) -> str:
    """Their ids, with `<gateway>/*` for all usable models of a gateway."""
    names: list[str] = []
    for gateway in dict.fromkeys(map(gateway_of, models)):
        usable = [model for model in catalog.usable if gateway_of(model) == gateway]
        these = [model for model in models if model in usable]
        names += [f"{gateway}/*"] if 1 < len(these) == len(usable) else [model.id for model in these]
    return ", ".join(names)
