"""The composition root: settings, ledger, gateways with their transports, and the studio over them. Nothing else
builds these.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack
from typing import TYPE_CHECKING

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.catalog.custom_models import own_models
from hailuo_mcp.core.settings import Settings, read_settings, with_secret_files
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import GATEWAYS, Gateway
from hailuo_mcp.gateways.client import GatewayClient
from hailuo_mcp.ledger import open_ledger
from hailuo_mcp.ledger.instrumented import traced
from hailuo_mcp.media.clips import ClipStore
from hailuo_mcp.media.images import ImageRules
from hailuo_mcp.service.session import Session
from hailuo_mcp.telemetry import exporter as telemetry
from hailuo_mcp.telemetry import logging

if TYPE_CHECKING:
    import httpx

SANDBOX_HOST = "hailuo-sandbox.invalid"
"""Host of the links that the sandbox in this process gives; it is answered here, and by nothing on any network."""

Transport = Callable[[], "httpx.AsyncBaseTransport"]


def load_settings(environ: Mapping[str, str] | None = None, *, http: bool = False) -> Settings:
    """The settings of this process; `http` where callers come over HTTP, which has other defaults.

    Raises:
        SettingsError: a value is wrong.
    """
    environ = _environment(os.environ if environ is None else environ)
    settings = read_settings(environ, {gateway.name: gateway.hosts for gateway in GATEWAYS})
    return settings.over_http() if http else settings


def _environment(environ: Mapping[str, str]) -> Mapping[str, str]:
    return with_secret_files(environ, [gateway.name for gateway in GATEWAYS])


def build_studio(settings: Settings, *, local_files: bool = True, watch: bool = False) -> Session:
    """A studio, not yet open.

    `local_files` is off where callers are not on this machine; `watch` is on where the process stays, and saves clips
    that finish while nobody asks.

    Raises:
        SettingsError: HAILUO_MCP_MODELS names a model that does not exist, a file of the user's models is wrong, or
            the ledger's client is not installed.
    """
    kinds = GATEWAYS
    own = own_models(settings, kinds)
    catalog = Catalog(kinds, settings, own)
    sandbox = sandbox_transport(settings) if settings.in_sandbox else None
    resources = AsyncExitStack()
    gateways = {kind.name: _gateway(kind, settings, sandbox, resources, own) for kind in kinds}
    ledger = traced(open_ledger(settings))
    resources.push_async_callback(ledger.close)
    clips = ClipStore(
        settings.output_dir,
        own_hosts=frozenset(_hosts(gateways)),
        max_bytes=settings.max_video_mb * 1024 * 1024,
        stand_in=sandbox,
        stand_in_host=SANDBOX_HOST,
    )
    rules = ImageRules(settings.input_dirs, settings.output_dir, local_files, settings.fix_images)
    return Session(settings, catalog, gateways, ledger, clips, rules, resources, watch=watch)


def sandbox_transport(settings: Settings) -> Transport:
    """The sandbox in this process, in place of every gateway's network."""
    made: list[httpx.AsyncBaseTransport] = []

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

        if not made:
            app = create_app(
                settings.state_dir / "sandbox", seconds=settings.sandbox_seconds, public_url=f"https://{SANDBOX_HOST}"
            )
            made.append(InProcess(app=app))
        return made[0]

    return transport


def _gateway(
    kind: type[Gateway],
    settings: Settings,
    sandbox: Transport | None,
    resources: AsyncExitStack,
    own: tuple[type[ModelSpec], ...],
) -> Gateway:
    sender = GatewayClient(kind.title, sandbox, kind.wait_of)
    resources.push_async_callback(sender.close)
    its_own = tuple(model for model in own if model.id.split("/")[0] == kind.name)
    return kind(settings.gateways[kind.name], sender, in_process_sandbox=sandbox is not None, own_models=its_own)


def _hosts(gateways: Mapping[str, Gateway]) -> set[str]:
    from urllib.parse import urlsplit

    return {host for gateway in gateways.values() if (host := urlsplit(gateway.settings.urls["base"]).hostname)}


def set_up_logging(settings: Settings) -> None:
    """The log of this process, on stderr."""
    logging.set_up_logging(settings, _environment(os.environ))


def exporting(version: str) -> AbstractContextManager[None]:
    """While this process serves: its spans and figures go where OpenTelemetry's variables say, or nowhere."""
    return telemetry.exporting(os.environ, version)
