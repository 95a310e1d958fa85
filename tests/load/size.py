"""The size of a load test, and how its figures are formatted."""

import os
import statistics
from collections.abc import Sequence

VARIABLE = "HAILUO_MCP_LOAD_SHARE"
DEFAULT = 0.1


def share() -> float:
    """The share of the full size that HAILUO_MCP_LOAD_SHARE asks for: 1 is all of it."""
    return float(os.environ.get(VARIABLE, DEFAULT))


def sized(full: int, least: int = 1) -> int:
    """`full`, scaled by the share."""
    return max(least, round(full * share()))


def percentile(values: Sequence[float], percent: int) -> float:
    """NaN where there are no values."""
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def spread(values: Sequence[float], scale: float = 1.0, unit: str = "s") -> str:
    """Median, 99th percentile and maximum as text."""
    median, p99 = percentile(values, 50) * scale, percentile(values, 99) * scale
    return f"p50 {median:.3g} {unit}, p99 {p99:.3g} {unit}, most {max(values, default=float('nan')) * scale:.3g} {unit}"
