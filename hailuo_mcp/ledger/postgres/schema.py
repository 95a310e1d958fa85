"""The tables, and their migration by the first server.

They are in the first schema of the user's `search_path`, and their names begin with `hailuo_`.
"""

from asyncpg import Connection, Record, UndefinedTableError

from hailuo_mcp.ledger.engine import newer_schema

_MOVES = """
    INSERT INTO hailuo_totals AS totals
        SELECT tenant, origin, state, pg_backend_pid() % 16, sum(n), sum(n * hailuo_micro_usd(known_usd))
        FROM ({rows}) AS moves GROUP BY tenant, origin, state
        HAVING sum(n) <> 0 OR sum(n * hailuo_micro_usd(known_usd)) <> 0
        ORDER BY tenant, origin, state  -- always in this order, so that no two transactions wait for each other
    ON CONFLICT (tenant, origin, state, part) DO UPDATE
        SET jobs = totals.jobs + excluded.jobs, micro_usd = totals.micro_usd + excluded.micro_usd;
"""
_ADDED = "SELECT tenant, origin, state, known_usd, 1 AS n FROM added"
_REMOVED = "SELECT tenant, origin, state, known_usd, -1 AS n FROM removed"


def _trigger(event: str, tables: str, rows: str) -> str:
    """A trigger per statement: one per row would update the same total repeatedly."""
    return f"""
        CREATE FUNCTION hailuo_totals_on_{event}() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN {_MOVES.format(rows=rows)} RETURN NULL; END $$;
        CREATE TRIGGER hailuo_totals_on_{event} AFTER {event} ON hailuo_jobs REFERENCING {tables}
            FOR EACH STATEMENT EXECUTE FUNCTION hailuo_totals_on_{event}();
    """


TOTALS = f"""
    CREATE TABLE hailuo_totals (
        tenant text,
        origin text,
        state text,
        part integer,
        jobs bigint NOT NULL,
        micro_usd bigint NOT NULL,
        PRIMARY KEY (tenant, origin, state, part)
    ) WITH (fillfactor = 50);
    COMMENT ON TABLE hailuo_totals IS
        'Kept by triggers on hailuo_jobs. A total is the sum of its parts; concurrent writers use different ones.';
    DO $$ DECLARE role text; BEGIN  -- roles that may write jobs need the totals too
        FOR role IN SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END
            FROM pg_class, aclexplode(relacl)
            WHERE pg_class.oid = 'hailuo_jobs'::regclass AND privilege_type IN ('INSERT', 'UPDATE', 'DELETE')
        LOOP EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON hailuo_totals TO %s', role); END LOOP;
    END $$;
    CREATE FUNCTION hailuo_micro_usd(usd double precision) RETURNS bigint LANGUAGE sql IMMUTABLE AS
        $$ SELECT CASE WHEN usd BETWEEN -1e9 AND 1e9 THEN round(usd * 1e6)::bigint ELSE 0 END $$;
    LOCK TABLE hailuo_jobs IN SHARE ROW EXCLUSIVE MODE;
    INSERT INTO hailuo_totals SELECT tenant, origin, state, 0, count(*), sum(hailuo_micro_usd(known_usd))
        FROM hailuo_jobs GROUP BY tenant, origin, state;
    {_trigger("insert", "NEW TABLE AS added", _ADDED)}
    {_trigger("delete", "OLD TABLE AS removed", _REMOVED)}
    {_trigger("update", "NEW TABLE AS added OLD TABLE AS removed", f"{_ADDED} UNION ALL {_REMOVED}")}
"""  # noqa: S608  fixed words
"""Integers, because sums of floats would drift. Triggers, because servers of the previous version may still write."""

