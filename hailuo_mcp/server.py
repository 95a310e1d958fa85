"""The MCP server: the tools over the SDK's lowlevel server, with one boundary that no exception text passes."""

import logging
from collections.abc import Callable
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams

from hailuo_mcp import tools
from hailuo_mcp.errors import InternalError
from hailuo_mcp.studio import Studio

log = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Hailuo (MiniMax) video generation. generate_video submits a job, costs money and returns a request_id; clips "
    "take one to nine minutes. Then call get_status with wait_seconds 45 until the state is completed or failed; a "
    "wait that runs out is not a failure. dry_run shows the price first. Lost the id? list_jobs. Links expire: give "
    "the user video_path or video_url at once."
)


def build_server(studio: Studio, version: str) -> Server[Any]:
    """The server over an open studio."""
    listed = ListToolsResult(tools=tools.definitions(studio.catalog))

    async def list_tools(_ctx: Any, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return listed

    async def call_tool(ctx: Any, params: CallToolRequestParams) -> CallToolResult:
        if params.name not in tools.HANDLERS:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name[:80]}")
        call = tools.Call(studio, params.arguments or {}, ctx.session.report_progress)
        try:
            return await tools.call(params.name, call)
        except Exception as error:
            # The boundary: what we did not foresee is told to the operator, not to the client. A foreign message may
            # quote a key.
            log.error("%s failed: %s", params.name, type(error).__name__, exc_info=log.isEnabledFor(logging.DEBUG))
            return tools.failed(_unforeseen(params.name))

    return Server(
        "hailuo-mcp",
        version=version,
        title="Hailuo video",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _unforeseen(tool: str) -> InternalError:
    """A submission may have been sent before the unforeseen happened: only the others are certain to have cost
    nothing.
    """
    if tool == "generate_video":
        return InternalError(
            "Something unforeseen happened while submitting.",
            "Call list_jobs before submitting again: the job may exist. The server's log has the details.",
            charged="unknown",
        )
    return InternalError("Something unforeseen happened; no job was touched.", safe_to_retry=True)


async def serve_stdio(open_studio: Callable[[], Studio], version: str) -> None:
    """Serve on stdin and stdout until stdin closes."""
    from mcp.server.stdio import stdio_server

    async with open_studio() as studio, stdio_server() as (read, write):
        server = build_server(studio, version)
        await server.run(read, write, server.create_initialization_options())
        await anyio.lowlevel.checkpoint()
