"""Consent before money is spent: the price limit that a caller sets, and the question put to the user."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

from hailuo_mcp.core.errors import BudgetExceeded, NotConfirmed

VARIABLE = "HAILUO_MCP_CONFIRM_ABOVE_USD"
PROMPT_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Purchase:
    """A job as described to the user who pays for it, before it is sent."""

    model: str
    seconds: int | None
    """The clip's length; None if the model does not document it."""
    price_usd: float | None
    prompt: str
    fingerprint: str
    sandbox: bool

    @property
    def question(self) -> str:
        length = f"{self.seconds} s, " if self.seconds else ""
        price = "at a price that is not published" if self.price_usd is None else f"for about ${self.price_usd:.4g}"
        shown = self.prompt if len(self.prompt) <= PROMPT_CHARACTERS_MAX else f"{self.prompt[:PROMPT_CHARACTERS_MAX]}…"
        sandbox_note = " It goes to the sandbox, which charges nothing." if self.sandbox else ""
        return f"Submit one video job to {self.model} ({length}{price})?{sandbox_note} Prompt: {shown}"

    @property
    def key(self) -> str:
        """Equal only for equal purchases, so that an answer is never used for a different question."""
        return sha256(f"{self.fingerprint} {self.price_usd}".encode()).hexdigest()[:32]


Confirm = Callable[[Purchase], Awaitable[None]]
"""Asks the user. Raises NotConfirmed unless they agree."""


async def agreed(_purchase: Purchase) -> None:
    """For a caller whose user has already agreed."""


async def cannot_ask(_purchase: Purchase) -> None:
    """For a caller that cannot ask the user."""
    raise NotConfirmed(
        f"{VARIABLE} requires the user's consent to this job, and this client cannot ask for it; nothing was sent.",
        f"Tell the user: they can submit it with `hailuo-mcp generate`, or change {VARIABLE}.",
    )


def check_price(purchase: Purchase, max_cost_usd: float | None) -> None:
    """Raises BudgetExceeded if the job may cost more than the caller allows."""
    if max_cost_usd is None:
        return
    if purchase.price_usd is None:
        raise BudgetExceeded(
            f"No price is published for {purchase.model}, so it may cost more than max_cost_usd {max_cost_usd:g}; "
            "nothing was sent.",
            "Choose a model with a price (list_models shows them), or leave max_cost_usd out if the user agrees.",
        )
    if purchase.price_usd > max_cost_usd:
        raise BudgetExceeded(
            f"The job would cost ${purchase.price_usd:.4g} at {purchase.model}, more than max_cost_usd "
            f"{max_cost_usd:g}; nothing was sent.",
            "Choose a cheaper model or a shorter clip (list_models shows prices), or ask the user for a higher limit.",
        )


def needs_consent(purchase: Purchase, above_usd: float | None) -> bool:
    """Whether to ask the user: above this price, if the price is unknown, and for 0 always."""
    if above_usd is None:
        return False
    return purchase.price_usd is None or purchase.price_usd > above_usd or above_usd == 0
