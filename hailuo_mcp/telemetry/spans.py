"""Spans: one for each operation at a gateway, each request within it, and each use of the ledger.

Only OpenTelemetry's API is used; without its SDK, no spans are recorded. Spans nest below the one that the MCP SDK
creates for a call.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter
from typing import Literal
from urllib.parse import urlsplit

import anyio
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.telemetry.context import current
from hailuo_mcp.telemetry.metrics import SCOPE, metrics

Operation = Literal["submit", "poll", "upload", "history", "cancel", "file"]
"""The kind of operation at a gateway; `file` is the download of the clip, from any host."""
Attributes = Mapping[str, str | int | float | bool]

OK, CANCELLED = "ok", "cancelled"
_NO_SPAN = nullcontext(trace.INVALID_SPAN)


def _tracer() -> Tracer | None:
    """The tracer; None while OpenTelemetry's SDK is not set up, so that spans cost nothing."""
    provider = trace.get_tracer_provider()
    return None if isinstance(provider, trace.ProxyTracerProvider) else provider.get_tracer(SCOPE)


def is_tracing() -> bool:
    """Whether the current operation is being traced."""
    return trace.get_current_span().get_span_context().is_valid


def annotate_span(attributes: Attributes) -> None:
    """Add attributes to the current span."""
    trace.get_current_span().set_attributes(dict(attributes))


def span(
    name: str, attributes: Attributes | None = None, kind: SpanKind = SpanKind.INTERNAL
) -> AbstractContextManager[Span]:
    """A span around the block. An exception marks it with its code or class, never with its text, which may hold
    secrets."""
    tracer = _tracer()
    return _NO_SPAN if tracer is None else _started(tracer, name, attributes, kind)


@contextmanager
def _started(tracer: Tracer, name: str, attributes: Attributes | None, kind: SpanKind) -> Generator[Span]:
    about = current()
    known = {"hailuo_mcp.request_id": about.request_id, "hailuo_mcp.tenant": about.tenant}
    with tracer.start_as_current_span(
        name,
        kind=kind,
        attributes={**{name: value for name, value in known.items() if value}, **(attributes or {})},
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            outcome = outcome_of(error)
            opened.set_attribute("error.type", outcome)
            if outcome != CANCELLED:
                opened.set_status(StatusCode.ERROR)
            raise


@contextmanager
def gateway_span(gateway: str, operation: Operation, model: str) -> Generator[None]:
    """One operation at a gateway, its retries and waits included: a span, and its duration and outcome as a metric."""
    began, outcome = perf_counter(), OK
    attributes = {
        "hailuo_mcp.gateway": gateway,
        "hailuo_mcp.operation": operation,
        "hailuo_mcp.model": model,
    }
    try:
        with span(f"{operation} {gateway}", attributes):
            yield
    except BaseException as error:
        outcome = outcome_of(error)
        raise
    finally:
        metrics().gateway_duration.record(perf_counter() - began, {**attributes, "hailuo_mcp.outcome": outcome})


@contextmanager
def request_span(method: str, url: str) -> Generator[Callable[[int], None]]:
    """One HTTP request to a gateway, following the semantic conventions, but without the URL: its path names jobs, and
    its query may hold secrets. Yields a function to call with the response's status."""
    parts = urlsplit(url)
    attributes: dict[str, str | int] = {
        "http.request.method": method,
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        "url.scheme": parts.scheme,
    }
    began = perf_counter()
    try:
        with span(method, attributes, SpanKind.CLIENT) as opened:

            def on_status(status: int) -> None:
                attributes["http.response.status_code"] = status
                opened.set_attribute("http.response.status_code", status)
                if status >= 400:
                    attributes["error.type"] = str(status)
                    opened.set_attribute("error.type", str(status))
                    opened.set_status(StatusCode.ERROR)

            yield on_status
    except BaseException as error:
        attributes["error.type"] = outcome_of(error)
        raise
    finally:
        metrics().request_duration.record(perf_counter() - began, attributes)


def outcome_of(error: BaseException) -> str:
    """The code of one of our errors, the class name of any other."""
    if isinstance(error, HailuoError):
        return error.problem.code
    return CANCELLED if isinstance(error, anyio.get_cancelled_exc_class()) else type(error).__name__
