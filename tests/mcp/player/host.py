"""A minimal host of MCP Apps: a page, a sandbox of another origin whose policy is built from the resource's `_meta`,
and the bridge between them and a server."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode, urlsplit

import pytest
from mcp import Client, MCPError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from hailuo_mcp.mcp.player import PLAYER_URI, player_html, resource_meta
from tests.mcp.player.jobs import CLIP, Result, clip, poster

if TYPE_CHECKING:
    from playwright.async_api import Frame, Page

TIMEOUT_SECONDS = 45
PAGE_MARGINS, FRAME_BORDERS = 24, 2
DIRECTORY = Path(__file__).parent
CAPABILITIES: Result = {"serverTools": {}, "serverResources": {}, "openLinks": {}, "message": {"text": {}}}
Answerer = Callable[[Result], Result | Awaitable[Result]]


class Refused(Exception):
    """A JSON-RPC error that the host returns."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Server(Protocol):
    """The server to which the bridge forwards the view's requests."""

    async def player(self, origins: Iterable[str]) -> tuple[str, Result]:
        """The view's document and the resource's `_meta`."""
        ...

    async def call_tool(self, name: str, arguments: Result) -> Result: ...

    async def read_resource(self, uri: str) -> Result: ...


class Scripted:
    """A server with scripted answers: those of get_status and list_jobs are returned in order, the last one
    repeatedly."""

    def __init__(
        self,
        *statuses: Result,
        saved: Result | None = None,
        cancelled: Result | None = None,
        lists: Iterable[Result] = (),
        readable: bool = True,
    ) -> None:
        self._statuses = list(statuses)
        self._saved = saved
        self._cancelled = cancelled
        self._lists = list(lists)
        self._readable = readable
        self.calls: list[tuple[str, Result]] = []
        self.reads: list[str] = []

    async def player(self, origins: Iterable[str]) -> tuple[str, Result]:
        return player_html(), resource_meta(origins)

    async def call_tool(self, name: str, arguments: Result) -> Result:
        self.calls.append((name, arguments))
        if name == "download_video" and self._saved:
            return self._saved
        if name == "cancel_job" and self._cancelled:
            return self._cancelled
        if name == "list_jobs" and self._lists:
            return self._lists.pop(0) if len(self._lists) > 1 else self._lists[0]
        if name != "get_status" or not self._statuses:
            raise Refused(-32602, f"Unknown tool: {name}")
        return self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]

    async def read_resource(self, uri: str) -> Result:
        self.reads.append(uri)
        if not self._readable:
            raise Refused(-32002, "Resource not found")
        return poster(uri) if uri.startswith("hailuo://posters/") else clip(uri)


