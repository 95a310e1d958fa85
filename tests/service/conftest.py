"""Every test that asks for `ledger` or `url` runs on both engines."""

from tests.ledger.conftest import ledger, url

__all__ = ["ledger", "url"]
