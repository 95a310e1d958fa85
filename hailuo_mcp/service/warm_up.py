"""What the first calls need and the list of tools does not: imported beside the calls, so that none waits for it."""

import gc
import logging

import anyio
import anyio.to_thread

from hailuo_mcp.gateways.client import configure_retries
from hailuo_mcp.gateways.exchange import prepare_requests
from hailuo_mcp.telemetry import metrics

log = logging.getLogger(__name__)

HEAD_START_SECONDS = 0.05
"""Enough to write the response after which this begins."""


async def warm_up(after: anyio.Event | None = None) -> None:
    """Import in a thread, soon after the event. Cancelled, it leaves the thread to end by itself."""
    if after:
        await after.wait()
    await anyio.sleep(HEAD_START_SECONDS)
    try:
        await anyio.to_thread.run_sync(_import, abandon_on_cancel=True)
    except Exception as error:  # the first request meets it again, and says so to its caller
        log.info("not prepared for the first request: %s", type(error).__name__)


def _import() -> None:
    prepare_requests()
    configure_retries()  # imports stamina
    metrics()
    gc.freeze()  # modules stay: a full collection takes 70 ms if it looks at them
