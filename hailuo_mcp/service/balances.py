"""Account balances, where a gateway reports them. They are informational: nothing depends on them."""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from hashlib import sha256

import anyio

from hailuo_mcp.gateways import Gateway

log = logging.getLogger(__name__)

ASK_EVERY_SECONDS = 60.0
ANSWER_SECONDS = 2.0
"""A gateway that takes longer is asked again for the next list."""
ACCOUNTS_MAX = 1000


@dataclass(slots=True)
class Balances:
    """The balances of all accounts, each asked for at most once a minute."""

    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, float | None]] = field(default_factory=dict[str, tuple[float, float | None]])
    """By account: when it was last asked, and its balance."""

    async def of(self, gateways: Collection[Gateway]) -> dict[str, float]:
        """Balances by gateway name, in the account's own unit; gateways that report none are left out."""
        async with anyio.create_task_group() as tasks:
            for gateway in gateways:
                tasks.start_soon(self._ask, gateway)
        known = {gateway.name: self.last_known(gateway) for gateway in gateways}
        return {name: balance for name, balance in known.items() if balance is not None}

    def last_known(self, gateway: Gateway) -> float | None:
        """The last known balance of an account; sends no request."""
        return self._known.get(_account(gateway), (0.0, None))[1]

    async def _ask(self, gateway: Gateway) -> None:
        account, now = _account(gateway), self.clock()
        asked_at, balance = self._known.get(account, (None, None))
        if asked_at is not None and now - asked_at < ASK_EVERY_SECONDS:
            return
        while len(self._known) >= ACCOUNTS_MAX:
            del self._known[next(iter(self._known))]
        self._known[account] = (now, balance)  # concurrent calls do not ask too
        try:
            with anyio.move_on_after(ANSWER_SECONDS):
                self._known[account] = (now, await gateway.balance())
        except Exception as error:  # any kind: nothing depends on it
            log.info("%s did not report its balance: %s", gateway.title, type(error).__name__)


def _account(gateway: Gateway) -> str:
    key = gateway.settings.key
    return sha256(f"{gateway.origin} {key.get_secret_value() if key else ''}".encode()).hexdigest()
