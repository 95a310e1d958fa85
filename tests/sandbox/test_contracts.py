"""The responses of APIXO, AI/ML API and MiniMax have the shape that each documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .wire import (
    AIMLAPI,
    AIMLAPI_BODY,
    AIMLAPI_GATEWAY,
    APIXO_GATEWAY,
    MINIMAX,
    MINIMAX_BODY,
    MINIMAX_FILE,
    MINIMAX_GATEWAY,
    UNIFIED,
    UNIFIED_BODY,
    UNIFIED_GATEWAY,
    Clock,
    bearer,
    data_url,
    in_process,
    picture,
)


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
