"""LangChain: langchain-mcp-adapters, and the message conversion for OpenAI (both of its APIs), Anthropic and Google."""

import asyncio
import json
from typing import Any

import driver
from langchain_anthropic import ChatAnthropic
from langchain_anthropic.chat_models import _format_messages
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import ToolException
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_google_genai.chat_models import _parse_chat_history
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import _construct_responses_api_input, _convert_message_to_dict


async def main() -> None:
    server = {"transport": "stdio", "command": driver.COMMAND, "args": driver.ARGS, "env": driver.ENV}
    async with MultiServerMCPClient({"hailuo": server}).session("hailuo") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        ChatOpenAI(model="gpt-5", api_key="none").bind_tools(list(tools.values()))
        ChatOpenAI(model="gpt-5", api_key="none").bind_tools(list(tools.values()), strict=True)
        ChatAnthropic(model="claude-sonnet-4-5", api_key="none").bind_tools(list(tools.values()))
        ChatGoogleGenerativeAI(model="gemini-3-pro", api_key="none").bind_tools(list(tools.values()))

        async def call(name: str, arguments: dict[str, Any]) -> str:
            request = {"type": "tool_call", "id": "1", "name": name, "args": arguments}
            try:
                answer = await tools[name].ainvoke(request)
            except ToolException as error:  # as LangGraph's ToolNode does
                answer = ToolMessage(content=str(error), tool_call_id="1", name=name, status="error")
            return _sent([HumanMessage("go"), AIMessage("", tool_calls=[request]), answer])

        seen = await driver.converse(call)
        driver.report(tools=sorted(tools), **seen)


def _sent(messages: list[Any]) -> str:
    """What each provider is sent, which must say the same."""
    chat = _text(_convert_message_to_dict(messages[-1])["content"])
    responses = _text(_construct_responses_api_input(messages)[-1]["output"])
    anthropic = _text(_format_messages(messages, model="claude-sonnet-4-5")[1][-1]["content"][0]["content"])
    google = json.dumps(_parse_chat_history(messages)[1][-1].parts[0].function_response.response, ensure_ascii=False)
    assert chat == responses == anthropic, (chat, responses, anthropic)
    assert json.dumps(chat, ensure_ascii=False)[1:-1] in google, (chat, google)
    return chat


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    assert all(part["type"] in ("text", "input_text") for part in content), content
    return "\n".join(part["text"] for part in content)


asyncio.run(main())
