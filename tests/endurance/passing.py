"""Time passing for a ledger, without waiting for it."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from hailuo_mcp.jobs import Job


def let_pass(ledger: Path, time: timedelta) -> None:
    """As if everything in the ledger had been written so much earlier."""
    with closing(sqlite3.connect(ledger, timeout=30)) as db, db:
        for (document,) in db.execute("SELECT document FROM jobs").fetchall():
            job = Job.model_validate_json(document)
            moments = {
                name: moment - time
                for name in ("created_at", "polled_at", "lost_at", "expires_at", "ended_at")
                if (moment := getattr(job, name))
            }
            job = job.model_copy(update=moments)
            db.execute(
                "UPDATE jobs SET created_at = ?, document = ? WHERE key = ?",
                (job.created_at.timestamp(), job.model_dump_json(), job.key),
            )
        db.execute("UPDATE watches SET due_at = due_at - ?", (time.total_seconds(),))
        db.execute("UPDATE uploads SET uploaded_at = uploaded_at - ?", (time.total_seconds(),))
