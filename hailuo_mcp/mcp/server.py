"""The MCP server over a studio: its handlers, with one boundary that no exception text passes."""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    GetPromptRequestParams,
    GetPromptResult,
    Icon,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    ServerCapabilities,
    TextResourceContents,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.caller import LOCAL, Caller
from hailuo_mcp.core.errors import HailuoError, InternalError
from hailuo_mcp.core.job import State
from hailuo_mcp.mcp import player, prompts, resources, tasks, tools
from hailuo_mcp.mcp.errors import SessionFor, log_failure, sanitize_errors
from hailuo_mcp.mcp.subscriptions import Subscriptions
from hailuo_mcp.service.services import Services
from hailuo_mcp.service.session import Session
from hailuo_mcp.telemetry import set_caller

log = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Hailuo (MiniMax) video generation. generate_video submits a job, costs money and returns a request_id; clips "
    "take one to nine minutes. Then call get_status with wait_seconds 45 until the state is completed or failed; a "
    "wait that runs out is not a failure. dry_run shows the price first. Lost the id? list_jobs. Links expire: give "
    "the user video_path or video_url at once."
)
SAME_FOR_ALL = CacheHint(ttl_ms=60_000, scope="public")
"""What follows from the version, the keys and the models alone: the same for every caller, unless some bring keys of
their own, and for as long as the server runs. A minute, because the next start may have other keys, and what a stale
list offers is refused with its cure."""
OWN_AND_MOVING = CacheHint(ttl_ms=0, scope="private")
"""Jobs: they move by themselves, and are nobody else's. What does not move says so itself."""
SAME_FOR_ONE = CacheHint(ttl_ms=SAME_FOR_ALL.ttl_ms, scope="private")


def cache_hints(*, own_models: bool) -> Mapping[CacheableMethod, CacheHint]:
    """What a client may keep; `own_models` where callers may have keys, and so models, of their own."""
    return {
        "server/discover": SAME_FOR_ALL,
        "tools/list": SAME_FOR_ONE if own_models else SAME_FOR_ALL,
        "prompts/list": SAME_FOR_ALL,
        "resources/list": SAME_FOR_ALL,
        "resources/templates/list": SAME_FOR_ALL,
        "resources/read": OWN_AND_MOVING,
    }


CLIPS_LOOKED_AT = 50
"""So many of the newest clips tell the player's policy which hosts they come from."""

Context = ServerRequestContext[Any, Any]
CallerOf = Callable[[Context], Caller]


def on_this_machine(_ctx: Context) -> Caller:
    """Whoever can reach the server is the person whose machine it is on."""
    return LOCAL


class VideoServer(Server[Any]):
    """The SDK's server, with what it announces made exact."""

    def __init__(self, services: Services, version: str, caller_of: CallerOf) -> None:
        def session_for(ctx: Context) -> Session:
            caller = caller_of(ctx)
            set_caller(caller.tenant, tuple(key.get_secret_value() for key in caller.keys.values()))
            return Session(services, caller)

        self.subscriptions = Subscriptions(services.changes, session_for)
        face = _Face(services.catalog, session_for)
        # Every handler stands here, save those of the tasks extension, which adds its own.
        super().__init__(
            "hailuo-mcp",
            version=version,
            title="Hailuo video",
            instructions=INSTRUCTIONS,
            icons=[Icon(src=player.icon_uri(), mime_type=player.ICON_TYPE, sizes=["any"])],
            cache_hints=cache_hints(own_models=services.settings.callers_have_keys),
            on_list_tools=face.list_tools,
            on_call_tool=face.call_tool,
            on_list_resources=face.list_resources,
            on_list_resource_templates=face.list_resource_templates,
            on_read_resource=sanitize_errors("resources/read", face.read_resource),
            on_list_prompts=face.list_prompts,
            on_get_prompt=sanitize_errors("prompts/get", face.get_prompt),
            on_completion=sanitize_errors("completion/complete", face.complete),
            on_subscriptions_listen=sanitize_errors("subscriptions/listen", self.subscriptions),
        )
        # Asked for at each call, to hold a call's headers to it; without this the SDK lists all tools each time.
        self.get_tool_input_schema = face.input_schema
        tasks.add_tasks(self, session_for)
        self.extensions[player.EXTENSION] = {"mimeTypes": [player.MIME_TYPE]}

    def get_capabilities(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
        *,
        protocol_version: str | None = None,
    ) -> ServerCapabilities:
        """What this server can, in the given protocol version; None stands for the versions with a handshake.

        Keys and models are read at the start: no list ever changes while it runs, and it does not say one might. Tasks
        exist in the stateless protocol only.
        """
        announced = self.extensions if extensions is None else extensions
        if protocol_version not in MODERN_PROTOCOL_VERSIONS:
            announced = {name: own for name, own in announced.items() if name != tasks.EXTENSION}
        capabilities = super().get_capabilities(
            notification_options, experimental_capabilities, announced, protocol_version=protocol_version
        )
        for fixed in (capabilities.tools, capabilities.prompts, capabilities.resources):
            if fixed:
                fixed.list_changed = False
        return capabilities


