"""The tables, and how they are brought up to date by whichever server comes first.

They lie in the first schema of the user's `search_path`, and their names begin with `hailuo_`.
"""

from asyncpg import Connection, Record, UndefinedTableError

from hailuo_mcp.core.errors import InternalError

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
)
"""Schema version n is reached by running the first n; a released one is never edited."""

LOCK = 0x6861696C756F  # "hailuo": the number only has to be nobody else's in this database
LOCK_SECONDS = 60.0
"""How long a migration by another server is waited for."""


async def migrate(db: "Connection[Record]") -> None:
    """Bring the schema up to date. Safe when several do so at once; nothing but a look where there is nothing to do.

    Raises:
        InternalError: the schema is newer than this program.
    """
    try:
        version = await _version(db)
    except UndefinedTableError:
        version = 0
    if version < len(MIGRATIONS):
        async with db.transaction(isolation="read_committed"):
            # A lock of the transaction, not of the session: it also holds behind a pooler, and cannot be left behind.
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
        raise InternalError(
            f"The job ledger has schema version {version}; this hailuo-mcp knows {len(MIGRATIONS)}.",
            "Update hailuo-mcp, or name another database in HAILUO_MCP_DATABASE_URL.",
        )


async def _version(db: "Connection[Record]") -> int:
    return await db.fetchval("SELECT coalesce(max(version), 0) FROM hailuo_schema")
