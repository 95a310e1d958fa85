"""Serving on stdin and stdout: the SDK's transport, with three problems of mcp 2.3 fixed.

- It reads stdin in a thread that cannot be interrupted, so the process does not end until the next line arrives, and it
  writes each line through two more thread switches. `pipes.py` does both in the event loop.
- It drops a line that is not a message, and the client waits for a response until it times out. Here such a line is
  answered with a JSON-RPC error.
- It cancels the calls in flight as soon as stdin is closed, so a script that pipes in its requests misses responses.
  Here the calls have a moment to finish.
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

DRAIN_SECONDS = 1.0
"""How long calls in flight may take once stdin is closed: hosts kill a server after two seconds."""
_ID = re.compile(r'"id"\s*:\s*(?:(-?\d{1,18})(?=\s*[,}\s])|"((?:[^"\\]|\\.){0,200})")')
"""Finds the id (a whole number or a string) in a line that is not valid JSON."""


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
    """The interface of the SDK's streams, as far as it uses them."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


class Answers(Stream):
    """The transport's outgoing messages; tracks which requests have no response yet."""

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
        """Wait until all requests have their responses, for at most `seconds`."""
        with anyio.move_on_after(seconds):
            while self.open:
                self._all_sent = anyio.Event()
                await self._all_sent.wait()


class Messages(Stream):
    """The transport's incoming messages; answers invalid lines with an error."""

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
            await self._answers.wait(DRAIN_SECONDS)
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
    """The response to an invalid line, from the SDK's exception. Its id is null if none can be read."""
    details: Mapping[str, Any] = {}
    if isinstance(error, ValidationError):
        details = cast("Mapping[str, Any]", error.errors(include_url=False)[0])
    line = details.get("input")
    if details.get("type") == "json_invalid" and isinstance(line, str):
        found = _ID.search(line)
        number, text = found.groups() if found else (None, None)
        error_data = ErrorData(code=PARSE_ERROR, message="Parse error: the line is not valid JSON.")
        return JSONRPCError(jsonrpc="2.0", id=int(number) if number else text, error=error_data)
    error_data = ErrorData(code=INVALID_REQUEST, message="Invalid request: the line is not a JSON-RPC 2.0 message.")
    return JSONRPCError(jsonrpc="2.0", id=_id_of(error), error=error_data)


def _id_of(error: Exception) -> int | str | None:
    """The id of a message that failed validation."""
    for details in error.errors(include_url=False) if isinstance(error, ValidationError) else ():
        message = details["input"]
        if isinstance(message, dict):
            found = cast("Mapping[str, Any]", message).get("id")
            if isinstance(found, (int, str)) and not isinstance(found, bool):
                return found
    return None
