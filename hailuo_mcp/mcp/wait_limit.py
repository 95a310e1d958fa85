"""How long a call may take before the client times out. Clients do not announce their timeout: hosts allow a minute or
more, some frameworks five seconds. So `next_step` advises a `wait_seconds` below it, learned from the client's calls.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX

START_SECONDS = 4
"""OpenAI's Agents SDK (`client_session_timeout_seconds`) and Google's ADK (`timeout`) give up after 5 s by default."""
MARGIN = 0.8
"""After a call was abandoned, calls wait at most this share of its time."""
KNOWN_CLIENTS: Mapping[str, str] = {
    "claude-ai": "Claude Desktop and claude.ai, 4 min: github.com/Lykhoyda/ask-llm/issues/20",
    "claude-code": "Claude Code, no limit of its own: github.com/anthropics/claude-code/issues/69487",
    "cursor": "Cursor, 60 s, the TypeScript SDK's default: github.com/modelcontextprotocol/typescript-sdk/issues/404",
    "visual studio code": "VS Code, more than 5 min: github.com/microsoft/vscode/issues/274094",
    "codex-mcp-client": "Codex, `tool_timeout_sec`, 60 s: developers.openai.com/codex/mcp",
    "gemini-cli-mcp-client": "Gemini CLI, `timeout`, 10 min: github.com/google-gemini/gemini-cli docs/tools/mcp-server",
    "hailuo-mcp": "the demo of this package",
}
"""Prefix of a host's name in `clientInfo`, in lower case, to its timeout with the source."""
CALLERS_MAX = 1000
"""How many callers' limits are kept; the least recently used are dropped first."""


class WaitLimit:
    """The limit for one caller. `clock` returns seconds."""

    def __init__(
        self, seconds: int = START_SECONDS, *, fixed: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        """The `wait_seconds` to advise."""
        self._fixed = fixed
        self._clock = clock
        self._max: int | None = None
        """The longest wait allowed, after a longer call was abandoned; None until then."""
        self._waiting: dict[str, float] = {}
        """Request id to the time at which the call that waits for it began."""

    def cap(self, wait_seconds: int) -> int:
        """The requested wait, at most what this caller is known to allow: a model repeats the wait that it was last
        advised, and never sees a result that arrives too late."""
        return wait_seconds if self._max is None else min(wait_seconds, self._max)

    def hold_seconds(self, wait_seconds: int) -> float:
        """Seconds within which the call must return, including the time to save a clip."""
        return math.inf if self._fixed else max(wait_seconds, min(START_SECONDS, self._max or START_SECONDS))

    @contextmanager
    def track(self, request_id: str, wait_seconds: int) -> Generator[None]:
        """Track a call that waits up to `wait_seconds` within the block. It counts as abandoned if it is cancelled, or
        if the caller asks for the same job again before it returns."""
        if not wait_seconds:
            yield
            return
        began = self._clock()
        earlier = self._waiting.get(request_id)
        if earlier is not None and began - earlier >= START_SECONDS:
            self._on_abandoned(began - earlier)
        self._waiting[request_id] = began
        try:
            yield
        except anyio.get_cancelled_exc_class():
            self._on_abandoned(self._clock() - began)
            raise
        finally:
            if self._waiting.get(request_id) == began:
                del self._waiting[request_id]
        if self._clock() - began >= self.seconds:
            self._on_returned()

    def _on_abandoned(self, after: float) -> None:
        if not self._fixed:
            self._max = max(1, min(int(after * MARGIN), self._max or WAIT_SECONDS_MAX))
            self.seconds = min(self.seconds, self._max)

    def _on_returned(self) -> None:
        if not self._fixed:
            self.seconds = min(self.seconds * 2, self._max or WAIT_SECONDS_MAX, WAIT_SECONDS_MAX)


class WaitLimits:
    """The limit of each caller: the one client on stdio, or each tenant's clients over HTTP. Callers without a token
    cannot be distinguished over HTTP, so each of their calls starts with the default."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, WaitLimit] = OrderedDict()

    def of(self, ctx: ServerRequestContext[Any, Any], caller: Caller) -> WaitLimit:
        client = ctx.session.client_params
        name = client.client_info.name if client else ""
        if waits_long(name) or wants_progress(ctx):
            return WaitLimit(WAIT_SECONDS_MAX, fixed=True)
        if ctx.request is not None and caller.local:
            return WaitLimit()
        key = f"{caller.tenant}\n{name}"
        known = self._known.setdefault(key, WaitLimit())
        self._known.move_to_end(key)
        if len(self._known) > CALLERS_MAX:
            self._known.popitem(last=False)
        return known


def waits_long(client_name: str) -> bool:
    """Whether a client of this name is known to allow the longest wait."""
    return client_name.lower().replace("visual-studio-code", "visual studio code").startswith(tuple(KNOWN_CLIENTS))


def wants_progress(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Whether the client asked for progress notifications of this call."""
    return (ctx.meta or {}).get("progress_token") is not None
