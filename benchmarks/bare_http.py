"""The least that an MCP server over HTTP can be: the SDK's lowlevel server with one tool that says what it was told,
stateless, under the same uvicorn as ours. What `throughput.py` measures against.
"""

import socket
import sys
from typing import Any

import anyio
import uvicorn
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)

TOOL = Tool(name="echo", description="Says it again.", input_schema={"type": "object", "properties": {}})


async def list_tools(_ctx: Any, _params: PaginatedRequestParams | None) -> ListToolsResult:
    return ListToolsResult(tools=[TOOL])


async def call_tool(_ctx: Any, params: CallToolRequestParams) -> CallToolResult:
    said = (params.arguments or {}).get("request_id", "")
    return CallToolResult(content=[TextContent(type="text", text=said)])


async def main(port: int) -> None:
    server: Server[Any] = Server("bare", version="0", on_list_tools=list_tools, on_call_tool=call_tool)
    app = server.streamable_http_app(streamable_http_path="/mcp", stateless_http=True)
    config = uvicorn.Config(app, port=port, log_level="warning", access_log=False, lifespan="on", ws="none")
    listener = config.bind_socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as ours: else each answer is 40 ms late
    listener.listen()
    print(f"http://127.0.0.1:{port}/mcp", flush=True)
    await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]))
