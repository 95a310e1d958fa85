"""Listening on a port."""

import socket


def listener_on(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 chooses a free one. Raises OSError if the port cannot be used."""
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    # Connections inherit it. asyncio sets it only for sockets that name TCP as their protocol, which this one does not;
    # without it, a response's body waits 40 ms for the client to acknowledge its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
