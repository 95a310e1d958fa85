"""What the gateways' tests share: backoff without the waiting."""

import pytest

from hailuo_mcp import sending


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]  pytest calls it
    monkeypatch.setattr(sending, "WAIT_INITIAL_SECONDS", 0.001)
