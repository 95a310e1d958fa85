"""Callbacks: a job that was submitted with the address of a webhook tells it when it has ended.

The only requests that the sandbox makes of its own, hence the two fences: it calls this machine alone, for a rehearsal
never reaches out; and only where it runs on a port, where somebody may be listening. What is still to be delivered is
kept beside the jobs, so that a restart loses no callback.
"""

from __future__ import annotations

import ipaddress
import logging
import sqlite3
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit
from uuid import uuid4

import anyio
from anyio import to_thread

from hailuo_mcp.sandbox.jobs import Job
from hailuo_mcp.sandbox.store import Statement, Store

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

Envelope = Callable[[str, Job], Mapping[str, object]]
"""What a gateway POSTs for an ended job; the first argument is the base of the links in it."""

ANSWER_SECONDS = 30.0
"""A receiver has this long to answer 200 [APIXO]."""
RETRY_AFTER_SECONDS = (1.0, 4.0, 16.0)
"""Up to three retries are documented [APIXO]; when, nobody says."""
CHALLENGE_SECONDS = 3.0
"""A receiver has this long to echo a challenge [MiniMax]."""
LOOK_EVERY_SECONDS = 1.0
"""Other processes on the same state may have taken a job meanwhile."""
AT_ONCE = 8

_SCHEMA = """
CREATE TABLE IF NOT EXISTS callbacks (
    job_id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    base TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at REAL
);
CREATE INDEX IF NOT EXISTS callbacks_by_time ON callbacks (due_at);
"""


@dataclass(frozen=True, slots=True)
class Callback:
    """Whom a job calls when it has ended. `base`: what the links in the call begin with."""

    url: str
    base: str


@dataclass(frozen=True, slots=True)
class _Due:
    job_id: str
    url: str
    base: str
    attempts: int


def is_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def echoes_challenge(url: str) -> bool:
    """Whether the receiver passes the check that some gateways make at the submission: they POST `{"challenge": …}`
    and want the same object back in time. An address that is not of this machine is never asked, and passes.
    """
    import httpx  # the sandbox in process needs no client, and starts without

    if not is_this_machine(url):
        log.warning("no challenge is sent to %s: the sandbox calls this machine alone", urlsplit(url).hostname)
        return True
    challenge = {"challenge": uuid4().hex}
    try:
        with anyio.fail_after(CHALLENGE_SECONDS):
            async with _client() as client:
                answer = await client.post(url, json=challenge)
        echoed = cast("object", answer.json())
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TimeoutError):
        return False
    return (
        answer.is_success
        and isinstance(echoed, dict)
        and cast("dict[str, object]", echoed).get("challenge") == challenge["challenge"]
    )


class Callbacks:
    """The callbacks of all jobs: noted at the submission, delivered by `run`.

    `envelopes`: gateway to what it POSTs. Each callback is sent once, and again as documented until it is answered
    with 200; a process that dies over one has used up that attempt.
    """

    def __init__(self, path: Path, store: Store, envelopes: Mapping[str, Envelope], clock: Callable[[], float]) -> None:
        self._path = path
        self._store = store
        self._envelopes = envelopes
        self._clock = clock
        self._noted = anyio.Event()
        with closing(self._connect()) as connection:
            connection.executescript(_SCHEMA)

    def note(self, job: Job, callback: Callback) -> tuple[Statement, ...]:
        """The statement that notes the call, none where there will be no call: to a machine that is not this one, or of
        a job that never ends or is forgotten at its end."""
        if not is_this_machine(callback.url):
            log.warning("%s will not be called: the sandbox calls this machine alone", urlsplit(callback.url).hostname)
            return ()
        if not job.ends or job.forgotten:
            return ()
        insert = "INSERT INTO callbacks (job_id, url, base, due_at) VALUES (?, ?, ?, ?)"
        return ((insert, (job.id, callback.url, callback.base, job.ended_at)),)

    def wake(self) -> None:
        """Something was noted that may be due soon."""
        self._noted.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Deliver what is due, also what a process before this one left, until the block ends."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run)
            yield
            tasks.cancel_scope.cancel()

    async def _run(self) -> None:
        async with _client() as client, anyio.create_task_group() as calls:
            while True:
                self._noted = anyio.Event()
                due, pause = await to_thread.run_sync(self._take)
                for one in due:
                    calls.start_soon(self._call, client, one)
                if not due:
                    with anyio.move_on_after(pause):
                        await self._noted.wait()

    async def _call(self, client: httpx.AsyncClient, due: _Due) -> None:
        import httpx  # as above

        job = await to_thread.run_sync(self._store.get, due.job_id)
        envelope = self._envelopes.get(job.gateway) if job else None
        if job is None or envelope is None:  # noted by a version that knew its gateway
            await self._done(due)
            return
        try:
            answer = await client.post(due.url, json=envelope(due.base, job))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            outcome = type(error).__name__
        else:
            outcome = str(answer.status_code)
            if answer.status_code == 200:
                await self._done(due)
                return
        left = len(RETRY_AFTER_SECONDS) - due.attempts
        log.warning("callback of %s: %s; %d attempts left", job.remote_id, outcome, left)
        if not left:
            await self._done(due)
            return
        again = self._clock() + RETRY_AFTER_SECONDS[due.attempts]
        await to_thread.run_sync(self._write, "UPDATE callbacks SET due_at = ? WHERE job_id = ?", (again, due.job_id))
        self.wake()

    async def _done(self, due: _Due) -> None:
        await to_thread.run_sync(self._write, "UPDATE callbacks SET due_at = NULL WHERE job_id = ?", (due.job_id,))

    def _take(self) -> tuple[list[_Due], float]:
        """What is due now, taken so that no other process takes it too; and how long to pause if nothing is."""
        now = self._clock()
        with closing(self._connect()) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = connection.execute(
                "SELECT job_id, url, base, attempts FROM callbacks WHERE due_at <= ? ORDER BY due_at LIMIT ?",
                (now, AT_ONCE),
            ).fetchall()
            due = [_Due(*row) for row in rows]
            for one in due:
                # Counted before it is made; should this process die over it, the next attempt is due after its time.
                last = one.attempts == len(RETRY_AFTER_SECONDS)
                connection.execute(
                    "UPDATE callbacks SET attempts = attempts + 1, due_at = ? WHERE job_id = ?",
                    (None if last else now + ANSWER_SECONDS + RETRY_AFTER_SECONDS[one.attempts], one.job_id),
                )
            (next_at,) = connection.execute("SELECT min(due_at) FROM callbacks").fetchone()
        pause = LOOK_EVERY_SECONDS if next_at is None else min(max(next_at - now, 0.0), LOOK_EVERY_SECONDS)
        return due, pause

    def _write(self, sql: str, values: tuple[object, ...]) -> None:
        with closing(self._connect()) as connection, connection:
            connection.execute(sql, values)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30)


def _client() -> httpx.AsyncClient:
    import httpx  # as above

    # A rehearsed webhook on https has a certificate of its own making, and the other end is this machine. A proxy of
    # the environment would lead away from it, and so would a redirect.
    return httpx.AsyncClient(timeout=ANSWER_SECONDS, verify=False, trust_env=False, follow_redirects=False)  # noqa: S501
