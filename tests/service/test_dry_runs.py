"""Dry runs, and the estimates that they and submitted jobs have."""

from pathlib import Path

import httpx
import pytest

from hailuo_mcp.gateways import GATEWAYS
from tests.media.samples import data_uri, png
from tests.service.polled_jobs import ACCEPTED, AIMLAPI, FAST_02, gateway_of, submitted
from tests.support import KEYS, MODEL_IDS, arguments_for, body_of, says, settings_for, wired


@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_a_dry_run_shows_the_exact_request_and_sends_and_records_nothing(model_id: str, tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **KEYS), says(200, ACCEPTED[gateway_of(model_id)]))
    async with opened as session:
        dry = await session.generate(arguments_for(model_id), dry_run=True)
        assert wire.requests == []
        assert (await session.jobs()).total == 0
        await session.generate(arguments_for(model_id))
        (sent,) = wire.posts
        assert dry.request
        shown = dry.request.public()
        assert (shown["method"], shown["url"], shown["body"]) == (sent.method, str(sent.url), body_of(sent))
        assert all(secret not in repr(shown) for secret in KEYS.values())
        assert sorted(value for value in shown["headers"].values() if "***" in value) == ["***"]


@pytest.mark.parametrize(
    ("model_id", "mark"),
    [(FAST_02, "<upload:sha256:"), (AIMLAPI, "data:image/png;base64,<sha256:")],
)
async def test_a_dry_run_marks_an_image_and_uploads_none(model_id: str, mark: str, tmp_path: Path) -> None:
    opened, wire = wired(settings_for(tmp_path, **KEYS), says(500))
    async with opened as session:
        dry = await session.generate(
            {"model": model_id, "prompt": "x", "first_frame_image": data_uri(png())}, dry_run=True
        )
        assert dry.request
        assert dry.request.body
        assert dry.request.body["first_frame_image"].startswith(mark)
        assert wire.requests == []


@pytest.mark.parametrize("model_id", MODEL_IDS)
async def test_the_estimates_are_the_published_figures_until_enough_is_learned(model_id: str, tmp_path: Path) -> None:
    opened, _ = wired(settings_for(tmp_path, **KEYS), says(500))
    model = next(model for gateway in GATEWAYS for model in gateway.models if model.id == model_id)
    arguments = arguments_for(model_id)
    spec = model.parse({name: value for name, value in arguments.items() if name != "model"})
    price = spec.price()
    async with opened as session:
        job = (await session.generate(arguments, dry_run=True)).job
        assert job.estimated_seconds == spec.typical_seconds()
        assert job.estimated_cost_usd == (price.usd if price else None)


async def test_the_estimated_time_is_learned_from_finished_jobs_of_the_same_length(tmp_path: Path) -> None:
    def gateway(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"request_id": f"r-{len(wire.posts)}"})
        metrics = {"total_time": 200.0, "cost": 0.13}
        answer = {"status": "COMPLETED", "output": "https://cdn.example/x.mp4", "metrics": metrics}
        return httpx.Response(200, json=answer)

    opened, wire = wired(settings_for(tmp_path, **KEYS, HAILUO_MCP_AUTO_DOWNLOAD="0"), gateway)
    async with opened as session:
        for n in range(3):
            job = await submitted(session, prompt=str(n))
            assert job.estimated_seconds == 80.0
            done = await session.status(job.request_id)
            assert (done.took_seconds, done.cost_usd) == (200.0, 0.13)
        learned = (await session.generate(arguments_for(FAST_02), dry_run=True)).job
        longer = (await session.generate(arguments_for(FAST_02, duration=10), dry_run=True)).job
        assert (learned.estimated_seconds, longer.estimated_seconds) == (200.0, 80.0)
        assert (await session.jobs()).spent_usd == pytest.approx(0.39)  # pyright: ignore[reportUnknownMemberType]
