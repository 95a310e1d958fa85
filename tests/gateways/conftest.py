"""What the gateways' tests share: backoff without the waiting."""

import pytest

from hailuo_mcp.gateways import client


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]  pytest calls it
    monkeypatch.setattr(client, "WAIT_INITIAL_SECONDS", 0.001)
