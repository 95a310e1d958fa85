"""Maps errors to MCP results and protocol errors. No other exception may reach the SDK: its text may quote a key, and
on connections with a handshake the SDK would send it to the client.
"""

import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, TextContent

from hailuo_mcp.core.errors import CallerError, HailuoError
from hailuo_mcp.mcp import texts, views
from hailuo_mcp.service.session import Session

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

Context = ServerRequestContext[Any, Any]
SessionFor = Callable[[Context], Session]
"""Returns the session of the caller who makes the request."""


def tool_error(error: HailuoError) -> CallToolResult:
    """The error as a tool result."""
    text = texts.error_text(error.problem) + (f" request_id: {error.request_id}" if error.request_id else "")
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content={"error": views.error_view(error)},
        is_error=True,
    )


@contextmanager
def error_boundary(
    session: Session, *, uri: str | None = None, message: Callable[[HailuoError], str] | None = None
) -> Generator[None]:
    """Convert errors in the block to JSON-RPC errors, redacted for the session's caller: INVALID_PARAMS if the caller
    can correct the call, otherwise INTERNAL_ERROR. With `uri`, `data` contains it and the error's fields. `message`
    replaces the usual text."""
    try:
        yield
    except HailuoError as error:
        public = session.redact(error)
        code = INVALID_PARAMS if isinstance(public, CallerError) else INTERNAL_ERROR
        text = message(public) if message else texts.error_text(public.problem)
        data = {"uri": uri, "error": views.error_view(public)} if uri is not None else None
        raise MCPError(code, text, data) from None


def sanitize_errors(what: str, handler: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Wrap the handler so that it raises only MCPError."""

    @wraps(handler)
    async def sanitized(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await handler(*args, **kwargs)
        except MCPError:
            raise
        except Exception as error:
            log_failure(what, error)
            raise MCPError(INTERNAL_ERROR, "An unexpected error occurred; the server's log has the details.") from None

    return sanitized


def log_failure(what: str, error: Exception) -> None:
    """Log an unexpected exception; its text and traceback only at level DEBUG, because they may contain secrets."""
    log.error("%s failed: %s", what, type(error).__name__, exc_info=error if log.isEnabledFor(logging.DEBUG) else None)
