"""Calls tools as a client does, and checks what every result must have."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, get_args

import jsonschema
from mcp_types import CallToolResult

from hailuo_mcp.core.errors import ErrorCode
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.mcp import tools
from hailuo_mcp.service.session import Session
from tests.support import (
    KEYS,
    MODEL_IDS,
    Answerer,
    Wire,
    catalog_for,
    facts_of,
    recorded_sandbox,
    text_of,
    wired,
)

DEFINITIONS = {tool.name: tool for tool in tools.definitions(catalog_for(HAILUO_MCP_SANDBOX="1"))}
NAMES = ("generate_video", "get_status", "list_models", "list_jobs", "download_video", "cancel_job")
FAST_02 = "segmind/hailuo-02-fast"
APIXO = "apixo/hailuo-2.3-fast"


FIELDS = {
    *("request_id", "model", "state", "created_at", "updated_at", "elapsed_seconds", "estimated_seconds"),
    *("poll_after_seconds", "video_url", "video_path", "expires_at", "error", "estimated_cost_usd", "cost_usd"),
    *("warnings", "parameters", "duplicate", "sandbox", "next_step", "request"),
}
PROBLEM = {"code", "message", "hint", "charged", "safe_to_retry"}
TEXT_MAX = 1200
TEXT_MAX_PER_MODEL = 260
"""How many characters a list may use for each model."""


async def call_tool(session: Session, tool: str, **arguments: Any) -> CallToolResult:
    return await tools.call(tool, tools.Call(session, arguments, None))


class Caller:
    """Calls tools, and checks what every result must have."""

    def __init__(self, session: Session, wire: Wire) -> None:
        self.session = session
        self.wire = wire
        self.progress: list[tuple[float, float | None, str]] = []

    async def __call__(self, tool: str, **arguments: Any) -> CallToolResult:
        result = await tools.call(tool, tools.Call(self.session, arguments, self._report))
        check_result(tool, result)
        return result

    async def facts(self, tool: str, **arguments: Any) -> Mapping[str, Any]:
        result = await self(tool, **arguments)
        assert not result.is_error, result.structured_content
        return facts_of(result)

    async def error(self, tool: str, **arguments: Any) -> Mapping[str, Any]:
        result = await self(tool, **arguments)
        assert result.is_error, result.structured_content
        return facts_of(result)["error"]

    async def _report(self, done: float, total: float | None, message: str) -> None:
        self.progress.append((done, total, message))


def check_result(tool: str, result: CallToolResult) -> None:
    facts = facts_of(result)
    schema = DEFINITIONS[tool].output_schema
    assert schema
    jsonschema.Draft202012Validator(schema).validate(facts)  # pyright: ignore[reportUnknownMemberType]  untyped
    text = text_of(result)
    # LangChain would make a `file` block of a link with our own scheme, which OpenAI's, Google's and Anthropic's
    # clients then refuse.
    assert len(result.content) == 1
    whole_model = tool == "list_models" and '"schema"' in text
    longest = max(TEXT_MAX, TEXT_MAX_PER_MODEL * len(MODEL_IDS)) if tool == "list_models" else TEXT_MAX
    assert 0 < len(text) <= (10_000 if whole_model else longest)
    assert not any(key in text + json.dumps(facts) for key in KEYS.values())
    if result.is_error:
        assert set(facts) == {"error"}
        assert PROBLEM <= set(facts["error"]) <= PROBLEM | {"request_id"}
        assert facts["error"]["code"] in get_args(ErrorCode)
        assert facts["error"]["message"] in text
    else:
        remote_only = {"video_url"} if tool == "download_video" else set[str]()  # only for callers on another machine
        properties = schema["properties"].keys() - {"error"} - remote_only
        assert set(facts) == properties | ({"error"} & set(facts))
        if tool in ("generate_video", "get_status"):
            assert set(facts) == FIELDS


@asynccontextmanager
async def open_caller(settings: Settings, answer: Answerer | None = None) -> AsyncGenerator[Caller]:
    """A caller of the sandbox in this process, or of gateways with this scripted answer."""
    opened, wire = wired(settings, answer) if answer else recorded_sandbox(settings)
    async with opened as session:
        yield Caller(session, wire)
