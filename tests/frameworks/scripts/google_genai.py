"""Google's Gen AI SDK: tools from an MCP session, whose schemas its own code converts."""

import asyncio
from typing import Any

import driver
from google.genai import types
from google.genai._adapters import McpToGenAiToolAdapter
from google.genai._extra_utils import get_function_response_parts_async
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main() -> None:
    server = StdioServerParameters(command=driver.COMMAND, args=driver.ARGS, env=driver.ENV)
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        adapter = McpToGenAiToolAdapter(session, await session.list_tools())
        declared = [declaration for tool in adapter.tools for declaration in tool.function_declarations or []]
        functions = {declaration.name: adapter for declaration in declared}

        async def call(name: str, arguments: dict[str, Any]) -> str:
            request = types.Part(function_call=types.FunctionCall(name=name, args=arguments))
            answer = types.GenerateContentResponse(
                candidates=[types.Candidate(content=types.Content(role="model", parts=[request]))]
            )
            (part,) = await get_function_response_parts_async(answer, functions)
            # What goes to the API, as JSON; the text is inside.
            sent = part.model_dump(mode="json", exclude_none=True)["function_response"]["response"]
            result = sent.get("result") or sent["error"]
            contents = result["content"]
            assert all(content["type"] == "text" for content in contents), contents
            return "\n".join(content["text"] for content in contents)

        seen = await driver.converse(call)
        driver.report(tools=sorted(functions), **seen)


asyncio.run(main())
