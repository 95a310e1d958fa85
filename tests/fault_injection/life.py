"""A session that can crash."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hailuo_mcp.service.session import Session
from tests.support import open_session, settings_for

T = TypeVar("T")


class Life:
    """A session in its own event loop, which crashes when the loop is no longer run."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self._loop = asyncio.new_event_loop()
        self._opened, self._closing = asyncio.Event(), asyncio.Event()
        self._abandoned: asyncio.Task[object] | None = None
        database = f"sqlite:///{home / 'jobs.sqlite3'}"
        self._settings = settings_for(home, **environment, HAILUO_MCP_DATABASE_URL=database)
        self._session: Session | None = None
        self._task = self._loop.create_task(self._keep_open())
        self.run(self._opened.wait())

    async def _keep_open(self) -> None:
        async with open_session(self._settings) as self._session:
            self._opened.set()
            await self._closing.wait()

    @property
    def session(self) -> Session:
        assert self._session
        return self._session

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def leave_behind(self, work: Coroutine[Any, Any, object], until: Callable[[], bool]) -> None:
        """Start some work, and abandon it once `until()` is true."""
        self._abandoned = self._loop.create_task(work)

        async def watch() -> None:
            while not until():  # noqa: ASYNC110  another thread does it
                await asyncio.sleep(0.001)

        self.run(watch())

    def close(self) -> None:
        async def end() -> None:
            if self._abandoned:  # abandoned work would open the ledger again
                await asyncio.gather(self._abandoned, return_exceptions=True)
            self._closing.set()
            await self._task
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others, return_exceptions=True)

        self.run(end())
        self._loop.close()
