"""How connections are made: through the proxies and with the certificates that the environment names."""

import ipaddress
import logging
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The variables that may name certificates to trust; the first that is set counts."""
_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
_NAME = re.compile(r"[\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class ConnectionProblem:
    """Why there is no connection, as a clause, and the fix, in sentences."""

    cause: str
    fix: str


class UnusableSetting(Exception):
    """The environment names something that cannot be used, so no connection is tried."""

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(cause)
        self.problem = ConnectionProblem(cause, fix)


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies of the environment, or of the system's settings, by the scheme of the address."""

    by_scheme: Mapping[str, str]
    exceptions: tuple[tuple[str, int | None], ...]
    """Host names including their subdomains, addresses, and networks, each with its port if it is for one only; `*`
    for everything."""

    def for_url(self, url: str) -> str | None:
        """The proxy for an address; None to connect directly."""
        parts = urlsplit(url)
        proxy = self.by_scheme.get(parts.scheme) or self.by_scheme.get("all")
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        is_excepted = any(only_port in (None, port) and _covers(name, host) for name, only_port in self.exceptions)
        return None if is_excepted else proxy


def read_proxies(named: Mapping[str, str] | None = None) -> tuple[Proxies, tuple[ConnectionProblem, ...]]:
    """The proxies, and the entries of `NO_PROXY` that are invalid and skipped. `named` is as `getproxies` returns it:
    scheme to address, and `no`.

    Raises:
        UnusableSetting: a proxy's address cannot be used.
    """
    if named is None:
        from urllib.request import getproxies  # start-up time: only connections need it

        named = getproxies()
    by_scheme = {scheme: _proxy(scheme, named[scheme]) for scheme in ("http", "https", "all") if named.get(scheme)}
    exceptions, skipped = list[tuple[str, int | None]](), list[ConnectionProblem]()
    for entry in filter(None, re.split(r"[,;\s]+", named.get("no", ""))):
        if host_and_port := _host_and_port(entry):
            exceptions.append(host_and_port)
        else:
            cause = f"NO_PROXY contains {entry[:60]!r}, which is skipped: it is not a host or network"
            fix = "Write names, addresses or networks such as 10.0.0.0/8, separated by commas."
            skipped.append(ConnectionProblem(cause, fix))
    return Proxies(by_scheme, tuple(exceptions)), tuple(skipped)


def _proxy(scheme: str, value: str) -> str:
    variable = f"{scheme.upper()}_PROXY"
    url = value.strip() if "://" in value else f"http://{value.strip()}"
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        fix = f"Write {variable}=http://host:port, or remove it."
        raise UnusableSetting(f"{variable} is not a proxy address", fix)
    protocol = url.partition("://")[0].lower()
    if protocol not in _PROXY_SCHEMES:
        fix = f"Use one of {', '.join(f'{known}://' for known in _PROXY_SCHEMES)}, or remove {variable}."
        raise UnusableSetting(f"{variable} names a {protocol}:// proxy, which is not supported", fix)
    return url


def _host_and_port(entry: str) -> tuple[str, int | None] | None:
    """The host name, address or network of a `NO_PROXY` entry, or `*`, and its port; None if it is invalid."""
    if entry == "*":
        return entry, None
    entry = entry.lower().rpartition("://")[2].removeprefix("*.").strip("/")
    bare = entry[1:-1] if entry.startswith("[") and entry.endswith("]") else entry
    if _network(bare):
        return bare, None
    host, _, port = entry.rpartition(":") if ":" in entry else (entry, "", "")
    host = host.removeprefix("[").removesuffix("]").removeprefix(".")
    if not (_network(host) or _NAME.fullmatch(host)) or not (port.isdecimal() or not port):
        return None
    return host, int(port) if port else None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _covers(name: str, host: str) -> bool:
    if (network := _network(name)) and (address := _network(host)):
        return address.network_address in network
    return name == "*" or host == name or host.endswith(f".{name}")


def tls_context() -> ssl.SSLContext:
    """The TLS context: it trusts the file or directory that the environment names, else the authorities that browsers
    trust.

    Raises:
        UnusableSetting: that file does not exist, or contains no certificates.
    """
    variable, value = named_ca()
    return _tls_context(variable, value)


def named_ca() -> tuple[str, str]:
    """The variable that names certificates, and its value; both empty if there is none."""
    return next(((name, value) for name in CA_VARIABLES if (value := os.environ.get(name))), ("", ""))


@cache
def _tls_context(variable: str, value: str) -> ssl.SSLContext:
    if not value:
        import httpx  # start-up time: the first `tools/list` needs no client

        return httpx.create_ssl_context(trust_env=False)
    try:
        path = Path(value).expanduser()
        if path.is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (FileNotFoundError, RuntimeError):  # RuntimeError: no such user's home directory
        fix = f"Correct {variable}, or remove it: without it, the usual authorities are trusted."
        raise UnusableSetting(f"{variable} names {value}, which does not exist", fix) from None
    except OSError:  # an SSLError is one too
        fix = f"It must be a readable PEM file, with -----BEGIN CERTIFICATE-----; correct {variable}, or remove it."
        raise UnusableSetting(
            f"{variable} names {value}, which contains no certificates that can be read", fix
        ) from None


def check_environment() -> Iterator[ConnectionProblem]:
    """The problems that can be found before the first connection."""
    try:
        yield from read_proxies()[1]
    except UnusableSetting as unusable:
        yield unusable.problem
    try:
        if named_ca()[0]:
            tls_context()
    except UnusableSetting as unusable:
        yield unusable.problem


def warn_about_environment() -> None:
    """Log what is wrong with the environment."""
    for problem in check_environment():
        log.warning("%s. %s", problem.cause, problem.fix)


def create_transport(limits: "httpx.Limits") -> "httpx.AsyncBaseTransport":
    """The httpx transport that the environment asks for.

    Raises:
        UnusableSetting: it names something that cannot be used.
    """
    import httpx  # start-up time: the first `tools/list` needs no client

    def connect(proxy: str | None) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(verify=tls_context(), trust_env=False, limits=limits, proxy=proxy)

    proxies, _ = read_proxies()
    direct, by_proxy = connect(None), {proxy: connect(proxy) for proxy in set(proxies.by_scheme.values())}
    if not by_proxy:
        return direct

    class Routed(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            proxy = proxies.for_url(str(request.url))
            return await (by_proxy[proxy] if proxy else direct).handle_async_request(request)

        async def aclose(self) -> None:
            for transport in (direct, *by_proxy.values()):
                await transport.aclose()

    return Routed()
