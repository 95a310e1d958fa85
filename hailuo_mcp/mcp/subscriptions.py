"""`subscriptions/listen`: notifies clients of changed jobs over an open stream (2026-07-28).

A job is the resource `hailuo://jobs/<request id>`, with the id plain or percent-encoded. Its subscribers get an update
when its state, link or file changes; it is polled while the stream is open. `hailuo://jobs` changes with every job.
"""

import logging
import math
from urllib.parse import quote, unquote

from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp_types import SubscriptionsListenRequestParams, SubscriptionsListenResult

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import Job
from hailuo_mcp.core.request_id import UNCONFIRMED_PREFIX
from hailuo_mcp.mcp import tasks
from hailuo_mcp.mcp.errors import Context, SessionFor, log_failure
from hailuo_mcp.mcp.resources import JOBS
from hailuo_mcp.service.background import background_tasks
from hailuo_mcp.service.changes import JobChanges
from hailuo_mcp.service.session import Session

log = logging.getLogger(__name__)

FOLLOWED_MAX = 20
"""How many jobs are polled for one stream; for others, only changes noticed otherwise are passed on."""


class Subscriptions:
    """Serves `subscriptions/listen`. One for all connections of a server."""

    def __init__(self, changes: JobChanges, session_for: SessionFor) -> None:
        self._session_for = session_for
        self._changes = changes
        self._streams: set[ListenHandler] = set()

    async def __call__(self, ctx: Context, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        if (params.notifications.model_extra or {}).get("taskIds"):
            tasks.require(ctx)  # changes of tasks are not pushed; the acknowledgement omits them
        uris = params.notifications.resource_subscriptions or []
        session = self._session_for(ctx)
        request_ids = {unquote(uri.removeprefix(f"{JOBS}/")) for uri in uris if uri.startswith(f"{JOBS}/")}
        bus = InMemorySubscriptionBus()
        stream = ListenHandler(bus)

        async def publish(job: Job) -> None:
            if job.tenant == session.tenant:
                for uri in _uris_of(job):
                    await bus.publish(ResourceUpdated(uri))

        self._streams.add(stream)
        try:
            with self._changes.subscribed(publish):
                async with background_tasks() as background:
                    for request_id in sorted(request_ids)[:FOLLOWED_MAX]:
                        background.start_soon(_follow, session, request_id)
                    return await stream(ctx, params)
        finally:
            self._streams.discard(stream)

    def close(self) -> None:
        """End all streams gracefully."""
        for stream in self._streams:
            stream.close()


def _uris_of(job: Job) -> set[str]:
    """The resources that change with a job, also under the id that it had before the gateway's response."""
    uris = {JOBS}
    for request_id in (job.request_id, f"{job.model}/{UNCONFIRMED_PREFIX}{job.id}"):
        uris |= {f"{JOBS}/{request_id}", f"{JOBS}/{quote(request_id, safe='')}"}
    return uris


async def _follow(session: Session, request_id: str) -> None:
    """Poll until the job has ended; the ledger publishes its changes."""
    try:
        await session.follow(request_id, outage_seconds=math.inf)
    except HailuoError as error:
        log.info("%s is no longer followed for a subscriber: %s", request_id, error.problem.code)
    except Exception as error:
        log_failure("following a job", error)
