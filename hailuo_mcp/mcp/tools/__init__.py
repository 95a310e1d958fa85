"""The tools, one file each. To add one, write its file and list it here."""

import logging
from collections.abc import Mapping
from typing import Any

import anyio
import mcp_types
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.errors import HailuoError, InternalError
from hailuo_mcp.mcp.confirmation import Question
from hailuo_mcp.mcp.errors import log_failure, tool_error
from hailuo_mcp.mcp.tools import cancel_job, download_video, generate_video, get_status, list_jobs, list_models
from hailuo_mcp.mcp.tools.base import Call, Progress, Tool
from hailuo_mcp.telemetry import annotate_span, is_tracing

__all__ = ["BY_NAME", "TOOLS", "Call", "Progress", "Tool", "call", "definitions"]

log = logging.getLogger(__name__)

TOOLS: tuple[Tool[Any], ...] = (
    generate_video.TOOL,
    get_status.TOOL,
    list_models.TOOL,
    list_jobs.TOOL,
    download_video.TOOL,
    cancel_job.TOOL,
)
BY_NAME: Mapping[str, Tool[Any]] = {tool.name: tool for tool in TOOLS}


def definitions(catalog: Catalog) -> list[mcp_types.Tool]:
    """The tools of `tools/list`."""
    return [tool.definition(catalog) for tool in TOOLS]


async def call(name: str, call: Call) -> CallToolResult:
    """Run a tool. Every error becomes a tool error, an unexpected one without its text.

    Raises:
        MCPError: INVALID_PARAMS: there is no such tool.
        Question: the user must confirm first.
    """
    tool = BY_NAME.get(name)
    if tool is None:
        raise MCPError(INVALID_PARAMS, f"Unknown tool: {name[:80]}; available: {', '.join(BY_NAME)}.")
    try:
        result = await tool.call(call)
    except Question:
        raise
    except HailuoError as error:
        result = tool_error(call.session.redact(error))
    except anyio.get_cancelled_exc_class():
        log.info("%s was cancelled", name)
        raise
    except Exception as error:
        log_failure(name, error)
        result = tool_error(_unexpected(tool))
    if is_tracing():
        _annotate_span(result.structured_content or {})
    return result


def _unexpected(tool: Tool[Any]) -> InternalError:
    """An unexpected error in generate_video may have occurred after a submission was sent; other tools cost nothing."""
    if not tool.idempotent:
        return InternalError(
            "An unexpected error occurred while submitting.",
            "Call list_jobs before submitting again: the job may exist. The server's log has the details.",
            charged="unknown",
        )
    return InternalError("An unexpected error occurred; no job was changed.", safe_to_retry=True)


def _annotate_span(facts: Mapping[str, Any]) -> None:
    """Add the job and the error's code to the call's span."""
    error: Mapping[str, Any] = facts.get("error") or {}
    attributes = {
        "request_id": facts.get("request_id") or error.get("request_id"),
        "model": facts.get("model"),
        "state": facts.get("state"),
        "problem": error.get("code"),
    }
    annotate_span({f"hailuo_mcp.{name}": value for name, value in attributes.items() if isinstance(value, str)})
