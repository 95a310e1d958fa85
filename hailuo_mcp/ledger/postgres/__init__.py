"""The ledger in PostgreSQL, for several servers. `ledger` holds its queries, `schema` its tables, `database` the
connections and how their loss is survived, `news` what other servers did.
"""

from hailuo_mcp.ledger.postgres.ledger import PostgresLedger

__all__ = ["PostgresLedger"]
