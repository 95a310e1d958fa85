"""Addresses on this server that need no token because they cannot be guessed: a saved clip's, for a person's browser,
and the one that a gateway calls back. Signed with a secret that all servers on one ledger share."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote

CLIPS, CALLBACKS = "/clips", "/callbacks"
CLIP_LINK_LASTS = timedelta(hours=24)
_SIGNATURE_BYTES = 16
"""128 bits: guessing one costs more requests than any server will answer."""


@dataclass(frozen=True, slots=True)
class SignedUrls:
    """Makes and checks the addresses. `base` is the server's own, as callers reach it."""

    base: str
    secret: bytes = field(repr=False)
    called_back: bool = False
    """Whether gateways can reach `base`, and so may be asked to call back."""

    def clip(self, key: str, now: datetime) -> tuple[str, datetime]:
        """Where the saved clip of this job can be fetched, and until when."""
        until = (now + CLIP_LINK_LASTS).replace(microsecond=0)
        moment = int(until.timestamp())
        return f"{self.base}{CLIPS}/{key}.mp4?until={moment}&signature={self._sign('clip', key, moment)}", until

    def is_clip(self, key: str, until: str, signature: str, now: datetime) -> bool:
        """Whether these are parts of an address that `clip` made and that has not run out."""
        if not until.isascii() or not until.isdigit() or len(until) > len("9999999999"):
            return False
        return self._matches(signature, "clip", key, until) and now.timestamp() < int(until)

    def callback(self, gateway: str, key: str) -> str | None:
        """What a gateway shall call when this job has moved; None where it cannot reach us."""
        if not self.called_back:
            return None
        return f"{self.base}{CALLBACKS}/{quote(gateway)}/{key}.{self._sign('callback', gateway, key)}"

    def called_for(self, gateway: str, secret: str) -> str | None:
        """The key of the job that the last part of a callback's address stands for; None where we never made it."""
        key, _, signature = secret.partition(".")
        return key if self._matches(signature, "callback", gateway, key) else None

    def _sign(self, purpose: Literal["clip", "callback"], *facts: object) -> str:
        words = "\n".join([purpose, *map(str, facts)])
        return hmac.digest(self.secret, words.encode(), "sha256")[:_SIGNATURE_BYTES].hex()

    def _matches(self, signature: str, purpose: Literal["clip", "callback"], *facts: object) -> bool:
        return hmac.compare_digest(signature.encode(), self._sign(purpose, *facts).encode())
