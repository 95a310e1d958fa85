"""The MCP server: its capabilities, and the handler of each method."""

from collections.abc import Callable, Mapping
from typing import Any

import anyio
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.lowlevel import NotificationOptions, Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    GetPromptRequestParams,
    GetPromptResult,
    Icon,
    InputRequiredResult,
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
from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import State
from hailuo_mcp.core.spec import JsonSchema
from hailuo_mcp.mcp import completion, player, prompts, resources, tasks, tools
from hailuo_mcp.mcp.confirmation import ANSWER_SECONDS, Question, confirm_for
from hailuo_mcp.mcp.errors import Context, SessionFor, log_failure, sanitize_errors
from hailuo_mcp.mcp.file_params import with_file_params
from hailuo_mcp.mcp.subscriptions import Subscriptions
from hailuo_mcp.mcp.wait_limit import WaitLimits, wants_progress
from hailuo_mcp.service.services import Services
from hailuo_mcp.service.session import Session
from hailuo_mcp.telemetry import set_caller

INSTRUCTIONS = (
    "Hailuo (MiniMax) video generation. generate_video submits a job, costs money and returns a request_id; clips "
    "take one to nine minutes. Then call get_status as each answer says until the state is completed or failed; a "
    "wait that runs out is not a failure. dry_run shows the price first. Lost the id? list_jobs. Links expire: give "
    "the user video_path or video_url at once."
)
PUBLIC = CacheHint(ttl_ms=60_000, scope="public")
"""For what is the same for every caller while the server runs. Only a minute, because a restart may bring other keys
and models; a call that relies on an outdated list is refused with a hint."""
PER_CALLER = CacheHint(ttl_ms=PUBLIC.ttl_ms, scope="private")
NO_CACHE = CacheHint(ttl_ms=0, scope="private")
"""For jobs, which change at any time. A resource that does not change sets its own hint."""


def cache_hints(*, own_models: bool) -> Mapping[CacheableMethod, CacheHint]:
    """What a client may cache. `own_models`: callers may have their own keys, and so other models."""
    return {
        "server/discover": PUBLIC,
        "tools/list": PER_CALLER if own_models else PUBLIC,
        "prompts/list": PER_CALLER if own_models else PUBLIC,
        "resources/list": PUBLIC,
        "resources/templates/list": PUBLIC,
        "resources/read": NO_CACHE,
    }


PLAYER_ORIGINS_FROM = 50
"""How many of the newest clips the player's content security policy covers."""

CallerOf = Callable[[Context], Caller]


def on_this_machine(_ctx: Context) -> Caller:
    """Without authentication, every caller is the local user."""
    return LOCAL


class VideoServer(Server[Any]):
    """The SDK's server with our handlers. It announces exactly the capabilities that it has."""

    def __init__(self, services: Services, version: str, caller_of: CallerOf, answer_seconds: float) -> None:
        def session_for(ctx: Context) -> Session:
            caller = caller_of(ctx)
            set_caller(caller.tenant, tuple(key.get_secret_value() for key in caller.keys.values()))
            return Session(services, caller)

        self.subscriptions = Subscriptions(services.changes, session_for)
        handlers = Handlers(services, session_for, answer_seconds)
        self.tools_listed = handlers.tools_listed
        # All handlers except those of the tasks extension, which `add_tasks` adds.
        super().__init__(
            "hailuo-mcp",
            version=version,
            title="Hailuo video",
            instructions=INSTRUCTIONS,
            icons=[Icon(src=player.icon_uri(), mime_type=player.ICON_TYPE, sizes=["any"])],
            cache_hints=cache_hints(own_models=services.settings.callers_have_keys),
            on_list_tools=handlers.list_tools,
            on_call_tool=handlers.call_tool,
            on_list_resources=handlers.list_resources,
            on_list_resource_templates=handlers.list_resource_templates,
            on_read_resource=sanitize_errors("resources/read", handlers.read_resource),
            on_list_prompts=handlers.list_prompts,
            on_get_prompt=sanitize_errors("prompts/get", handlers.get_prompt),
            on_completion=sanitize_errors("completion/complete", handlers.complete),
            on_subscriptions_listen=sanitize_errors("subscriptions/listen", self.subscriptions),
        )
        self.middleware.append(prompts.tolerate_values)
        # The SDK checks each call's headers against the schema; without this it would list all tools every time.
        self.get_tool_input_schema = handlers.input_schema
        tasks.add_tasks(self, session_for)
        self.extensions[player.EXTENSION] = {"mimeTypes": [player.MIME_TYPE]}
        self._stamp = super().server_info_stamp

    @property
    def server_info_stamp(self) -> dict[str, Any]:
        """The `serverInfo` in every response. The SDK would make a deep copy each time, which is not needed here."""
        return self._stamp

    def get_capabilities(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
        *,
        protocol_version: str | None = None,
    ) -> ServerCapabilities:
        """The capabilities in the given protocol version; None means the versions with a handshake.

        Keys and models are read at startup, so no list changes while the server runs. Tasks exist only in the stateless
        protocol.
        """
        announced = self.extensions if extensions is None else extensions
        if protocol_version not in MODERN_PROTOCOL_VERSIONS:
            announced = {name: options for name, options in announced.items() if name != tasks.EXTENSION}
        capabilities = super().get_capabilities(
            notification_options, experimental_capabilities, announced, protocol_version=protocol_version
        )
        for listing in (capabilities.tools, capabilities.prompts, capabilities.resources):
            if listing:
                listing.list_changed = False
        return capabilities


