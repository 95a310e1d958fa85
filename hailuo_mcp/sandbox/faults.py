"""Rehearsals of trouble: words in a prompt that ask the sandbox to misbehave.

The table is the one place where they stand; the README's table is generated from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

CONTENT_VIOLATION = "sandbox:content_violation"
FAIL = "sandbox:fail"
NEVER = "sandbox:never"
EXPIRE = "sandbox:expire"
NO_CREDITS = "sandbox:no_credits"
RATE_LIMIT = "sandbox:rate_limit"
LOST_ANSWER = "sandbox:lost_answer"
SLOW = "sandbox:slow"

FAULTS: Mapping[str, str] = MappingProxyType(
    {
        CONTENT_VIOLATION: "The job is taken and then fails because its content breaks the rules.",
        FAIL: "The job is taken and then fails for a reason of the gateway's own.",
        NEVER: "The job stays in processing for ever.",
        EXPIRE: "The job runs, but once it would be completed the gateway has forgotten it (404).",
        NO_CREDITS: "The submission is refused because the account has no credits left.",
        RATE_LIMIT: "The submission is refused because too many requests were sent, however often it is tried.",
        LOST_ANSWER: "The job is taken and runs, but the connection is cut before its id is answered.",
        SLOW: "The job takes five times as long.",
    }
)

_WORD = re.compile("|".join(rf"{re.escape(word)}\b" for word in FAULTS), re.IGNORECASE)


def asked_for(prompt: str) -> frozenset[str]:
    """The rehearsal words in a prompt, wherever and in whatever letter case they stand."""
    return frozenset(word.lower() for word in _WORD.findall(prompt))


def without_rehearsals(prompt: str) -> str:
    """The prompt as it reads without its rehearsal words."""
    return " ".join(_WORD.sub(" ", prompt).split())


class ConnectionCut(Exception):
    """The connection was cut after the job had been taken.

    Over a port the client sees the connection close in the middle of an answer. In process (`httpx.ASGITransport`)
    this exception reaches the caller.
    """


class CutResponse(Response):
    """An answer that breaks off: it promises more bytes than it sends, then raises `ConnectionCut`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # An exception before the start would become a complete and polite 500, from which a client could learn
        # that nothing was lost. Once a length is promised and not kept, the server can only drop the connection.
        headers = [(b"content-type", b"application/json"), (b"content-length", b"512")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise ConnectionCut("the job was taken, and the connection cut before its answer")
