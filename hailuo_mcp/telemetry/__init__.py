"""Sight for operators: spans, figures, and which job a log line is about. Nothing is sent unless OpenTelemetry's variables
ask for it.

Nothing here holds a prompt, a picture, a key or a link: jobs are named by their ids, requests by method and host.
"""

from hailuo_mcp.telemetry.context import About, about, current
from hailuo_mcp.telemetry.figures import Figures, figures
from hailuo_mcp.telemetry.spans import Operation, asking, in_a_span, mark, requesting, span

__all__ = [
    "About",
    "Figures",
    "Operation",
    "about",
    "asking",
    "current",
    "figures",
    "in_a_span",
    "mark",
    "requesting",
    "span",
]
