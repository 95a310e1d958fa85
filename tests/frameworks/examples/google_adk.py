import asyncio

from google.adk.agents import LlmAgent
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams
from mcp import StdioServerParameters


async def main() -> None:
    server = StdioConnectionParams(server_params=StdioServerParameters(command="hailuo-mcp"), timeout=60)
    agent = LlmAgent(name="director", model="gemini-3-pro", tools=[McpToolset(connection_params=server)])
    print([tool.name for tool in await agent.canonical_tools()])
    await agent.tools[0].close()


asyncio.run(main())
