"""Imports what the first calls need but the list of tools does not, in the background, so that no call waits for it."""

import gc
import logging

import anyio
import anyio.to_thread

from hailuo_mcp.gateways.client import configure_retries
from hailuo_mcp.gateways.exchange import prepare_requests
from hailuo_mcp.telemetry import metrics

log = logging.getLogger(__name__)

HEAD_START_SECONDS = 0.05
"""Long enough for the preceding response to be written."""


async def warm_up(after: anyio.Event | None = None) -> None:
    """Import in a thread, soon after the event. If cancelled, it lets the thread finish on its own."""
    if after:
        await after.wait()
    await anyio.sleep(HEAD_START_SECONDS)
    try:
        await anyio.to_thread.run_sync(_import, abandon_on_cancel=True)
    except Exception as error:  # the first request fails in the same way and reports it to its caller
        log.info("not prepared for the first request: %s", type(error).__name__)


def _import() -> None:
    prepare_requests()
    configure_retries()  # imports stamina
    metrics()
    gc.freeze()  # modules stay: a full collection takes 70 ms if it looks at them
