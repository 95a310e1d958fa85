"""Sight for operators: spans, figures, and which job a log line is about. Nothing is sent unless the variables of
OpenTelemetry ask for it.

Nothing here holds a prompt, a picture, a key or a link: jobs are named by their ids, requests by method and host.
"""

from hailuo_mcp.telemetry.context import About, about, called_by, current
from hailuo_mcp.telemetry.metrics import Figures, figures, made_by
from hailuo_mcp.telemetry.spans import Operation, asking, in_a_span, mark, requesting, span

__all__ = [
    "About",
    "Figures",
    "Operation",
    "about",
    "asking",
    "called_by",
    "current",
    "figures",
    "in_a_span",
    "made_by",
    "mark",
    "requesting",
    "span",
]
