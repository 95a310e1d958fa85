import asyncio

from fastmcp import Client


async def main() -> None:
    async with Client({"mcpServers": {"hailuo": {"command": "hailuo-mcp", "args": []}}}) as client:
        result = await client.call_tool("generate_video", {"prompt": "A red kite over the bay", "max_cost_usd": 0.5})
        print(result.content[0].text)


asyncio.run(main())
