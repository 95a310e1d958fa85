"""Google's Agent Development Kit: an agent run by its runner, with a function in the model's place."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import driver
from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams
from google.genai import types
from mcp import StdioServerParameters

wanted: list[types.FunctionCall] = []
read: list[str] = []
tools: list[str] = []


class Rote(BaseLlm):
    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        tools[:] = sorted(llm_request.tools_dict)
        if wanted:
            part = types.Part(function_call=wanted.pop())
        else:
            read.append(_text(llm_request.contents[-1].parts[0].function_response.response))
            part = types.Part(text="done")
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


def _text(response: dict[str, Any]) -> str:
    contents = response.get("content")
    if not contents:
        return str(response)
    assert all(part["type"] == "text" for part in contents), contents
    return "\n".join(part["text"] for part in contents)


async def main() -> None:
    server = StdioServerParameters(command=driver.COMMAND, args=driver.ARGS, env=driver.ENV)
    toolset = McpToolset(connection_params=StdioConnectionParams(server_params=server))
    runner = InMemoryRunner(agent=LlmAgent(name="agent", model=Rote(model="rote"), tools=[toolset]), app_name="app")

    async def call(name: str, arguments: dict[str, Any]) -> str:
        session = await runner.session_service.create_session(app_name="app", user_id="user")
        wanted.append(types.FunctionCall(name=name, args=arguments))
        go = types.Content(role="user", parts=[types.Part(text="go")])
        async for _ in runner.run_async(user_id="user", session_id=session.id, new_message=go):
            pass
        return read[-1]

    seen = await driver.converse(call)
    driver.report(tools=tools, **seen)
    await runner.close()


asyncio.run(main())
