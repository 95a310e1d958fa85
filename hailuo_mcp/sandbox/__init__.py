"""A stand-in for every gateway, for tests, rehearsals and the demo without a key.

One ASGI application that speaks the gateways' wire contracts, written from their documents. It imports nothing from the
rest of the package, so that a misreading of a document is not made twice. On a port it calls the webhooks that jobs
were submitted with, on this machine alone; else it makes no request of its own.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from http import HTTPStatus
from pathlib import Path
from types import ModuleType

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from hailuo_mcp.sandbox.assets import Assets, asset_route
from hailuo_mcp.sandbox.callbacks import Callbacks
from hailuo_mcp.sandbox.clips import Clips, clip_route
from hailuo_mcp.sandbox.context import SandboxContext
from hailuo_mcp.sandbox.faults import FAULTS, ConnectionCut
from hailuo_mcp.sandbox.log_filter import quiet_cuts
from hailuo_mcp.sandbox.store import Store

__all__ = ["FAULTS", "MARKER_HEADER", "ConnectionCut", "create_app"]

MARKER_HEADER = "x-hailuo-sandbox"
"""Stands with the value `1` on every answer of the sandbox, whatever its status."""


def create_app(
    state_dir: Path,
    *,
    seconds: float = 6.0,
    public_url: str | None = None,
    retention_seconds: float = 3600,
    clock: Callable[[], float] = time.time,
    callbacks: bool = False,
) -> Starlette:
    """The sandbox, with its jobs, uploads and clips in `state_dir`, which several processes may share.

    `seconds`: how long a job takes; 0 means that it is done at once.
    `public_url`: the base of the links in answers; None takes the base URL of each request.
    `retention_seconds`: how long Segmind keeps a result, counted from its submission.
    `clock`: the present as a Unix time, for tests that travel in it.
    `callbacks`: whether ended jobs call their webhooks. It needs a server that runs the application's lifespan.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    store = Store(state_dir / "sandbox.sqlite3")
    calls = _callbacks(state_dir / "sandbox.sqlite3", store, clock) if callbacks else None
    assets = Assets(state_dir / "assets")
    clips = Clips(state_dir / "clips", assets)
    context = SandboxContext(store, assets, clips, clock, seconds, retention_seconds, public_url, calls)
    routes = [route for stand_in in stand_ins() for route in stand_in.routes(context)]
    return _Sandbox(
        routes=[*routes, asset_route(assets), clip_route(clips, store, clock)],
        exception_handlers={HTTPException: _refused_by_router},
        lifespan=_lifespan(calls),
    )


def _callbacks(path: Path, store: Store, clock: Callable[[], float]) -> Callbacks:
    """What calls webhooks, for every stand-in that has a `callback`."""
    envelopes = {module.GATEWAY: module.callback for module in stand_ins() if hasattr(module, "callback")}
    return Callbacks(path, store, envelopes, clock)


def _lifespan(calls: Callbacks | None) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with quiet_cuts(app), calls.running() if calls else nullcontext():
            yield

    return lifespan


def stand_ins() -> Iterator[ModuleType]:
    """The modules of this package that stand in for a gateway: those that have `routes`."""
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        if hasattr(module, "routes"):
            yield module


class _Sandbox(Starlette):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[MARKER_HEADER] = "1"
            await send(message)

        # Around everything, not as a middleware: Starlette's own 500 is made outside of the middlewares.
        await super().__call__(scope, receive, send_marked)


async def _refused_by_router(_: Request, refusal: Exception) -> Response:
    status = refusal.status_code if isinstance(refusal, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = refusal.headers if isinstance(refusal, HTTPException) else None
    return JSONResponse({"error": HTTPStatus(status).phrase}, status, headers=headers)
