"""AI/ML API's responses to a poll: every documented form, and those known only from practice."""

from typing import Any

import pytest

from hailuo_mcp.core.job import Observation, State
from tests.core.models import MODELS
from tests.gateways.wire import CLIP, connect, poll, says


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("queued", State.QUEUED),
        ("waiting", State.QUEUED),
        ("generating", State.PROCESSING),
        ("active", State.PROCESSING),
    ],
)
async def test_an_unfinished_job_has_its_state(word: str, state: State) -> None:
    usage = {"usage": {"credits_used": 5}}
    seen, script = await poll("aimlapi", says(200, {"id": "r1", "status": word, "video": None, "meta": usage}))
    assert seen == Observation(state=state)
    assert script.requested == ["GET /v2/generate/video/minimax/generation?generation_id=r1"]


@pytest.mark.parametrize("word", ["completed", "complete", "COMPLETED"])
async def test_a_completed_job_has_its_link_and_cost(word: str) -> None:
    usage = {"usage": {"credits_used": 500_000}}
    body = {"id": "r1", "status": word, "video": {"url": CLIP}, "error": None, "meta": usage}
    seen, _ = await poll("aimlapi", says(200, body))
    assert seen == Observation(state=State.COMPLETED, video_url=CLIP, cost_usd=0.25)


async def test_completed_without_video_has_no_link() -> None:
    seen, _ = await poll("aimlapi", says(200, {"status": "completed", "video": None}))
    assert seen == Observation(state=State.COMPLETED)


async def test_a_link_of_an_unfinished_job_is_ignored() -> None:
    seen, _ = await poll("aimlapi", says(200, {"status": "queued", "video": {"url": "https://example.com"}}))
    assert seen.video_url is None


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ({"name": "Error", "message": "broken"}, "gateway_error", "Error: broken"),
        ({"name": "", "message": "sensitive content"}, "content_violation", "sensitive content"),
        ("plain words", "gateway_error", "plain words"),
        (None, "gateway_error", "no reason given"),
    ],
)
@pytest.mark.parametrize("word", ["error", "failed"])
async def test_a_failed_job_has_its_error(word: str, error: Any, code: str, words: str) -> None:
    seen, _ = await poll("aimlapi", says(200, {"status": word, "error": error}))
    assert seen.error
    assert (seen.state, seen.error.code, seen.error.charged) == (State.FAILED, code, "unknown")
    assert words in seen.error.message


@pytest.mark.parametrize(
    ("usage", "usd"),
    [({"credits_used": 120000, "usd_spent": 0.06}, 0.06), ({"credits_used": 120000}, 0.06), ({"usd_spent": "x"}, None)],
)
@pytest.mark.parametrize("as_list", [True, False])
async def test_h3_reports_its_cost_and_may_return_the_clip_in_a_list(
    usage: dict[str, Any], usd: float | None, as_list: bool
) -> None:
    video = {"url": "https://cdn.aimlapi.com/generations/hedgehog/1.mp4"}
    body = {"id": "r1", "status": "completed", "video": [video] if as_list else video, "meta": {"usage": usage}}
    gateway, script = connect("aimlapi", says(200, body))
    seen = await gateway.observe(MODELS["aimlapi/h3-max"], "r1")
    assert (seen.video_url, seen.cost_usd) == (video["url"], usd)
    assert script.requested == ["GET /v2/video/generations?generation_id=r1"]


@pytest.mark.parametrize("model_id", ["aimlapi/hailuo-2.3", "aimlapi/hailuo-2.3-fast"])
async def test_newer_models_are_polled_on_the_unified_route_which_reports_the_cost(model_id: str) -> None:
    usage = {"usage": {"credits_used": 399_000}}
    body = {"id": "r1", "status": "completed", "video": {"url": CLIP}, "error": None, "meta": usage}
    gateway, script = connect("aimlapi", says(200, body))
    seen = await gateway.observe(MODELS[model_id], "r1")
    assert seen == Observation(state=State.COMPLETED, video_url=CLIP, cost_usd=0.1995)
    assert script.requested == ["GET /v2/video/generations?generation_id=r1"]
