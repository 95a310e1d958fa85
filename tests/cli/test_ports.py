import socket
from contextlib import closing

import pytest

from hailuo_mcp.cli.ports import listener_on


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_send_immediately_without_waiting_for_acknowledgements(host: str) -> None:
    with listener_on(host, 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        connection, _ = listener.accept()
        with closing(connection):
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_in_use_is_an_error() -> None:
    with listener_on("127.0.0.1", 0) as taken, pytest.raises(OSError, match="in use"):
        listener_on("127.0.0.1", taken.getsockname()[1])
