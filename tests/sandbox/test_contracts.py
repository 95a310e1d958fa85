"""Every response in the shape that its gateway documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from hailuo_mcp.sandbox import MARKER_HEADER, create_app

from .wire import (
    AIMLAPI,
    AIMLAPI_BODY,
    AIMLAPI_GATEWAY,
    APIXO_GATEWAY,
    GATEWAYS,
    HISTORY,
    MINIMAX,
    MINIMAX_BODY,
    MINIMAX_FILE,
    MINIMAX_GATEWAY,
    SEGMIND,
    SEGMIND_23_BODY,
    SEGMIND_BODY,
    SEGMIND_TEXT_BODY,
    UNIFIED,
    UNIFIED_BODY,
    UNIFIED_GATEWAY,
    Clock,
    bearer,
    data_url,
    in_process,
    picture,
    segmind_key,
    status_of,
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


async def test_apixo_serves_a_job_from_submission_to_result(tmp_path: Path, clock: Clock) -> None:
    async with in_process(tmp_path, seconds=100, clock=clock) as client:
        submitted = await APIXO_GATEWAY.submit(client)
        task_id = submitted.json()["data"]["taskId"]
        assert task_id.startswith("task_")
        assert submitted.json() == {"code": 200, "message": "success", "data": {"taskId": task_id}}
        created = round(clock.now * 1000)
        for wait, state in ((1, "pending"), (50, "processing")):
            clock.now += wait
            data = (await APIXO_GATEWAY.poll(client, submitted)).json()["data"]
            assert data == {"taskId": task_id, "state": state, "createTime": created}
        clock.now += 100
        data = (await APIXO_GATEWAY.poll(client, submitted)).json()["data"]
        assert (data["state"], data["costTime"], data["completeTime"]) == ("success", 100_000, created + 100_000)
        (link,) = json.loads(data["resultJson"])["resultUrls"]
        assert (await client.head(link)).headers["content-type"] == "video/mp4"


@pytest.mark.parametrize(("word", "code"), [("content_violation", "CONTENT_VIOLATION"), ("fail", "GENERATION_FAILED")])
async def test_apixo_reports_a_failed_job_under_200(tmp_path: Path, word: str, code: str) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        answer = await APIXO_GATEWAY.poll(client, await APIXO_GATEWAY.submit(client, f"sandbox:{word}"))
    assert (answer.status_code, answer.json()["code"]) == (200, 200)
    assert answer.json()["data"]["state"] == "failed"
    assert answer.json()["data"]["failCode"] == code
    assert answer.json()["data"]["failMsg"]


async def test_aimlapi_serves_a_job_from_submission_to_result(tmp_path: Path, clock: Clock) -> None:
    async with in_process(tmp_path, seconds=100, clock=clock) as client:
        submitted = await AIMLAPI_GATEWAY.submit(client)
        assert submitted.status_code == 201
        generation_id = submitted.json()["generation_id"]
        assert generation_id.endswith(":minimax/hailuo-02")
        assert submitted.json()["status"] == "queued"
        assert "usage" in submitted.json()["meta"]
        for wait, status in ((1, "queued"), (50, "generating")):
            clock.now += wait
            poll = (await AIMLAPI_GATEWAY.poll(client, submitted)).json()
            assert poll == {"id": generation_id, "status": status, "video": None, "error": None}
        clock.now += 100
        poll = (await AIMLAPI_GATEWAY.poll(client, submitted)).json()
        assert (poll["status"], poll["error"]) == ("completed", None)
        assert (await client.head(poll["video"]["url"])).headers["content-type"] == "video/mp4"


async def test_aimlapi_reports_a_failed_job_with_a_name_and_a_message(tmp_path: Path) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        poll = await AIMLAPI_GATEWAY.poll(client, await AIMLAPI_GATEWAY.submit(client, "sandbox:content_violation"))
    assert poll.json()["status"] == "error"
    assert poll.json()["video"] is None
    assert set(poll.json()["error"]) == {"name", "message"}


@pytest.mark.parametrize("given", [data_url(picture()), data_url(picture()).partition(",")[2]])
async def test_aimlapi_accepts_an_image_as_base64_with_and_without_its_type(tmp_path: Path, given: str) -> None:
    async with in_process(tmp_path) as client:
        answer = await client.post(AIMLAPI, json=AIMLAPI_BODY | {"first_frame_image": given}, headers=bearer())
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("model", "more", "credits_used"),
    [
        ("minimax/hailuo-2.3-fast", {}, 399_000),
        ("minimax/hailuo-2.3-fast", {"duration": 10}, 672_000),
        ("minimax/hailuo-2.3", {"resolution": "1080P"}, 1_029_000),
    ],
)
async def test_aimlapis_unified_route_returns_the_credits_used_at_the_end(
    tmp_path: Path, clock: Clock, model: str, more: dict[str, object], credits_used: int
) -> None:
    async with in_process(tmp_path, seconds=100, clock=clock) as client:
        submitted = await client.post(UNIFIED, json=UNIFIED_BODY | {"model": model} | more, headers=bearer())
        assert submitted.status_code == 201
        assert submitted.json()["generation_id"].endswith(f":{model}")
        assert "meta" not in (await UNIFIED_GATEWAY.poll(client, submitted)).json()
        clock.now += 100
        poll = (await UNIFIED_GATEWAY.poll(client, submitted)).json()
        assert poll["meta"] == {"usage": {"credits_used": credits_used}}
        assert "/sandbox/clips/" in poll["video"]["url"]


async def test_aimlapis_routes_do_not_know_each_others_jobs(tmp_path: Path) -> None:
    async with in_process(tmp_path) as client:
        old, new = await AIMLAPI_GATEWAY.submit(client), await UNIFIED_GATEWAY.submit(client)
        assert (await UNIFIED_GATEWAY.poll(client, old)).status_code == 404
        assert (await AIMLAPI_GATEWAY.poll(client, new)).status_code == 404


async def test_minimax_serves_a_job_from_submission_to_the_link_of_its_file(tmp_path: Path, clock: Clock) -> None:
    ok = {"status_code": 0, "status_msg": "success"}
    async with in_process(tmp_path, seconds=100, clock=clock) as client:
        submitted = await MINIMAX_GATEWAY.submit(client)
        task_id = submitted.json()["task_id"]
        assert submitted.json() == {"task_id": task_id, "base_resp": ok}
        for wait, status in ((1, "Preparing"), (10, "Queueing"), (40, "Processing")):
            clock.now += wait
            poll = (await MINIMAX_GATEWAY.poll(client, submitted)).json()
            assert (poll["task_id"], poll["status"], poll["file_id"], poll["base_resp"]) == (task_id, status, "", ok)
        clock.now += 100
        poll = (await MINIMAX_GATEWAY.poll(client, submitted)).json()
        assert (poll["status"], poll["video_height"], poll["base_resp"]) == ("Success", 768, ok)
        assert isinstance(poll["file_id"], str)
        assert int(poll["file_id"]) > 2**53
        file_url = f"{MINIMAX_FILE}?file_id={poll['file_id']}"
        found = (await client.get(file_url, headers=bearer())).json()
        assert set(found) == {"file", "base_resp"}
        assert set(found["file"]) == {"file_id", "bytes", "created_at", "filename", "purpose", "download_url"}
        assert found["file"]["file_id"] == int(poll["file_id"])
        link = found["file"]["download_url"]
        assert (await client.head(link)).headers["content-type"] == "video/mp4"
        clock.now += 3600
        assert (await client.head(link)).status_code == 403
        fresh = (await client.get(file_url, headers=bearer())).json()["file"]["download_url"]
        assert fresh != link
        assert (await client.head(fresh)).status_code == 200


@pytest.mark.parametrize(("word", "code"), [("content_violation", 1027), ("fail", 0)])
async def test_minimax_reports_a_failed_job_under_200(tmp_path: Path, word: str, code: int) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        answer = await MINIMAX_GATEWAY.poll(client, await MINIMAX_GATEWAY.submit(client, f"sandbox:{word}"))
    assert (answer.status_code, answer.json()["status"], answer.json()["base_resp"]["status_code"]) == (
        200,
        "Fail",
        code,
    )


@pytest.mark.parametrize("file_id", ["", "x", "1", "9" * 40, "3" + "0" * 18])
async def test_minimax_rejects_unknown_file_ids_and_those_of_other_accounts(tmp_path: Path, file_id: str) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        poll = (await MINIMAX_GATEWAY.poll(client, await MINIMAX_GATEWAY.submit(client))).json()
        for requested_id, key in ((file_id, "key"), (poll["file_id"], "another")):
            answer = await client.get(MINIMAX_FILE, params={"file_id": requested_id}, headers=bearer(key))
            assert (answer.status_code, answer.json()["base_resp"]["status_code"]) == (200, 2013)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_minimax_accepts_an_image_inside_the_request(tmp_path: Path, kind: str) -> None:
    inside = data_url(picture(kind=kind), f"image/{kind.lower()}")
    async with in_process(tmp_path, seconds=0) as client:
        submitted = await client.post(MINIMAX, json=MINIMAX_BODY | {"first_frame_image": inside}, headers=bearer())
        assert (await MINIMAX_GATEWAY.poll(client, submitted)).json()["status"] == "Success"


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_job_belongs_to_the_key_that_submitted_it(tmp_path: Path, name: str) -> None:
    async with in_process(tmp_path) as client:
        submitted = await GATEWAYS[name].submit(client)
        assert status_of(await GATEWAYS[name].poll(client, submitted)) == 200
        assert status_of(await GATEWAYS[name].poll(client, submitted, key="another")) == 404


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize(("key", "status"), [("", 401), ("bad-key", 401), ("forbidden", 403)])
async def test_unauthorized_key_is_refused_on_every_route(tmp_path: Path, name: str, key: str, status: int) -> None:
    async with in_process(tmp_path) as client:
        submitted = await GATEWAYS[name].submit(client)
        assert status_of(await GATEWAYS[name].submit(client, key=key)) == status
        assert status_of(await GATEWAYS[name].poll(client, submitted, key=key)) == status


async def test_every_response_has_the_marker_header(tmp_path: Path) -> None:
    async with in_process(tmp_path, seconds=0) as client:
        submitted = await SEGMIND.submit(client)
        result = await client.get(submitted.json()["response_url"], headers=segmind_key())
        answers = [
            submitted,
            result,
            await client.get(result.json()["output"], headers={"range": "bytes=0-9"}),
            await client.get("/no/such/path"),
            await client.delete("/v2/hailuo-02-fast"),
            await client.get("/sandbox/clips/none.mp4"),
            await client.get("/sandbox/assets/none.png"),
            await client.post("/v2/hailuo-02-fast", headers=segmind_key("bad-key")),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 206, 404, 405, 404, 404, 401]
    assert {answer.headers[MARKER_HEADER] for answer in answers} == {"1"}


async def test_a_response_to_an_internal_error_has_the_marker_header_too(tmp_path: Path) -> None:
    app = create_app(tmp_path)
    (tmp_path / "sandbox.sqlite3").write_bytes(b"no database at all")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        answer = await SEGMIND.submit(client)
    assert (answer.status_code, answer.headers[MARKER_HEADER]) == (500, "1")


async def test_links_start_with_the_public_url_when_there_is_one(tmp_path: Path) -> None:
    async with in_process(tmp_path, public_url="https://demo.example/") as client:
        answer = await SEGMIND.submit(client)
    assert answer.json()["status_url"].startswith("https://demo.example/v2/requests/")


def test_the_sandbox_starts_without_loading_pillow_or_pyav(run_python: Callable[[str], str]) -> None:
    code = (
        "import pathlib, sys, tempfile; from hailuo_mcp.sandbox import create_app;"
        "create_app(pathlib.Path(tempfile.mkdtemp())); print(sorted({'PIL', 'av', 'uvicorn'} & set(sys.modules)))"
    )
    assert run_python(code) == "[]"


def test_sandbox_imports_nothing_else_from_the_package(run_python: Callable[[str], str]) -> None:
    code = (
        "import pathlib, sys, tempfile, hailuo_mcp.sandbox.preview; from hailuo_mcp.sandbox import create_app;"
        "create_app(pathlib.Path(tempfile.mkdtemp()));"
        "print([m for m in sys.modules if m.startswith('hailuo_mcp.') and not m.startswith('hailuo_mcp.sandbox')])"
    )
    assert run_python(code) == "[]"
