"""How long the keys that verify webhooks are kept."""

import pytest

from hailuo_mcp.core.errors import GatewayTimeout
from hailuo_mcp.gateways.webhook_keys import KEPT_SECONDS, WebhookKeys


async def test_keys_are_fetched_once_and_again_after_they_may_have_been_replaced() -> None:
    now, fetched = 0.0, 0

    async def fetch() -> str:
        nonlocal fetched
        fetched += 1
        return f"key {fetched}"

    keys = WebhookKeys(fetch, lambda: now)
    assert [await keys.get(), await keys.get()] == ["key 1", "key 1"]
    now = KEPT_SECONDS - 1
    assert await keys.get() == "key 1"
    now = KEPT_SECONDS
    assert [await keys.get(), await keys.get()] == ["key 2", "key 2"]


async def test_keys_that_could_not_be_fetched_are_fetched_again() -> None:
    failures = [GatewayTimeout("fal did not answer within 10 s.")]

    async def fetch() -> str:
        if failures:
            raise failures.pop()
        return "key"

    keys = WebhookKeys(fetch)
    with pytest.raises(GatewayTimeout):
        await keys.get()
    assert await keys.get() == "key"
