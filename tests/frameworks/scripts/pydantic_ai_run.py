"""Pydantic AI: whole agent runs, with a function in the model's place."""

import asyncio
from typing import Any

import driver
from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, RetryPromptPart, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel


async def main() -> None:
    wanted: list[ToolCallPart] = []
    read: list[str] = []
    tools: list[str] = []

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        tools[:] = sorted(tool.name for tool in info.function_tools)
        if wanted:
            return ModelResponse(parts=[wanted.pop()])
        for part in messages[-1].parts:
            if isinstance(part, ToolReturnPart):
                read.append(part.model_response_str())
            elif isinstance(part, RetryPromptPart):
                read.append(part.model_response())
        return ModelResponse(parts=[TextPart("done")])

    server = StdioTransport(driver.COMMAND, driver.ARGS, env=driver.ENV)
    agent = Agent(FunctionModel(model), toolsets=[MCPToolset(server, init_timeout=60)])

    async def call(name: str, arguments: dict[str, Any]) -> str:
        wanted.append(ToolCallPart(name, arguments))
        await agent.run("go")
        return read[-1]

    async with agent:
        seen = await driver.converse(call)
    driver.report(tools=tools, **seen)


asyncio.run(main())
