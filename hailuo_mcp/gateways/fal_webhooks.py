"""The signatures of fal's webhooks: Ed25519, with the keys that fal publishes."""

from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from time import time
from typing import Any

from hailuo_mcp.gateways.answers import mapping, sequence

_SECONDS_MAX = 300
"""Webhooks with older signatures are rejected."""


async def is_signed(
    headers: Mapping[str, str], body: bytes, fetch_keys: Callable[[], Awaitable[Sequence[bytes]]]
) -> bool:
    """Whether one of fal's keys signed these headers and this body recently. Raises what `fetch_keys` raises."""
    from cryptography.exceptions import InvalidSignature  # start-up time
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    facts = [headers.get(f"x-fal-webhook-{name}", "") for name in ("request-id", "user-id", "timestamp")]
    try:
        signature = bytes.fromhex(headers.get("x-fal-webhook-signature", ""))
        recent = abs(time() - int(facts[-1])) <= _SECONDS_MAX
    except ValueError:
        return False
    signed = "\n".join([*facts, sha256(body).hexdigest()]).encode()
    for key in await fetch_keys():
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
        except (InvalidSignature, ValueError):
            continue
        return recent
    return False


def keys_in(body: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The public keys of a JSON Web Key Set. Raises ValueError."""
    encoded = [str(mapping(key).get("x") or "") for key in sequence(body.get("keys"))]
    return tuple(urlsafe_b64decode(key + "=" * (-len(key) % 4)) for key in encoded if key)
