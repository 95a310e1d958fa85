"""The generated tables of the README and the docs: `uv run cog -r README.md docs/*.md` writes them, and a test fails on
drift."""

from collections.abc import Iterable
from dataclasses import fields
from typing import get_args

from opentelemetry.metrics import Counter, Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from hailuo_mcp import telemetry
from hailuo_mcp.app import load_settings
from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.cli.settings import described
from hailuo_mcp.core import errors
from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.model_id import ModelId
from hailuo_mcp.core.parameters import CANONICAL
from hailuo_mcp.core.rules import PriceRule
from hailuo_mcp.core.settings import GatewaySettings
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import GATEWAYS, Gateway
from hailuo_mcp.gateways.client import GatewayClient
from hailuo_mcp.mcp import tools
from hailuo_mcp.mcp.model_views import model_summary
from hailuo_mcp.sandbox.faults import FAULTS
from tests import links


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def _catalog() -> Catalog:
    return Catalog(GATEWAYS, load_settings({}))


def _range(values: list[float] | None, form: str) -> str:
    if not values:
        return "not published"
    low, high = (form.format(v) for v in values)
    return low if low == high else f"{low} – {high}"


def models() -> str:
    rows: list[tuple[str, ...]] = []
    for model in _catalog().usable:
        facts = model_summary(model)
        schemas = model.property_schemas()
        parameters: list[str] = []
        for name in model.model_fields:
            if name == "prompt":
                continue
            closed = [str(v) for v in schemas[name].get("enum", ())]
            default = schemas[name].get("default")
            shown = "/".join(f"**{v}**" if v == str(default) else v for v in closed)
            parameters.append(
                f"`{name}`" + (" (required)" if model.is_required(name) else "") + (f" {shown}" if shown else "")
            )
        price, seconds = _range(facts["price_usd"], "${:g}"), _range(facts["typical_seconds"], "{:.0f} s")
        rows.append((f"`{model.id}`", model.summary, ", ".join(parameters), price, seconds))
    return table(("model", "makes", "takes, besides `prompt` (defaults bold)", "US$ a clip", "usual time"), rows)


def model_names() -> str:
    """A row for each model name, with all gateways that sell it."""
    sold: dict[str, list[type[ModelSpec]]] = {}
    for model in _catalog().usable:
        sold.setdefault(ModelId.parse(model.id).name, []).append(model)
    rows: list[tuple[str, ...]] = []
    for name, models_of_name in sold.items():
        summaries = dict.fromkeys(model.summary for model in models_of_name)
        known = [price for model in models_of_name for price in model_summary(model)["price_usd"] or ()]
        price = f"from ${min(known):g}" if known else "not published"
        gateways = ", ".join(ModelId.parse(model.id).gateway for model in models_of_name)
        rows.append((f"`{name}`", "; ".join(summaries), gateways, price))
    return table(("model", "makes", "sold by", "US$ a clip"), rows)


def keys() -> str:
    """A row for each gateway: its variable, its models, whether it has a history, and how long it keeps clips."""
    rows: list[tuple[str, ...]] = []
    for gateway in GATEWAYS:
        names = ", ".join(f"`{ModelId.parse(model.id).name}`" for model in gateway.models)
        kept = f"{gateway.retention.total_seconds() / 3600:g} h" if gateway.retention else "not documented"
        found = _with_history(gateway)
        history = "yes" if len(found) == len(gateway.models) else ", ".join(f"`{name}`" for name in found) or "no"
        rows.append((gateway.title, f"`{gateway.name.upper()}_API_KEY`", names, history, kept))
    return table(("gateway", "variable", "models", "finds lost jobs", "keeps a clip for"), rows)


