"""The keys that verify a gateway's webhooks, kept for a while: the gateway may replace them at any time."""

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")
KEPT_SECONDS = 3600


class WebhookKeys(Generic[T]):
    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: tuple[T, float] | None = None
        """With the time at which they are fetched again."""

    async def get(self) -> T:
        """Raises what `fetch` raises."""
        if self._kept is None or self._clock() >= self._kept[1]:
            self._kept = await self._fetch(), self._clock() + KEPT_SECONDS
        return self._kept[0]
