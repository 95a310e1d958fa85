"""What the tools, and a whole job, cost a model's context, in tokens of `o200k_base`.

    uv run python -m benchmarks.tokens

The floor of the tools is the same list without descriptions: names, types, permitted values. The floor of a
whole job is that, and only the request id, the state and the clip's path of each of its three results.
"""

import json
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp_types import CallToolResult, TextContent

from benchmarks.figures import Figure, table
from tests.model_mistakes.tokens import tokens
from tests.support import facts_of, server

PROMPT = "A red kite rises over the dunes at sunset, its tail drawing slow circles in the wind [Push in]"
JOB_TARGET = 2600
SANDBOX_SECONDS = "2"
LEAST = ("request_id", "state", "video_path")
_TEXT_FIELDS = frozenset({"description", "title"})


async def measure() -> list[Figure]:
    """Ask the real server, in its sandbox."""
    with tempfile.TemporaryDirectory() as name:
        async with server(Path(name), HAILUO_MCP_SANDBOX_SECONDS=SANDBOX_SECONDS) as client:
            listed = (await client.list_tools()).tools
            answers = await _a_job(client)
    tools = tokens("".join(t.name + (t.description or "") + json.dumps(t.input_schema) for t in listed))
    bare = tokens("".join(tool.name + json.dumps(_without_text(tool.input_schema)) for tool in listed))
    result_tokens = sum(tokens(_read(answer)) for answer in answers)
    least_tokens = sum(tokens(json.dumps({k: facts_of(a)[k] for k in LEAST if facts_of(a).get(k)})) for a in answers)
    return [
        Figure("tokens", "tools/list", "tokens", bare, tools, ""),
        Figure(
            "tokens", "a whole job", "tokens", bare + least_tokens, tools + result_tokens, f"≤ {JOB_TARGET:,} tokens"
        ),
    ]


def figures() -> list[Figure]:
    """For the table of all benchmarks."""
    return anyio.run(measure)


async def _a_job(client: Client) -> list[CallToolResult]:
    """The results of a submission, of a poll while the job runs, and of a wait for its end."""
    submitted = await client.call_tool("generate_video", {"prompt": PROMPT})
    query = {"request_id": facts_of(submitted)["request_id"]}
    running = await client.call_tool("get_status", query)
    done = await client.call_tool("get_status", {**query, "wait_seconds": 45})
    if facts_of(done)["state"] != "completed":
        raise RuntimeError(f"the job did not complete: {facts_of(done)}")
    return [submitted, running, done]


def _without_text(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without titles and descriptions; a parameter of that name is kept."""
    return {
        name: _without_text(value) if isinstance(value, dict) else value  # pyright: ignore[reportUnknownArgumentType]
        for name, value in schema.items()
        if not (name in _TEXT_FIELDS and isinstance(value, str))
    }


def _read(result: CallToolResult) -> str:
    """What a model sees of a result: the text, and a link as JSON."""
    return "\n".join(
        part.text if isinstance(part, TextContent) else part.model_dump_json(by_alias=True, exclude_none=True)
        for part in result.content
    )


if __name__ == "__main__":
    logging.disable(logging.INFO)
    print(table(figures()))
