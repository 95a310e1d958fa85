"""Serving on stdin and stdout: the SDK's transport, with three things that it lacks as of mcp 2.3.

- It reads stdin in a thread that nothing interrupts, so a process that is asked to end waits for the next line, and
  hands each line over twice more to write it. `pipes.py` does both in the event loop.
- It drops a line that is no message, and the client waits for an answer until its time is up. Here such a line gets a
  JSON-RPC error.
- It cancels the calls in flight as soon as stdin is closed: a script that pipes its requests in gets only those answers
  that came before. Here they have a moment.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, cast

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, JSONRPCRequest, JSONRPCResponse
from pydantic import ValidationError

from hailuo_mcp.mcp.pipes import Lines, Output, claimed_stdout
from hailuo_mcp.mcp.server import build_server
from hailuo_mcp.service.background import background_tasks
from hailuo_mcp.service.services import Services
from hailuo_mcp.service.warm_up import warm_up

LAST_ANSWERS_SECONDS = 1.0
"""How long calls in flight may take once stdin is closed: hosts end a server after two seconds."""
_ID = re.compile(r'"id"\s*:\s*(?:(-?\d{1,18})(?=\s*[,}\s])|"((?:[^"\\]|\\.){0,200})")')
"""The id in a line that is no JSON, if it can be read: a whole number or a string."""


async def serve_stdio(open_services: Callable[[], AbstractAsyncContextManager[Services]], version: str) -> None:
    """Serve on stdin and stdout until stdin closes."""
    async with open_services() as services:
        with claimed_stdout() as stdout:
            lines, output = cast("anyio.AsyncFile[str]", Lines(0)), cast("anyio.AsyncFile[str]", Output(stdout))
            async with stdio_server(lines, output) as (read, write), background_tasks() as tasks:
                server = build_server(services, version)
                tasks.start_soon(warm_up, server.tools_listed)
                answers = Answers(write)
                await server.run(Messages(read, answers), answers, server.create_initialization_options())
                await anyio.lowlevel.checkpoint()


class Stream(AbstractAsyncContextManager[Any]):
    """What the streams below have in common with those of the SDK."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


class Answers(Stream):
    """The transport's outgoing messages; knows which requests have no answer yet."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.open: set[int | str] = set()
        self._all_sent = anyio.Event()

    async def send(self, item: SessionMessage) -> None:
        await self._inner.send(item)
        if isinstance(item.message, (JSONRPCResponse, JSONRPCError)) and item.message.id is not None:
            self.open.discard(item.message.id)
            if not self.open:
                self._all_sent.set()

    async def wait(self, seconds: float) -> None:
        """Until all requests have their answers, or the time is up."""
        with anyio.move_on_after(seconds):
            while self.open:
                self._all_sent = anyio.Event()
                await self._all_sent.wait()


class Messages(Stream):
    """The transport's incoming messages, in which a line that is none is answered with an error."""

    def __init__(self, inner: Any, answers: Answers) -> None:
        super().__init__(inner)
        self._answers = answers

    @property
    def last_context(self) -> Any:
        return self._inner.last_context

    async def receive(self) -> SessionMessage:
        try:
            while isinstance(item := await self._inner.receive(), Exception):
                await self._answers.send(SessionMessage(answer_to_bad_line(item)))
        except anyio.EndOfStream:
            await self._answers.wait(LAST_ANSWERS_SECONDS)
            raise
        if isinstance(item.message, JSONRPCRequest):
            self._answers.open.add(item.message.id)
        return item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


def answer_to_bad_line(error: Exception) -> JSONRPCError:
    """The error for a line, from what the SDK says of it. Its id is null where none can be read."""
    mistake: Mapping[str, Any] = {}
    if isinstance(error, ValidationError):
        mistake = cast("Mapping[str, Any]", error.errors(include_url=False)[0])
    line = mistake.get("input")
    if mistake.get("type") == "json_invalid" and isinstance(line, str):
        found = _ID.search(line)
        number, text = found.groups() if found else (None, None)
        said = ErrorData(code=PARSE_ERROR, message="Parse error: the line is not valid JSON.")
        return JSONRPCError(jsonrpc="2.0", id=int(number) if number else text, error=said)
    said = ErrorData(code=INVALID_REQUEST, message="Invalid request: the line is no JSON-RPC 2.0 message.")
    return JSONRPCError(jsonrpc="2.0", id=_id_of(error), error=said)


def _id_of(error: Exception) -> int | str | None:
    """The id of a message of the wrong shape."""
    for mistake in error.errors(include_url=False) if isinstance(error, ValidationError) else ():
        whole = mistake["input"]
        if isinstance(whole, dict):
            found = cast("Mapping[str, Any]", whole).get("id")
            if isinstance(found, (int, str)) and not isinstance(found, bool):
                return found
    return None
