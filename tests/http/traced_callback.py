"""A gateway's callback in a separate process, since a process has only one tracer provider: prints the parent's name of
each finished span, and whether the callback's span names the job."""

import json
import sys
from pathlib import Path

import anyio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.http.test_callbacks import DONE, session_with_callbacks, submit
from tests.support import body_of


async def main(directory: Path) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with session_with_callbacks(directory) as (session, wire, apixo, client):
        job = await submit(session)
        trace.set_tracer_provider(provider)
        apixo.status = DONE
        await client.post(body_of(wire.posts[0])["callback_url"], json=DONE)
        with anyio.fail_after(20):
            while "called back" not in [span.name for span in exporter.get_finished_spans()]:  # noqa: ASYNC110
                await anyio.sleep(0.01)
    spans = {span.context.span_id: span for span in exporter.get_finished_spans() if span.context}
    parents = {s.name: spans[s.parent.span_id].name if s.parent else None for s in spans.values()}
    (called,) = (span for span in spans.values() if span.name == "called back")
    about = (called.attributes or {})["hailuo_mcp.request_id"] == job.request_id
    print(json.dumps({"parents": parents, "about": about}))


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
