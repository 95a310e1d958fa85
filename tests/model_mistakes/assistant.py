"""A script in the role of a language model: it knows the names of the tools, and otherwise does only what the last
answer says.

It reads text, as a host shows it to a model; only the tests look at the structured content.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mcp import Client
from mcp_types import CallToolResult

from tests.support import text_of


@dataclass(frozen=True, slots=True)
class Call:
    tool: str
    arguments: Mapping[str, Any]

    def with_(self, **arguments: Any) -> "Call":
        return replace(self, arguments={**self.arguments, **arguments})

    def without(self, *names: str) -> "Call":
        return replace(self, arguments={name: value for name, value in self.arguments.items() if name not in names})

    def only(self, *names: str) -> "Call":
        return self.without(*(name for name in self.arguments if name not in names))


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call."""

    call: Call
    result: CallToolResult

    @property
    def text(self) -> str:
        return text_of(self.result)

    @property
    def is_error(self) -> bool:
        return bool(self.result.is_error)


class Assistant:
    """One conversation. `picture` is what the user answers when asked for the picture's full path."""

    def __init__(self, client: Client, picture: str = "") -> None:
        self._client = client
        self._picture = picture

    async def call(self, tool: str, /, **arguments: Any) -> Answer:
        return await self.make(Call(tool, arguments))

    async def make(self, call: Call) -> Answer:
        return Answer(call, await self._client.call_tool(call.tool, dict(call.arguments)))

    async def follow(self, answer: Answer) -> Answer:
        """Do what the result says.

        Raises:
            AssertionError: it suggests no further call.
        """
        following = self.next_call(answer)
        assert following, f"{answer.call} leads to no further call: {answer.text}"
        return await self.make(following)

    def next_call(self, answer: Answer) -> Call | None:
        text = answer.text
        if named := re.search(r'[Cc]all (\w+) with request_id "([^"]+)"(?: and wait_seconds (\d+))?', text):
            tool, request_id, seconds = named.groups()
            return Call(tool, {"request_id": request_id, **({"wait_seconds": int(seconds)} if seconds else {})})
        if not answer.is_error:
            return self._newest(answer)
        return self._corrected(answer.call, text) or self._tool_named(answer.call, text)

    def _newest(self, answer: Answer) -> Call | None:
        """A call about the first job of a list."""
        first = re.search(r"^(\S+/\S+/\S+): \w+, ", answer.text, re.MULTILINE)
        return Call("get_status", {"request_id": first[1]}) if first and answer.call.tool == "list_jobs" else None

    def _corrected(self, call: Call, text: str) -> Call | None:
        """The same call, corrected as the hint says."""
        corrected = call.without(*re.findall(r"[Ll]eave (\w+) out", text))
        renamed = re.findall(r"[Ii]nstead of (\S+), pass it as (\w+)", text)
        renamed += re.findall(r"[Pp]ass the image in (\S+) as (\w+)", text)
        for name, argument in renamed:
            corrected = corrected.without(name).with_(**{argument: call.arguments[name]})
        if accepted := re.search(r"There is no argument .*? This tool takes ([\w, ]+)\.", text):
            corrected = corrected.only(*accepted[1].split(", "))
        for name, offered in re.findall(r"[Pp]ass (\w+) as (\w+(?: or \w+)+)", text):
            corrected = corrected.with_(**{name: _chosen(call.arguments.get(name), offered.split(" or "))})
        for name, value in re.findall(r'[Pp]ass (\w+) "([^"]+)"', text):
            corrected = corrected.with_(**{name: value})
        for name, maximum in re.findall(r"Pass (\w+) between \d+ and (\d+)", text):
            corrected = corrected.with_(**{name: int(maximum)})
        if usable := re.search(r"Usable models: ([^\s,]+(?:, [^\s,]+)*)\.", text):
            requested = str(call.arguments.get("model"))
            ids = usable[1].split(", ")
            corrected = corrected.with_(model=next((known for known in ids if known.endswith(f"/{requested}")), ids[0]))
        if "Give the absolute path" in text and self._picture:
            corrected = corrected.with_(first_frame_image=self._picture)
        if corrected == call and (other := re.search(r"Or take (\S+)[ ,]", text)):
            corrected = corrected.with_(model=other[1])
        return corrected if corrected != call or "make the same call again" in text else None

    def _tool_named(self, call: Call, text: str) -> Call | None:
        """Another tool that the hint names."""
        if "list_jobs" in text:
            return Call("list_jobs", {})
        request_id = re.search(r"request_id: (\S+)", text)
        if "Call get_status" in text and request_id:
            return Call("get_status", {"request_id": request_id[1], "wait_seconds": 45})
        return None


def _chosen(given: object, offered: list[str]) -> object:
    """The offered value that equals the given one, else the first."""
    word = next((value for value in offered if value == str(given).lower()), offered[0])
    read: Callable[[str], object] = json.loads
    return read(word) if word in ("true", "false") or word.isdigit() else word
