"""Gets prompts as a client does, and reads the calls in their texts."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

from hailuo_mcp.mcp import prompts
from hailuo_mcp.service.session import Session
from tests.support import PICTURE

NAMES = ("animate_picture", "storyboard", "compare_models", "rescue_clips")
REQUIRED: Mapping[str, dict[str, str]] = {
    "animate_picture": {"picture": PICTURE, "action": "the kite climbs into the clouds"},
    "storyboard": {"story": "A kite breaks loose, crosses the bay and lands in a tree."},
    "compare_models": {"prompt": "a red kite rises [Push in]"},
    "rescue_clips": {},
}
OPTIONS: Mapping[str, dict[str, str]] = {
    "animate_picture": {"model": "segmind/hailuo-2.3-fast", "duration": "10", "resolution": "768P"},
    "storyboard": {"shots": "5", "first_picture": PICTURE, "model": "aimlapi/hailuo-02"},
    "compare_models": {"picture": PICTURE},
    "rescue_clips": {},
}
NO_KEY = {"HAILUO_MCP_SANDBOX": "0"}


async def prompt_text(session: Session, name: str, **arguments: str) -> str:
    """The text of a prompt."""
    result = await prompts.get(session, name, arguments)
    (message,) = result.messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    return message.content.text


async def refusal(session: Session, name: str, **arguments: str) -> MCPError:
    with pytest.raises(MCPError) as refused:
        await prompts.get(session, name, arguments)
    return refused.value


def calls_in(text: str) -> list[dict[str, Any]]:
    """The JSON objects in a text, which are arguments of calls."""
    found: list[dict[str, Any]] = []
    for start in re.finditer(r"\{", text):
        value, _ = json.JSONDecoder().raw_decode(text[start.start() :])
        found.append(value)
    return found


def fill_placeholders(call: dict[str, Any]) -> dict[str, Any]:
    """The call with its placeholders filled in, and an image instead of a last frame that does not exist yet."""
    filled = {name: "a kite" if str(value).startswith("<") else value for name, value in call.items()}
    if "first_frame_image" in call and ("<" in call["first_frame_image"]):
        filled["first_frame_image"] = PICTURE
    return filled
