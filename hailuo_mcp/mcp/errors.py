"""The boundary between the protocol and the studio: whose studio a request works with, and that no foreign exception
passes. Its text may quote a key, and on connections with a handshake the SDK would send it to the client.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR

from hailuo_mcp.service.session import Session

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

SessionFor = Callable[[ServerRequestContext[Any, Any]], Session]
"""The session of the caller who makes this request."""


def log_failure(what: str, error: Exception) -> None:
    """Tell the operator. The text of the exception is for those alone who ask for it."""
    log.error("%s failed: %s", what, type(error).__name__, exc_info=error if log.isEnabledFor(logging.DEBUG) else None)


def sanitize_errors(what: str, handler: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """The handler, which raises nothing but MCPError."""

    @wraps(handler)
    async def sanitized(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await handler(*args, **kwargs)
        except MCPError:
            raise
        except Exception as error:
            log_failure(what, error)
            raise MCPError(INTERNAL_ERROR, "Something unforeseen happened; the server's log has the details.") from None

    return sanitized