class _Face:
    """The handlers: what the protocol asks for, put to the modules that know it."""

    def __init__(self, catalog: Catalog, session_for: SessionFor) -> None:
        self._session_for = session_for
        self._listed = ListToolsResult(tools=tools.definitions(catalog))
        self._schemas = {tool.name: tool.input_schema for tool in self._listed.tools}

    def input_schema(self, tool: str) -> tools.JsonSchema | None:
        """The schema of a tool, as those see it who bring no keys of their own; None where there is no such tool."""
        return self._schemas.get(tool)

    async def list_tools(self, ctx: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        session = self._session_for(ctx)
        if session.has_own_keys:
            return ListToolsResult(tools=tools.definitions(session.catalog))
        return self._listed

    async def list_resources(self, _ctx: Context, _params: PaginatedRequestParams | None) -> ListResourcesResult:
        return ListResourcesResult(resources=resources.listed())

    async def list_resource_templates(
        self, _ctx: Context, _params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(resource_templates=resources.templates())

    async def read_resource(self, ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        session = self._session_for(ctx)
        if params.uri == player.PLAYER_URI:
            return await self._read_player(session)
        return await resources.read(session, params.uri)

    async def _read_player(self, session: Session) -> ReadResourceResult:
        """The view; its policy lets it load clips from where the newest ones came from, and from nowhere else."""
        links: list[str] = []
        try:
            page = await session.jobs(State.COMPLETED, CLIPS_LOOKED_AT)
            links = [link for job in page.jobs for link in (job.video_url, session.public_view(job).video_url) if link]
        except HailuoError as error:  # the view also tells of trouble, and reads its clip from here
            log_failure("the player's policy", error)
        view = TextResourceContents(
            uri=player.PLAYER_URI,
            mime_type=player.MIME_TYPE,
            text=player.player_html(),
            _meta=player.resource_meta(player.origins(links)),
        )
        return ReadResourceResult(contents=[view])

    async def list_prompts(self, _ctx: Context, _params: PaginatedRequestParams | None) -> ListPromptsResult:
        return ListPromptsResult(prompts=prompts.definitions())

    async def get_prompt(self, ctx: Context, params: GetPromptRequestParams) -> GetPromptResult:
        return await prompts.get(self._session_for(ctx), params.name, params.arguments)

    async def complete(self, ctx: Context, params: CompleteRequestParams) -> CompleteResult:
        return CompleteResult(
            completion=await resources.complete(self._session_for(ctx), params.ref, params.argument, params.context)
        )

    async def call_tool(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        if params.name not in tools.HANDLERS:
            known = ", ".join(tools.HANDLERS)
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name[:80]}; there are {known}.")
        call = tools.Call(self._session_for(ctx), params.arguments or {}, _Paced(ctx.session.report_progress))
        try:
            return await tools.call(params.name, call)
        except anyio.get_cancelled_exc_class():
            log.info("%s was cancelled", params.name)
            raise
        except Exception as error:
            log_failure(params.name, error)
            return tools.failed(_unforeseen(params.name))


class _Paced:
    """Progress at a humane rate: what comes sooner after the last is left out, for more is to come."""

    GAP_SECONDS = 2.0

    def __init__(self, report: tools.Progress) -> None:
        self._report = report
        self._next = float("-inf")

    async def __call__(self, progress: float, total: float | None, message: str) -> None:
        if anyio.current_time() < self._next:
            return
        self._next = anyio.current_time() + self.GAP_SECONDS
        await self._report(progress, total, message)


def build_server(services: Services, version: str, caller_of: CallerOf = on_this_machine) -> VideoServer:
    """The server over open services; `caller_of` says who makes a request."""
    return VideoServer(services, version, caller_of)


def _unforeseen(tool: str) -> InternalError:
    """A submission may have been sent before the unforeseen happened: only the others are certain to have cost
    nothing.
    """
    if tool == "generate_video":
        return InternalError(
            "Something unforeseen happened while submitting.",
            "Call list_jobs before submitting again: the job may exist. The server's log has the details.",
            charged="unknown",
        )
    return InternalError("Something unforeseen happened; no job was touched.", safe_to_retry=True)


async def serve_stdio(open_services: Callable[[], AbstractAsyncContextManager[Services]], version: str) -> None:
    """Serve on stdin and stdout until stdin closes."""
    from mcp.server.stdio import stdio_server

    async with open_services() as services, stdio_server() as (read, write):
        server = build_server(services, version)
        await server.run(read, write, server.create_initialization_options())
        await anyio.lowlevel.checkpoint()
