"""A collector on this machine: accepts spans and metrics over HTTP, in OpenTelemetry's protocol."""

import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    """A span, with the fields that tests use."""

    name: str
    id: bytes
    parent: bytes
    trace: bytes
    attributes: Mapping[str, str]
    failed: bool
    description: str
    events: int


@dataclass(frozen=True, slots=True)
class Point:
    """One data point of a metric: a sum's value, or a histogram's count and sum."""

    attributes: Mapping[str, str]
    value: float
    count: int


@dataclass(slots=True)
class Collector:
    """What was received, raw and parsed."""

    endpoint: str
    bodies: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])

    @property
    def spans(self) -> list[RecordedSpan]:
        return [_recorded(span) for request in self._traces() for span in _spans_in(request)]

    @property
    def services(self) -> set[str]:
        return {
            _as_text(resource.resource.attributes)["service.name"]
            for request in self._traces()
            for resource in request.resource_spans
        }

    def named(self, name: str) -> list[RecordedSpan]:
        return [span for span in self.spans if span.name == name]

    def points(self, name: str, **attributes: str) -> list[Point]:
        """The data points of a metric that have these attributes, named without the prefix `hailuo_mcp.`."""
        wanted = {f"hailuo_mcp.{key}": value for key, value in attributes.items()}
        return [point for point in self._points(name) if wanted.items() <= point.attributes.items()]

    def total(self, name: str, **attributes: str) -> float:
        return sum(point.value for point in self.points(name, **attributes))

    def count(self, name: str, **attributes: str) -> int:
        return sum(point.count for point in self.points(name, **attributes))

    def _traces(self) -> Iterator[ExportTraceServiceRequest]:
        for path, body in self.bodies:
            if path == "/v1/traces":
                yield ExportTraceServiceRequest.FromString(body)

    def _points(self, name: str) -> Iterator[Point]:
        """The points of the last export, since sums are cumulative."""
        requests = [ExportMetricsServiceRequest.FromString(body) for path, body in self.bodies if path == "/v1/metrics"]
        for request in requests[-1:]:
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in (metric for metric in scope.metrics if metric.name == name):
                        for number in metric.sum.data_points:
                            yield Point(_as_text(number.attributes), number.as_double or number.as_int, 1)
                        for spread in metric.histogram.data_points:
                            yield Point(_as_text(spread.attributes), spread.sum, spread.count)


@contextmanager
def collecting() -> Generator[Collector]:
    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.bodies.append((self.path, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def _spans_in(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def _recorded(span: Span) -> RecordedSpan:
    return RecordedSpan(
        name=span.name,
        id=span.span_id,
        parent=span.parent_span_id,
        trace=span.trace_id,
        attributes=_as_text(span.attributes),
        failed=span.status.code == 2,
        description=span.status.message,
        events=len(span.events),
    )


def _as_text(attributes: Iterable[KeyValue]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in attributes:
        kind = pair.value.WhichOneof("value")
        values[pair.key] = str(getattr(pair.value, kind)) if kind else ""
    return values
