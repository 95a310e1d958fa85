"""A client that behaves like a sensible agent: real MCP over HTTP, with a token, and several jobs at a time. It repeats
a call that was cut off, but never submits again without checking what happened to the first submission."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2
from anyio.abc import TaskStatus
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult

from tests.support import facts_of

CALL_SECONDS = 60.0
WAIT_SECONDS, UNCONFIRMED_WAIT_SECONDS = 45, 10
PAUSE_SECONDS = 0.5
AT_ONCE = 3
"""The jobs that one client runs at a time."""
GIVE_UP_AFTER_SECONDS, GIVE_UP_AFTER_ANSWERS = 40.0, 3
"""An unconfirmed job is given up when this many waits have been answered after it reached this age, at which its
submission cannot be in flight any more: if its gateway has a history, it never arrived there."""
WITHOUT_HISTORY = "aimlapi/"


@dataclass(slots=True)
class Log:
    """What all clients observed."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {"generate_video": [], "get_status": []})
    """Of answered calls, except those of `get_status` that wait."""
    calls: int = 0
    events: Counter[str] = field(default_factory=Counter[str])
    links: dict[str, str] = field(default_factory=dict[str, str])
    """By prompt."""
    noticed: dict[str, float] = field(default_factory=dict[str, float])
    """When the client had the link, by prompt."""
    unconfirmed: set[str] = field(default_factory=set[str])
    """Prompts whose jobs stayed unconfirmed, at a gateway without a history."""
    states: dict[str, str] = field(default_factory=dict[str, str])
    """The last known state of each job, by prompt."""
    wrong: list[str] = field(default_factory=list[str])
    """Responses that leave a sensible client without a next step."""


class Connection:
    """The SDK's client, replaced by a new one when a response breaks off, because that ends the client."""

    def __init__(self, url: str, token: str, log: Log) -> None:
        self._url, self._token, self._log = url, token, log
        self._client: Client | None = None
        self._calls: set[anyio.CancelScope] = set()

    async def keep_open(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Stay connected until cancelled."""
        headers = {"Authorization": f"Bearer {self._token}"}
        while True:
            try:
                async with (
                    httpx2.AsyncClient(headers=headers, timeout=CALL_SECONDS) as web,
                    Client(streamable_http_client(self._url, http_client=web), mode="2026-07-28") as self._client,
                ):
                    task_status.started()
                    task_status = anyio.TASK_STATUS_IGNORED
                    await anyio.sleep_forever()
            except* httpx2.HTTPError:
                self._log.events["connected again"] += 1
            finally:
                for call in list(self._calls):
                    call.cancel()

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """Raises ConnectionError or MCPError if no response came."""
        assert self._client
        with anyio.CancelScope() as scope:
            self._calls.add(scope)
            try:
                return await self._client.call_tool(tool, dict(arguments))
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                raise ConnectionError("between two clients") from None
            finally:
                self._calls.discard(scope)
        raise ConnectionError("broken off")


class Agent:
    """One client, its jobs one after another, a few at a time."""

    def __init__(self, url: str, token: str, name: str, log: Log) -> None:
        self._url, self._token, self._name, self._log = url, token, name, log

    async def run(self, models: Mapping[str, str]) -> None:
        """Submit a job for each prompt, to its model, and follow each to its end."""
        slots = anyio.CapacityLimiter(AT_ONCE)
        async with anyio.create_task_group() as connections:
            connection = Connection(self._url, self._token, self._log)
            await connections.start(connection.keep_open)
            async with anyio.create_task_group() as tasks:

                async def one(prompt: str, model: str) -> None:
                    async with slots:
                        await self._job(connection, prompt, model)

                for prompt, model in models.items():
                    tasks.start_soon(one, prompt, model)
            connections.cancel_scope.cancel()

    async def _job(self, connection: Connection, prompt: str, model: str) -> None:
        request_id = await self._submit(connection, prompt, model, force_new=False)
        facts = await self._ask(connection, "get_status", {"request_id": request_id})
        unconfirmed_waits = 0
        while True:
            unconfirmed = facts.get("state") == "unconfirmed"
            wait = UNCONFIRMED_WAIT_SECONDS if unconfirmed else WAIT_SECONDS
            facts = await self._ask(connection, "get_status", {"request_id": request_id, "wait_seconds": wait})
            state = facts.get("state")
            self._log.states[prompt] = f"{request_id}: {state}"
            if state == "completed" and facts.get("video_url"):
                self._log.links[prompt] = facts["video_url"]
                self._log.noticed[prompt] = time.time()
                return
            if state == "unconfirmed":
                unconfirmed_waits += facts["elapsed_seconds"] > GIVE_UP_AFTER_SECONDS + wait
                if unconfirmed_waits >= GIVE_UP_AFTER_ANSWERS and model.startswith(WITHOUT_HISTORY):
                    self._log.unconfirmed.add(prompt)  # final: the result says so
                    return
                if unconfirmed_waits >= GIVE_UP_AFTER_ANSWERS:
                    self._log.events["submitted again, as the history has no trace"] += 1
                    request_id, unconfirmed_waits = await self._submit(connection, prompt, model, force_new=True), 0
                elif model.startswith(WITHOUT_HISTORY):
                    await anyio.sleep(PAUSE_SECONDS)
            elif state not in ("queued", "processing", "completed"):
                self._log.wrong.append(f"{self._name}: {facts}")
                return

    async def _submit(self, connection: Connection, prompt: str, model: str, *, force_new: bool) -> str:
        arguments = {"prompt": prompt, "model": model, **({"force_new": True} if force_new else {})}
        while True:
            facts = await self._once(connection, "generate_video", arguments)
            if facts and facts.get("request_id"):
                return facts["request_id"]
            arguments.pop("force_new", None)  # the job that it may have created counts
            # Cut off. Either list_jobs shows whether the job exists, or the repeated call does, since duplicates are
            # detected.
            if facts is None and self._log.events["cut: generate_video"] % 2:
                rows = (await self._ask(connection, "list_jobs", {"limit": 50}))["jobs"]
                found = [row["request_id"] for row in rows if row["prompt"] == prompt[:80]]
                if found and not force_new:
                    return found[0]
            await anyio.sleep(PAUSE_SECONDS)

    async def _ask(self, connection: Connection, tool: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a free call, and repeat it if it was cut off."""
        while True:
            facts = await self._once(connection, tool, arguments)
            if facts is not None and "error" in facts and "state" not in facts and facts["error"]:
                await anyio.sleep(PAUSE_SECONDS)
            elif facts is not None:
                return facts
            else:
                await anyio.sleep(PAUSE_SECONDS)

    async def _once(self, connection: Connection, tool: str, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The result of one call, or None if it was cut off."""
        began = time.monotonic()
        self._log.calls += 1
        try:
            result = await connection.call(tool, arguments)
        except (MCPError, ConnectionError) as error:
            self._log.events[f"cut: {tool}"] += 1
            self._log.events[f"cut as: {error!s:.60}"] += 1
            return None
        facts = facts_of(result)
        if result.is_error:
            self._log.events[f"refused: {tool}: {facts['error']['code']}"] += 1
            if not facts["error"]["safe_to_retry"]:
                self._log.events[f"refused for good: {tool}: {facts['error']['message']:.120}"] += 1
        elif tool in self._log.seconds and "wait_seconds" not in arguments:
            self._log.seconds[tool].append(time.monotonic() - began)
        return facts
