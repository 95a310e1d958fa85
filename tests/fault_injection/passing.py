"""Makes time pass for a ledger without waiting."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import asyncpg

from hailuo_mcp.core.job import Job


def let_pass(ledger: Path, time: timedelta) -> None:
    """Make everything in the ledger look as if it had been written that much earlier."""
    with closing(sqlite3.connect(ledger, timeout=30)) as db, db:
        for (document,) in db.execute("SELECT document FROM jobs").fetchall():
            job = _earlier(Job.model_validate_json(document), time)
            db.execute(
                "UPDATE jobs SET created_at = ?, document = ? WHERE key = ?",
                (job.created_at.timestamp(), job.model_dump_json(), job.id),
            )
        db.execute("UPDATE watches SET due_at = due_at - ?", (time.total_seconds(),))
        db.execute("UPDATE uploads SET uploaded_at = uploaded_at - ?", (time.total_seconds(),))


async def let_pass_in_postgres(url: str, time: timedelta) -> None:
    """The same, for a ledger in PostgreSQL."""
    db = await asyncpg.connect(url)
    async with db.transaction():
        for row in await db.fetch("SELECT document FROM hailuo_jobs FOR UPDATE"):
            job = _earlier(Job.model_validate_json(row["document"]), time)
            query = "UPDATE hailuo_jobs SET created_at = $1, document = $2 WHERE key = $3"
            await db.execute(query, job.created_at, job.model_dump_json(), job.id)
        await db.execute("UPDATE hailuo_watches SET due_at = due_at - $1::interval", time)
        await db.execute("UPDATE hailuo_uploads SET uploaded_at = uploaded_at - $1::interval", time)
    await db.close()


def _earlier(job: Job, time: timedelta) -> Job:
    moments = {
        name: moment - time
        for name in ("created_at", "polled_at", "lost_at", "expires_at", "ended_at")
        if (moment := getattr(job, name))
    }
    return job.model_copy(update=moments)
