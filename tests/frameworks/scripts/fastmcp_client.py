"""FastMCP's client."""

import asyncio
from typing import Any

import driver
from fastmcp import Client


async def main() -> None:
    server = {"command": driver.COMMAND, "args": driver.ARGS, "env": driver.ENV}
    async with Client({"mcpServers": {"hailuo": server}}) as client:
        tools = [tool.name for tool in await client.list_tools()]

        async def call(name: str, arguments: dict[str, Any]) -> str:
            result = await client.call_tool(name, arguments, raise_on_error=False)
            assert all(part.type == "text" for part in result.content), result.content
            return "\n".join(part.text for part in result.content)

        seen = await driver.converse(call)
        driver.report(tools=sorted(tools), **seen)


asyncio.run(main())
