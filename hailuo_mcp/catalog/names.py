"""Models by the names that users know: without the gateway, or as the vendor or a gateway calls them."""

import math
import re
from collections.abc import Iterable, Sequence

from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.spec import ModelSpec

Model = type[ModelSpec]
VENDOR = "minimax-"
SUGGESTIONS_MAX = 3


def gateway_of(model: Model) -> str:
    return ModelId.parse(model.id).gateway


def name_of(model: Model) -> str:
    """The name after the gateway's, which several gateways may have."""
    return ModelId.parse(model.id).name


def models_named(given: str, known: Sequence[Model], usable: Sequence[Model]) -> tuple[Model, ...]:
    """The usable models that the name means: one, or the same model at several gateways; empty if there is none or the
    name is ambiguous."""
    wanted = given.strip().lower()
    if exact := [model for model in usable if model.id == wanted]:
        return tuple(exact)
    gateway, _, rest = wanted.partition("/")
    if rest and gateway in map(gateway_of, known):
        at_gateway = [model for model in usable if gateway_of(model) == gateway]
        # A gateway's own name for a model may begin like an id: `minimax/hailuo-02` is one of AI/ML API.
        return tuple(
            [model for model in at_gateway if _fold(rest) in _names(model)]
            or [model for model in usable if model.remote_name.lower() == wanted and not model.variant]
        )
    for name in dict.fromkeys(_fold(text).removeprefix(cut) for text in (wanted, rest) for cut in ("", VENDOR)):
        same = {name_of(model) for model in known if _fold(name_of(model)) == name}
        same = same or {name_of(model) for model in known if name in _names(model)}
        if len(same) == 1:
            found = [model for model in usable if name_of(model) in same]
            vendors = tuple(model for model in found if not model.variant)
            return vendors or (tuple(found) if _fold(wanted) in map(_fold, same) else ())
    return ()


def similar(given: str, usable: Iterable[Model]) -> list[str]:
    """The ids of usable models with similar names."""
    names = {name: model.id for model in usable for name in (_fold(model.id), *_names(model))}
    wanted = _fold(given[:80])
    from difflib import get_close_matches  # start-up time: only wrong names need it

    close = get_close_matches(wanted, names, 2 * SUGGESTIONS_MAX, 0.6)
    close += [name for name in names if len(wanted) > 2 and wanted in name]
    return list(dict.fromkeys(names[name] for name in close))[:SUGGESTIONS_MAX]


def same_models(models: Iterable[Model]) -> dict[str, list[Model]]:
    """Name to the models with this name, one per gateway: the cheapest first, those without a price last."""
    sold: dict[str, list[Model]] = {}
    for model in models:
        sold.setdefault(name_of(model), []).append(model)
    for offers in sold.values():
        offers.sort(key=lambda model: model.price_range() or (math.inf, math.inf))
    return sold


def shortest_description(ids: Iterable[str], usable: Iterable[str]) -> list[str]:
    """The shortest description of these usable models: by gateway, by a name that is the same everywhere, or by id."""
    groups: dict[str, set[str]] = {}
    for model in usable:
        for word in (*model.split("/", 1), model):
            groups.setdefault(word, set()).add(model)
    remaining = set(ids)
    fitting = {word: models for word, models in groups.items() if models <= remaining}
    words: list[str] = []
    while remaining:
        # The shortest of equivalent descriptions, then the earliest.
        word = max(fitting, key=lambda word: (len(fitting[word] & remaining), -len(word)))
        words.append(word)
        remaining -= fitting.pop(word)
    return sorted(words, key=list(groups).index)


def _names(model: Model) -> set[str]:
    return {_fold(name) for name in (name_of(model), model.remote_name, model.remote_name.rpartition("/")[2])}


def _fold(name: str) -> str:
    """The name in lower case, with dashes as separators."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