class Real:
    """The real server, over a connected client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def player(self, origins: Iterable[str]) -> tuple[str, Result]:
        """The server's resource, plus `origins`: the server names only the origins of clips that it has seen, and a new
        job has none yet."""
        content = (await self.read_resource(PLAYER_URI))["contents"][0]
        csp = content["_meta"]["ui"]["csp"]
        return content["text"], resource_meta([*csp["resourceDomains"], *origins], csp.get("connectDomains", ()))

    async def call_tool(self, name: str, arguments: Result) -> Result:
        answer = await self._client.call_tool(name, arguments)
        return {
            "content": [part.model_dump(by_alias=True, exclude_none=True, mode="json") for part in answer.content],
            "structuredContent": answer.structured_content or {},
            "_meta": answer.meta or {},
            "isError": answer.is_error,
        }

    async def read_resource(self, uri: str) -> Result:
        try:
            read = await self._client.read_resource(uri)
        except MCPError as error:
            raise Refused(error.error.code, error.error.message) from None
        return read.model_dump(by_alias=True, exclude_none=True, mode="json")


@dataclass
class Website:
    """The pages of the host and some clips, on one port under several names; browsers resolve every `*.localhost` to
    this machine."""

    port: int = 0
    requests: list[str] = field(default_factory=list[str])
    """Each request as `host path`."""

    def origin(self, name: str) -> str:
        return f"http://{name}.localhost:{self.port}"

    def app(self) -> Starlette:
        def page(request: Request) -> Response:
            self._record(request)
            return HTMLResponse((DIRECTORY / "host.html").read_text())

        def sandbox(request: Request) -> Response:
            self._record(request)
            policy = content_security_policy(json.loads(request.query_params["csp"]))
            return HTMLResponse((DIRECTORY / "sandbox.html").read_text(), headers={"Content-Security-Policy": policy})

        def video(request: Request) -> Response:
            self._record(request)
            return FileResponse(CLIP, media_type="video/mp4")

        def nothing(request: Request) -> Response:
            self._record(request)
            return Response(status_code=204 if request.url.path == "/favicon.ico" else 404)

        return Starlette(
            routes=[
                Route("/", page),
                Route("/sandbox", sandbox),
                Route("/clip.mp4", video),
                Route("/{path:path}", nothing),
            ]
        )

    def _record(self, request: Request) -> None:
        self.requests.append(f"{request.url.hostname} {request.url.path}")


def content_security_policy(csp: Result) -> str:
    """The policy that the specification tells hosts to build from `_meta.ui.csp`."""

    def sources(name: str) -> str:
        return " ".join(csp.get(name, []))

    resources = sources("resourceDomains")
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' 'unsafe-inline' {resources}",
            f"style-src 'self' 'unsafe-inline' {resources}",
            f"img-src 'self' data: {resources}",
            f"font-src 'self' {resources}",
            f"media-src 'self' data: {resources}",
            f"connect-src {sources('connectDomains') or chr(39) + 'none' + chr(39)}",
            # The view itself is a frame of the sandbox.
            f"frame-src 'self' {sources('frameDomains')}",
            "object-src 'none'",
            "base-uri 'self'",
        ]
    )


@dataclass
class View:
    """One opened view: its messages to the host, and what the browser observed."""

    page: "Page"
    server: Server
    website: Website
    result: Result | None
    arguments: Result
    capabilities: Result
    context: Result
    origins: tuple[str, ...]
    refusals: dict[str, Refused] = field(default_factory=dict[str, Refused])
    """Methods that this host refuses."""
    messages: list[tuple[str, Result]] = field(default_factory=list[tuple[str, Result]])
    """Every message of the view, by method."""
    answers: asyncio.Queue[Result] = field(default_factory=asyncio.Queue[Result])
    """Its answers to the host's requests."""
    errors: list[str] = field(default_factory=list[str])
    """Errors on the console and uncaught ones."""
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    requested: list[str] = field(default_factory=list[str])
    """The origins of all requests, except of those that the policy blocked."""

    async def open(self) -> None:
        def console(kind: str, text: str) -> None:
            if kind == "error":
                self.errors.append(text)

        def record(url: str) -> None:
            parts = urlsplit(url)
            if parts.scheme not in ("data", "blob", "about"):
                self.requested.append(f"{parts.scheme}://{parts.netloc}")

        self.page.on("console", lambda message: console(message.type, message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("response", lambda response: record(response.url))
        self.page.on(
            "requestfailed",
            lambda request: record(request.url) if "csp" not in (request.failure or "").lower() else None,
        )
        await self.page.expose_function("serve", self._serve)  # pyright: ignore[reportUnknownMemberType]  # playwright types its callback as a bare Callable
        await self.page.goto(self.website.origin("host"))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await self._ready.wait()

    @property
    def frame(self) -> "Frame":
        """The view's own document."""
        return next(frame for frame in self.page.frames if frame.parent_frame and frame.parent_frame.parent_frame)

    @property
    def sent(self) -> list[str]:
        return [method for method, _ in self.messages]

    def params_of(self, method: str) -> list[Result]:
        return [params for name, params in self.messages if name == method]

    async def text(self) -> str:
        """The text that a person reads, without the layout."""
        return " ".join((await self.frame.locator("main").inner_text()).split())

    async def until(self, condition: str, arg: object = None) -> None:
        """Wait until the view's document meets a condition on `arg`, written in JavaScript."""
        # Not playwright's wait_for_function: it evaluates text, which the view's policy forbids.
        check = f"const check = () => {{ if ({condition}) met(); else setTimeout(check, 50); }}; check();"
        waiting = f"(arg) => new Promise((met) => {{ {check} }})"
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self.frame.evaluate(waiting, arg)
        except TimeoutError:
            pytest.fail(f"not met in time: {condition} for {arg!r}; the view shows: {await self.text()}")

    async def shows(self, *words: str) -> None:
        """Wait until the view shows all of this."""
        for text in words:
            await self.until("document.querySelector('main').innerText.replace(/\\s+/g, ' ').includes(arg)", text)

    async def is_playing(self) -> str:
        """Wait until the video plays; returns how it was loaded: `link`, `data` or `blob`."""
        await self.until("document.querySelector('video:not([hidden])')?.currentTime > 0.2")
        before = await self.frame.evaluate("document.querySelector('video').currentTime")
        await self.until("document.querySelector('video').currentTime > arg", before)
        return await self.frame.evaluate("document.querySelector('video').dataset.how")

    async def press(self, name: str) -> None:
        await self.frame.get_by_role("button", name=name, exact=True).click()

    async def buttons(self) -> list[str]:
        return await self.frame.locator("#actions button").all_inner_texts()

    async def states(self) -> list[str]:
        """The states that were shown, in order."""
        return await self.frame.evaluate("window.statesShown")

    async def set_width(self, width: int) -> None:
        """Make the view this wide."""
        await self.page.set_viewport_size({"width": width + PAGE_MARGINS, "height": 760})
        await self.until("innerWidth === arg", width - FRAME_BORDERS)
        await self.until("document.documentElement.scrollHeight <= innerHeight")

    async def set_theme(self, theme: str) -> None:
        await self.page.evaluate("(theme) => { document.documentElement.style.colorScheme = theme }", theme)
        await self.send("ui/notifications/host-context-changed", {"theme": theme})
        await self.until("document.documentElement.dataset.theme === arg", theme)

    async def send(self, method: str, params: Result, **more: Any) -> None:
        await self.page.evaluate("(message) => tell(message)", {"method": method, "params": params, **more})

    async def _serve(self, method: str, params: Result) -> Result:
        if method == "start":
            html, meta = await self.server.player(self.origins)
            query = urlencode({"csp": json.dumps(meta["ui"]["csp"])})
            theme = self.context.get("theme", "light")
            return {"html": html, "sandbox": f"{self.website.origin('sandbox')}/sandbox?{query}", "theme": theme}
        if method == "answer":
            self.answers.put_nowait(params)
            return {"then": []}
        self.messages.append((method, params))
        try:
            return {"answer": {"result": await self._answer(method, params)}, "then": self._follow_up(method)}
        except Refused as refused:
            return {"answer": {"error": {"code": refused.code, "message": str(refused)}}, "then": []}

    async def _answer(self, method: str, params: Result) -> Result:
        if method in self.refusals:
            raise self.refusals[method]
        match method:
            case "ui/initialize":
                return {
                    "protocolVersion": "2026-01-26",
                    "hostInfo": {"name": "test-host", "version": "0"},
                    "hostCapabilities": self.capabilities,
                    "hostContext": self.context,
                }
            case "tools/call":
                return await self.server.call_tool(params["name"], params["arguments"])
            case "resources/read":
                return await self.server.read_resource(params["uri"])
            case _:
                return {}

    def _follow_up(self, method: str) -> list[Result]:
        if method != "ui/notifications/initialized":
            return []
        self._ready.set()
        messages: list[Result] = [{"method": "ui/notifications/tool-input", "params": {"arguments": self.arguments}}]
        if self.result:
            messages.append({"method": "ui/notifications/tool-result", "params": self.result})
        return messages
