"""Segmind's stand-in follows its documentation: jobs, uploads and the history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from .wire import (
    AIMLAPI,
    AIMLAPI_BODY,
    HISTORY,
    SEGMIND,
    SEGMIND_23_BODY,
    SEGMIND_BODY,
    SEGMIND_TEXT_BODY,
    Clock,
    bearer,
    data_url,
    in_process,
    picture,
    segmind_key,
)


async def test_segmind_serves_a_job_from_submission_to_result(tmp_path: Path, clock: Clock) -> None:
    async with in_process(tmp_path, seconds=100, clock=clock) as client:
        submitted = (await SEGMIND.submit(client)).json()
        base = f"http://sandbox/v2/requests/{submitted['request_id']}"
        assert submitted == {
            "request_id": submitted["request_id"],
            "status": "QUEUED",
            "poll_url": f"{base}/status",
            "status_url": f"{base}/status",
            "response_url": base,
        }
        clock.now += 10
        queued = (await client.get(f"{base}/status", headers=segmind_key())).json()
        assert queued["status"] == "QUEUED"
        assert set(queued) == {"status", "request_id", "status_url", "response_url", "metrics"}
        clock.now += 40
        early = await client.get(base, headers=segmind_key())
        assert (early.status_code, early.json()["status"]) == (200, "PROCESSING")
        assert "output" not in early.json()
        clock.now += 50
        result = (await client.get(base, headers=segmind_key())).json()
        assert result["status"] == "COMPLETED"
        assert result["error"] is None
        assert result["output"].startswith("http://sandbox/sandbox/clips/")
        assert result["metrics"] == {
            "queue_time": 15.0,
            "inference_time": 85.0,
            "total_time": 100.0,
            "cost": 0.125,
            "remaining_credits": 99.875,
        }


async def test_segmind_serves_a_failure_as_422_on_both_routes_and_charges_nothing(tmp_path: Path) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        request_id = (await SEGMIND.submit(client, "sandbox:content_violation")).json()["request_id"]
        for path in (f"/v2/requests/{request_id}/status", f"/v2/requests/{request_id}"):
            answer = await client.get(path, headers=segmind_key())
            assert answer.status_code == 422
            body = answer.json()
            assert set(body) == {"status", "error", "metrics", "request_id"}
            assert (body["status"], body["metrics"]["cost"]) == ("FAILED", 0)


async def test_segmind_drops_a_result_after_its_retention_but_its_history_keeps_it(
    tmp_path: Path, clock: Clock
) -> None:
    async with in_process(tmp_path, seconds=0, retention_seconds=3600, clock=clock) as client:
        request_id = (await SEGMIND.submit(client)).json()["request_id"]
        clock.now += 3600
        answer = await client.get(f"/v2/requests/{request_id}", headers=segmind_key())
        assert (answer.status_code, answer.json()) == (404, {"error": f"Request {request_id} not found"})
        row = (await client.get(f"{HISTORY}/{request_id}", headers=segmind_key())).json()
        assert row["model_status"] == "COMPLETED"
        assert (await client.get(row["generation_url"])).status_code == 200


async def test_segmind_accepts_no_bearer_token(tmp_path: Path) -> None:
    async with in_process(tmp_path) as client:
        answer = await client.post("/v2/hailuo-02-fast", json=SEGMIND_BODY, headers=bearer())
    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "error_description", "status_code"}


async def test_segmind_reports_the_end_of_its_rate_limit_in_its_own_header(tmp_path: Path) -> None:
    async with in_process(tmp_path) as client:
        answer = await SEGMIND.submit(client, "sandbox:rate_limit")
    assert answer.status_code == 429
    assert datetime.fromisoformat(answer.headers["x-rate-limit-reset-at-utc"]) > datetime.now(UTC)
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(
    ("slug", "body", "cost"),
    [
        ("hailuo-02-fast", SEGMIND_BODY | {"duration": 10}, 0.188),
        ("hailuo-2.3-fast", SEGMIND_23_BODY, 0.24),
        ("hailuo-2.3-fast", SEGMIND_23_BODY | {"duration": 10}, 0.41),
        ("hailuo-2.3-fast", {key: SEGMIND_23_BODY[key] for key in ("prompt", "first_frame_image")}, 0.41),
        ("minimax-hailuo-2", SEGMIND_TEXT_BODY, 0.3875),
        ("minimax-hailuo-2", SEGMIND_TEXT_BODY | {"mode": "pro", "image_url": "https://a.example/b.png"}, 0.3875),
    ],
)
async def test_segmind_charges_the_published_price_of_each_model(
    tmp_path: Path, slug: str, body: dict[str, object], cost: float
) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        submitted = await client.post(f"/v2/{slug}", json=body, headers=segmind_key())
        answer = await client.get(submitted.json()["response_url"], headers=segmind_key())
    assert answer.json()["metrics"]["cost"] == cost


async def test_segmind_accepts_ten_seconds_at_1080p_and_fails_the_job_later(tmp_path: Path) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        body = SEGMIND_23_BODY | {"duration": 10, "resolution": "1080p"}
        submitted = await client.post("/v2/hailuo-2.3-fast", json=body, headers=segmind_key())
        assert submitted.status_code == 200
        answer = await client.get(submitted.json()["response_url"], headers=segmind_key())
    assert (answer.status_code, answer.json()["error"]) == (422, "10 seconds are not available at 1080p")


@pytest.mark.parametrize(
    ("data", "media_type", "word"),
    [
        (picture((640, 300)), "image/png", "300 pixels"),
        (picture((1000, 400)), "image/png", "aspect ratio"),
        (picture((400, 1000)), "image/png", "aspect ratio"),
        (picture(kind="WEBP"), "image/webp", "format"),
        (b"not a picture", "image/png", "readable"),
        (picture()[:-400], "image/png", "readable"),
        (picture() + b"\0" * 20 * 1024 * 1024, "image/png", "20MB"),
    ],
)
async def test_uploaded_image_that_breaks_a_rule_fails_the_job_that_uses_it(
    tmp_path: Path, data: bytes, media_type: str, word: str
) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        upload = await client.post(
            "/upload-asset", json={"data_urls": [data_url(data, media_type)]}, headers=segmind_key()
        )
        (link,) = upload.json()["file_urls"]
        body = SEGMIND_BODY | {"first_frame_image": link}
        submitted = await client.post("/v2/hailuo-02-fast", json=body, headers=segmind_key())
        answer = await client.get(submitted.json()["status_url"], headers=segmind_key())
        assert answer.status_code == 422
        assert word in answer.json()["error"]
        inside = AIMLAPI_BODY | {"first_frame_image": data_url(data, media_type)}
        refused = await client.post(AIMLAPI, json=inside, headers=bearer())
        assert refused.status_code == 400
        assert word in refused.json()["message"]


async def test_an_upload_that_is_not_an_image_in_base64_is_refused(tmp_path: Path) -> None:
    async with in_process(tmp_path) as client:
        for urls in (
            [],
            "x",
            [1],
            ["https://a.example/b"],
            ["data:image/png;base64,???"],
            ["data:text/html;base64,YQ=="],
        ):
            answer = await client.post("/upload-asset", json={"data_urls": urls}, headers=segmind_key())
            assert answer.status_code == 400, urls


async def test_the_history_filters_sorts_and_pages_the_jobs_of_one_key(tmp_path: Path, clock: Clock) -> None:
    async with in_process(tmp_path, seconds=60, clock=clock) as client:

        async def history(**query: object) -> list[str]:
            answer = await client.get(HISTORY, params={name: str(query[name]) for name in query}, headers=segmind_key())
            assert answer.status_code == 200, answer.text
            return [row["request_body"]["prompt"] for row in answer.json()["data"]]

        await SEGMIND.submit(client, "old")
        clock.now += 86400 * 10
        day = datetime.fromtimestamp(clock.now, UTC).date()
        await SEGMIND.submit(client, "sandbox:fail")
        clock.now += 61
        await client.post("/v2/minimax-hailuo-2", json=SEGMIND_TEXT_BODY | {"prompt": "text"}, headers=segmind_key())
        await SEGMIND.submit(client, "somebody else's", key="another")
        clock.now += 61
        await SEGMIND.submit(client, "running")
        assert await history() == ["running", "text", "sandbox:fail"]
        assert await history(sort_order="asc", per_page=2) == ["sandbox:fail", "text"]
        assert await history(sort_order="asc", per_page=2, page=2) == ["running"]
        assert await history(model_name="hailuo-2") == ["text"]
        assert await history(status="PENDING") == ["running"]
        assert await history(status="FAILED") == ["sandbox:fail"]
        assert await history(sort_by="credits_deduction", per_page=1) == ["text"]
        assert await history(from_date=day - timedelta(days=11), to_date=day - timedelta(days=9)) == ["old"]
        for query in (
            {"from_date": "yesterday"},
            {"per_page": "101"},
            {"page": "0"},
            {"status": "DONE"},
            {"sort_by": "prompt"},
            {"from_date": str(day - timedelta(days=32))},
            {"from_date": str(day), "to_date": str(day - timedelta(days=1))},
            {"limit": "3"},
        ):
            assert (await client.get(HISTORY, params=query, headers=segmind_key())).status_code == 400, query