def prices() -> str:
    """Every price of every model, with the parameters that differ from the defaults."""
    rows: list[tuple[str, ...]] = []
    for model in _catalog().usable:
        for price in model.prices:
            chosen = [f"`{n}` {value}" for n, value in price.when.items() if value != model.model_fields[n].default]
            source = f"{price.source}, {price.as_of:%Y-%m-%d}"
            with_values = ", ".join(chosen) or "defaults"
            rows.append((f"`{model.id}`", with_values, _price(price), price.kind, source))
        if not model.prices:
            rows.append((f"`{model.id}`", "", "not published", "", ""))
    return table(("model", "with", "US$ a clip", "kind", "source"), rows)


def _with_history(kind: type[Gateway]) -> list[str]:
    gateway = kind(GatewaySettings(urls=kind.hosts), GatewayClient(kind.title))
    return [ModelId.parse(model.id).name for model in kind.models if gateway.keeps_history(model.id)]


def _price(price: PriceRule) -> str:
    text = f"${price.usd:g}" + (" a second" if price.per == "second" else "")
    text += ", also of reference videos" if price.charges_videos else ""
    return text + (f", ${price.usd_per_image:g} an image after {price.free_images}" if price.usd_per_image else "")


def canonical_parameters() -> str:
    """What a custom model may accept."""
    rows: list[tuple[str, ...]] = []
    for name, canonical in CANONICAL.items():
        plain, *_ = get_args(canonical.kind)
        values = " / ".join(f"`{value}`" for value in get_args(plain) if isinstance(value, str))
        typed = {"boolean": "`true` / `false`", "integer": "whole numbers", "array": "a list of files"}
        text = values or typed.get(canonical.schema["type"], "text")
        rows.append((f"`{name}`", text, canonical.meaning))
    return table(("name", "values", "meaning"), rows)


def tool_list() -> str:
    rows = [(f"`{tool.name}`", tool.description or "") for tool in tools.definitions(_catalog())]
    return table(("tool", "what it does"), rows)


def variables() -> str:
    return table(("variable", "what it does"), ((f"`{name}`", meaning) for name, meaning in described()))


def faults() -> str:
    return table(("in the prompt", "what happens"), ((f"`{word}`", text) for word, text in FAULTS.items()))


def error_codes() -> str:
    kinds: list[type[HailuoError]] = []
    for branch in HailuoError.__subclasses__():
        kinds += branch.__subclasses__() or [branch]
    by_code = {kind.code: kind for kind in reversed(kinds) if kind.__module__ == errors.__name__}
    who = {
        errors.CallerError: "the assistant",
        errors.AccountError: "the account's owner",
        errors.GatewayTrouble: "no one: retry later",
    }
    rows: list[tuple[str, ...]] = []
    for code in get_args(errors.ErrorCode):
        kind = by_code[code]
        acts = next((words for branch, words in who.items() if issubclass(kind, branch)), "depends")
        hint = kind.default_hint or "Depends on the cause."
        rows.append((f"`{code}`", acts, "yes" if kind.retryable else "no", hint))
    return table(("code", "who can fix it", "usually safe to retry", "usual hint"), rows)


def figures() -> str:
    """The exported metrics, from the instruments themselves."""
    reader = InMemoryMetricReader()
    made = telemetry.create_metrics(MeterProvider([reader]).get_meter("docs"))
    for field in fields(made):
        instrument: Counter | Histogram = getattr(made, field.name)
        (instrument.add if isinstance(instrument, Counter) else instrument.record)(1)
    data = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else ()
    return table(
        ("metric", "unit", "description"), ((f"`{m.name}`", m.unit or "", m.description or "") for m in metrics)
    )


def one_click() -> str:
    choices: list[tuple[str, list[str]]] = [("none: the sandbox", [])]
    keys = [(kind.title, f"{kind.name.upper()}_API_KEY") for kind in GATEWAYS]
    choices += [(f"{title} (`{variable}`)", [variable]) for title, variable in keys]
    rows = [
        (key, f"[install in VS Code]({links.vscode(variables)})", f"[install in Cursor]({links.cursor(variables)})")
        for key, variables in choices
    ]
    return table(("with the key of", "VS Code asks for the key", "Cursor takes it from its environment"), rows)
