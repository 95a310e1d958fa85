"""The ledger: every job, from before its submission. `base` says what a ledger does, `opening` picks the engine that a
setting names, other modules are engines.
"""

from hailuo_mcp.ledger.base import ANY_JOB, Budget, JobPage, Ledger, SubmitPolicy
from hailuo_mcp.ledger.opening import open_ledger

__all__ = ["ANY_JOB", "Budget", "JobPage", "Ledger", "SubmitPolicy", "open_ledger"]
