"""What a gateway declares."""

import pytest

from hailuo_mcp.gateways import GATEWAYS, Gateway


@pytest.mark.parametrize("gateway", GATEWAYS, ids=lambda gateway: gateway.name)
def test_a_gateway_declares_everything_needed_to_use_it(gateway: type[Gateway]) -> None:
    assert gateway.hosts["base"].startswith("https://")
    assert gateway.image_transfer in {"upload", "data", "url"}
    assert (gateway.image_transfer == "upload") == ("upload" in gateway.hosts)
    assert gateway.has_history or "history" not in gateway.hosts
    assert gateway.check_hint.endswith(".")
    for model in gateway.models:
        assert model.documented_at.startswith("https://")
