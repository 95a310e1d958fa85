"""URLs on this server that need no token because they cannot be guessed: for saved clips, image uploads and gateway
callbacks. They are signed with a secret that all servers on one ledger share."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote

CLIPS, CALLBACKS, UPLOADS = "/clips", "/callbacks", "/uploads"
CLIP_LINK_LIFETIME = timedelta(hours=24)
Purpose = Literal["clip", "callback", "upload", "owner", "image", "session"]
_SIGNATURE_BYTES = 16
"""128 bits: guessing one costs more requests than any server will answer."""


@dataclass(frozen=True, slots=True)
class SignedUrls:
    """Creates and checks signed URLs. `base` is the server's URL, as callers reach it."""

    base: str
    secret: bytes = field(repr=False)
    called_back: bool = False
    """Whether gateways can reach `base`, so that they can call back."""

    def clip(self, key: str, now: datetime) -> tuple[str, datetime]:
        """The URL of this job's saved clip, and its expiry."""
        return self._timed("clip", f"{CLIPS}/{key}.mp4", key, now + CLIP_LINK_LIFETIME)

    def is_clip(self, key: str, until: str, signature: str, now: datetime) -> bool:
        """Whether these are the parts of an unexpired URL from `clip`."""
        return self._is_timed("clip", key, until, signature, now)

    def upload(self, key: str, now: datetime, lasting: timedelta) -> tuple[str, datetime]:
        """The URL to upload an image to, and its expiry."""
        return self._timed("upload", f"{UPLOADS}/{key}", key, now + lasting)

    def is_upload(self, key: str, until: str, signature: str, now: datetime) -> bool:
        """Whether these are the parts of an unexpired URL from `upload`."""
        return self._is_timed("upload", key, until, signature, now)

    def digest(self, purpose: Literal["owner", "image", "session"], *facts: object) -> str:
        """A keyed digest of these facts, the same on all servers."""
        return self._sign(purpose, *facts)

    def callback(self, gateway: str, key: str) -> str | None:
        """The callback URL for this job; None if the gateway cannot reach us."""
        if not self.called_back:
            return None
        return f"{self.base}{CALLBACKS}/{quote(gateway)}/{key}.{self._sign('callback', gateway, key)}"

    def called_for(self, gateway: str, secret: str) -> str | None:
        """The job key in the last segment of a callback URL; None if the signature is not ours."""
        key, _, signature = secret.partition(".")
        return key if self._matches(signature, "callback", gateway, key) else None

    def is_equal(self, given: str, digest: str) -> bool:
        """Whether this is the digest, compared in constant time."""
        return hmac.compare_digest(given.encode(), digest.encode())

    def _timed(self, purpose: Purpose, path: str, key: str, until: datetime) -> tuple[str, datetime]:
        until = until.replace(microsecond=0)
        moment = int(until.timestamp())
        return f"{self.base}{path}?until={moment}&signature={self._sign(purpose, key, moment)}", until

    def _is_timed(self, purpose: Purpose, key: str, until: str, signature: str, now: datetime) -> bool:
        if not until.isascii() or not until.isdigit() or len(until) > len("9999999999"):
            return False
        return self._matches(signature, purpose, key, until) and now.timestamp() < int(until)

    def _sign(self, purpose: Purpose, *facts: object) -> str:
        words = "\n".join([purpose, *map(str, facts)])
        return hmac.digest(self.secret, words.encode(), "sha256")[:_SIGNATURE_BYTES].hex()

    def _matches(self, signature: str, purpose: Purpose, *facts: object) -> bool:
        return self.is_equal(signature, self._sign(purpose, *facts))
