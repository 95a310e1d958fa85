import asyncio

from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


async def main() -> None:
    spec = McpToolSpec(client=BasicMCPClient("hailuo-mcp"))
    tools = {tool.metadata.name: tool for tool in await spec.to_tool_list_async()}  # for FunctionAgent(tools=...)
    print(await tools["generate_video"].acall(prompt="A red kite over the bay", max_cost_usd=0.5))


asyncio.run(main())
