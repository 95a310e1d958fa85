import re
import socket
from contextlib import closing

import pytest

from hailuo_mcp.cli.ports import listener_on
from tests.cli.conftest import InProcessCli


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_send_immediately_without_waiting_for_acknowledgements(host: str) -> None:
    with listener_on(host, 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        connection, _ = listener.accept()
        with closing(connection):
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("command", [("sandbox",), ("serve", "--http")])
def test_a_port_in_use_is_refused_with_one_line(command: tuple[str, ...], in_process: InProcessCli) -> None:
    with listener_on("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        refused = in_process(*command, "--port", str(port))
    assert (refused.returncode, refused.stdout) == (2, "")
    (line,) = refused.stderr.splitlines()
    assert re.search(f"cannot listen on 127.0.0.1 port {port}: .*in use.*; choose another .*--port", line)
