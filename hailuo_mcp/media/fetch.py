"""An HTTP client for links in a gateway's response, which must not lead to a private network: every host is resolved
here, refused if any of its addresses is not public, and connected to by a checked address, so that a second DNS
response changes nothing.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import anyio

from hailuo_mcp.core.errors import GatewayError, NetworkError
from hailuo_mcp.core.network import UnusableSetting, tls_context

if TYPE_CHECKING:
    import httpx

REDIRECTS_MAX = 5
ADDRESSES_MAX = 4
"""The number of addresses of one host that are tried."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to IP addresses. Raises OSError if there are none."""

_IPV6_GLOBAL = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PRIVATE = tuple(
    ipaddress.ip_network(block)
    for block in (
        "192.0.0.0/24",  # protocol assignments, among them the metadata service of a cloud
        "168.63.129.16/32",  # Azure's host, reachable from its virtual machines only
        "2001::/23",  # protocol assignments, Teredo among them
        "3fff::/20",  # documentation
    )
)
"""Networks that `is_global` considers public in some versions of Python."""


class LinkRefused(GatewayError):
    """The link leads to a place that clips must not come from."""

    retryable = False
    default_hint = "The link was not followed; the job is untouched. Report it to the gateway."

    def after_redirect(self) -> "LinkRefused":
        """The same error for a redirect: login pages of proxies and Wi-Fi networks redirect to private addresses."""
        return LinkRefused(
            f"The clip's link was redirected here, and not followed: {self.problem.message}",
            "Check the proxy, firewall, VPN or Wi-Fi login page of this network, then call download_video again; the "
            "job is untouched.",
            safe_to_retry=True,
        )


def is_public(address: str) -> bool:
    """Whether an IP address is on the public internet, including IPv4 inside IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _IPV6_GLOBAL:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in block for block in _PRIVATE)


async def resolve(host: str, port: int) -> list[str]:
    """The addresses according to the system. Raises OSError."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class LinkPolicy:
    """Which links may be followed. `own_hosts`: the hosts of the configured gateway URLs, the only ones that may be in
    a private network, on any port and there even without TLS."""

    def __init__(self, own_hosts: frozenset[str], resolve: Resolve = resolve) -> None:
        self._own_hosts = own_hosts
        self._resolve = resolve

    async def addresses_for(self, url: "httpx.URL") -> Sequence[str]:
        """The addresses to connect to, in this order.

        Raises:
            LinkRefused: the scheme, host or one of its addresses is not allowed.
            httpx.ConnectError: the host does not exist.
        """
        own = url.host in self._own_hosts
        if not url.host or (url.scheme != "https" and not (own and url.scheme == "http")):
            raise _not_https(url)
        if url.port is not None and not 0 < url.port < 65536:
            raise LinkRefused(f"The clip's link names the port {url.port}, which does not exist.")
        if url.userinfo:
            raise LinkRefused(f"The clip's link carries a user name: host {url.host}.")
        try:
            addresses = await self._resolve(url.raw_host.decode("ascii"), url.port or 443)
        except (OSError, UnicodeError):
            addresses = ()
        if not addresses:
            import httpx  # start-up time: only downloads need it

            raise httpx.ConnectError("name not found") from None
        if not own and (private := next((a for a in addresses if not is_public(a)), None)):
            raise LinkRefused(f"The clip's link leads to {url.host}, which is the private address {private}.")
        if url.scheme == "http" and any(is_public(a) for a in addresses):
            raise _not_https(url)
        return addresses[:ADDRESSES_MAX]


def _not_https(url: "httpx.URL") -> LinkRefused:
    return LinkRefused(f"The clip's link is not https: {url.scheme}://{url.host}.")


def guarded_client(
    policy: LinkPolicy, stand_in: Callable[[], "httpx.AsyncBaseTransport"] | None, stand_in_host: str
) -> "httpx.AsyncClient":
    """A client that connects only where the policy allows; requests to `stand_in_host` go to the sandbox in this
    process. It does not follow redirects.

    Raises:
        NetworkError: the certificates that the environment names cannot be used.
    """
    import httpx  # start-up time: only downloads need it

    try:
        verify = tls_context()
    except UnusableSetting as unusable:
        raise NetworkError(f"The clip cannot be fetched: {unusable.problem.cause}.", unusable.problem.fix) from None

    class GuardedTransport(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            named = request.url
            addresses = await policy.addresses_for(named)
            # The certificate is still verified for the name, and the Host header keeps it.
            request.extensions = {**request.extensions, "sni_hostname": named.raw_host.decode("ascii")}
            failed: httpx.TransportError | None = None
            for address in addresses:
                request.url = named.copy_with(host=address)
                try:
                    return await super().handle_async_request(request)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    failed = error
            raise failed or httpx.ConnectError("no address")

    # Connections are not reused: the pool knows them by address, and would use one that was verified for one name for
    # another name at the same address.
    limits = httpx.Limits(max_keepalive_connections=0)
    # Mounts are matched by host, so the stand-in never gets another request. Proxies from the environment are not used:
    # they would resolve names themselves.
    mounts = {f"all://{stand_in_host}": stand_in()} if stand_in else {}
    transport = GuardedTransport(limits=limits, verify=verify)
    return httpx.AsyncClient(transport=transport, mounts=mounts, follow_redirects=False, trust_env=False)
