"""The real server sends its spans and metrics to a collector, over either transport."""

import re
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import MCPError

from tests.http.servers import SANDBOX, TRANSPORTS
from tests.support import facts_of, log_of
from tests.telemetry.collector import Collector, RecordedSpan, collecting

PROMPT = "a quite private red kite"
MODEL, UNTIMED = "segmind/minimax-hailuo-2", "aimlapi/hailuo-02"


@dataclass(frozen=True, slots=True)
class Run:
    """What the collector received from a server with one completed job, one failed job and one refused call."""

    collector: Collector
    completed: dict[str, Any]
    failed: dict[str, Any]
    log: str

    def ancestors(self, span: RecordedSpan) -> list[str]:
        """The names of this span's ancestors, nearest first."""
        by_id = {other.id: other for other in self.collector.spans}
        names: list[str] = []
        while span.parent:
            span = by_id[span.parent]
            names.append(span.name)
        return names


async def _jobs(transport: str, directory: Path, endpoint: str) -> tuple[dict[str, Any], dict[str, Any]]:
    variables = {**SANDBOX, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "HAILUO_MCP_AUTO_DOWNLOAD": "0"}
    async with TRANSPORTS[transport](directory, **variables) as connect, connect() as client:
        results: list[dict[str, Any]] = []
        for prompt, model in ((PROMPT, MODEL), (f"{PROMPT} sandbox:fail", MODEL), (PROMPT, UNTIMED)):
            job = facts_of(await client.call_tool("generate_video", {"prompt": prompt, "model": model}))
            arguments = {"request_id": job["request_id"], "wait_seconds": 20}
            results.append(dict(facts_of(await client.call_tool("get_status", arguments))))
        await client.call_tool("get_status", {"request_id": "segmind/hailuo-02-fast/unconfirmed-nobody"})
        with pytest.raises(MCPError):
            await client.read_resource(f"hailuo://{PROMPT}?key=sk-0123456789")
    return results[0], results[1]


@pytest.fixture(scope="module", params=["stdio", pytest.param("http", marks=pytest.mark.slow)])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Run]:
    directory = tmp_path_factory.mktemp("export")
    with ExitStack() as open_until_read:
        collector = open_until_read.enter_context(collecting())
        completed, failed = anyio.run(_jobs, request.param, directory, collector.endpoint)
        yield Run(collector, completed, failed, log_of(directory).read_text())


def test_tool_call_span_contains_the_ledger_and_gateway_spans(run: Run) -> None:
    (created, *_) = run.collector.named("ledger create_if_absent")
    (submitted, *_) = run.collector.named("submit segmind")
    posted = next(span for span in run.collector.named("POST") if span.parent == submitted.id)
    assert run.ancestors(created)[0] == run.ancestors(submitted)[0] == "tools/call generate_video"
    assert posted.attributes["http.request.method"] == "POST"
    assert posted.attributes["http.response.status_code"] == "200"
    polled = run.collector.named("poll segmind")
    assert polled
    assert all(run.ancestors(span)[0] in ("tools/call get_status", "watch") for span in polled)
    assert run.collector.services == {"hailuo-mcp"}


def test_spans_name_their_job(run: Run) -> None:
    request_id = run.completed["request_id"]
    named = {span.name for span in run.collector.spans if span.attributes.get("hailuo_mcp.request_id") == request_id}
    assert {"tools/call generate_video", "tools/call get_status", "ledger change", "poll segmind"} <= named
    ended = [span.attributes.get("hailuo_mcp.state") for span in run.collector.named("tools/call get_status")]
    assert {"completed", "failed"} <= set(ended)


def test_jobs_are_counted_by_state_and_model(run: Run) -> None:
    counted = {
        state: run.collector.total("hailuo_mcp.job.transitions", model=MODEL, state=state)
        for state in ("unconfirmed", "queued", "completed", "failed")
    }
    assert counted == {"unconfirmed": 2, "queued": 2, "completed": 1, "failed": 1}
    assert run.collector.total("hailuo_mcp.job.transitions", model=UNTIMED, state="completed") == 1


def test_polls_duration_and_spend_are_recorded_when_jobs_end(run: Run) -> None:
    for state in ("completed", "failed"):
        (polls,) = run.collector.points("hailuo_mcp.job.polls", model=MODEL, state=state)
        assert (polls.count, polls.value >= 1) == (1, True)
        assert run.collector.count("hailuo_mcp.job.duration", model=MODEL, state=state) == 1
    reported = run.collector.total("hailuo_mcp.job.spend", model=MODEL, price="reported")
    assert reported == pytest.approx(run.completed["cost_usd"])


def test_notice_lag_is_recorded_only_if_the_gateway_reports_the_time(run: Run) -> None:
    assert run.collector.count("hailuo_mcp.job.notice_lag", model=MODEL) == 1
    assert run.collector.count("hailuo_mcp.job.notice_lag", model=UNTIMED) == 0


def test_gateway_durations_are_recorded_by_operation_and_outcome(run: Run) -> None:
    name = "hailuo_mcp.gateway.duration"
    assert run.collector.count(name, gateway="segmind", operation="submit", outcome="ok") == 2
    polled = run.collector.count(name, gateway="segmind", operation="poll", outcome="ok")
    polls = run.collector.total("hailuo_mcp.job.polls", model=MODEL)
    assert polled == polls
    assert run.collector.points("http.client.request.duration")


def test_nothing_private_is_exported(run: Run) -> None:
    sent = b"".join(body for _, body in run.collector.bodies)
    for private in (b"private red kite", b"sandbox:fail", b"https://", b"sk-0123"):
        assert private not in sent, private
    assert not [value for span in run.collector.spans for value in span.attributes.values() if "?" in value]
    assert all(not span.description and not span.events for span in run.collector.spans)
    refused = [span for span in run.collector.named("resources/read") if span.failed]
    assert refused[0].attributes["error.type"]


def test_log_contains_no_prompt_and_no_export_messages(run: Run) -> None:
    assert "private" not in run.log
    assert not re.search("opentelemetry|WARNING|ERROR", run.log)
