"""Authentication over HTTP: bearer tokens (configured by the operator, or OAuth 2.1 access tokens) and the tenant that
each belongs to. The SDK's middleware calls the verifiers in this module."""

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import jwt
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken, TokenVerifier
from pydantic import SecretStr
from starlette.requests import Request

from hailuo_mcp.core.caller import LOCAL, Caller, key_header
from hailuo_mcp.core.network import tls_context
from hailuo_mcp.core.settings import BY_OAUTH, Settings
from hailuo_mcp.core.unpacking import IDENTITY, unpacked
from hailuo_mcp.gateways.answers import sequence

log = logging.getLogger(__name__)

READ, GENERATE = "video:read", "video:generate"
SCOPES = (READ, GENERATE)
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric signatures only: if symmetric ones were accepted, the published key would serve as the secret."""
LEEWAY_SECONDS = 30
KEYS_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """How long an issuer's keys are kept, and how often they are fetched. All times are in seconds."""

    kept_seconds: float = 300.0
    fetch_again_seconds: float = 10.0
    """A token with an unknown key triggers a fetch, but no more often than this: anyone can send such tokens."""
    fetch_seconds: float = 10.0
    """The time limit of one fetch."""


class StaticTokens(TokenVerifier):
    """Tokens configured by the operator, stored as digests."""

    def __init__(self, digests: Mapping[str, str]) -> None:
        self._digests = digests

    async def verify_token(self, token: str) -> AccessToken | None:
        given = hashlib.sha256(token.encode()).hexdigest()
        found: str | None = None
        for name, digest in self._digests.items():  # all of them, so that timing reveals nothing
            if hmac.compare_digest(given, digest):
                found = name
        return AccessToken(token=token, client_id=found, scopes=list(SCOPES), subject=found) if found else None


class OAuthTokens(TokenVerifier):
    """JWT access tokens of one issuer for one audience, verified with the issuer's published keys."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        jwks_url: str,
        *,
        policy: KeyPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = _Keys(jwks_url, policy or KeyPolicy(), clock)

    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            header = jwt.get_unverified_header(token)
            key = await self._keys.find(header.get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
            log.info("an access token was refused: %s", type(error).__name__)
            return None
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject:
            return None
        return AccessToken(
            token=token,
            client_id=str(claims.get("client_id") or claims.get("azp") or subject),
            scopes=_scopes_in(claims),
            expires_at=int(claims["exp"]) + LEEWAY_SECONDS,
            resource=self._audience,
            subject=BY_OAUTH + subject,
            claims={"iss": self._issuer},
        )


class _Keys:
    """The issuer's signing keys, fetched on demand and cached."""

    def __init__(self, url: str, policy: KeyPolicy, clock: Callable[[], float]) -> None:
        self._url = url
        self._policy = policy
        self._clock = clock
        self._known: jwt.PyJWKSet | None = None
        self._fetched_at = float("-inf")
        self._lock = anyio.Lock()

    async def find(self, key_id: object) -> jwt.PyJWK:
        """Raises jwt.PyJWTError: there is no such key, or the keys could not be fetched."""
        key = self._fresh(key_id)  # a known key never waits for the lock: anyone can send tokens with unknown keys
        if key is None:
            async with self._lock:
                key = self._fresh(key_id)
                if key is None:
                    if self._age > self._policy.fetch_again_seconds:
                        await self._refresh()
                    key = self._pick(key_id)
        if key is None:
            raise jwt.InvalidKeyError("no such key")
        return key

    @property
    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _fresh(self, key_id: object) -> jwt.PyJWK | None:
        return self._pick(key_id) if self._age < self._policy.kept_seconds else None

    def _pick(self, key_id: object) -> jwt.PyJWK | None:
        keys = self._known.keys if self._known else []
        if key_id is None:
            return keys[0] if len(keys) == 1 else None
        return next((key for key in keys if key.key_id == key_id), None)

    async def _refresh(self) -> None:
        """Fetch the keys. If that fails, the known ones are kept."""
        self._fetched_at = self._clock()
        try:
            with anyio.fail_after(self._policy.fetch_seconds):
                self._known = jwt.PyJWKSet.from_json(await self._fetch())
        except Exception as error:  # whatever the response, a token that cannot be checked is refused
            log.warning("the signing keys could not be fetched from %s: %s", self._url, type(error).__name__)

    async def _fetch(self) -> str:
        """The issuer's published key set, as JSON. Raises ValueError, UnknownEncoding, httpx.HTTPError."""
        import httpx  # start-up time: stdio needs none of this

        raw = bytearray()
        async with (
            httpx.AsyncClient(
                timeout=self._policy.fetch_seconds, follow_redirects=False, verify=tls_context()
            ) as client,
            client.stream("GET", self._url, headers={"Accept": "application/json", **IDENTITY}) as answer,
        ):
            answer.raise_for_status()
            async for chunk in unpacked(answer):
                raw += chunk
                if len(raw) > KEYS_BYTES_MAX:
                    raise ValueError("too large")
        return raw.decode()


class AnyOf(TokenVerifier):
    """Accepts a token that any of the verifiers accepts; the first one to accept it determines the tenant."""

    def __init__(self, verifiers: Sequence[TokenVerifier]) -> None:
        self._verifiers = verifiers

    async def verify_token(self, token: str) -> AccessToken | None:
        for verifier in self._verifiers:
            if known := await verifier.verify_token(token):
                return known
        return None


def verifier_of(settings: Settings, resource_url: str) -> TokenVerifier | None:
    """A verifier of the tokens that the settings allow; None if no token is required."""
    verifiers: list[TokenVerifier] = []
    if settings.http_tokens:
        verifiers.append(StaticTokens(settings.http_tokens))
    if settings.oauth_issuer:
        audience = settings.oauth_audience or resource_url
        verifiers.append(OAuthTokens(settings.oauth_issuer, audience, settings.oauth_jwks_url))
    return AnyOf(verifiers) if verifiers else None


def caller_of(request: Request | None, gateways: Iterable[str], settings: Settings) -> Caller:
    """The caller who makes this request; the local user if the settings require no token.

    Raises:
        PermissionError: a token is required, and none was verified. The middleware should have refused the request.
    """
    user = request.scope.get("user") if request else None
    keys: dict[str, SecretStr] = {}
    if settings.keys_from_headers and request:
        sent = {name: request.headers.get(key_header(name), "").strip() for name in gateways}
        keys = {name: SecretStr(key) for name, key in sent.items() if key}
    if isinstance(user, AuthenticatedUser):
        token = user.access_token
        return Caller(tenant=token.subject or token.client_id, may_generate=GENERATE in token.scopes, keys=keys)
    if settings.asks_for_tokens:
        raise PermissionError("unknown caller")
    return Caller(keys=keys) if keys else LOCAL


def _scopes_in(claims: Mapping[str, Any]) -> list[str]:
    """The token's scopes. `scope` is a space-separated string (RFC 8693); `scp` is a list or such a string."""
    given = claims.get("scope", claims.get("scp", ""))
    if isinstance(given, str):
        return given.split()
    return [word for word in sequence(given) if isinstance(word, str)]
