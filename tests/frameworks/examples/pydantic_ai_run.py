import asyncio

from fastmcp.client.transports import StdioTransport
from pydantic_ai.mcp import MCPToolset


async def main() -> None:
    toolset = MCPToolset(StdioTransport("hailuo-mcp", []), init_timeout=60)  # for Agent(model, toolsets=[toolset])
    async with toolset:
        print(await toolset.direct_call_tool("generate_video", {"prompt": "A red kite over the bay"}))


asyncio.run(main())
