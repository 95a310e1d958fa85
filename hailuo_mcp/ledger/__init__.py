"""Storage for jobs. `base` is the interface, `opening` picks the engine that a setting names, `engine` is what the
engines share, `instrumented` adds spans and metrics, and `retrying` keeps what cannot be written now. Nothing here
knows the gateways: jobs are data.
"""

from hailuo_mcp.ledger.base import ANY_JOB, DELAY_MAX, Budget, Entered, JobPage, Ledger, SubmitPolicy
from hailuo_mcp.ledger.opening import open_ledger

__all__ = ["ANY_JOB", "DELAY_MAX", "Budget", "Entered", "JobPage", "Ledger", "SubmitPolicy", "open_ledger"]
