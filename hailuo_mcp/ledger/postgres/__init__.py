"""The ledger in PostgreSQL, for several servers. `ledger` has the queries, `schema` the tables, `database` the
connections and their retries, `notifications` the changes made by other servers.
"""

from hailuo_mcp.ledger.postgres.ledger import PostgresLedger

__all__ = ["PostgresLedger"]
