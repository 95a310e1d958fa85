import asyncio

from agents import Agent
from agents.mcp import MCPServerStdio


async def main() -> None:
    async with MCPServerStdio(params={"command": "hailuo-mcp"}, client_session_timeout_seconds=60) as server:
        agent = Agent(name="director", mcp_servers=[server], mcp_config={"convert_schemas_to_strict": True})
        print(await agent.mcp_servers[0].call_tool("generate_video", {"prompt": "A red kite over the bay"}))


asyncio.run(main())
