"""smolagents, which uses mcpadapt: its tool collection, called as its agents do."""

import asyncio
from typing import Any

import driver
from mcp import StdioServerParameters
from smolagents import MCPClient

server = StdioServerParameters(command=driver.COMMAND, args=driver.ARGS, env=driver.ENV)
with MCPClient(server, structured_output=False) as tools:
    by_name = {tool.name: tool for tool in tools}

    async def call(name: str, arguments: dict[str, Any]) -> str:
        # ToolCallingAgent sends the model the str() of a result.
        return await asyncio.to_thread(lambda: str(by_name[name](**arguments, sanitize_inputs_outputs=True)))

    seen = asyncio.run(driver.converse(call))
    driver.report(tools=sorted(by_name), **seen)
