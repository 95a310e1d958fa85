"""Changes of jobs, passed on to everyone who subscribed."""

import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

from anyio.abc import TaskGroup

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.job import Job
from hailuo_mcp.ledger import Ledger

log = logging.getLogger(__name__)

Listener = Callable[[Job], Awaitable[None]]
"""Gets every new and changed job. It must be quick and must not raise."""


class JobChanges:
    """Listens to the ledger, which reports writes by this process and, on PostgreSQL, by other servers."""

    def __init__(self, ledger: Ledger, tasks: TaskGroup) -> None:
        self._ledger = ledger
        self._tasks = tasks
        self._listeners: list[Listener] = []
        ledger.on_change.append(self._on_change)

    @contextmanager
    def subscribed(self, listener: Listener) -> Generator[None]:
        """Within the block, the listener gets every change."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def _on_change(self, job_id: str) -> None:
        if job_id and self._listeners:
            self._tasks.start_soon(self._notify, job_id)

    async def _notify(self, job_id: str) -> None:
        try:
            job = await self._ledger.get(job_id)
        except HailuoError as error:
            log.info("a changed job could not be read: %s", error.problem.code)
            return
        if job is None:
            return
        for listener in list(self._listeners):
            await listener(job)
