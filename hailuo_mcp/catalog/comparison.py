"""Which model is best for what: the comparison that `list_models` ends with."""

from collections.abc import Mapping, Sequence

from hailuo_mcp.catalog.catalog import Model, price_samples

BestFor = Mapping[str, list[str]]
"""What is wanted, to the ids of the models that have it."""


def best_for(models: Sequence[Model]) -> BestFor:
    """The cheapest and the fastest by what is published, each model at its best; and who does what not all do."""
    samples = [(model.id, price_samples(model)) for model in models]
    prices = [(price.usd, name) for name, specs in samples for spec in specs if (price := spec.price())]
    times = [(seconds, name) for name, specs in samples for spec in specs if (seconds := spec.typical_seconds())]
    return {
        "cheapest": _least(prices),
        "fastest": _least(times),
        "1080p": [name for name, specs in samples if any(getattr(s, "resolution", None) == "1080p" for s in specs)],
        "10s": [name for name, specs in samples if any(getattr(s, "duration", None) == 10 for s in specs)],
        "last_frame": [model.id for model in models if model.accepts("last_frame_image")],
        "text_only": [model.id for model in models if not model.is_required("first_frame_image")],
    }


def in_words(best: BestFor) -> list[tuple[str, str]]:
    """Each want, and who has it."""
    return [(want.replace("_", " "), ", ".join(names) or "none known") for want, names in best.items()]


def _least(figures: list[tuple[float, str]]) -> list[str]:
    """All that share the least figure."""
    least = min(figures, default=(0.0, ""))[0]
    return list(dict.fromkeys(name for figure, name in figures if figure == least))
