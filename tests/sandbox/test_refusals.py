"""Input that a gateway's documentation does not allow is refused at submission, in the gateway's own error format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from .wire import (
    AIMLAPI,
    AIMLAPI_BODY,
    APIXO_BODY,
    APIXO_GATEWAY,
    GATEWAYS,
    MINIMAX,
    MINIMAX_BODY,
    MINIMAX_FILE,
    MINIMAX_QUERY,
    REMOTE_PICTURE,
    SEGMIND_23_BODY,
    SEGMIND_BODY,
    SEGMIND_TEXT_BODY,
    UNIFIED,
    UNIFIED_BODY,
    bearer,
    data_url,
    in_process,
    picture,
    segmind_key,
    status_of,
)

OMITTED = object()


def changed(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**body, **changes}.items() if value is not OMITTED}


def apixo_input(**changes: Any) -> dict[str, Any]:
    return {**APIXO_BODY, "input": changed(APIXO_BODY["input"], **changes)}


SEGMIND_REFUSED: list[tuple[str, Any, str]] = [
    ("hailuo-02-fast", changed(SEGMIND_BODY, prompt=OMITTED), "prompt is required"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, prompt=""), "prompt must not be empty"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, prompt="  \n"), "prompt must not be empty"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, prompt="x" * 2001), "2000"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, prompt=7), "prompt must be a string"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, first_frame_image=OMITTED), "first_frame_image is required"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, first_frame_image=None), "first_frame_image"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, first_frame_image=data_url(picture())), "http://"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, first_frame_image="/home/me/a.png"), "http://"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, first_frame_image="http://[::1"), "valid URL"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, last_frame_image=OMITTED), "last_frame_image is required"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, duration=7), "duration must be one of 6, 10"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, duration=6.0), "duration must be an integer"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, duration="7"), "duration must be an integer"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, duration=True), "duration must be an integer"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, go_fast="yes"), "go_fast must be a boolean"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, prompt_optimizer=1), "prompt_optimizer must be a boolean"),
    ("hailuo-02-fast", changed(SEGMIND_BODY, resolution="768p"), "resolution is not a parameter"),
    ("hailuo-2.3-fast", changed(SEGMIND_23_BODY, resolution="768P"), "resolution must be one of"),
    ("hailuo-2.3-fast", changed(SEGMIND_23_BODY, resolution=["768p"]), "resolution must be one of"),
    ("hailuo-2.3-fast", changed(SEGMIND_23_BODY, last_frame_image=None), "last_frame_image is not a parameter"),
    ("minimax-hailuo-2", changed(SEGMIND_TEXT_BODY, mode=OMITTED), "mode is required"),
    ("minimax-hailuo-2", changed(SEGMIND_TEXT_BODY, mode="fast"), "mode must be one of"),
    ("minimax-hailuo-2", changed(SEGMIND_TEXT_BODY, image_url=None), "image_url must be a string"),
    ("minimax-hailuo-2", changed(SEGMIND_TEXT_BODY, duration=6), "duration is not a parameter"),
    ("minimax-hailuo-2", [], "must be a JSON object"),
    ("minimax-hailuo-2", "x", "must be a JSON object"),
]

APIXO_REFUSED: list[tuple[Any, str]] = [
    (changed(APIXO_BODY, request_type=OMITTED), "request_type is required"),
    (changed(APIXO_BODY, request_type="sync"), "request_type must be one of"),
    (changed(APIXO_BODY, request_type="callback"), "callback_url"),
    (changed(APIXO_BODY, callback_url="https://a.example/hook"), "callback_url"),
    (changed(APIXO_BODY, provider="cheap"), "provider must be one of"),
    (changed(APIXO_BODY, input=OMITTED), "input is required"),
    (changed(APIXO_BODY, input="x"), "input must be a JSON object"),
    (changed(APIXO_BODY, model="hailuo"), "model is not a parameter"),
    (apixo_input(mode="standard-text-to-video"), "Invalid mode type."),
    (apixo_input(mode=["x"]), "Invalid mode type."),
    (apixo_input(mode=OMITTED), "input.mode is required"),
    (apixo_input(prompt=""), "input.prompt must not be empty"),
    (apixo_input(duration=OMITTED), "input.duration is required"),
    (apixo_input(duration="6"), "input.duration must be an integer"),
    (apixo_input(duration=8), "input.duration must be one of 6, 10"),
    (apixo_input(image_urls=OMITTED), "input.image_urls is required"),
    (apixo_input(image_urls=REMOTE_PICTURE), "must be a list"),
    (apixo_input(image_urls=[]), "exactly one"),
    (apixo_input(image_urls=[REMOTE_PICTURE, REMOTE_PICTURE]), "exactly one"),
    (apixo_input(image_urls=[data_url(picture())]), "http://"),
    (apixo_input(resolution="768p"), "input.resolution is not a parameter"),
]

AIMLAPI_REFUSED: list[tuple[Any, str]] = [
    (changed(AIMLAPI_BODY, model=OMITTED), "model is required"),
    (changed(AIMLAPI_BODY, model="minimax/other"), "model must be one of"),
    (changed(AIMLAPI_BODY, prompt=OMITTED), "prompt is required"),
    (changed(AIMLAPI_BODY, duration="6"), "duration must be an integer"),
    (changed(AIMLAPI_BODY, resolution="768p"), "resolution must be one of"),
    (changed(AIMLAPI_BODY, duration=10, resolution="1080P"), "768P only"),
    (changed(AIMLAPI_BODY, first_frame_image=None), "first_frame_image must be a string"),
    (changed(AIMLAPI_BODY, first_frame_image=""), "first_frame_image must not be empty"),
    (changed(AIMLAPI_BODY, first_frame_image="ftp://a.example/b.png"), "base64"),
    (changed(AIMLAPI_BODY, first_frame_image="https://"), "http://"),
    (changed(AIMLAPI_BODY, first_frame_image="data:image/png;base64,"), "is empty"),
    (changed(AIMLAPI_BODY, last_image_url="data:text/plain;base64,YQ=="), "text/plain, which is not a supported type"),
    (changed(AIMLAPI_BODY, image_url=REMOTE_PICTURE), "image_url is not a parameter"),
]
UNIFIED_REFUSED: list[tuple[Any, str]] = [
    (changed(UNIFIED_BODY, model="minimax/hailuo-02"), "model must be one of"),
    (changed(UNIFIED_BODY, image_url=OMITTED), "image_url is required"),
    (changed(UNIFIED_BODY, prompt=OMITTED), "prompt is required"),
    (changed(UNIFIED_BODY, duration=10, resolution="1080P"), "768P only"),
    (changed(UNIFIED_BODY, first_frame_image=REMOTE_PICTURE), "first_frame_image is not a parameter"),
    (changed(UNIFIED_BODY, prompt_optimizer=True), "prompt_optimizer is not a parameter"),
    (changed(UNIFIED_BODY, last_image_url=REMOTE_PICTURE), "last_image_url is not a parameter"),
    (changed(UNIFIED_BODY, enhance_prompt="yes"), "enhance_prompt must be a boolean"),
]

HAILUO_23 = changed(MINIMAX_BODY, model="MiniMax-Hailuo-2.3")
HAILUO_23_FAST = changed(MINIMAX_BODY, model="MiniMax-Hailuo-2.3-Fast")
BOTH_FRAMES = changed(MINIMAX_BODY, last_frame_image=REMOTE_PICTURE, fast_pretreatment=OMITTED)
MINIMAX_REFUSED: list[tuple[Any, str]] = [
    (changed(MINIMAX_BODY, model=OMITTED), "model is required"),
    (changed(MINIMAX_BODY, model="hailuo-02"), "model must be one of"),
    (changed(MINIMAX_BODY, prompt=OMITTED, first_frame_image=OMITTED), "prompt is required"),
    (changed(MINIMAX_BODY, prompt="x" * 2001), "2000"),
    (changed(MINIMAX_BODY, duration="6"), "duration must be an integer"),
    (changed(MINIMAX_BODY, duration=8), "duration must be one of"),
    (changed(MINIMAX_BODY, resolution="768p"), "resolution must be one of"),
    (changed(MINIMAX_BODY, resolution="720P"), "resolution must be one of"),
    (changed(MINIMAX_BODY, fast_pretreatment="no"), "fast_pretreatment must be a boolean"),
    (changed(MINIMAX_BODY, callback_url="hook"), "callback_url must be a URL"),
    (changed(MINIMAX_BODY, first_frame_image=None), "first_frame_image must be a string"),
    (changed(MINIMAX_BODY, first_frame_image=""), "first_frame_image must be a URL"),
    (changed(MINIMAX_BODY, first_frame_image="data:image/png;base64,"), "is empty"),
    (changed(MINIMAX_BODY, first_frame_image=data_url(picture((200, 200)))), "300 pixels"),
    (changed(MINIMAX_BODY, first_frame_image=data_url(picture(kind="GIF"), "image/gif")), "format"),
    (changed(MINIMAX_BODY, go_fast=True), "go_fast is not a parameter"),
    (changed(MINIMAX_BODY, duration=10, resolution="1080P"), "not available at 1080P"),
    (changed(MINIMAX_BODY, first_frame_image=OMITTED, resolution="512P"), "512P"),
    (changed(HAILUO_23, resolution="512P"), "512P"),
    (changed(HAILUO_23, last_frame_image=REMOTE_PICTURE), "last_frame_image is available on MiniMax-Hailuo-02 only"),
    (changed(HAILUO_23_FAST, first_frame_image=OMITTED), "first_frame_image is required"),
    (changed(BOTH_FRAMES, resolution="512P"), "last_frame_image is not available at 512P"),
    (changed(BOTH_FRAMES, fast_pretreatment=False), "fast_pretreatment is not a parameter"),
    (changed(BOTH_FRAMES, first_frame_image=OMITTED), "first_frame_image is required"),
]


def with_ids(cases: list[Any]) -> list[Any]:
    return [pytest.param(*case, id=f"{number}-{case[-1]}") for number, case in enumerate(cases)]


@pytest.mark.parametrize(("slug", "body", "message"), with_ids(SEGMIND_REFUSED))
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_segmind_refuses(tmp_path: Path, version: str, slug: str, body: Any, message: str) -> None:
    async with in_process(tmp_path) as client:
        answer = await client.post(f"/{version}/{slug}", json=body, headers=segmind_key())
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert message in answer.json()["error"]


@pytest.mark.parametrize(("body", "message"), with_ids(APIXO_REFUSED))
async def test_apixo_refuses(tmp_path: Path, body: Any, message: str) -> None:
    async with in_process(tmp_path) as client:
        answer = await client.post(APIXO_GATEWAY.submit_path, json=body, headers=bearer())
    assert answer.status_code == 400
    assert (answer.json()["code"], set(answer.json())) == (400, {"code", "message", "data"})
    assert message in answer.json()["data"]["error"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    with_ids([*((AIMLAPI, *case) for case in AIMLAPI_REFUSED), *((UNIFIED, *case) for case in UNIFIED_REFUSED)]),
)
async def test_aimlapi_refuses(tmp_path: Path, path: str, body: Any, message: str) -> None:
    async with in_process(tmp_path) as client:
        answer = await client.post(path, json=body, headers=bearer())
    assert answer.status_code == 400
    assert set(answer.json()) == {"message", "path", "requestId", "statusCode", "timestamp"}
    assert (answer.json()["path"], answer.json()["statusCode"]) == (path, 400)
    assert message in answer.json()["message"]


@pytest.mark.parametrize(("body", "message"), with_ids(MINIMAX_REFUSED))
async def test_minimax_refuses_under_http_200(tmp_path: Path, body: Any, message: str) -> None:
    async with in_process(tmp_path) as client:
        answer = await client.post(MINIMAX, json=body, headers=bearer())
    assert (answer.status_code, answer.json()["task_id"]) == (200, "")
    assert answer.json()["base_resp"]["status_code"] == 2013
    assert message in answer.json()["base_resp"]["status_msg"]


@pytest.mark.parametrize(
    "body",
    [
        changed(MINIMAX_BODY, first_frame_image=OMITTED),
        changed(MINIMAX_BODY, prompt=OMITTED),
        changed(MINIMAX_BODY, resolution="512P", duration=10),
        changed(MINIMAX_BODY, resolution="1080P", callback_url="https://a.example/hook"),
        BOTH_FRAMES,
        changed(BOTH_FRAMES, resolution="1080P"),
        HAILUO_23_FAST,
        {"model": "MiniMax-Hailuo-2.3", "prompt": "x"},
    ],
)
async def test_minimax_accepts_the_combinations_in_its_matrix(tmp_path: Path, body: Any) -> None:
    async with in_process(tmp_path) as client:
        answer = await client.post(MINIMAX, json=body, headers=bearer())
    assert answer.json()["base_resp"] == {"status_code": 0, "status_msg": "success"}
    assert answer.json()["task_id"].isdigit()


async def test_apixo_ignores_a_duration_in_pro_mode_and_does_not_need_one(tmp_path: Path) -> None:
    async with in_process(tmp_path) as client:
        for length in ({}, {"duration": 10}, {"duration": OMITTED}):
            body = apixo_input(mode="pro-image-to-video", **length)
            answer = await client.post(APIXO_GATEWAY.submit_path, json=body, headers=bearer())
            assert answer.status_code == 200


async def test_apixo_accepts_a_callback_job_like_any_other(tmp_path: Path) -> None:
    body = changed(APIXO_BODY, request_type="callback", callback_url="https://a.example/hook", provider=OMITTED)
    async with in_process(tmp_path, seconds=0) as client:
        submitted = await client.post(APIXO_GATEWAY.submit_path, json=body, headers=bearer())
        assert (await APIXO_GATEWAY.poll(client, submitted)).json()["data"]["state"] == "success"


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"{}", "text/plain"),
        (b"{", "application/json"),
        (b"[" * 200_000, "application/json"),
        (b'{"prompt": "\\ud800"}', "application/json"),
    ],
    ids=["another type", "cut off", "too deep", "half a letter"],
)
async def test_a_body_that_is_not_valid_json_is_refused(
    tmp_path: Path, name: str, content: bytes, content_type: str
) -> None:
    gateway = GATEWAYS[name]
    headers = {**gateway.credentials("key"), "content-type": content_type}
    async with in_process(tmp_path) as client:
        answer = await client.post(gateway.submit_path, content=content, headers=headers)
    assert status_of(answer) == 400


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_refused_submission_leaves_no_job_behind(tmp_path: Path, name: str) -> None:
    gateway = GATEWAYS[name]
    async with in_process(tmp_path) as client:
        await client.post(gateway.submit_path, json={**gateway.body, "surprise": 1}, headers=gateway.credentials("key"))
        await gateway.submit(client, "sandbox:rate_limit")
        await gateway.submit(client, "sandbox:no_credits")
        await gateway.submit(client, key="no-credits")
        history = await client.get("/inference-request/request-history", headers=segmind_key())
    assert history.json()["total"] == 0


async def test_unknown_ids_are_not_found(tmp_path: Path) -> None:
    async with in_process(tmp_path) as client:
        unknown = await client.post("/v2/hailuo-99", json=SEGMIND_BODY, headers=segmind_key())
        assert (unknown.status_code, unknown.json()) == (404, {"error": "Model hailuo-99 not found"})
        for path, headers in (
            ("/v2/requests/nobody/status", segmind_key()),
            ("/v2/requests/nobody", segmind_key()),
            ("/inference-request/request-history/nobody", segmind_key()),
            ("/api/v1/statusTask/hailuo-2-3-fast?taskId=nobody", bearer()),
            (f"{AIMLAPI}?generation_id=nobody", bearer()),
            (f"{UNIFIED}?generation_id=nobody", bearer()),
            (f"{MINIMAX_QUERY}?task_id=nobody", bearer()),
            (f"{MINIMAX_FILE}?file_id=nobody", bearer()),
        ):
            assert status_of(await client.get(path, headers=headers)) == 404, path


async def test_a_poll_without_an_id_is_refused(tmp_path: Path) -> None:
    async with in_process(tmp_path) as client:
        for path in ("/api/v1/statusTask/hailuo-2-3-fast", AIMLAPI):
            assert (await client.get(path, headers=bearer())).status_code == 400


@pytest.mark.parametrize("path", [gateway.submit_path for gateway in GATEWAYS.values()])
async def test_a_wrong_method_is_refused(tmp_path: Path, path: str) -> None:
    async with in_process(tmp_path) as client:
        answer: httpx.Response = await client.put(path, json={})
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
