"""Why a connection could not be made: for each cause, a clause that names it, and the fix."""

import errno
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from hailuo_mcp.core.network import ConnectionProblem, UnusableSetting, named_ca, read_proxies

_COMPANY_CA = (
    "If a company's proxy or antivirus reads the traffic, set SSL_CERT_FILE to a PEM file with its CA certificate, or "
    "ask its administrator; never turn verification off."
)
_NO_URL = ConnectionProblem("its address is not an http(s) URL", "Correct the gateway's base URL, or remove it.")


def explain(error: BaseException, url: str) -> ConnectionProblem:
    """Why there is no connection to `url`, given this httpx error."""
    import httpx  # start-up time: the first `tools/list` needs no client

    if isinstance(error, UnusableSetting):
        return error.problem
    try:
        target, proxy = _host(url), _host(read_proxies()[0].for_url(url) or "")
    except UnusableSetting as unusable:
        return unusable.problem
    except ValueError:
        return _NO_URL
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause, target)
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        fix = "The server there does not speak TLS: check the scheme and port of the base URL, and the proxy."
        return ConnectionProblem(f"the TLS handshake with {target} failed", fix)
    if isinstance(error, httpx.ProxyError):
        return _refused_by_proxy(error, proxy)
    where = f"the proxy {proxy}" if proxy else target
    check = "Check HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, and that the proxy runs." if proxy else ""
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            name = f"the name of {where}" if proxy else f"the name {urlsplit(url).hostname}"
            fix = check or "Check the network, DNS or VPN, and the spelling of the gateway's base URL."
            return ConnectionProblem(f"{name} does not resolve", fix)
        if isinstance(cause, ConnectionRefusedError):
            fix = check or "Check the gateway's base URL and port, and a firewall on the way."
            return ConnectionProblem(f"{where} refuses connections", fix)
        if isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN):
            fix = check or "Check the network connection, VPN or firewall."
            return ConnectionProblem(f"there is no route to {where}", fix)
    if isinstance(error, httpx.PoolTimeout):
        return ConnectionProblem("all connections are in use", "Call again in a minute.")
    if isinstance(error, (httpx.ConnectTimeout, TimeoutError)):
        fix = check or "Check the network connection, and whether a firewall or a missing proxy (HTTPS_PROXY) drops it."
        return ConnectionProblem(f"{where} does not answer", fix)
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
        return _NO_URL
    fix = check or "Check the network connection, then call again."
    return ConnectionProblem(f"the connection to {where} failed", fix)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes, including those inside exception groups."""
    while error is not None:
        yield error
        group: tuple[BaseException, ...] = getattr(error, "exceptions", ())
        for one in group:
            yield from _causes(one)
        error = error.__cause__ or error.__context__


def _untrusted(error: ssl.SSLCertVerificationError, target: str) -> ConnectionProblem:
    expired, not_yet, other_name = 10, 9, (62, 64)  # OpenSSL's X509_V_ERR_…
    if error.verify_code in (expired, not_yet):
        fix = "Check this machine's clock; if it is right, the gateway must renew its certificate."
        return ConnectionProblem(f"the certificate of {target} is not valid at this time ({error.verify_message})", fix)
    if error.verify_code in other_name:
        fix = f"Another server answers there: check the gateway's base URL, DNS and proxy. {_COMPANY_CA}"
        return ConnectionProblem(f"the certificate of {target} is for another name", fix)
    variable, value = named_ca()
    fix = _COMPANY_CA + (f" {variable} names {value}; it does not contain that authority." if variable else "")
    return ConnectionProblem(f"the certificate of {target} is not trusted here ({error.verify_message})", fix)


def _refused_by_proxy(error: Exception, proxy: str) -> ConnectionProblem:
    message = "".join(c if c.isprintable() else " " for c in str(error))[:80]
    if message.startswith("407") or "auth" in message.lower() or "password" in message.lower():
        fix = "Write its user and password into the variable: HTTPS_PROXY=http://user:password@host:port."
        return ConnectionProblem(f"the proxy {proxy} refuses this user ({message})", fix)
    fix = "Ask the proxy's administrator to allow the gateway's host, or add that host to NO_PROXY."
    return ConnectionProblem(f"the proxy {proxy} refuses the connection ({message})", fix)


def _host(url: str) -> str:
    """The host and port of a URL, without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2]
