"""How long a caller can be kept waiting. Clients end a call after a time that they do not announce: hosts after a
minute or more, some frameworks after five seconds. So `next_step` names a wait that this caller can bear, learned as it
goes.
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
"""After a call was given up, calls are held this much shorter."""
PATIENT: Mapping[str, str] = {
    "claude-ai": "Claude Desktop and claude.ai, 4 min: github.com/Lykhoyda/ask-llm/issues/20",
    "claude-code": "Claude Code, no limit of its own: github.com/anthropics/claude-code/issues/69487",
    "cursor": "Cursor, 60 s, the TypeScript SDK's default: github.com/modelcontextprotocol/typescript-sdk/issues/404",
    "visual studio code": "VS Code, more than 5 min: github.com/microsoft/vscode/issues/274094",
    "codex-mcp-client": "Codex, `tool_timeout_sec`, 60 s: developers.openai.com/codex/mcp",
    "gemini-cli-mcp-client": "Gemini CLI, `timeout`, 10 min: github.com/google-gemini/gemini-cli docs/tools/mcp-server",
    "hailuo-mcp": "the demo of this package",
}
"""How a host's name in its `clientInfo` begins, in lower case; and how long it waits, with the source."""
CALLERS_MAX = 1000
"""How many callers' patience is remembered, those longest ago forgotten first."""


class Patience:
    """What is known of one caller. `clock` gives seconds."""

    def __init__(
        self, seconds: int = START_SECONDS, *, fixed: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        """The wait to name."""
        self._fixed = fixed
        self._clock = clock
        self._most: int | None = None
        """No wait is longer, since a longer call was given up; None as long as none was."""
        self._held: dict[str, float] = {}
        """Request id to the moment since when a call for it is held."""

    def bearable(self, wait_seconds: int) -> int:
        """The wait that was asked for, cut to what this caller was seen to bear: a model goes on asking for the wait
        that it was told last, and never sees an answer that comes too late."""
        return wait_seconds if self._most is None else min(wait_seconds, self._most)

    def hold(self, wait_seconds: int) -> float:
        """Seconds after which the call must have its answer, the saving of a clip included."""
        return math.inf if self._fixed else max(wait_seconds, min(START_SECONDS, self._most or START_SECONDS))

    @contextmanager
    def held(self, about: str, wait_seconds: int) -> Generator[None]:
        """Within this, a call is held for up to so long. It was given up if it is cancelled, or if the caller asks for
        the same again meanwhile."""
        if not wait_seconds:
            yield
            return
        began = self._clock()
        earlier = self._held.get(about)
        if earlier is not None and began - earlier >= START_SECONDS:
            self._given_up(began - earlier)
        self._held[about] = began
        try:
            yield
        except anyio.get_cancelled_exc_class():
            self._given_up(self._clock() - began)
            raise
        finally:
            if self._held.get(about) == began:
                del self._held[about]
        if self._clock() - began >= self.seconds:
            self._answered()

    def _given_up(self, after: float) -> None:
        if not self._fixed:
            self._most = max(1, min(int(after * MARGIN), self._most or WAIT_SECONDS_MAX))
            self.seconds = min(self.seconds, self._most)

    def _answered(self) -> None:
        if not self._fixed:
            self.seconds = min(self.seconds * 2, self._most or WAIT_SECONDS_MAX, WAIT_SECONDS_MAX)


class CallersPatience:
    """The patience of each caller: of the one client on stdio, of each tenant's clients over HTTP. A caller over HTTP
    without a token cannot be told from another, and starts from the beginning each time."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Patience] = OrderedDict()

    def of(self, ctx: ServerRequestContext[Any, Any], caller: Caller) -> Patience:
        client = ctx.session.client_params
        name = client.client_info.name if client else ""
        if is_patient(name) or wants_progress(ctx):
            return Patience(WAIT_SECONDS_MAX, fixed=True)
        if ctx.request is not None and caller.local:
            return Patience()
        key = f"{caller.tenant}\n{name}"
        known = self._known.setdefault(key, Patience())
        self._known.move_to_end(key)
        if len(self._known) > CALLERS_MAX:
            self._known.popitem(last=False)
        return known


def is_patient(client_name: str) -> bool:
    """Whether a client of this name is known to bear the longest wait."""
    return client_name.lower().replace("visual-studio-code", "visual studio code").startswith(tuple(PATIENT))


def wants_progress(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Whether the client is to hear of this call's progress."""
    return (ctx.meta or {}).get("progress_token") is not None
