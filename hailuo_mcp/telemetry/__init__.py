"""Observability: spans, metrics, and logs with the job that each line belongs to. Nothing is exported unless
OpenTelemetry's environment variables ask for it.

None of it contains a prompt, an image, a key or a link: a job is identified by its id, a request by method and host.
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
