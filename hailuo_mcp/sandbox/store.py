"""The sandbox's jobs, in one SQLite file that several processes may use at once."""

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hailuo_mcp.sandbox.jobs import Failure, Fault, Job, Shot

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    gateway TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    submitted_at REAL NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (gateway, remote_id)
);
CREATE INDEX IF NOT EXISTS jobs_by_owner ON jobs (gateway, owner, submitted_at);
"""

Statement = tuple[str, tuple[object, ...]]


class Store:
    """Blocking: call it from a worker thread. A job is written once, and changed only by a cancellation.

    Every call opens its own connection, so threads and processes need no separate handling; SQLite's lock serializes
    them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self.connect()) as connection:
            connection.executescript(_SCHEMA)

    def add(self, job: Job, *also: Statement) -> None:
        """Write a job, and run the statements in `also` in the same transaction."""
        row = (job.id, job.gateway, job.remote_id, job.owner, job.submitted_at, json.dumps(asdict(job)))
        self.write(("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?)", row), *also)

    def cancel(self, job: Job) -> None:
        cancelled = json.dumps(asdict(replace(job, cancelled=True)))
        self.write(("UPDATE jobs SET record = ? WHERE id = ?", (cancelled, job.id)))

    def delete(self, job: Job) -> None:
        self.write(("DELETE FROM jobs WHERE id = ?", (job.id,)))

    def write(self, *statements: Statement) -> None:
        """Run these in one transaction."""
        with closing(self.connect()) as connection, connection:
            for sql, values in statements:
                connection.execute(sql, values)

    def get(self, job_id: str) -> Job | None:
        """The job with this internal id, of any owner."""
        return self._one("SELECT record FROM jobs WHERE id = ?", job_id)

    def find(self, gateway: str, remote_id: str, owner: str) -> Job | None:
        """The job that `owner` submitted at `gateway`; the jobs of other owners are not found."""
        where = "SELECT record FROM jobs WHERE gateway = ? AND remote_id = ? AND owner = ?"
        return self._one(where, gateway, remote_id, owner)

    def of(self, gateway: str, owner: str) -> list[Job]:
        """All of an owner's jobs at one gateway, oldest first."""
        where = "SELECT record FROM jobs WHERE gateway = ? AND owner = ? ORDER BY submitted_at, id"
        return self._all(where, gateway, owner)

    def _one(self, sql: str, *values: str) -> Job | None:
        return next(iter(self._all(sql, *values)), None)

    def _all(self, sql: str, *values: str) -> list[Job]:
        with closing(self.connect()) as connection:
            return [_job(json.loads(record)) for (record,) in connection.execute(sql, values)]

    def connect(self) -> sqlite3.Connection:
        """A new connection to the file; the caller closes it."""
        connection = sqlite3.connect(self._path, timeout=30)
        connection.execute("PRAGMA synchronous = OFF")  # only a power failure could lose a job, and none is real
        return connection


def _job(record: dict[str, Any]) -> Job:
    failure = record.pop("failure")
    shot = Shot(**record.pop("shot"))
    return Job(**record, shot=shot, failure=Failure(Fault(failure["fault"]), failure["message"]) if failure else None)
