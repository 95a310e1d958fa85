"""The results of list_models: the list with its comparison, and the details of one model."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.catalog.comparison import best_for
from hailuo_mcp.catalog.names import same_models, shortest_description
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.parameters import MEDIA_PARAMETERS
from hailuo_mcp.core.rules import PriceRule
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import Gateway
from hailuo_mcp.mcp.views import ModelList

_OFFER = ("model", "price_usd", "typical_seconds")
"""The facts of a model at one gateway, if several sell it."""


def model_summary(model: type[ModelSpec]) -> dict[str, Any]:
    """The most important facts about a model."""
    times = [time.seconds for time in model.times]
    return {
        "model": model.id,
        "makes": model.summary,
        "price_usd": [*usd] if (usd := model.price_range()) else None,
        "typical_seconds": [min(times), max(times)] if times else None,
        "parameters": [name for name in model.model_fields if not model.is_required(name)],
        "required": [name for name in model.model_fields if model.is_required(name)],
    }


_TRANSFERS = {"upload": "uploaded", "data": "sent inside the request", "url": "not accepted: URLs only"}


def model_details(model: type[ModelSpec], gateway: type[Gateway]) -> dict[str, Any]:
    """Everything known about a model, each fact with its source."""
    retention = gateway.retention
    return {
        **model_summary(model),
        "gateway": gateway.title,
        "remote_name": model.remote_name,
        "documentation": model.documented_at,
        "schema": model.full_schema(),
        "constraints": model.constraints(),
        "camera_commands": str(model.camera_commands or "not documented: describe the move in plain text"),
        "prices": [_price(price) for price in {price.usd: price for price in model.prices}.values()],
        "local_files": _local_files(model, gateway),
        "clip_kept_seconds": retention.total_seconds() if retention else None,
    }


def _local_files(model: type[ModelSpec], gateway: type[Gateway]) -> str | Mapping[str, str]:
    """How local files are transferred: by parameter, or one value if it is the same for all."""
    ways = {name: _TRANSFERS[gateway.transfer(model, name, 0)] for name in MEDIA_PARAMETERS if model.accepts(name)}
    return ways if len(set(ways.values())) > 1 else next(iter(ways.values()), "none")


def _price(rule: PriceRule) -> dict[str, Any]:
    by_input = {"usd_per_image": rule.usd_per_image, "free_images": rule.free_images} if rule.usd_per_image else {}
    by_input |= {"charges_videos": True} if rule.charges_videos else {}
    known = {"kind": rule.kind, "source": rule.source, "as_of": rule.as_of.isoformat()}
    return {"usd": rule.usd, "per": rule.per, **by_input, **known}


def model_list(
    catalog: Catalog, sandbox: bool, model: type[ModelSpec] | None = None, balances: Mapping[str, float] | None = None
) -> ModelList:
    models = [model_details(model, catalog.gateway(model))] if model else [model_summary(m) for m in catalog.usable]
    for facts in models:
        if (balance := (balances or {}).get(_gateway(facts))) is not None:
            facts["balance"] = balance
    compared = {} if model else dict(best_for(catalog.usable))
    sold = {} if model else same_models(catalog.usable)
    return ModelList(
        models=models,
        default_model=catalog.default_model,
        best_for=compared,
        sold_by={name: [_offer(offer) for offer in offers] for name, offers in sold.items()},
        sandbox=sandbox,
    )


def _gateway(facts: Mapping[str, Any]) -> str:
    return ModelId.parse(facts["model"]).gateway


def _offer(model: type[ModelSpec]) -> dict[str, Any]:
    facts = {name: fact for name, fact in model_summary(model).items() if name in _OFFER}
    return {**facts, "variant": model.variant} if model.variant else facts


def model_list_text(view: ModelList, catalog: Catalog) -> str:
    if not view.models:
        return f"No model is usable. {catalog.how_to_get_keys()}"
    if len(view.models) == 1 and "schema" in view.models[0]:
        return json.dumps(view.models[0], ensure_ascii=False)
    summaries = {summary["model"]: summary for summary in view.models}
    lines = [
        _line_of_same(name, offers, summaries) if len(offers) > 1 else _summary_line(summaries[offers[0]["model"]])
        for name, offers in view.sold_by.items()
    ]
    lines += [f"{want[:1].upper()}{want[1:]}: {names}." for want, names in best_for_lines(view)]
    if shared := next((offers for offers in view.sold_by.values() if len(offers) > 1), None):
        lines.append(f"Gateways are sorted by price; to choose one, pass it with the model: {shared[0]['model']}.")
    lines.append(f"Without a model, the cheapest that fits is used: {bare_prompt(view)}.")
    balances = {_gateway(facts): facts["balance"] for facts in view.models if "balance" in facts}
    if balances:
        amounts = ", ".join(f"{gateway} {balance:,.2f}" for gateway, balance in balances.items())
        lines.append(f"Account balances, in the gateway's currency or credits: {amounts}.")
    if view.sandbox:
        lines.append("Sandbox: no key is set; clips are previews, not made by Hailuo, and cost nothing.")
    return "\n".join(lines)


def bare_prompt(view: ModelList) -> str:
    """The model of a call with nothing but a prompt. It may not be the cheapest of all, whose lowest price may apply to
    other settings or require an image."""
    model = next((model for model in view.models if model["model"] == view.default_model), None)
    if model is None:
        return "for a prompt alone none, because each usable model requires more"
    what = "a prompt with an image" if "first_frame_image" in model["required"] else "a prompt alone"
    why = "the cheapest at default settings" if model["price_usd"] else "no price is published"
    return f"for {what} {view.default_model}, {why}"


def best_for_lines(view: ModelList) -> list[tuple[str, str]]:
    """Label and models, for each row of the comparison."""
    qualifiers = {"cheapest": ", at its lowest price", "fastest": ", at its shortest time"}
    usable = [model["model"] for model in view.models]
    rows: list[tuple[str, str]] = []
    for want, ids in view.best_for.items():
        words = ids if want in qualifiers else shortest_description(ids, usable)
        rows.append((want.replace("_", " "), ", ".join(words) + qualifiers.get(want, "") if ids else "none known"))
    return rows


def _summary_line(summary: Mapping[str, Any]) -> str:
    cost, time = _cost(summary["price_usd"]) or "price unknown", _time(summary["typical_seconds"]) or "time unknown"
    parameters = [f"{name} (required)" for name in summary["required"] if name != "prompt"] + summary["parameters"]
    return f"{summary['model']}: {summary['makes']}; {cost}; {time}; {', '.join(parameters)}"


def _line_of_same(name: str, offers: Sequence[Mapping[str, Any]], summaries: Mapping[str, Mapping[str, Any]]) -> str:
    """One model at several gateways: the price at each, and the parameters with the gateways that accept them."""
    priced: list[str] = []
    unpriced: list[str] = []
    gateways = {offer["model"]: _gateway(offer) for offer in offers}
    for offer in offers:
        variant = f"({offer['variant']})" if "variant" in offer else ""
        facts = (gateways[offer["model"]], variant, _cost(offer["price_usd"]), _time(offer["typical_seconds"]))
        (priced if offer["price_usd"] else unpriced).append(" ".join(filter(None, facts)))
    accepted_at: dict[str, list[str]] = {}
    for model, gateway in gateways.items():
        for parameter in (*summaries[model]["required"], *summaries[model]["parameters"]):
            accepted_at.setdefault(parameter, []).append(gateway)
    needed = [
        parameter for parameter in accepted_at if all(parameter in summaries[model]["required"] for model in gateways)
    ]
    parameters = [
        parameter + (" (required)" if parameter in needed else f" ({', '.join(at)})" if len(at) < len(gateways) else "")
        for parameter, at in accepted_at.items()
        if parameter != "prompt"
    ]
    makes = " / ".join(dict.fromkeys(summaries[model]["makes"] for model in gateways))
    sold = [", ".join(priced)] + ([f"price unknown: {', '.join(unpriced)}"] if unpriced else [])
    return "; ".join([f"{name}: {makes}", *filter(None, sold), ", ".join(parameters)])


def _cost(price: Sequence[float] | None) -> str:
    return f"${_span(price, 'g')}" if price else ""


def _time(seconds: Sequence[float] | None) -> str:
    return f"{_span(seconds, '.0f')} s" if seconds else ""


def _span(ends: Sequence[float], form: str) -> str:
    """The lowest and the highest value, or one if they read the same."""
    return "–".join(dict.fromkeys(format(end, form) for end in ends))
