import asyncio

from langchain_mcp_adapters.client import MultiServerMCPClient


async def main() -> None:
    client = MultiServerMCPClient({"hailuo": {"transport": "stdio", "command": "hailuo-mcp", "args": []}})
    tools = {tool.name: tool for tool in await client.get_tools()}  # for create_agent(model, list(tools.values()))
    print(await tools["generate_video"].ainvoke({"prompt": "A red kite over the bay", "max_cost_usd": 0.5}))


asyncio.run(main())
