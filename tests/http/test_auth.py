"""Token authentication: the operator's static tokens, and OAuth access tokens whose issuer may rotate its keys, be
unreachable, or send any response."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
from starlette.requests import HTTPConnection

from hailuo_mcp.app import load_settings
from hailuo_mcp.core.setting_values import SettingsError
from hailuo_mcp.http import auth
from hailuo_mcp.http.auth import KeyPolicy, OAuthTokens, StaticTokens
from hailuo_mcp.http.exposure import check_exposure

ISSUER, AUDIENCE = "https://issuer.example", "https://video.example/mcp"
KEYS = {name: rsa.generate_private_key(65537, 2048) for name in ("old", "new")}
MIB = 1024 * 1024


def jwk(name: str, kid: str | None = None) -> dict[str, Any]:
    public = json.loads(RSAAlgorithm.to_jwk(KEYS[name].public_key()))
    return {**public, "use": "sig", "alg": "RS256", **({"kid": kid} if kid else {})}


def jwks(*names: str) -> bytes:
    return json.dumps({"keys": [jwk(name, name) for name in names]}).encode()


def token(key: str = "old", kid: str | None = "", **claims: Any) -> str:
    now = int(time.time())
    facts = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": now + 300, "scope": "video:read", **claims}
    headers = {"kid": kid or key} if kid is not None else None
    return jwt.encode(facts, KEYS[key], algorithm="RS256", headers=headers)


POLICY = KeyPolicy()


class Issuer:
    """Sends a configurable response on a port; an empty one means no response."""

    def __init__(self) -> None:
        self.answer: bytes = ok(jwks("old"))
        self.pace_seconds = 0.0
        self.requests: list[str] = []
        self.slow = asyncio.Event()
        """Set when a slow response has begun."""
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(request.split(b" ")[1].decode())
            chunk_size = 1 if self.pace_seconds else 65536
            for start in range(0, len(self.answer), chunk_size):
                writer.write(self.answer[start : start + chunk_size])
                await writer.drain()
                if self.pace_seconds:
                    self.slow.set()
                    await asyncio.sleep(self.pace_seconds)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def ok(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def running_issuer(
    policy: KeyPolicy = POLICY, clock: Callable[[], float] = time.monotonic
) -> AsyncGenerator[tuple[Issuer, OAuthTokens]]:
    issuer = Issuer()
    server = await asyncio.start_server(issuer.serve, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield issuer, OAuthTokens(ISSUER, AUDIENCE, f"{issuer.url}/jwks", policy=policy, clock=clock)
    finally:
        server.close()


async def is_accepted(tokens: OAuthTokens, given: str) -> bool:
    return await tokens.verify_token(given) is not None


# --- the issuer's keys --------------------------------------------------------------------------------------------


async def test_new_key_is_fetched_and_a_removed_key_expires() -> None:
    assert POLICY.fetch_again_seconds <= 10
    assert POLICY.kept_seconds <= 300
    now = 0.0
    async with running_issuer(clock=lambda: now) as (issuer, tokens):
        assert await is_accepted(tokens, token("old"))
        issuer.answer = ok(jwks("new"))
        assert not await is_accepted(tokens, token("new")), (
            "the keys are not fetched each time: anyone can name a new one"
        )
        now += POLICY.fetch_again_seconds + 0.1
        assert await is_accepted(tokens, token("new"))
        assert not await is_accepted(tokens, token("old"))
        issuer.answer = ok(jwks("old"))
        now += POLICY.kept_seconds - 1
        assert await is_accepted(tokens, token("new")), "known keys are cached for a while"
        now += 1.1
        assert not await is_accepted(tokens, token("new"))
        assert len(issuer.requests) == 3


async def test_unreachable_issuer_refuses_tokens_unless_its_keys_are_cached() -> None:
    now = 0.0
    async with running_issuer(clock=lambda: now) as (issuer, tokens):
        issuer.answer = b""
        assert not await is_accepted(tokens, token())
        issuer.answer = ok(jwks("old"))
        now += POLICY.fetch_again_seconds + 0.1
        assert await is_accepted(tokens, token())
        issuer.answer = ok(b"down", "503 Down")
        now += POLICY.kept_seconds + 0.1
        assert await is_accepted(tokens, token()), "its keys are still cached"


DEEP = b"[" * 200_000
INVALID_KEY_SETS: dict[str, bytes] = {
    "too large": ok(b'{"keys": [], "x": "' + b"x" * (2 * MIB) + b'"}'),
    "no JSON": ok(b"<html>"),
    "no UTF-8": ok(b"\xff\xfe"),
    "nested without end": ok(DEEP),
    "a list": ok(b"[]"),
    "no keys": ok(b'{"keys": []}'),
    "keys of no kind": ok(b'{"keys": [1, null, {"kty": "x"}, {"kty": "RSA", "n": 5}]}'),
    "keys that are no list": ok(b'{"keys": {"a": 1}}'),
    "an error": ok(jwks("old"), "500 Oh"),
    "cut": ok(jwks("old"))[:-20],
    "no HTTP": b"hello",
    "lies about its encoding": ok(jwks("old"), "200 OK", "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("answer", INVALID_KEY_SETS)
async def test_invalid_key_set_refuses_tokens_without_raising(answer: str) -> None:
    async with running_issuer() as (issuer, tokens):
        issuer.answer = INVALID_KEY_SETS[answer]
        assert not await is_accepted(tokens, token())
        assert len(issuer.requests) == 1


async def test_a_redirect_of_the_key_set_is_not_followed() -> None:
    async with running_issuer() as (issuer, tokens):
        issuer.answer = ok(b"", "302 Found", f"Location: {issuer.url}/elsewhere")
        assert not await is_accepted(tokens, token())
        assert issuer.requests == ["/jwks"]


async def test_slow_issuer_times_out_without_delaying_tokens_with_known_keys() -> None:
    async with running_issuer(KeyPolicy(fetch_seconds=0.5, fetch_again_seconds=-1.0)) as (issuer, tokens):
        assert await is_accepted(tokens, token())
        issuer.pace_seconds = 0.1  # each byte arrives before a read time-out
        issuer.answer = ok(jwks("old", "new"))
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(is_accepted, tokens, token("new"))
                await issuer.slow.wait()
                with anyio.fail_after(0.3):
                    assert await is_accepted(tokens, token())


# --- the claims ---------------------------------------------------------------------------------------------------

REFUSED: dict[str, Callable[[], str]] = {
    "not yet valid": lambda: token(nbf=int(time.time()) + 3600),
    "made in the future": lambda: token(iat=int(time.time()) + 3600),
    "just expired": lambda: token(exp=int(time.time()) - auth.LEEWAY_SECONDS - 1),
    "never expires": lambda: token(exp=float("inf")),
    "expires at no time": lambda: token(exp="soon"),
    "for several others": lambda: token(aud=["https://a.example", "https://b.example"]),
    "an audience of no kind": lambda: token(aud={"x": 1}),
    "a subject of no kind": lambda: token(sub=7),
    "no subject": lambda: token(sub=""),
    "another key under this name": lambda: token("new", kid="old"),
    "nested without end": lambda: f"{'W1tb' * 10_000}.e30.c2ln",
}


@pytest.mark.parametrize("forged", REFUSED)
async def test_invalid_claims_are_refused(forged: str) -> None:
    async with running_issuer() as (_, tokens):
        assert await is_accepted(tokens, token())
        assert not await is_accepted(tokens, REFUSED[forged]())


async def test_token_with_several_audiences_or_small_clock_skew_is_accepted() -> None:
    async with running_issuer() as (_, tokens):
        assert await is_accepted(tokens, token(aud=["https://a.example", AUDIENCE]))
        assert await is_accepted(tokens, token(exp=int(time.time()) - auth.LEEWAY_SECONDS + 5))
        assert await is_accepted(tokens, token(nbf=int(time.time()) + auth.LEEWAY_SECONDS - 5))


async def test_token_without_a_key_id_is_accepted_only_if_there_is_one_key() -> None:
    async with running_issuer() as (issuer, tokens):
        assert await is_accepted(tokens, token(kid=None))
    async with running_issuer() as (issuer, tokens):
        issuer.answer = ok(json.dumps({"keys": [jwk("old"), jwk("new")]}).encode())
        assert not await is_accepted(tokens, token(kid=None))


async def test_published_key_is_not_accepted_as_a_signing_secret() -> None:
    def part(facts: Mapping[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(facts).encode()).rstrip(b"=")

    public = KEYS["old"].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = part({"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": int(time.time()) + 60})
    async with running_issuer() as (_, tokens):
        for secret in (json.dumps(jwk("old", "old")).encode(), pem, b""):
            signed = part({"alg": "HS256", "kid": "old"}) + b"." + claims
            signature = base64.urlsafe_b64encode(hmac.digest(secret, signed, "sha256")).rstrip(b"=")
            assert not await is_accepted(tokens, (signed + b"." + signature).decode())


# --- static tokens ------------------------------------------------------------------------------------------------

PLAIN = "plain-token-0123456789"
HASHED = "hashed-token-0123456789"


def static(value: str) -> StaticTokens:
    return StaticTokens(load_settings({"HAILUO_MCP_HTTP_TOKENS": value}).http_tokens)


async def test_static_token_is_configured_in_plain_text_or_as_a_digest() -> None:
    digest = hashlib.sha256(HASHED.encode()).hexdigest()
    tokens = static(f"ann:{PLAIN}, ben:sha256:{digest.upper()}")
    for given, who in ((PLAIN, "ann"), (HASHED, "ben")):
        known = await tokens.verify_token(given)
        assert known
        assert known.subject == who
    invalid = (
        "",
        " ",
        PLAIN + " ",
        PLAIN.upper(),
        f"ann:{PLAIN}",
        digest,
        f"sha256:{digest}",
        "é" * 10,
        "x" * 10_000,
        "\0",
    )
    for given in invalid:
        assert await tokens.verify_token(given) is None, given


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_auth_scheme_is_case_insensitive(scheme: str) -> None:
    headers = [(b"authorization", f"{scheme} {PLAIN}".encode())]
    connection = HTTPConnection({"type": "http", "headers": headers})
    assert await BearerAuthBackend(static(f"ann:{PLAIN}")).authenticate(connection)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (f"ann:{PLAIN},ben:sha256:abcdef", "entry 2 is not a digest"),
        (f"ann:sha256:{'0' * 65}", "entry 1 is not a digest"),
        ("ann:töken", "entry 1 cannot be sent in a header"),
        ("ann:two words", "entry 1 cannot be sent in a header"),
        (f"ann:{PLAIN},ben:{PLAIN}", "entry 2 has the same token"),
        (f"ann:{PLAIN},ben:sha256:{hashlib.sha256(PLAIN.encode()).hexdigest()}", "entry 2 has the same token"),
        (f"ann:{PLAIN},ann:other", "entry 2 has the same name"),
        ("oauth:ann:x,oauth:ann", "entry 2 has the same name"),
        ("ann", "entry 1 is not of the form"),
        (":x", "entry 1 is not of the form"),
    ],
)
def test_invalid_token_entry_is_refused_at_start_and_not_shown(value: str, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"HAILUO_MCP_HTTP_TOKENS": value})
    assert why in str(refused.value)
    for part in value.split(","):
        secret = part.partition(":")[2]
        assert len(secret) < 2 or secret not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "::ffff:127.0.0.1", "localhost"])
def test_loopback_host_needs_no_tokens(host: str) -> None:
    check_exposure(load_settings({}), host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::ffff:192.0.2.1", "169.254.1.1", "localhost.example"])  # noqa: S104
def test_public_host_needs_tokens_and_allowed_hosts(host: str) -> None:
    with pytest.raises(SettingsError, match=r"HTTP_TOKENS.*ALLOWED_HOSTS"):
        check_exposure(load_settings({}), host)
    given = {"HAILUO_MCP_HTTP_TOKENS": "ann:x", "HAILUO_MCP_ALLOWED_HOSTS": "video.example"}
    check_exposure(load_settings(given), host)


BY_NAME = {
    "PUBLIC_URL": "https://video.example",
    "ALLOWED_HOSTS": "127.0.0.1:8000,video.example",
    "ALLOWED_ORIGINS": "http://localhost:5173,https://app.example",
}


@pytest.mark.parametrize("variable", BY_NAME)
def test_public_name_on_a_loopback_host_needs_tokens(variable: str) -> None:
    given = {f"HAILUO_MCP_{variable}": BY_NAME[variable]}
    with pytest.raises(SettingsError, match=rf"HAILUO_MCP_{variable}=.*\.example.*treated as the owner.*HTTP_TOKENS"):
        check_exposure(load_settings(given), "127.0.0.1")
    check_exposure(load_settings({**given, "HAILUO_MCP_HTTP_TOKENS": "ann:x"}), "127.0.0.1")


def test_loopback_names_need_no_tokens() -> None:
    given = {
        "HAILUO_MCP_ALLOWED_HOSTS": "localhost:9000,[::1]:80,127.0.0.2",
        "HAILUO_MCP_ALLOWED_ORIGINS": "http://localhost:5173,http://[::1]:3000",
    }
    check_exposure(load_settings(given), "127.0.0.1")
