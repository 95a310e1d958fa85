import asyncio

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main() -> None:
    async with stdio_client(StdioServerParameters(command="hailuo-mcp")) as streams, ClientSession(*streams) as session:
        await session.initialize()  # then: types.GenerateContentConfig(tools=[session])
        print(await session.call_tool("generate_video", {"prompt": "A red kite over the bay"}))


asyncio.run(main())
