"""The metrics of a job's transitions, on a separate meter and a real ledger."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint

from hailuo_mcp.core.errors import Problem
from hailuo_mcp.core.job import Job, Observation, State, utc_now
from hailuo_mcp.ledger import Ledger
from hailuo_mcp.ledger.instrumented import InstrumentedLedger, count_transition
from hailuo_mcp.ledger.sqlite import SqliteLedger
from hailuo_mcp.telemetry import Metrics, create_metrics

MODEL = "apixo/hailuo-2.3-fast"


class Meter:
    """A process's metrics."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.metrics: Metrics = create_metrics(MeterProvider([self._reader]).get_meter("test"))

    def read(self, name: str) -> list[tuple[dict[str, Any], float]]:
        """Each data point's attributes, and its sum."""
        data = self._reader.get_metrics_data()
        return [
            (dict(point.attributes or {}), point.value if isinstance(point, NumberDataPoint) else point.sum)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == f"hailuo_mcp.job.{name}"
            for point in metric.data.data_points
            if isinstance(point, NumberDataPoint | HistogramDataPoint)
        ]


@pytest.fixture
def meter() -> Meter:
    return Meter()


def _job(**values: Any) -> Job:
    created = utc_now() - timedelta(seconds=100)
    return Job(model=MODEL, origin="sandbox", state=State.PROCESSING, created_at=created, remote_id="r", **values)


def test_completion_timed_by_the_gateway_has_a_notice_lag(meter: Meter) -> None:
    job = _job(estimated_cost_usd=0.3, polls=4)
    count_transition(job, job.apply_observation(Observation(state=State.COMPLETED, took_seconds=90)), meter.metrics)
    ((attributes, lag),) = meter.read("notice_lag")
    assert lag == pytest.approx(10, abs=0.5)
    assert attributes == {"hailuo_mcp.gateway": "apixo", "hailuo_mcp.model": MODEL}
    assert [polls for _, polls in meter.read("polls")] == [5]


def test_completion_timed_locally_has_no_notice_lag(meter: Meter) -> None:
    job = _job(polled_at=utc_now())
    ended = job.apply_observation(Observation(state=State.COMPLETED))
    assert ended.took_seconds
    count_transition(job, ended, meter.metrics)
    assert meter.read("notice_lag") == []
    assert [round(seconds) for _, seconds in meter.read("duration")] == [100]


@pytest.mark.parametrize(
    ("seen", "price", "usd"),
    [
        (Observation(state=State.COMPLETED, cost_usd=0.25), "reported", 0.25),
        (Observation(state=State.COMPLETED), "estimated", 0.3),
        (
            Observation(state=State.FAILED, error=Problem(code="gateway_error", message="no", charged="no")),
            "estimated",
            0.0,
        ),
    ],
)
def test_spend_is_the_final_cost_of_a_job(meter: Meter, seen: Observation, price: str, usd: float) -> None:
    job = _job(estimated_cost_usd=0.3, tenant="studio-a")
    count_transition(job, job.apply_observation(seen), meter.metrics)
    ((attributes, spent),) = meter.read("spend")
    assert spent == usd
    assert attributes["hailuo_mcp.price"] == price
    assert attributes["hailuo_mcp.tenant"] == "studio-a"
    assert not [
        labels for name in ("transitions", "polls") for labels, _ in meter.read(name) if "studio-a" in str(labels)
    ]


def test_end_of_a_job_is_counted_once(meter: Meter) -> None:
    job = _job()
    expired = job.mark_expired(Problem(code="expired", message="gone"))
    count_transition(job, expired, meter.metrics)
    found = expired.apply_observation(Observation(state=State.COMPLETED))
    count_transition(expired, found, meter.metrics)
    count_transition(found, found.saved("/clips/a.mp4"), meter.metrics)
    counted = {attributes["hailuo_mcp.state"]: count for attributes, count in meter.read("transitions")}
    assert counted == {"expired": 1, "completed": 1}
    assert len(meter.read("polls")) == 1


async def test_an_instrumented_ledger_passes_everything_on(tmp_path: Path) -> None:
    inner = SqliteLedger(tmp_path / "jobs.sqlite3")
    ledger = InstrumentedLedger(inner)
    changes: list[str] = []
    ledger.on_change.append(changes.append)
    try:
        imported = await ledger.import_job(_job(), utc_now())
        assert imported.created
        job = imported.job
        assert changes == [job.id]
        assert (await ledger.change(job.id, lambda j: j.touch())).polls == 1
        assert await ledger.get(job.id) == await ledger.find(MODEL, "r", "", "sandbox") == await inner.get(job.id)
    finally:
        await ledger.close()


def test_an_instrumented_ledger_wraps_every_method() -> None:
    public = {name for name in dir(Ledger) if not name.startswith("_")}
    assert public <= vars(InstrumentedLedger).keys()


async def test_a_poll_is_counted_when_it_is_recorded() -> None:
    job = _job()
    polled = job.apply_observation(Observation(state=State.PROCESSING)).touch()
    assert polled.polls == 2
    assert polled.mark_expired(Problem(code="expired", message="gone")).polls == 3
    assert Job.model_validate_json(job.model_dump_json(exclude={"polls"})).polls == 0
