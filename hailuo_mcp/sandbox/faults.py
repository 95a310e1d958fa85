"""Fault triggers: words in a prompt that make the sandbox fail in a defined way, for tests and trial runs.

The README's table is generated from `FAULTS`.
"""

import logging
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager

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

FAULTS: Mapping[str, str] = {
    CONTENT_VIOLATION: "The job is accepted and then fails because its content breaks the rules.",
    FAIL: "The job is accepted and then fails for a reason of the gateway's own.",
    NEVER: "The job stays in processing forever.",
    EXPIRE: "The job runs, but once it would be completed the gateway has forgotten it (404).",
    NO_CREDITS: "The submission is refused because the account has no credits left.",
    RATE_LIMIT: "The submission is refused because too many requests were sent, however often it is tried.",
    LOST_ANSWER: "The job is accepted and runs, but the connection is cut before its id is returned.",
    SLOW: "The job takes five times as long.",
}

_TRIGGER = re.compile("|".join(rf"{re.escape(word)}\b" for word in FAULTS), re.IGNORECASE)


def triggers_in(prompt: str) -> frozenset[str]:
    """The triggers in a prompt, in any letter case, returned in lower case."""
    return frozenset(word.lower() for word in _TRIGGER.findall(prompt))


def without_triggers(prompt: str) -> str:
    return " ".join(_TRIGGER.sub(" ", prompt).split())


class Refusal(Exception):
    """Ends a request with this response, from any depth."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class ConnectionCut(Exception):
    """The connection was cut after the job had been accepted.

    Over a port the client sees the connection close in the middle of a response. In process (`httpx.ASGITransport`)
    this exception reaches the caller.
    """


class CutResponse(Response):
    """A truncated response: it announces more bytes than it sends, then raises `ConnectionCut`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # An exception before the start would become a complete 500, which tells a client that nothing was lost. After
        # announcing a length that is not sent, the server can only drop the connection.
        headers = [(b"content-type", b"application/json"), (b"content-length", b"512")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise ConnectionCut("the job was accepted, and the connection cut before the response")


class _CutFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], ConnectionCut):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args, record.exc_info = f"Simulated: {record.exc_info[1]}", (), None
        return True


@contextmanager
def cut_log_filter() -> Generator[None]:
    """uvicorn logs every exception of an application with its traceback; within the block, cuts are logged as one
    line."""
    logger, cut_filter = logging.getLogger("uvicorn.error"), _CutFilter()
    logger.addFilter(cut_filter)
    try:
        yield
    finally:
        logger.removeFilter(cut_filter)
