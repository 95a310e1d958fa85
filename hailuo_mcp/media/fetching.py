"""Fetching from addresses that a gateway's answer names. None may lead inside: every host is resolved here, refused
if any of its addresses is not public, and connected to by the address that was checked, so that a second DNS answer
changes nothing.
"""

import ipaddress
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from hailuo_mcp.errors import GatewayError

if TYPE_CHECKING:
    import httpx

REDIRECTS_MAX = 5


class LinkRefused(GatewayError):
    """The link leads where no clip may come from."""

    retryable = False
    default_hint = "The link was not followed; the job is untouched. Report it to the gateway."


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also when written as IPv4 inside IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast


class LinkPolicy:
    """Which links may be followed. `own_hosts` are the hosts of the configured gateway addresses: the user's own
    setting, and the only ones that may be private or without TLS."""

    def __init__(self, own_hosts: frozenset[str]) -> None:
        self._own_hosts = own_hosts

    async def address_for(self, url: "httpx.URL") -> str:
        """The address to connect to.

        Raises:
            LinkRefused: the scheme, host or one of its addresses is not allowed.
        """
        own = url.host in self._own_hosts
        if url.scheme != "https" and not (own and url.scheme == "http"):
            raise LinkRefused(f"The clip's link is not https: {url.scheme}://{url.host}.")
        if url.userinfo:
            raise LinkRefused(f"The clip's link carries a user name: host {url.host}.")
        try:
            found = await anyio.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
        except OSError:
            import httpx  # start-up time: only downloads need it

            raise httpx.ConnectError("name not found") from None
        addresses = [str(entry[4][0]) for entry in found]
        if not own and (inside := next((a for a in addresses if not is_public(a)), None)):
            raise LinkRefused(f"The clip's link leads to {url.host}, which is the private address {inside}.")
        return addresses[0]


def guarded_client(
    policy: LinkPolicy, stand_in: Callable[[], "httpx.AsyncBaseTransport"] | None, stand_in_host: str
) -> "httpx.AsyncClient":
    """A client that connects only where the policy allows; requests to `stand_in_host` go to the sandbox in this
    process.
    """
    import httpx  # start-up time: only downloads need it

    class GuardedTransport(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            address = await policy.address_for(request.url)
            request.extensions = {**request.extensions, "sni_hostname": request.url.host}
            request.url = request.url.copy_with(host=address)  # the Host header keeps the name
            return await super().handle_async_request(request)

    # Mounts are matched by host, so the stand-in never sees another request. Proxies of the environment are not used:
    # they would resolve names again, out of our sight.
    mounts = {f"all://{stand_in_host}": stand_in()} if stand_in else {}
    return httpx.AsyncClient(transport=GuardedTransport(), mounts=mounts, follow_redirects=False, trust_env=False)
