"""The sentence that explains which model was chosen where the caller named none."""

from hailuo_mcp.catalog.catalog import Choice
from hailuo_mcp.core.spec import ModelSpec


def explain_choice(choice: Choice) -> tuple[str, ...]:
    """One warning for the result; none where the caller named the model."""
    if choice.others is None:
        return ()
    spec, count = choice.spec, 1 + len(choice.others)
    if count == 1:
        why = "the only usable model that takes these arguments"
    elif spec.price():
        why = f"the cheapest of {count} usable models that take these arguments"
    else:
        why = f"the first of {count} usable models that take these arguments, none with a published price"
    sentence = f"No model was named: {spec.id} was chosen, {why} ({_terms(spec)})."
    if choice.others:
        sentence += f" Next: {choice.others[0].id} ({_terms(choice.others[0])})."
    return (sentence,)


def _terms(spec: ModelSpec) -> str:
    """Price and usual time."""
    price, seconds = spec.price(), spec.typical_seconds()
    cost = f"about ${price.usd:.3g}, {price.kind}" if price else "its price is not published"
    return f"{cost}; usually {seconds:.0f} s" if seconds else cost
