"""Concurrent calls for the same work, run once."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from hailuo_mcp.core.errors import InternalError

T = TypeVar("T")


class InFlightCall(Generic[T]):
    """One piece of work that several callers wait for."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.result: T | None = None
        self.error: Exception | None = None


class SingleFlight(Generic[T]):
    """Runs concurrent work with the same id once. Cancelling one caller does not affect the others. With `shield`, work
    that has started runs to its end even if `tasks` are cancelled."""

    def __init__(self, tasks: TaskGroup, *, shield: bool = False) -> None:
        self._tasks = tasks
        self._shield = shield
        self._calls: dict[str, InFlightCall[T]] = {}

    async def run(self, work_id: str, work: Callable[[], Awaitable[T]]) -> T:
        call = self._calls.get(work_id)
        if call is None:
            call = self._calls[work_id] = InFlightCall[T]()
            self._tasks.start_soon(self._run, work_id, call, work)
        await call.done.wait()
        if call.error:
            raise call.error
        if call.result is None:
            raise InternalError("The server is shutting down.", "Call again once it is back.")
        return call.result

    async def _run(self, work_id: str, call: InFlightCall[T], work: Callable[[], Awaitable[T]]) -> None:
        try:
            with anyio.CancelScope(shield=self._shield):
                call.result = await work()
        except Exception as error:  # raised where the result is awaited
            call.error = error
        finally:
            del self._calls[work_id]
            call.done.set()
