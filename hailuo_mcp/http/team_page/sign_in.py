"""Sessions of the page: the token is posted once and exchanged for a signed cookie, which every server of the team
accepts."""

import base64
import binascii
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from mcp.server.auth.provider import AccessToken
from starlette.requests import Request
from starlette.responses import Response

from hailuo_mcp.core.settings import Settings
from hailuo_mcp.service.signed_urls import SignedUrls

COOKIE_LIFETIME = timedelta(hours=8)


class SignIns:
    """Creates and checks the cookie. It holds the tenant and an expiry; its signature also covers the digest of the
    tenant's token, so that replacing or removing a token ends its sessions."""

    def __init__(self, urls: SignedUrls, settings: Settings) -> None:
        self._urls = urls
        self._settings = settings
        self._secure = urls.base.startswith("https://")
        self.cookie = "__Host-hailuo" if self._secure else "hailuo"
        """With the prefix, browsers accept the cookie only from this exact host, over TLS."""

    def remember(self, response: Response, token: AccessToken, now: datetime) -> Response:
        until = int((now + COOKIE_LIFETIME).timestamp())
        until = min(until, token.expires_at or until)
        name = _encoded(token.subject or token.client_id)
        response.set_cookie(
            self.cookie,
            f"{name}.{until}.{self._signature(name, until)}",
            max_age=max(0, until - int(now.timestamp())),
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )
        return response

    def forget(self, response: Response) -> Response:
        response.delete_cookie(self.cookie, path="/", secure=self._secure, httponly=True, samesite="strict")
        return response

    def tenant_of(self, request: Request, now: datetime) -> str:
        """The tenant of the request's cookie; empty without a valid one."""
        name, _, rest = request.cookies.get(self.cookie, "").partition(".")
        until, _, signature = rest.partition(".")
        if not (until.isascii() and until.isdigit() and len(until) <= 10):
            return ""
        if now.timestamp() >= int(until) or not self._urls.is_equal(signature, self._signature(name, int(until))):
            return ""
        return _decoded(name)

    def _signature(self, name: str, until: int) -> str:
        return self._urls.digest("session", name, until, self._settings.http_tokens.get(_decoded(name), ""))


def is_from_here(request: Request) -> bool:
    """Whether a page of this server sent this form, by Sec-Fetch-Site, which some browsers send only over TLS and on
    loopback, or else by Origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host", "-")
    except ValueError:
        return False


def field_in(form: bytes, name: str) -> str:
    """The value of a field in an urlencoded form; empty if there is none."""
    try:
        fields = parse_qs(form.decode("ascii"), max_num_fields=8)
    except ValueError:
        return ""
    return fields.get(name, [""])[0].strip()


def _encoded(tenant: str) -> str:
    return base64.urlsafe_b64encode(tenant.encode()).decode().rstrip("=")


def _decoded(name: str) -> str:
    try:
        return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""
