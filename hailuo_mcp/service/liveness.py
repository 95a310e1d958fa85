"""A submission in flight: its process renews a sign of life in the ledger, and others wait for the outcome."""

from contextlib import suppress

import anyio

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import Job, State, utc_now
from hailuo_mcp.gateways.client import SUBMIT_SECONDS
from hailuo_mcp.ledger import Ledger

HEARTBEAT_SECONDS = 1.0
"""How often a process that waits for a gateway's response renews its sign of life in the ledger, ..."""
DEAD_SECONDS = 4.0
"""... and after how long without one it counts as dead."""
CHECK_INTERVAL_SECONDS = 0.5


def is_being_sent(job: Job) -> bool:
    """Whether the submission may still be in flight: it has no response yet and is recent. A time further in the future
    than clocks differ means that the clock was set back."""
    age = (utc_now() - job.created_at).total_seconds()
    return job.state is State.UNCONFIRMED and job.lost_at is None and abs(age) < SUBMIT_SECONDS


async def send_heartbeats(ledger: Ledger, job_id: str) -> None:
    """Renew the sign of life until cancelled or the ledger cannot be written: what must then be kept must not wait for
    this."""
    with suppress(HailuoError):
        while True:
            await anyio.sleep(HEARTBEAT_SECONDS)
            await ledger.change(job_id, lambda job: job.still_sending())


async def outcome_of(ledger: Ledger, earlier: Job, deadline: float) -> Job:
    """Wait for the outcome of an identical job that is being submitted, perhaps by another process, as long as that
    process is alive."""
    changed = anyio.current_time()
    while is_being_sent(earlier) and anyio.current_time() < deadline:
        await anyio.sleep(CHECK_INTERVAL_SECONDS)
        before, earlier = earlier, await ledger.get(earlier.id) or earlier
        if earlier.updated_at != before.updated_at:
            changed = anyio.current_time()
        elif anyio.current_time() - changed >= DEAD_SECONDS:
            return earlier.warned("The process that submitted this job is gone, and the gateway's answer with it.")
    return earlier
