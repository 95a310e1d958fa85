"""`subscriptions/listen`: updates of jobs for clients that keep a stream open (2026-07-28).

A job is the resource `hailuo://jobs/<request id>`, with the id as it is or percent-encoded. Its subscribers get an
update when its state, link or file changes; the job is polled as long as it has subscribers. `hailuo://jobs` changes
whenever a job does.
"""

import logging
from typing import Any
from urllib.parse import quote, unquote

import anyio
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, SubscriptionsListenRequestParams, SubscriptionsListenResult

from hailuo_mcp.core.errors import GatewayTrouble, HailuoError
from hailuo_mcp.core.job import UNCONFIRMED_PREFIX, Job, utc_now
from hailuo_mcp.mcp import tasks
from hailuo_mcp.mcp.errors import SessionFor, log_failure
from hailuo_mcp.mcp.resources import JOBS
from hailuo_mcp.service.long_poll import WAIT_SECONDS_MAX
from hailuo_mcp.service.session import Session

log = logging.getLogger(__name__)

POLLED_MAX = 20
"""At most this many jobs are polled for one stream. Updates of others are sent when something else polls them."""


class _Channel:
    """The streams of one tenant; no other tenant sees what is published here."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self.streams = ListenHandler(self.bus)
        self.open = 0


class Subscriptions:
    """Serves `subscriptions/listen`, for all connections of a server."""

    def __init__(self, session: Session, session_for: SessionFor) -> None:
        self._session_for = session_for
        self._on_change = session.on_change
        self._channels: dict[str, _Channel] = {}

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        if (params.notifications.model_extra or {}).get("taskIds"):
            tasks.require(ctx)  # updates of tasks are not pushed, and the acknowledgement leaves them out
        uris = params.notifications.resource_subscriptions or []
        session = self._session_for(ctx)
        request_ids = {unquote(uri.removeprefix(f"{JOBS}/")) for uri in uris if uri.startswith(f"{JOBS}/")}
        outcome: SubscriptionsListenResult | MCPError | None = None
        if not self._channels:
            self._on_change.append(self._publish)
        channel = self._channels.setdefault(session.tenant, _Channel())
        channel.open += 1
        try:
            async with anyio.create_task_group() as polling:
                for request_id in sorted(request_ids)[:POLLED_MAX]:
                    polling.start_soon(_poll, session, request_id)
                try:
                    outcome = await channel.streams(ctx, params)
                except MCPError as error:  # raised outside of the group, which would wrap it
                    outcome = error
                polling.cancel_scope.cancel()
        finally:
            channel.open -= 1
            if not channel.open:
                self._channels.pop(session.tenant, None)
            if not self._channels:
                self._on_change.remove(self._publish)
        if not isinstance(outcome, SubscriptionsListenResult):
            raise outcome or MCPError(INTERNAL_ERROR, "The stream has ended")
        return outcome

    def close(self) -> None:
        """End all streams in an orderly way."""
        for channel in self._channels.values():
            channel.streams.close()

    async def _publish(self, job: Job) -> None:
        channel = self._channels.get(job.tenant)
        if channel is None:
            return
        uris = {JOBS}
        for request_id in (job.request_id, f"{job.model}/{UNCONFIRMED_PREFIX}{job.key}"):
            uris |= {f"{JOBS}/{request_id}", f"{JOBS}/{quote(request_id, safe='')}"}
        for uri in uris:
            await channel.bus.publish(ResourceUpdated(uri))


async def _poll(session: Session, request_id: str) -> None:
    """Poll until the job's state can no longer change. The session publishes what changes."""
    while True:
        pause = float(WAIT_SECONDS_MAX)
        try:
            job = await session.status(request_id, WAIT_SECONDS_MAX)
            if not session.may_move(job):
                return
            pause = job.patience_seconds(utc_now())
        except GatewayTrouble as error:
            log.info("%s, which has subscribers, could not be polled: %s", request_id, error.problem.code)
        except HailuoError:
            return
        except Exception as error:
            log_failure("polling for a subscription", error)
            return
        await anyio.sleep(pause)
