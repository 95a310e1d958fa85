"""Callbacks: when a job with a webhook has ended, the webhook is called.

These are the only requests that the sandbox sends. They go to this machine only, and only when the sandbox serves a
port. Pending callbacks are stored with the jobs, so that a restart loses none.
"""

import ipaddress
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
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
"""What a gateway POSTs for an ended job; the first argument is the base URL of the links in it."""
Signer = Callable[[Job, bytes, float], Mapping[str, str]]
"""The headers with a gateway's signature of such a body, at this Unix time."""

ANSWER_SECONDS = 30.0
"""A receiver has this long to return 200 [APIXO]."""
RETRY_AFTER_SECONDS = (1.0, 4.0, 16.0)
"""Up to three retries are documented [APIXO], without their times."""
CHALLENGE_SECONDS = 3.0
"""A receiver has this long to echo a challenge [MiniMax]."""
CHECK_SECONDS = 1.0
"""How often the file is checked: other processes that share it may have taken a job."""
BATCH_SIZE = 8

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
    """The webhook to call when a job has ended. `base`: the base URL of the links in the call."""

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


async def echoes_challenge(url: str, timeout_seconds: float = CHALLENGE_SECONDS) -> bool:
    """Whether the receiver passes the check that some gateways make at the submission: they POST `{"challenge": …}`
    and expect the same object back in time. An address on another machine is not challenged, and passes.
    """
    import httpx  # start-up time: the in-process sandbox needs no client

    if not is_this_machine(url):
        log.warning("no challenge is sent to %s: the sandbox calls this machine only", urlsplit(url).hostname)
        return True
    challenge = {"challenge": uuid4().hex}
    try:
        with anyio.fail_after(timeout_seconds):
            async with _client() as client:
                response = await client.post(url, json=challenge)
        echoed = cast("object", response.json())
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TimeoutError):
        return False
    return (
        response.is_success
        and isinstance(echoed, dict)
        and cast("dict[str, object]", echoed).get("challenge") == challenge["challenge"]
    )


class Callbacks:
    """The callbacks of all jobs: stored at submission, delivered within `running`.

    `envelopes`: gateway to what it POSTs; `signers`: how it signs that, if it does. Each callback is sent again after
    the delays in `retry_after` until the response is 200; a process that dies while sending one has used up
    that attempt.
    """

    def __init__(
        self,
        store: Store,
        envelopes: Mapping[str, Envelope],
        clock: Callable[[], float],
        retry_after: Sequence[float] = RETRY_AFTER_SECONDS,
        signers: Mapping[str, Signer] | None = None,
    ) -> None:
        self._store = store
        self._envelopes = envelopes
        self._signers = signers or {}
        self._clock = clock
        self._retry_after = retry_after
        self._added = anyio.Event()
        with closing(store.connect()) as connection:
            connection.executescript(_SCHEMA)

    def statements(self, job: Job, callback: Callback) -> tuple[Statement, ...]:
        """The SQL that stores the callback; empty if there will be none, because the webhook is on another machine, or
        the job never ends or is forgotten at its end."""
        if not is_this_machine(callback.url):
            log.warning("%s will not be called: the sandbox calls this machine only", urlsplit(callback.url).hostname)
            return ()
        if not job.ends or job.forgotten:
            return ()
        insert = "INSERT INTO callbacks (job_id, url, base, due_at) VALUES (?, ?, ?, ?)"
        return ((insert, (job.id, callback.url, callback.base, job.ended_at)),)

    def wake(self) -> None:
        """Call this when a callback was stored."""
        self._added.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Within the block, deliver due callbacks, including those left by an earlier process."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run)
            yield
            tasks.cancel_scope.cancel()

    async def _run(self) -> None:
        async with _client() as client, anyio.create_task_group() as calls:
            while True:
                self._added = anyio.Event()
                due, pause = await to_thread.run_sync(self._take)
                for one in due:
                    calls.start_soon(self._call, client, one)
                if not due:
                    with anyio.move_on_after(pause):
                        await self._added.wait()

    async def _call(self, client: "httpx.AsyncClient", due: _Due) -> None:
        job = await to_thread.run_sync(self._store.get, due.job_id)
        again_at: float | None = None
        if job and job.gateway in self._envelopes:  # else stored by a version that knew another gateway
            outcome = await self._post(client, due, job)
            if outcome != "200":
                attempts_left = len(self._retry_after) - due.attempts
                log.warning("callback of %s: %s; %d attempts left", job.remote_id, outcome, attempts_left)
                if attempts_left:
                    again_at = self._clock() + self._retry_after[due.attempts]
        statement = ("UPDATE callbacks SET due_at = ? WHERE job_id = ?", (again_at, due.job_id))
        await to_thread.run_sync(self._store.write, statement)
        if again_at is not None:
            self.wake()

    async def _post(self, client: "httpx.AsyncClient", due: _Due, job: Job) -> str:
        """The status of the response, or the kind of error."""
        import httpx  # as above

        content = json.dumps(self._envelopes[job.gateway](due.base, job)).encode()
        signer = self._signers.get(job.gateway)
        headers = {"content-type": "application/json", **(signer(job, content, self._clock()) if signer else {})}
        try:
            response = await client.post(due.url, content=content, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__
        return str(response.status_code)

    def _take(self) -> tuple[list[_Due], float]:
        """The due callbacks, claimed for this process, and how long to pause if there are none."""
        now = self._clock()
        with closing(self._store.connect()) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = connection.execute(
                "SELECT job_id, url, base, attempts FROM callbacks WHERE due_at <= ? ORDER BY due_at LIMIT ?",
                (now, BATCH_SIZE),
            ).fetchall()
            due = [_Due(*row) for row in rows]
            for one in due:
                # Counted before it is made; if this process dies, the next attempt follows after the timeout.
                last = one.attempts == len(self._retry_after)
                connection.execute(
                    "UPDATE callbacks SET attempts = attempts + 1, due_at = ? WHERE job_id = ?",
                    (None if last else now + ANSWER_SECONDS + self._retry_after[one.attempts], one.job_id),
                )
            (next_at,) = connection.execute("SELECT min(due_at) FROM callbacks").fetchone()
        pause = CHECK_SECONDS if next_at is None else min(max(next_at - now, 0.0), CHECK_SECONDS)
        return due, pause


def _client() -> "httpx.AsyncClient":
    import httpx  # as above

    # A local webhook on https has a self-signed certificate, and the other end is this machine. A proxy from the
    # environment would lead away from it, and so would a redirect.
    return httpx.AsyncClient(timeout=ANSWER_SECONDS, verify=False, trust_env=False, follow_redirects=False)  # noqa: S501
