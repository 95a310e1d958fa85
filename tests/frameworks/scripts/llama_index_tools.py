"""LlamaIndex: its MCP client and tools, whose optional arguments are all nullable."""

import asyncio
from typing import Any

import driver
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


async def main() -> None:
    client = BasicMCPClient(driver.COMMAND, args=driver.ARGS, env=driver.ENV)
    tools = {tool.metadata.name: tool for tool in await McpToolSpec(client=client).to_tool_list_async()}
    for tool in tools.values():
        tool.metadata.to_openai_tool()

    async def call(name: str, arguments: dict[str, Any]) -> str:
        schema = tools[name].metadata.get_parameters_dict()
        arguments = {**dict.fromkeys(schema["properties"]), **arguments}  # as a model fills in nullable ones
        output = await tools[name].acall(**arguments)
        return ChatMessage(role=MessageRole.TOOL, content=output.content).content or ""

    driver.report(tools=sorted(tools), **await driver.converse(call))


asyncio.run(main())
