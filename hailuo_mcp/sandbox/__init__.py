"""A stand-in for every gateway, for tests, trial runs and the demo without a key.

One ASGI application that speaks the gateways' wire contracts, written from their documents. It imports nothing from the
rest of the package, so that a document is not misread twice in the same way. When it serves a port, it calls the
webhooks of its jobs, on this machine only; apart from that it sends no requests.
"""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from hailuo_mcp.sandbox import aimlapi, apixo, fal, minimax, minimax_h3, replicate, segmind, segmind_history
from hailuo_mcp.sandbox.assets import Assets, asset_route
from hailuo_mcp.sandbox.callbacks import RETRY_AFTER_SECONDS, Callbacks
from hailuo_mcp.sandbox.clips import Clips, clip_route
from hailuo_mcp.sandbox.context import SandboxContext
from hailuo_mcp.sandbox.faults import FAULTS, ConnectionCut, Refusal, cut_log_filter
from hailuo_mcp.sandbox.store import Store

__all__ = ["FAULTS", "KEEP_ALIVE_SECONDS", "MARKER_HEADER", "ConnectionCut", "create_app"]

MARKER_HEADER = "x-hailuo-sandbox"
"""Every response of the sandbox has this header with the value `1`, whatever its status."""

KEEP_ALIVE_SECONDS = 60
"""How long a server keeps idle connections: longer than clients do, because a request that meets a connection just
being closed is lost."""

STAND_INS = (aimlapi, apixo, fal, minimax, minimax_h3, replicate, segmind, segmind_history)
_CALLBACKS = {
    apixo.GATEWAY: apixo.callback,
    fal.GATEWAY: fal.callback,
    minimax.GATEWAY: minimax.callback,
    minimax_h3.GATEWAY: minimax_h3.callback,
    replicate.GATEWAY: replicate.callback,
}
_SIGNERS = {fal.GATEWAY: fal.sign, replicate.GATEWAY: replicate.sign}


def create_app(
    state_dir: Path,
    *,
    seconds: float = 6.0,
    public_url: str | None = None,
    retention_seconds: float = 3600,
    clock: Callable[[], float] = time.time,
    render: bool = True,
    callbacks: bool = False,
    callback_retry_after: Sequence[float] = RETRY_AFTER_SECONDS,
) -> Starlette:
    """The sandbox, with its jobs, uploads and clips in `state_dir`, which several processes may share.

    `seconds`: how long a job takes; 0 means that it is completed at once.
    `public_url`: the base of the links in responses; None takes the base URL of each request.
    `retention_seconds`: how long Segmind keeps a result, counted from its submission.
    `clock`: the current Unix time.
    `render`: whether clips are rendered, which takes seconds. Otherwise, and without PyAV, a bundled one is served.
    `callbacks`: whether ended jobs call their webhooks. It needs a server that runs the application's lifespan.
    `callback_retry_after`: the delays in seconds before a failed callback is sent again.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    store = Store(state_dir / "sandbox.sqlite3")
    deliveries = Callbacks(store, _CALLBACKS, clock, callback_retry_after, _SIGNERS) if callbacks else None
    assets = Assets(state_dir / "assets")
    clips = Clips(state_dir / "clips", assets, render=render)
    context = SandboxContext(store, assets, clips, clock, seconds, retention_seconds, public_url, deliveries)
    routes = [route for stand_in in STAND_INS for route in stand_in.routes(context)]
    return _Sandbox(
        routes=[*routes, asset_route(assets), clip_route(clips, store, clock)],
        exception_handlers={HTTPException: _error_response, Refusal: _error_response},
        lifespan=_lifespan(deliveries),
    )


def _lifespan(deliveries: Callbacks | None) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        with cut_log_filter():
            async with deliveries.running() if deliveries else nullcontext():
                yield

    return lifespan


class _Sandbox(Starlette):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[MARKER_HEADER] = "1"
            await send(message)

        # A wrapper, not a middleware: Starlette creates its own 500 outside of the middlewares.
        await super().__call__(scope, receive, send_marked)


async def _error_response(_: Request, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return error.response
    if isinstance(error, HTTPException):
        return JSONResponse({"error": HTTPStatus(error.status_code).phrase}, error.status_code, headers=error.headers)
    raise error