MIGRATIONS = (
    """
    CREATE TABLE hailuo_jobs (
        key text PRIMARY KEY,
        tenant text NOT NULL,
        origin text NOT NULL,
        model text NOT NULL,
        remote_id text,
        state text NOT NULL,
        created_at timestamptz NOT NULL,
        fingerprint text NOT NULL,
        duration integer,
        took_seconds double precision,
        counted boolean NOT NULL,
        counted_usd double precision NOT NULL,
        known_usd double precision NOT NULL,
        document json NOT NULL
    );
    CREATE INDEX hailuo_jobs_by_time ON hailuo_jobs (tenant, created_at)
        INCLUDE (origin, state, known_usd, counted, counted_usd);  -- sums need not read the documents
    CREATE INDEX hailuo_jobs_by_remote_id ON hailuo_jobs (remote_id, model);
    CREATE INDEX hailuo_jobs_by_fingerprint ON hailuo_jobs (fingerprint, origin, tenant);
    CREATE INDEX hailuo_jobs_by_speed ON hailuo_jobs (model, origin, created_at) WHERE took_seconds IS NOT NULL;

    CREATE TABLE hailuo_claims (
        tenant text,
        origin text,
        claim text,
        claimed_at timestamptz NOT NULL,
        PRIMARY KEY (tenant, origin, claim)
    );
    COMMENT ON TABLE hailuo_claims IS 'Whoever enters a job holds its row until the commit: equal jobs wait in line.';

    CREATE TABLE hailuo_days (
        tenant text,
        day date,
        claimed_at timestamptz NOT NULL,
        PRIMARY KEY (tenant, day)
    );
    COMMENT ON TABLE hailuo_days IS 'Whoever enters a job under a budget holds its row until the commit.';

    CREATE TABLE hailuo_watches (
        key text PRIMARY KEY REFERENCES hailuo_jobs (key) ON DELETE CASCADE,
        origin text NOT NULL,
        due_at timestamptz NOT NULL,
        owner text NOT NULL DEFAULT ''
    );
    CREATE INDEX hailuo_watches_by_time ON hailuo_watches (due_at);

    CREATE TABLE hailuo_uploads (
        tenant text,
        origin text,
        digest text,
        url text NOT NULL,
        uploaded_at timestamptz NOT NULL,
        PRIMARY KEY (tenant, origin, digest)
    );

    CREATE TABLE hailuo_secrets (
        name text PRIMARY KEY,
        value bytea NOT NULL
    );
    """,
    # All that the totals of a list are made of: no row is read for them.
    "CREATE INDEX hailuo_jobs_by_state ON hailuo_jobs (tenant, state, created_at) INCLUDE (origin, known_usd)",
    TOTALS,
)
"""Running the first n yields schema version n; a released one is never edited."""

LOCK = 0x6861696C756F  # "hailuo"; it only has to be unique in this database
LOCK_SECONDS = 60.0
"""How long to wait for a migration by another server."""


async def migrate(db: "Connection[Record]") -> None:
    """Bring the schema up to date. Safe if several servers do so at once; takes one query if it is up to date.

    Raises:
        InternalError: the schema is newer than this program.
    """
    try:
        version = await _version(db)
    except UndefinedTableError:
        version = 0
    if version < len(MIGRATIONS):
        async with db.transaction(isolation="read_committed"):
            # A transaction lock, not a session lock: it also works behind a pooler, and cannot be left behind.
            await db.execute("SELECT pg_advisory_xact_lock($1)", LOCK, timeout=LOCK_SECONDS)
            await db.execute(
                "CREATE TABLE IF NOT EXISTS hailuo_schema"
                " (version integer PRIMARY KEY, reached_at timestamptz NOT NULL)"
            )
            version = await _version(db)
            for number, script in list(enumerate(MIGRATIONS, 1))[version:]:
                await db.execute(script)
                await db.execute("INSERT INTO hailuo_schema VALUES ($1, now())", number)
    if version > len(MIGRATIONS):
        raise newer_schema(version, len(MIGRATIONS), "database")


async def _version(db: "Connection[Record]") -> int:
    return await db.fetchval("SELECT coalesce(max(version), 0) FROM hailuo_schema")
