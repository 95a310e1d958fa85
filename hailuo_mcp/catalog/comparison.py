"""Which model is best for which purpose: the comparison at the end of `list_models`."""

from collections.abc import Sequence
from typing import Any

from hailuo_mcp.catalog.names import Model
from hailuo_mcp.core.parameters import IMAGE_PARAMETERS


def best_for(models: Sequence[Model]) -> dict[str, list[str]]:
    """Criterion to model ids: the cheapest and the fastest models, each by its lowest published price or time, and the
    models with features that others lack."""
    return {
        "cheapest": _lowest([(usd[0], model.id) for model in models if (usd := model.price_range())]),
        "fastest": _lowest([(time.seconds, model.id) for model in models for time in model.times]),
        "1080p": [model.id for model in models if _has(model, "resolution", "1080p")],
        "10s": [model.id for model in models if _has(model, "duration", 10)],
        "last_frame": [model.id for model in models if model.accepts("last_frame_image")],
        "text_only": [model.id for model in models if not any(map(model.is_required, IMAGE_PARAMETERS))],
    }


def _has(model: Model, parameter: str, value: Any) -> bool:
    """Whether the value is among the values or in the range of the model's schema."""
    schema = model.property_schemas().get(parameter, {})
    if "minimum" in schema and "maximum" in schema:
        return schema["minimum"] <= value <= schema["maximum"]
    return value in schema.get("enum", ())


def _lowest(values: list[tuple[float, str]]) -> list[str]:
    """All models that share the lowest value."""
    lowest = min(values, default=(0.0, ""))[0]
    return list(dict.fromkeys(name for value, name in values if value == lowest))
