"""The smallest useful MCP server: the SDK's lowlevel server with two tools, over stdio or HTTP. The other benchmarks
measure against it.

    python bare_server.py           stdio
    python bare_server.py PORT      stateless HTTP, under the same uvicorn as ours

`echo` returns its argument. `poll` sends the request that `get_status` sends for a Segmind job, to the gateway at
`BENCHMARK_GATEWAY`, and returns the body of the response.
"""

import os
import socket
import sys
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)

INPUT = {"type": "object", "properties": {"request_id": {"type": "string"}}}
TOOLS = [
    Tool(name="echo", description="Returns the request id.", input_schema=INPUT),
    Tool(name="poll", description="Asks the gateway for the status of a job.", input_schema=INPUT),
]
clients: list[Any] = []
"""The one httpx client, once it exists."""


async def list_tools(_ctx: Any, _params: PaginatedRequestParams | None) -> ListToolsResult:
    return ListToolsResult(tools=TOOLS)


async def call_tool(_ctx: Any, params: CallToolRequestParams) -> CallToolResult:
    request_id = (params.arguments or {}).get("request_id", "")
    text = await poll(request_id) if params.name == "poll" else request_id
    return CallToolResult(content=[TextContent(type="text", text=text)])


async def poll(request_id: str) -> str:
    import httpx  # start-up time: `tools/list` needs no client

    if not clients:
        clients.append(httpx.AsyncClient(base_url=os.environ["BENCHMARK_GATEWAY"]))
    remote_id = request_id.rpartition("/")[2]
    response = await clients[0].get(f"/v2/requests/{remote_id}/status", headers={"x-api-key": "benchmark"})
    return response.text


def bare_server() -> "Server[Any]":
    return Server("bare", version="0", on_list_tools=list_tools, on_call_tool=call_tool)


async def serve_stdio() -> None:
    server = bare_server()
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def serve_http(port: int) -> None:
    import uvicorn  # start-up time: only HTTP needs it

    app = bare_server().streamable_http_app(streamable_http_path="/mcp", stateless_http=True)
    config = uvicorn.Config(app, port=port, log_level="warning", access_log=False, lifespan="on", ws="none")
    listener = config.bind_socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as in ours; otherwise each answer is 40 ms late
    listener.listen()
    print(f"http://127.0.0.1:{port}/mcp", flush=True)
    await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        anyio.run(serve_http, int(sys.argv[1]))
    else:
        anyio.run(serve_stdio)