class Handlers:
    """One handler for each protocol method, which delegates to the module that implements it."""

    def __init__(self, services: Services, session_for: SessionFor, answer_seconds: float) -> None:
        self._takes_files = services.uploads is not None  # callers on other machines may pass files: see `file_params`
        self._session_for = session_for
        self._answer_seconds = answer_seconds
        self.tools_listed = anyio.Event()
        self._wait_limits = WaitLimits()
        self._tools = self._listed(services.catalog)
        self._schemas = {tool.name: tool.input_schema for tool in self._tools.tools}

    def input_schema(self, tool: str) -> JsonSchema | None:
        """A tool's schema, for callers without their own keys; None if there is no such tool."""
        return self._schemas.get(tool)

    async def list_tools(self, ctx: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        session = self._session_for(ctx)
        self.tools_listed.set()
        return self._listed(session.catalog) if session.has_own_keys else self._tools

    def _listed(self, catalog: Catalog) -> ListToolsResult:
        listed = tools.definitions(catalog)
        return ListToolsResult(tools=[with_file_params(tool) for tool in listed] if self._takes_files else listed)

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
        return await resources.read(session, params.uri, self._wait_limits.of(ctx, session.caller).seconds)

    async def _read_player(self, session: Session) -> ReadResourceResult:
        """The player. Its content security policy allows it to load the newest clips from their origins."""
        links: list[str] = []
        try:
            page = await session.jobs(State.COMPLETED, PLAYER_ORIGINS_FROM)
            links = [link for job in page.jobs for link in (job.video_url, session.public_view(job).video_url) if link]
        except HailuoError as error:  # the player still shows errors, and can read its clip through this server
            log_failure("the player's policy", error)
        urls = session.services.urls
        uploads = [f"{urls.base}/"] if urls and session.services.uploads else []
        view = TextResourceContents(
            uri=player.PLAYER_URI,
            mime_type=player.MIME_TYPE,
            text=player.player_html(),
            _meta=player.resource_meta(player.origins(links), player.origins(uploads)),
        )
        return ReadResourceResult(contents=[view])

    async def list_prompts(self, ctx: Context, _params: PaginatedRequestParams | None) -> ListPromptsResult:
        return ListPromptsResult(prompts=prompts.definitions(self._session_for(ctx).catalog))

    async def get_prompt(self, ctx: Context, params: GetPromptRequestParams) -> GetPromptResult:
        return await prompts.get(self._session_for(ctx), params.name, params.arguments)

    async def complete(self, ctx: Context, params: CompleteRequestParams) -> CompleteResult:
        return CompleteResult(
            completion=await completion.complete(self._session_for(ctx), params.ref, params.argument, params.context)
        )

    async def call_tool(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        session = self._session_for(ctx)
        wait_limit = self._wait_limits.of(ctx, session.caller)
        confirm = confirm_for(ctx, params, answer_seconds=self._answer_seconds)
        # Thousands of HTTP callers may wait, so progress is only reported to those that sent a progress token. A client
        # in the same process (SDK 2.3) sends none, even if it wants progress.
        progress = ctx.session.report_progress if wants_progress(ctx) or ctx.request is None else None
        call = tools.Call(session, params.arguments or {}, progress, wait_limit, confirm)
        try:
            return await tools.call(params.name, call)
        except Question as question:
            return question.result


def build_server(
    services: Services,
    version: str,
    caller_of: CallerOf = on_this_machine,
    *,
    answer_seconds: float = ANSWER_SECONDS,
) -> VideoServer:
    """The server over open services. `caller_of` returns who makes a request; `answer_seconds` is how long the user has
    to answer a confirmation."""
    return VideoServer(services, version, caller_of, answer_seconds)
