"""Listening on a port."""

import socket

import click


def listener_on(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 chooses a free one. Raises click.ClickException if the port cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another --host or --port"
        ) from None
    # Connections inherit it. asyncio sets it only for sockets that name TCP as their protocol, which this one does not;
    # without it, a response's body waits 40 ms for the client to acknowledge its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
