"""Both transports, for tests that must pass on each."""

import pytest

from tests.http.servers import TRANSPORTS, Transport


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Transport:
    return TRANSPORTS[request.param]
