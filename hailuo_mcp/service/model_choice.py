"""The sentences that explain how a call was interpreted: which model was chosen, and what was ignored."""

import time
from collections.abc import Callable, Sequence

from hailuo_mcp.catalog.catalog import Choice
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.core.text import format_price, repr_short


class ChoiceNotes:
    """The notes given recently, so that a series of dry runs does not repeat them."""

    KEPT_SECONDS = 600.0
    NOTES_MAX = 1000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._given_at: dict[tuple[str, str], float] = {}

    def not_given_recently(self, tenant: str, notes: Sequence[str]) -> tuple[str, ...]:
        """The notes that this tenant was not given recently."""
        now = self._clock()
        new = [note for note in notes if now - self._given_at.get((tenant, note), float("-inf")) > self.KEPT_SECONDS]
        for note in new:
            self._given_at.pop((tenant, note), None)  # moves it to the end: the oldest are dropped first
            self._given_at[tenant, note] = now
        while len(self._given_at) > self.NOTES_MAX:
            del self._given_at[next(iter(self._given_at))]
        return tuple(new)


def explain_choice(choice: Choice) -> tuple[str, ...]:
    """Which model was chosen and why; nothing if the caller gave its id."""
    spec = choice.spec
    if choice.others is None:
        return (f"The model {repr_short(choice.given_name)} was taken as {spec.id}.",) if choice.given_name else ()
    count = 1 + len(choice.others)
    if count == 1:
        why = "the only usable model that takes these arguments"
    elif spec.price():
        why = f"the cheapest of {count} usable models that take these arguments"
    else:
        why = f"the first of {count} usable models that take these arguments, none with a published price"
    if choice.given_name:
        head = f"The model {repr_short(choice.given_name)} was taken as {spec.id}, "
        why = why.replace("usable models", "gateways", 1)
    else:
        head = f"No model was named: {spec.id} was chosen, "
    sentence = f"{head}{why} ({_terms(spec)})."
    if choice.others:
        sentence += f" Next: {choice.others[0].id} ({_terms(choice.others[0])})."
    return (sentence,)


def explain_ignored(choice: Choice) -> tuple[str, ...]:
    """Which arguments were ignored."""
    if not choice.ignored:
        return ()
    values = ", ".join(f"{name} {repr_short(value)}" for name, value in choice.ignored.items())
    return (f"Ignored, for {choice.spec.id} has no such parameter: {values}.",)


def _terms(spec: ModelSpec) -> str:
    """Price and usual time."""
    price, seconds = spec.price(), spec.typical_seconds()
    cost = format_price(price.usd, price.kind) if price else "its price is not published"
    return f"{cost}; usually {seconds:.0f} s" if seconds else cost
