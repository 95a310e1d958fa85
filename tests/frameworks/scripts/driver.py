"""A scripted model: it reads text, and does only what the text says. Run inside a framework's own environment, so it
imports nothing but the standard library.
"""

import json
import os
import re
from collections.abc import Awaitable, Callable
from typing import Any

Call = Callable[[str, dict[str, Any]], Awaitable[str]]
"""Calls a tool through the framework, and returns what the framework would send to the model, as text."""

COMMAND = os.environ["HAILUO_PYTHON"]
ARGS = ["-m", "hailuo_mcp"]
ENV = {name: value for name, value in os.environ.items() if name.startswith(("HAILUO_MCP_", "XDG_", "HOME", "PATH"))}
PROMPT = "A red kite rises over the dunes"
TURNS_MAX = 30


async def converse(call: Call) -> dict[str, Any]:
    """A clip from text and one from an image, both followed to the end, and one mistake."""
    from_text = await _follow(call, {"prompt": PROMPT})
    from_image = await _follow(call, {"prompt": f"{PROMPT} again", "first_frame_image": os.environ["IMAGE"]})
    mistake = await call("generate_video", {"prompt": PROMPT, "duration": 60})
    return {"from_text": from_text, "from_image": from_image, "mistake": mistake}


async def _follow(call: Call, arguments: dict[str, Any]) -> list[str]:
    """The texts that the model reads until there is nothing more to do. A text without a next step, such as the
    framework's own words on a time-out, makes it call again."""
    step: tuple[str, dict[str, Any]] = ("generate_video", arguments)
    texts: list[str] = []
    for _ in range(TURNS_MAX):
        texts.append(await call(*step))
        following = _next(texts[-1])
        if not following and re.search(r'state"?: ?"?(completed|failed)|Saved at|"video_path": ?"', texts[-1]):
            break
        step = following or step
    return texts


def _next(text: str) -> tuple[str, dict[str, Any]] | None:
    plain = text.replace('\\"', '"')
    found = re.search(r'[Cc]all (\w+) with request_id "([^"]+)"(?: and wait_seconds (\d+))?', plain)
    if not found:
        return None
    tool, request_id, seconds = found.groups()
    return tool, {"request_id": request_id, **({"wait_seconds": int(seconds)} if seconds else {})}


def report(**facts: Any) -> None:
    """Everything that the test wants to know, as the last line of stdout."""
    print(json.dumps(facts))
