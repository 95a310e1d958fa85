"""Sight for operators: spans, figures, and which job a log line is about. Nothing is sent unless the variables of
OpenTelemetry ask for it.

Nothing here holds a prompt, a picture, a key or a link: jobs are named by their ids, requests by method and host.
"""

from hailuo_mcp.telemetry.context import LogContext, current, log_context, set_caller
from hailuo_mcp.telemetry.metrics import Metrics, create_metrics, metrics
from hailuo_mcp.telemetry.spans import Operation, annotate_span, gateway_span, is_tracing, request_span, span

__all__ = [
    "LogContext",
    "Metrics",
    "Operation",
    "annotate_span",
    "create_metrics",
    "current",
    "gateway_span",
    "is_tracing",
    "log_context",
    "metrics",
    "request_span",
    "set_caller",
    "span",
]
