"""The composition root: builds the settings, the ledger, the gateways with their transports, and the services. Nothing
else builds them.
"""

import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.catalog.custom_models import own_models
from hailuo_mcp.core.environment import read_settings, with_secret_files
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.network import warn_about_environment
from hailuo_mcp.core.setting_values import key_variable
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.gateways import GATEWAYS, Gateway
from hailuo_mcp.gateways.client import DEFAULT_RETRY_POLICY, GatewayClient, RetryPolicy
from hailuo_mcp.ledger import Ledger, open_ledger
from hailuo_mcp.ledger.retrying import RetryingLedger
from hailuo_mcp.media.clips import ClipStore
from hailuo_mcp.media.given import FileRules
from hailuo_mcp.media.upload_store import FOLDER as UPLOADS_FOLDER
from hailuo_mcp.media.upload_store import UploadStore
from hailuo_mcp.service.background import background_tasks
from hailuo_mcp.service.changes import JobChanges
from hailuo_mcp.service.credentials import Credentials, origins
from hailuo_mcp.service.image_uploads import ImageUploads
from hailuo_mcp.service.long_poll import LongPolls
from hailuo_mcp.service.poll_policy import POLICY, PollPolicy
from hailuo_mcp.service.poller import Poller
from hailuo_mcp.service.services import Services
from hailuo_mcp.service.signed_urls import SignedUrls
from hailuo_mcp.service.single_flight import SingleFlight
from hailuo_mcp.service.start import warn_of_failing_calls
from hailuo_mcp.service.transfers import Transfers
from hailuo_mcp.service.worker import Worker
from hailuo_mcp.telemetry import logging

if TYPE_CHECKING:
    import httpx

SANDBOX_HOST = "hailuo-sandbox.invalid"
"""Host of the links that the in-process sandbox returns. Requests to it never leave this process."""

Transport = Callable[[], "httpx.AsyncBaseTransport"]


def load_settings(environ: Mapping[str, str] | None = None, *, http: bool = False) -> Settings:
    """The settings of this process; `http` if it serves over HTTP, which has other defaults.

    Raises:
        SettingsError: a value is wrong.
    """
    environ = _environment(os.environ if environ is None else environ)
    settings = read_settings(environ, {gateway.name: gateway.hosts for gateway in GATEWAYS})
    return settings.over_http() if http else settings


