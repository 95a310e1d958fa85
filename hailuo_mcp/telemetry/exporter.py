"""Exports spans and metrics to a collector if OpenTelemetry's environment variables ask for it.

The SDK reads these variables itself, except for the choice of exporters, for which it has no public API.
"""

import logging
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import SpanExporter

log = logging.getLogger(__name__)

SIGNALS = ("traces", "metrics")
FLUSH_SECONDS = 1.5
"""How long a shutdown waits for the collector. Hosts kill a stdio server two seconds after they close its stdin."""
INSTALL = "pip install 'hailuo-mcp[otel]'"
PROTOCOL = "http/protobuf"

ShutDown = Callable[[], object]


@contextmanager
def exporting(environ: Mapping[str, str], version: str) -> Generator[None]:
    """Export within this. If that is not possible, one warning is logged and the server runs without it."""
    wanted = {signal: chosen for signal in SIGNALS if (chosen := _exporters(environ, signal))}
    if not wanted:
        yield
        return
    try:
        shut_down = _set_up(wanted, version)
    except ImportError:
        log.warning("OpenTelemetry's variables are set, but its SDK is not installed: %s", INSTALL)
        shut_down = ()
    except Exception as error:  # for example an invalid variable; the server must start anyway
        log.warning("OpenTelemetry could not be set up: %s: %s", type(error).__name__, error)
        shut_down = ()
    try:
        yield
    finally:
        _flush(shut_down)


def _exporters(environ: Mapping[str, str], signal: str) -> tuple[str, ...]:
    """The exporters of this signal: those named, else `otlp` if an endpoint is set, else none."""

    def value(name: str) -> str:
        return environ.get(f"OTEL_{name}", "").strip()

    if value("SDK_DISABLED").lower() == "true":
        return ()
    upper = signal.upper()
    named = [name.strip().lower() for name in value(f"{upper}_EXPORTER").split(",") if name.strip()]
    if not named and (value("EXPORTER_OTLP_ENDPOINT") or value(f"EXPORTER_OTLP_{upper}_ENDPOINT")):
        named = ["otlp"]
    for unknown in set(named) - {"otlp", "console", "none"}:
        log.warning("OTEL_%s_EXPORTER=%s is not supported: use otlp, console or none", upper, unknown)
    protocol = value(f"EXPORTER_OTLP_{upper}_PROTOCOL") or value("EXPORTER_OTLP_PROTOCOL") or PROTOCOL
    if "otlp" in named and protocol != PROTOCOL:
        log.warning(
            "OTEL_EXPORTER_OTLP_PROTOCOL=%s is not supported, only %s: no %s are sent", protocol, PROTOCOL, signal
        )
        named.remove("otlp")
    return tuple(name for name in dict.fromkeys(named) if name in ("otlp", "console"))


def _set_up(wanted: Mapping[str, Sequence[str]], version: str) -> Sequence[ShutDown]:
    """Install the SDK's providers in this process. Returns the functions that shut them down.

    Raises:
        ImportError: the `otel` extra is not installed.
    """
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return ()  # already set up, for example by `opentelemetry-instrument`
    resource = _resource(version)
    shut_down: list[ShutDown] = []
    if names := wanted.get("traces"):
        processors = [BatchSpanProcessor(_span_exporter(name)) for name in names]
        tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        for processor in processors:
            tracers.add_span_processor(processor)
        trace.set_tracer_provider(tracers)
        shut_down.append(tracers.shutdown)
    if names := wanted.get("metrics"):
        readers = [PeriodicExportingMetricReader(_metric_exporter(name)) for name in names]
        meters = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
        metrics.set_meter_provider(meters)
        shut_down.append(meters.shutdown)
    return shut_down


def _resource(version: str) -> "Resource":
    """The service's attributes: defaults, overridden by the variables. Replicas differ by their instance id."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    defaults = {"service.name": "hailuo-mcp", "service.version": version, "service.instance.id": uuid4().hex}
    return Resource.create({**defaults, **OTELResourceDetector().detect().attributes})


def _span_exporter(name: str) -> "SpanExporter":
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    from hailuo_mcp.telemetry.redaction import RedactedSpans

    if name == "console":
        return RedactedSpans(ConsoleSpanExporter(out=sys.stderr))  # stdout belongs to the protocol
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return RedactedSpans(OTLPSpanExporter())


def _metric_exporter(name: str) -> "MetricExporter":
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

    if name == "console":
        return ConsoleMetricExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter()


def _flush(shut_down: Sequence[ShutDown]) -> None:
    """Export what is left, for at most `FLUSH_SECONDS`: an unreachable collector must not delay the shutdown."""
    threads = [Thread(target=end, daemon=True) for end in shut_down]
    for thread in threads:
        thread.start()
    end = monotonic() + FLUSH_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - monotonic()))
    if any(thread.is_alive() for thread in threads):
        log.warning("the collector did not accept the last spans and metrics within %g s", FLUSH_SECONDS)
