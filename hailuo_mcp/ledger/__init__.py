"""The ledger: every job, from before its submission. `base` says what a ledger does, other modules are engines."""

from hailuo_mcp.ledger.base import Budget, Guard, JobPage, Ledger

__all__ = ["Budget", "Guard", "JobPage", "Ledger"]
