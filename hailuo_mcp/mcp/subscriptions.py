"""`subscriptions/listen`: news of jobs for clients that keep a stream open (2026-07-28).

A job is the resource `hailuo://jobs/<request id>`, its id as it is or percent-encoded. Whoever subscribes to one is
told when its state, its link or its file changes; the job is followed for as long as somebody listens. `hailuo://jobs`
changes with each of them.
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

FOLLOWED_MAX = 20
"""So many jobs are followed for one stream; news of more are passed on as they come."""


class _Channel:
    """The streams of one tenant: what is put here reaches nobody else."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self.streams = ListenHandler(self.bus)
        self.open = 0


class Listening:
    """Serves `subscriptions/listen` over a studio. One for all connections of a server."""

    def __init__(self, session: Session, session_for: SessionFor) -> None:
        self._session_for = session_for
        self._on_change = session.on_change
        self._channels: dict[str, _Channel] = {}

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        if (params.notifications.model_extra or {}).get("taskIds"):
            tasks.require(ctx)  # news of tasks are not pushed, and the acknowledgement leaves them out
        uris = params.notifications.resource_subscriptions or []
        session = self._session_for(ctx)
        wanted = {unquote(uri.removeprefix(f"{JOBS}/")) for uri in uris if uri.startswith(f"{JOBS}/")}
        ended: SubscriptionsListenResult | MCPError | None = None
        if not self._channels:
            self._on_change.append(self._publish)
        channel = self._channels.setdefault(session.tenant, _Channel())
        channel.open += 1
        try:
            async with anyio.create_task_group() as beside:
                for request_id in sorted(wanted)[:FOLLOWED_MAX]:
                    beside.start_soon(_follow, session, request_id)
                try:
                    ended = await channel.streams(ctx, params)
                except MCPError as error:  # raised outside of the group, which would wrap it
                    ended = error
                beside.cancel_scope.cancel()
        finally:
            channel.open -= 1
            if not channel.open:
                self._channels.pop(session.tenant, None)
            if not self._channels:
                self._on_change.remove(self._publish)
        if not isinstance(ended, SubscriptionsListenResult):
            raise ended or MCPError(INTERNAL_ERROR, "The stream has ended")
        return ended

    def close(self) -> None:
        """End all streams in the way that tells clients it was meant."""
        for channel in self._channels.values():
            channel.streams.close()

    async def _publish(self, job: Job) -> None:
        channel = self._channels.get(job.tenant)
        if channel is None:
            return
        uris = {JOBS}
        for request_id in (job.request_id, f"{job.model}/{UNCONFIRMED_PREFIX}{job.id}"):
            uris |= {f"{JOBS}/{request_id}", f"{JOBS}/{quote(request_id, safe='')}"}
        for uri in uris:
            await channel.bus.publish(ResourceUpdated(uri))


async def _follow(session: Session, request_id: str) -> None:
    """Ask until the job has ended; what is learned is published on the way."""
    while True:
        pause = float(WAIT_SECONDS_MAX)
        try:
            job = await session.status(request_id, WAIT_SECONDS_MAX)
            if not session.may_move(job):
                return
            pause = job.patience_seconds(utc_now())
        except GatewayTrouble as error:
            log.info("%s, which somebody listens to, could not be asked for: %s", request_id, error.problem.code)
        except HailuoError:
            return
        except Exception as error:
            log_failure("following a job", error)
            return
        await anyio.sleep(pause)
