"""A connection to the SQLite ledger's file: its setup and its transactions."""

import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager

from hailuo_mcp.ledger.engine import newer_schema
from hailuo_mcp.ledger.sqlite_schema import MIGRATIONS, statements

BUSY_SECONDS = 10.0
"""How long a connection waits for other processes."""


@contextmanager
def transaction_on(db: sqlite3.Connection, kind: str) -> Generator[sqlite3.Connection]:
    db.execute(f"BEGIN {kind}")
    try:
        yield db
    except BaseException:
        db.rollback()
        raise
    db.commit()


def prepare(db: sqlite3.Connection, busy_seconds: float) -> None:
    """Set up WAL and the newest schema. Each commit syncs to disk: a job that is created before money is spent must
    survive a power failure.
    """
    db.execute(f"PRAGMA busy_timeout = {int(busy_seconds * 1000)}")
    _switch_to_wal(db, busy_seconds)
    db.execute("PRAGMA synchronous = FULL")
    with transaction_on(db, "IMMEDIATE"):
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise newer_schema(version, len(MIGRATIONS), "file")
        for script in MIGRATIONS[version:]:
            for statement in statements(script):  # executescript would end the transaction
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _switch_to_wal(db: sqlite3.Connection, busy_seconds: float) -> None:
    """The busy timeout does not cover this: SQLite fails at once while another process switches a new file."""
    end = time.monotonic() + busy_seconds
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return
