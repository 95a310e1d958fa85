"""The sentences that explain how a call was read: which model was chosen, and what was ignored."""

from hailuo_mcp.catalog.catalog import Choice
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import repr_short


def explain_choice(choice: Choice) -> tuple[str, ...]:
    """Warnings for the result; none where the caller named the model by its id and nothing was ignored."""
    return tuple(sentence for sentence in (_how_chosen(choice), _what_was_ignored(choice)) if sentence)


def _how_chosen(choice: Choice) -> str | None:
    spec = choice.spec
    if choice.others is None:
        return f"The model {repr_short(choice.asked)} was taken as {spec.id}." if choice.asked else None
    count = 1 + len(choice.others)
    if count == 1:
        why = "the only usable model that takes these arguments"
    elif spec.price():
        why = f"the cheapest of {count} usable models that take these arguments"
    else:
        why = f"the first of {count} usable models that take these arguments, none with a published price"
    if choice.asked:
        head = f"The model {repr_short(choice.asked)} was taken as {spec.id}, "
        why = why.replace("usable models", "gateways", 1)
    else:
        head = f"No model was named: {spec.id} was chosen, "
    sentence = f"{head}{why} ({_terms(spec)})."
    if choice.others:
        sentence += f" Next: {choice.others[0].id} ({_terms(choice.others[0])})."
    return sentence


def _what_was_ignored(choice: Choice) -> str | None:
    if not choice.ignored:
        return None
    values = ", ".join(f"{name} {repr_short(value)}" for name, value in choice.ignored.items())
    return f"Ignored, for {choice.spec.id} has no such parameter: {values}."


def _terms(spec: ModelSpec) -> str:
    """Price and usual time."""
    price, seconds = spec.price(), spec.typical_seconds()
    cost = f"about ${price.usd:.3g}, {price.kind}" if price else "its price is not published"
    return f"{cost}; usually {seconds:.0f} s" if seconds else cost
