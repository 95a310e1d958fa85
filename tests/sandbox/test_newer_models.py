"""The stand-ins for the newer models: what each accepts, refuses and returns, as the gateways document it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .wire import REMOTE_PICTURE, UNIFIED, bearer, in_process, segmind_key

H3: dict[str, Any] = {"model": "minimax/h3", "prompt": "Waves roll in", "resolution": "2K", "ratio": "16:9"}
H3_MAX: dict[str, Any] = {"model": "minimax/h3-max", "prompt": "Waves roll in", "resolution": "480p", "duration": 10}
TASKS = "/api/v1/generateTask/hailuo-2-3"


@pytest.mark.parametrize(("body", "usd"), [(H3, 0.819), (H3_MAX, 0.525)])
async def test_aimlapi_reports_the_cost_of_an_h3_clip(body: dict[str, Any], usd: float, tmp_path: Path) -> None:
    async with in_process(tmp_path, seconds=0, render=False) as client:
        submitted = (await client.post(UNIFIED, json=body, headers=bearer())).json()
        query = {"generation_id": submitted["generation_id"]}
        done = (await client.get(UNIFIED, params=query, headers=bearer())).json()
        assert done["status"] == "completed"
        assert done["meta"] == {"usage": {"credits_used": round(usd * 2_000_000), "usd_spent": usd}}
        # The page of h3-max allows both.
        assert isinstance(done["video"], list) == (body is H3_MAX)


@pytest.mark.parametrize(
    ("body", "changes", "message"),
    [
        (H3, {"resolution": "768P"}, "resolution"),
        (H3, {"duration": 3}, "duration"),
        (H3, {"ratio": "adaptive"}, "adaptive"),
        (H3, {"audio_urls": [REMOTE_PICTURE]}, "audio_urls"),
        (H3, {"seed": 1}, "seed"),
        (H3, {"reference_image_urls": [REMOTE_PICTURE] * 10}, "reference_image_urls"),
        (H3_MAX, {"resolution": "480P"}, "resolution"),
        (H3_MAX, {"duration": 4}, "duration"),
        (H3_MAX, {"prompt_expansion_mode": "disabled"}, "prompt_expansion_mode"),
    ],
)
async def test_aimlapi_refuses_what_the_h3_pages_do_not_list(
    body: dict[str, Any], changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    async with in_process(tmp_path) as client:
        refused = await client.post(UNIFIED, json={**body, **changes}, headers=bearer())
        assert refused.status_code == 400
        assert message in refused.json()["message"]


async def test_segmind_makes_hailuo_23_from_text_at_its_own_price(tmp_path: Path) -> None:
    async with in_process(tmp_path, seconds=0, render=False) as client:
        body = {"prompt": "Waves", "duration": "10", "resolution": "768p", "prompt_optimizer": True}
        submitted = (await client.post("/v2/hailuo-2.3", json=body, headers=segmind_key())).json()
        done = (await client.get(f"/v2/requests/{submitted['request_id']}", headers=segmind_key())).json()
        assert (done["status"], done["metrics"]["cost"]) == ("COMPLETED", 0.7)


@pytest.mark.parametrize(
    ("inner", "status"),
    [
        ({"mode": "standard-text-to-video", "duration": 6}, 200),
        ({"mode": "pro-text-to-video"}, 200),
        ({"mode": "pro-image-to-video", "image_urls": [REMOTE_PICTURE]}, 200),
        ({"mode": "standard-text-to-video"}, 400),
        ({"mode": "standard-text-to-video", "duration": 6, "image_urls": [REMOTE_PICTURE]}, 400),
        ({"mode": "standard-image-to-video", "duration": 6}, 400),
        ({"mode": "fast-text-to-video", "duration": 6}, 400),
    ],
)
async def test_apixo_accepts_an_image_only_in_modes_that_have_one(
    inner: dict[str, Any], status: int, tmp_path: Path
) -> None:
    async with in_process(tmp_path) as client:
        body = {"request_type": "async", "input": {"prompt": "Waves", **inner}}
        assert (await client.post(TASKS, json=body, headers=bearer())).json()["code"] == status


@pytest.mark.parametrize(
    ("endpoint", "given", "status"),
    [
        ("h3/text-to-video", {"resolution": "4K", "aspect_ratio": "9:16", "duration": 15}, 200),
        ("h3/image-to-video", {"image_url": REMOTE_PICTURE, "end_image_url": REMOTE_PICTURE}, 200),
        ("h3-max/reference-to-video", {"reference_image_urls": [REMOTE_PICTURE], "seed": 1}, 200),
        ("h3/text-to-video", {"duration": "6"}, 422),
        ("h3/text-to-video", {"duration": 4}, 422),
        ("h3/image-to-video", {"image_url": REMOTE_PICTURE, "aspect_ratio": "16:9"}, 422),
        ("h3-max/reference-to-video", {"reference_audio_urls": [REMOTE_PICTURE]}, 422),
        ("h3-max/text-to-video", {"resolution": "2K"}, 422),
    ],
)
async def test_fal_accepts_any_input_and_fails_a_wrong_one_when_it_renders(
    endpoint: str, given: dict[str, Any], status: int, tmp_path: Path
) -> None:
    key = {"Authorization": "Key k"}
    async with in_process(tmp_path, seconds=0, render=False) as client:
        submitted = await client.post(f"/minimax/{endpoint}", json={"prompt": "Waves", **given}, headers=key)
        assert submitted.status_code == 200
        response_url = submitted.json()["response_url"]
        assert f"/minimax/{endpoint.split('/')[0]}/requests/" in response_url
        assert (await client.get(response_url, headers=key)).status_code == status
