"""The metrics: their names, units and buckets, in one place."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram, Meter

SCOPE = "hailuo_mcp"
"""The instrumentation scope of spans and metrics."""
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""As the semantic conventions require."""
GATEWAY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
JOB_BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 960, 3600)
POLL_BUCKETS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89)
LAG_BUCKETS = (0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 300, 3600)


@dataclass(frozen=True, slots=True)
class Metrics:
    """All instruments. They record nothing until OpenTelemetry's SDK is set up."""

    transitions: "Counter"
    spend: "Counter"
    polls: "Histogram"
    job_duration: "Histogram"
    notice_lag: "Histogram"
    gateway_duration: "Histogram"
    request_duration: "Histogram"


@cache
def metrics() -> Metrics:
    """The instruments of this process."""
    from opentelemetry import metrics  # start-up time: nothing is recorded before the first job

    return create_metrics(metrics.get_meter(SCOPE))


def create_metrics(meter: "Meter") -> Metrics:
    def histogram(name: str, unit: str, description: str, buckets: tuple[float, ...]) -> "Histogram":
        return meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=buckets)

    return Metrics(
        transitions=meter.create_counter(
            "hailuo_mcp.job.transitions", "{job}", "Jobs that entered a state, by model and state."
        ),
        spend=meter.create_counter(
            "hailuo_mcp.job.spend",
            "{USD}",
            "US dollars that ended jobs cost, reported or else estimated; also by tenant.",
        ),
        polls=histogram("hailuo_mcp.job.polls", "{poll}", "Polls until a job ended.", POLL_BUCKETS),
        job_duration=histogram(
            "hailuo_mcp.job.duration", "s", "From a job's submission until its end was noticed.", JOB_BUCKETS
        ),
        notice_lag=histogram(
            "hailuo_mcp.job.notice_lag",
            "s",
            "From a job's completion at the gateway, if it reports the time, until this server noticed.",
            LAG_BUCKETS,
        ),
        gateway_duration=histogram(
            "hailuo_mcp.gateway.duration",
            "s",
            "Operations at a gateway, retries and waits included, by operation and outcome.",
            GATEWAY_BUCKETS,
        ),
        request_duration=histogram(
            "http.client.request.duration", "s", "Single requests to gateways.", REQUEST_BUCKETS
        ),
    )
