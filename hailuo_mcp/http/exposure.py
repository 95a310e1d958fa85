"""Checks that the server is not exposed by accident: without tokens, anyone who can reach it acts as its owner."""

from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from mcp.server.transport_security import TransportSecuritySettings

from hailuo_mcp.core.setting_values import PREFIX, SettingsError
from hailuo_mcp.core.settings import Settings

HTTP_PORT = 80
"""The default port, which URLs and Host headers omit."""
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    # Before Python 3.13, `is_loopback` is always false for IPv4-mapped IPv6 addresses.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def authority(host: str) -> str:
    """The host as written in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def check_exposure(settings: Settings, host: str) -> None:
    """Raises SettingsError: other machines can reach the server, but no tokens or no host names are configured."""
    if is_loopback(host):
        _check_without_tokens(settings)
        return
    missing: list[str] = []
    if not settings.asks_for_tokens:
        missing.append(f"{PREFIX}HTTP_TOKENS=name:token (or {PREFIX}OAUTH_ISSUER) to authorize callers")
    if not (settings.allowed_hosts or settings.public_url):
        missing.append(
            f"{PREFIX}ALLOWED_HOSTS=video.example.com (or {PREFIX}PUBLIC_URL), the host names that requests may use; "
            f"web pages also need {PREFIX}ALLOWED_ORIGINS"
        )
    if missing:
        raise SettingsError(
            f"--host {host} is refused because other machines can reach it: set {', and '.join(missing)}"
        )


def _check_without_tokens(settings: Settings) -> None:
    """Raises SettingsError: there are no tokens, but a setting implies that others reach the server through a proxy."""
    if settings.asks_for_tokens:
        return
    named = {
        "PUBLIC_URL": settings.public_url,
        "ALLOWED_HOSTS": next((name for name in settings.allowed_hosts if not _is_this_machine(f"//{name}")), ""),
        "ALLOWED_ORIGINS": next((name for name in settings.allowed_origins if not _is_this_machine(name)), ""),
    }
    for variable, value in named.items():
        if value:
            raise SettingsError(
                f"{PREFIX}{variable}={value} is for callers on other machines, who would all be treated as the owner: "
                f"set {PREFIX}HTTP_TOKENS=name:token (or {PREFIX}OAUTH_ISSUER), or unset {PREFIX}{variable}"
            )


def _is_this_machine(address: str) -> bool:
    try:
        return is_loopback(urlsplit(address).hostname or "")
    except ValueError:
        return False


def security_of(settings: Settings, host: str, port: int) -> TransportSecuritySettings:
    """Allowed values of Host and Origin, so that no web page can reach the server under another name (DNS
    rebinding)."""
    names = {authority(host), *(LOOPBACK_NAMES if is_loopback(host) else ())}
    hosts = {f"{name}:*" for name in names}
    if port == HTTP_PORT:
        hosts |= names
    origins = {f"http://{name}" for name in hosts}
    hosts |= {variant for name in settings.allowed_hosts for variant in (name, f"{name}:*")}
    origins |= {origin.rstrip("/") for origin in settings.allowed_origins}
    if settings.public_url:
        hosts.add(settings.public_url.split("://", 1)[1].split("/")[0])
        origins.add("/".join(settings.public_url.split("/")[:3]))
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True, allowed_hosts=sorted(hosts), allowed_origins=sorted(origins)
    )
