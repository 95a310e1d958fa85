"""How many tokens of a model's context a whole job takes: the tools and all answers."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client

from hailuo_mcp.mcp.server import build_server
from tests.model_mistakes.assistant import Assistant
from tests.model_mistakes.tokens import IMPORT_WARNING, tokens
from tests.support import facts_of, recorded_sandbox, settings_for, text_of

WHOLE_JOB_TOKENS, STRUCTURED_TOKENS = 1600, 2600
PROMPT = "A red kite rises over the dunes at sunset, its tail drawing slow circles in the wind [Push in]"


@asynccontextmanager
async def _client(directory: Path, **variables: str) -> AsyncGenerator[Client]:
    opened, _ = recorded_sandbox(settings_for(directory, **variables))
    async with opened as session, Client(build_server(session.services, "0")) as client:
        yield client


@pytest.mark.filterwarnings(IMPORT_WARNING)
async def test_a_whole_job_takes_fewer_tokens_than_promised(tmp_path: Path, figures: Callable[[str], None]) -> None:
    async with _client(tmp_path, HAILUO_MCP_SANDBOX_SECONDS="0.5") as client:
        tools = (await client.list_tools()).tools
        assistant = Assistant(client)
        submitted = await assistant.call("generate_video", prompt=PROMPT)
        waiting = await assistant.call("get_status", request_id=facts_of(submitted.result)["request_id"])
        done = await assistant.follow(waiting)
    assert facts_of(waiting.result)["state"] in ("queued", "processing")
    assert facts_of(done.result)["state"] == "completed"

    definitions = sum(tokens(tool.name + (tool.description or "") + json.dumps(tool.input_schema)) for tool in tools)
    answers = [tokens(text_of(answer.result)) for answer in (submitted, waiting, done)]
    total = definitions + sum(answers)
    figures(f"a whole job: {total} tokens (tools {definitions}, answers {' + '.join(map(str, answers))})")
    assert total < WHOLE_JOB_TOKENS


@pytest.mark.filterwarnings(IMPORT_WARNING)
async def test_a_whole_job_shown_as_structured_content_stays_within_its_limit(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    """Some hosts give the model the structured content instead of the text."""
    async with _client(tmp_path) as client:
        tools = (await client.list_tools()).tools
        assistant = Assistant(client)
        submitted = await assistant.call("generate_video", prompt=PROMPT)
        done = await assistant.follow(submitted)
    definitions = sum(tokens(tool.name + (tool.description or "") + json.dumps(tool.input_schema)) for tool in tools)
    first, last = (tokens(json.dumps(facts_of(answer.result))) for answer in (submitted, done))
    total = definitions + first + 2 * last
    figures(f"a whole job, as facts instead of text: {total} tokens")
    assert total < STRUCTURED_TOKENS
