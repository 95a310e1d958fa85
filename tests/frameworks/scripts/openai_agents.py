"""OpenAI's Agents SDK: its default time-out of 5 s, its strict conversion of schemas."""

import asyncio
import json
from typing import Any

import driver
from agents import Agent, ItemHelpers, RunContextWrapper
from agents.mcp import MCPServerStdio, MCPUtil
from agents.tool_context import ToolContext
from openai.types.responses import ResponseFunctionToolCall


async def main() -> None:
    params = {"command": driver.COMMAND, "args": driver.ARGS, "env": driver.ENV}
    async with MCPServerStdio(params=params) as server:
        agent = Agent(name="agent", mcp_servers=[server])
        tools = {
            tool.name: tool for tool in await MCPUtil.get_function_tools(server, True, RunContextWrapper(None), agent)
        }

        async def call(name: str, arguments: dict[str, Any]) -> str:
            properties = tools[name].params_json_schema["properties"]
            if tools[name].strict_json_schema:  # the model must fill in every argument
                arguments = {**dict.fromkeys(properties), **arguments}
            text = json.dumps(arguments)
            request = ResponseFunctionToolCall(arguments=text, call_id="1", name=name, type="function_call")
            context = ToolContext(context=None, tool_name=name, tool_call_id="1", tool_arguments=text)
            output = await tools[name].on_invoke_tool(context, text)
            return _text(ItemHelpers.tool_call_output_item(request, output)["output"])

        seen = await driver.converse(call)
        driver.report(tools=sorted(tools), strict=sum(t.strict_json_schema for t in tools.values()), **seen)


def _text(output: Any) -> str:
    if isinstance(output, str):
        return output
    assert all(part["type"] == "input_text" for part in output), output
    return "\n".join(part["text"] for part in output)


asyncio.run(main())
