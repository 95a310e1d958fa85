"""The schema of the SQLite ledger."""

import sqlite3
from collections.abc import Iterator

_MICRO_USD = "CASE WHEN {0} BETWEEN -1e9 AND 1e9 THEN CAST(round({0} * 1e6) AS INTEGER) ELSE 0 END"
"""Totals are integers: sums of floats would drift."""


def _add(row: str, sign: str) -> str:
    """The statements of a trigger that add the row `new` to the totals, or subtract `old` from them. No upsert: the
    conflict clause of the statement that fires a trigger replaces those inside it."""
    return f"""
        INSERT INTO totals SELECT {row}.tenant, {row}.origin, {row}.state, 0, 0 WHERE NOT EXISTS (
            SELECT 1 FROM totals WHERE (tenant, origin, state) = ({row}.tenant, {row}.origin, {row}.state));
        UPDATE totals SET jobs = jobs {sign} 1, micro_usd = micro_usd {sign} {_MICRO_USD.format(row + ".known_usd")}
            WHERE (tenant, origin, state) = ({row}.tenant, {row}.origin, {row}.state);
    """  # noqa: S608  fixed words


TOTALS = f"""
    CREATE TABLE totals (
        tenant TEXT NOT NULL,
        origin TEXT NOT NULL,
        state TEXT NOT NULL,
        jobs INTEGER NOT NULL,
        micro_usd INTEGER NOT NULL,
        PRIMARY KEY (tenant, origin, state)
    ) WITHOUT ROWID;
    INSERT INTO totals SELECT tenant, origin, state, count(*), sum({_MICRO_USD.format("known_usd")})
        FROM jobs GROUP BY tenant, origin, state;
    CREATE TRIGGER jobs_inserted AFTER INSERT ON jobs BEGIN {_add("new", "+")} END;
    CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs BEGIN {_add("old", "-")} END;
    CREATE TRIGGER jobs_updated AFTER UPDATE OF tenant, origin, state, known_usd ON jobs
        BEGIN {_add("old", "-")} {_add("new", "+")} END;
    -- Earlier versions, which may still be writing, change a job by INSERT OR REPLACE: that fires no delete trigger.
    CREATE TRIGGER jobs_replaced BEFORE INSERT ON jobs BEGIN
        UPDATE totals SET jobs = jobs - 1, micro_usd = micro_usd -
            (SELECT {_MICRO_USD.format("known_usd")} FROM jobs WHERE key = new.key)
            WHERE (tenant, origin, state) = (SELECT tenant, origin, state FROM jobs WHERE key = new.key);
    END;
"""  # noqa: S608  fixed words

MIGRATIONS = (
    """
    CREATE TABLE jobs (
        key TEXT PRIMARY KEY,
        tenant TEXT NOT NULL,
        origin TEXT NOT NULL,
        model TEXT NOT NULL,
        remote_id TEXT,
        state TEXT NOT NULL,
        created_at REAL NOT NULL,
        fingerprint TEXT NOT NULL,
        duration INTEGER,
        took_seconds REAL,
        counted INTEGER NOT NULL,
        counted_usd REAL NOT NULL,
        known_usd REAL NOT NULL,
        document TEXT NOT NULL
    );
    CREATE INDEX jobs_by_time ON jobs (tenant, created_at);
    CREATE INDEX jobs_by_remote_id ON jobs (remote_id, model);
    CREATE INDEX jobs_by_fingerprint ON jobs (fingerprint, created_at);
    CREATE INDEX jobs_by_speed ON jobs (model, origin, created_at) WHERE took_seconds IS NOT NULL;
    CREATE TABLE uploads (
        origin TEXT NOT NULL,
        digest TEXT NOT NULL,
        url TEXT NOT NULL,
        uploaded_at REAL NOT NULL,
        PRIMARY KEY (origin, digest)
    );
    """,
    """
    CREATE TABLE watches (
        key TEXT PRIMARY KEY REFERENCES jobs (key),
        origin TEXT NOT NULL,
        due_at REAL NOT NULL,
        owner TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX watches_by_time ON watches (due_at);
    INSERT INTO watches (key, origin, due_at)
        SELECT key, origin, 0 FROM jobs WHERE state NOT IN ('failed', 'expired');
    """,
    """
    DROP TABLE uploads;
    CREATE TABLE uploads (
        tenant TEXT NOT NULL,
        origin TEXT NOT NULL,
        digest TEXT NOT NULL,
        url TEXT NOT NULL,
        uploaded_at REAL NOT NULL,
        PRIMARY KEY (tenant, origin, digest)
    );
    CREATE TABLE secrets (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    );
    """,
    # All that the totals of a list are made of: no row is read for them.
    "CREATE INDEX jobs_by_state ON jobs (tenant, state, created_at, origin, known_usd)",
    TOTALS,
)
"""Running the first n yields schema version n; a released one is never edited."""


def statements(script: str) -> Iterator[str]:
    """The statements of a script; semicolons inside a trigger do not end one."""
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
