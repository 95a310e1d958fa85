"""The least that an MCP server can be: the SDK's lowlevel server with one tool. What `cold_start.py` measures
against.
"""

from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import ListToolsResult, PaginatedRequestParams, Tool

TOOL = Tool(name="nothing", description="Does nothing.", input_schema={"type": "object", "properties": {}})


async def list_tools(_ctx: Any, _params: PaginatedRequestParams | None) -> ListToolsResult:
    return ListToolsResult(tools=[TOOL])


async def main() -> None:
    server = Server("bare", version="0", on_list_tools=list_tools)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
