"""Raw JSON-RPC in both protocol eras, with a bearer token: for requests and responses that the SDK's client would not
send or show."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.http.test_access import ACCEPT, META
from tests.support import Era

NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The parameter that the newer protocol repeats in a header."""
TASKS: Mapping[str, Any] = {
    **META,
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
}


def message(method: str, params: Mapping[str, Any], era: Era) -> dict[str, Any]:
    """A request; where the protocol has no handshake, it carries the client's capabilities itself."""
    meta: Mapping[str, Any] = {"_meta": TASKS if method.startswith("tasks/") else META} if era == "auto" else {}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, **meta}}


def headers_of(body: Mapping[str, Any], era: Era, token: str | None = None, **more: str) -> dict[str, str]:
    headers = {**ACCEPT, "Content-Type": "application/json", **more}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if era == "auto":
        headers |= {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": body["method"]}
        if name := NAMED_BY.get(body["method"]):
            headers["Mcp-Name"] = str(body["params"][name])
    return headers


def answer_in(response: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC response, whether it came as JSON or as an event."""
    return answer_of(response.text)


def answer_of(text: str) -> dict[str, Any]:
    """The same, from the text of the body."""
    if not text.startswith("{"):
        (text,) = (line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {"))
    return json.loads(text)


@dataclass(frozen=True, slots=True)
class RawClient:
    """A client of one server, with one caller's token."""

    web: httpx.AsyncClient
    url: str
    token: str | None
    era: Era = "auto"
    headers: tuple[tuple[str, str], ...] = ()

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The whole response to a request."""
        body = message(method, params, self.era)
        headers = headers_of(body, self.era, self.token, **dict(self.headers))
        return answer_in(await self.web.post(self.url, json=body, headers=headers))

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The result of a tool."""
        return (await self.ask("tools/call", {"name": tool, "arguments": arguments}))["result"]