def _environment(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The variables, with each gateway's key under its canonical name, whether it comes from an alias or a file."""
    environ = with_secret_files(environ, [gateway.name for gateway in GATEWAYS])
    keys = {key_variable(gateway.name): gateway.key_in(environ) for gateway in GATEWAYS}
    return {**environ, **{variable: key for variable, key in keys.items() if key}}


def build_catalog(settings: Settings) -> Catalog:
    """The models of all gateways and the user's custom models, as far as these settings make them usable.

    Raises:
        SettingsError: HAILUO_MCP_MODELS names a model that does not exist, or a custom model file is invalid.
    """
    return Catalog(GATEWAYS, settings, own_models(settings, GATEWAYS))


@asynccontextmanager
async def build_services(
    settings: Settings,
    *,
    local_files: bool = True,
    work: bool = False,
    base_url: str | None = None,
    transport: Transport | None = None,
    poll_policy: PollPolicy = POLICY,
    retry: RetryPolicy = DEFAULT_RETRY_POLICY,
    ledger: Ledger | None = None,
    render: bool = True,
) -> AsyncGenerator[Services]:
    """The services that all sessions share, open within the block.

    Args:
        local_files: whether callers may name files on this machine.
        work: run the background worker, which polls jobs and saves finished clips. For long-running processes.
        base_url: the URL at which callers reach this server over HTTP.
        transport: replaces the network to the gateways.
        ledger: replaces the ledger from the settings.
        render: as for `sandbox_transport`.

    On exit, submissions in flight are awaited and their results recorded.

    Raises:
        SettingsError: as for `build_catalog`, or the database driver is not installed.
        InternalError: the ledger cannot be used; only with `base_url`, which needs the secret stored in it.
    """
    catalog = build_catalog(settings)
    if not settings.in_sandbox and transport is None:
        warn_about_environment()
    if work:
        warn_of_failing_calls(settings, catalog)
    sandbox = sandbox_transport(settings, render=render) if settings.in_sandbox else None
    async with AsyncExitStack() as resources:
        ledger = RetryingLedger(ledger or open_ledger(settings))
        resources.push_async_callback(ledger.close)
        gateways = {
            kind.name: _gateway(kind, settings, catalog, transport or sandbox, retry, resources)
            for kind in catalog.gateways
        }
        clips = ClipStore(
            settings.output_dir.absolute(),  # a relative path in a result means nothing to its reader
            own_hosts=frozenset(_hosts(gateways)),
            max_bytes=settings.max_video_mb * 1024 * 1024,
            stand_in=sandbox,
            stand_in_host=SANDBOX_HOST,
        )
        resources.callback(clips.close)
        file_rules = FileRules(
            settings.input_dirs, settings.output_dir, local_files, settings.fix_images, settings.keep_image_metadata
        )
        urls = uploads = None
        if base_url is not None:
            urls = SignedUrls(base_url, await ledger.secret(), called_back=bool(settings.public_url))
            uploads = ImageUploads(UploadStore(clips.directory / UPLOADS_FOLDER), urls, file_rules)
        tasks = await resources.enter_async_context(background_tasks())
        credentials, long_polls = Credentials(settings, gateways), LongPolls()
        ledger.on_change.append(long_polls.on_change)
        services = Services(
            settings=settings,
            catalog=catalog,
            credentials=credentials,
            ledger=ledger,
            submissions=SingleFlight[Job](tasks, shield=True),
            clips=clips,
            file_rules=file_rules,
            transfers=Transfers(ledger, tasks),
            poll_policy=poll_policy,
            poller=Poller(settings, credentials, ledger, clips, tasks, poll_policy),
            long_polls=long_polls,
            changes=JobChanges(ledger, tasks),
            urls=urls,
            uploads=uploads,
        )
        if uploads:
            tasks.start_soon(uploads.sweep_forever)
        await ledger.listen(tasks)
        if work:
            worker = Worker(ledger, services.poller, origins(gateways), poll_policy, save=settings.auto_download)
            tasks.start_soon(worker.run)
        yield services


def sandbox_transport(settings: Settings, *, render: bool = True) -> Transport:
    """A transport to an in-process sandbox that stands in for every gateway. Without `render`, every clip is the
    bundled one."""

    @cache
    def transport() -> "httpx.AsyncBaseTransport":
        # start-up time: the sandbox and httpx are only needed once something is sent
        import httpx

        from hailuo_mcp.sandbox import ConnectionCut, create_app

        class InProcess(httpx.ASGITransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                try:
                    return await super().handle_async_request(request)
                except ConnectionCut:
                    raise httpx.ReadError("cut", request=request) from None

        app = create_app(
            settings.state_dir / "sandbox",
            seconds=settings.sandbox_seconds,
            public_url=f"https://{SANDBOX_HOST}",
            render=render,
        )
        return InProcess(app=app)

    return transport


def _gateway(
    kind: type[Gateway],
    settings: Settings,
    catalog: Catalog,
    transport: Transport | None,
    retry: RetryPolicy,
    resources: AsyncExitStack,
) -> Gateway:
    client = GatewayClient(
        kind.title,
        transport=transport,
        retry=retry,
        requests_per_minute=None if settings.in_sandbox else kind.requests_per_minute,
        retry_after_in=kind.retry_after_in,
    )
    resources.push_async_callback(client.close)
    custom = tuple(model for model in catalog.custom if catalog.gateway(model) is kind)
    return kind(settings.gateways[kind.name], client, in_process_sandbox=settings.in_sandbox, own_models=custom)


def _hosts(gateways: Mapping[str, Gateway]) -> set[str]:
    return {host for gateway in gateways.values() if (host := urlsplit(gateway.settings.urls["base"]).hostname)}


def set_up_logging(settings: Settings) -> None:
    """Set up this process's log, on stderr."""
    logging.set_up_logging(settings, _environment(os.environ))
