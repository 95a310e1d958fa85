"""Uploading files: the exact requests, what a failed upload means, and which files are uploaded at all."""

from base64 import b64encode
from typing import Any

import httpx
import pytest

from hailuo_mcp.core.errors import HailuoError
from tests.core.models import MODELS
from tests.gateways.wire import CLIP, KEY, Step, body_of, breaks, connect, says, says_text

IMAGE_FILE = ("image/png", b"picture")
VIDEO_FILE = ("video/mp4", b"a film")
UPLOADED = "https://images.segmind.com/assets/x.png"
MINIMAX_UPLOADED = {"file": {"file_id": 1234567890123456789, "bytes": 5}, "base_resp": {"status_code": 0}}


@pytest.mark.parametrize("name", ["file_urls", "urls"])
async def test_an_upload_to_segmind_is_sent_as_by_the_sdk_and_accepts_both_response_formats(name: str) -> None:
    gateway, script = connect("segmind", says(200, {name: [UPLOADED], "message": "ok"}))
    assert await gateway.upload(*IMAGE_FILE, 5) == UPLOADED
    (request,) = script.requests
    assert (request.method, str(request.url)) == ("POST", "https://workflows-api.segmind.com/upload-asset")
    assert request.headers["x-api-key"] == KEY
    assert body_of(request) == {"data_urls": [f"data:image/png;base64,{b64encode(IMAGE_FILE[1]).decode()}"]}


async def test_an_upload_is_retried() -> None:
    gateway, script = connect("segmind", breaks(httpx.ReadError), says(503), says(200, {"file_urls": [UPLOADED]}))
    assert await gateway.upload(*IMAGE_FILE, 5) == UPLOADED
    assert len(script.requests) == 3


async def test_an_upload_to_fal_goes_to_the_returned_url_without_the_key() -> None:
    urls = {"upload_url": "https://storage.example/put?signature=x", "file_url": "https://v3.fal.media/a.png"}
    gateway, script = connect("fal", says(200, urls), says(200))
    assert await gateway.upload(*IMAGE_FILE, 5) == urls["file_url"]
    initiate, put = script.requests
    assert str(initiate.url) == "https://rest.fal.ai/storage/upload/initiate?storage_type=gcs"
    assert body_of(initiate) == {"file_name": "upload.png", "content_type": "image/png"}
    assert (put.method, str(put.url), put.content) == ("PUT", urls["upload_url"], b"picture")
    assert put.headers["content-type"] == "image/png"
    assert KEY not in str(put.headers)


async def test_an_upload_to_replicate_is_a_form() -> None:
    link = "https://api.replicate.com/v1/files/f1"
    gateway, script = connect("replicate", says(201, {"id": "f1", "urls": {"get": link}}))
    assert await gateway.upload(*IMAGE_FILE, 5) == link
    (request,) = script.requests
    assert str(request.url) == "https://api.replicate.com/v1/files"
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="content"; filename="upload.png"\r\nContent-Type: image/png\r\n\r\npicture\r\n' in request.content


async def test_an_upload_to_minimax_is_a_form_with_its_purpose_and_referenced_by_its_id() -> None:
    gateway, script = connect("minimax", says(200, MINIMAX_UPLOADED))
    assert await gateway.upload(*VIDEO_FILE, 5) == "mm_file://1234567890123456789"
    (request,) = script.requests
    assert (request.method, str(request.url)) == ("POST", "https://api.minimax.io/v1/files/upload")
    assert request.headers["authorization"].startswith("Bearer ")
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="purpose"\r\n\r\nvideo_generation_input\r\n' in request.content
    assert b'name="file"; filename="upload.mp4"\r\nContent-Type: video/mp4\r\n\r\na film\r\n' in request.content


async def test_a_large_file_is_streamed_with_its_content_length() -> None:
    gateway, script = connect("minimax", says(503), says(200, MINIMAX_UPLOADED))
    content = bytes(range(256)) * 4000
    await gateway.upload("video/mp4", content, 5)
    assert len(script.requests) == 2
    for request in script.requests:
        assert content in request.content
        assert request.headers["content-length"] == str(len(request.content))
        assert "transfer-encoding" not in request.headers


def refused(status: int, code: int, message: str) -> Step:
    """A refusal by MiniMax: in its second API with a status, in its first with a code."""
    error = {"type": "bad_request_error", "message": f"{message} ({code})", "http_code": str(status)}
    body: dict[str, Any] = {"file": None, "base_resp": {"status_code": code, "status_msg": message}}
    return says(status, body if status == 200 else {"type": "error", "error": error, "request_id": "r"})


UPLOAD_URL = says(200, {"upload_url": "https://s.example/x", "file_url": CLIP})
FAILURES: dict[str, list[tuple[str, list[Step]]]] = {
    "segmind": [
        ("invalid_image", [says(400, {"error": "not a picture"})]),
        ("invalid_image", [says(413)]),
        ("unauthorized", [says(401)]),
        ("gateway_error", [says(404)]),
        ("insufficient_credits", [says(406)]),
        ("gateway_error", [says(500)]),
        ("gateway_error", [says(302)]),
        ("gateway_error", [says(200, {"message": "ok"})]),
        ("gateway_error", [says(200, {"file_urls": ["data:image/png;base64,AAAA"]})]),
        ("gateway_error", [says_text(200, "ok")]),
        ("network_error", [breaks(httpx.ReadError)]),
    ],
    "fal": [
        ("invalid_image", [says(400, {"detail": "no"})]),
        ("gateway_error", [says(200, {})]),
        ("gateway_error", [says(200, {"upload_url": "http://10.0.0.1/x", "file_url": CLIP})]),
        ("forbidden", [UPLOAD_URL, says(403)]),
    ],
    "replicate": [("invalid_image", [says(422, {"detail": "no"})]), ("gateway_error", [says(201)])],
    "minimax": [
        ("invalid_image", [refused(400, 2013, "duration must be from 2 to 15")]),
        ("invalid_image", [refused(200, 2013, "invalid params")]),
        ("unauthorized", [refused(200, 1004, "login fail")]),
        ("insufficient_credits", [refused(200, 1008, "insufficient balance")]),
        ("gateway_error", [refused(200, 1000, "internal error")]),
        ("gateway_error", [says(200, {"base_resp": {"status_code": 0}})]),
        ("invalid_image", [says(413)]),
        ("gateway_error", [says(302)]),
    ],
}


@pytest.mark.parametrize(
    ("name", "code", "steps"),
    [(name, code, steps) for name, failures in FAILURES.items() for code, steps in failures],
)
async def test_a_failed_upload_says_that_nothing_was_submitted(name: str, code: str, steps: list[Step]) -> None:
    gateway, _ = connect(name, *steps)
    with pytest.raises(HailuoError) as failed:
        await gateway.upload(*IMAGE_FILE, 5)
    assert (failed.value.problem.code, failed.value.problem.charged) == (code, "no")
    assert "nothing was submitted" in failed.value.problem.message or code == "network_error"


@pytest.mark.parametrize(
    ("model", "parameter", "size", "expected"),
    [
        ("minimax/h3", "reference_images", 1024 * 1024, "data"),
        ("minimax/h3", "reference_images", 1024 * 1024 + 1, "upload"),
        ("minimax/h3", "first_frame_image", 1024 * 1024 + 1, "upload"),
        ("minimax/h3", "reference_videos", 1, "upload"),
        ("minimax/h3-max", "reference_audios", 1, "upload"),
        ("minimax/hailuo-02", "first_frame_image", 20 * 1024 * 1024, "data"),
        ("minimax/s2v-01", "subject_reference", 20 * 1024 * 1024, "data"),
        ("aimlapi/hailuo-02", "first_frame_image", 1, "data"),
        ("aimlapi/hailuo-02", "reference_images", 1, "url"),
        ("apixo/hailuo-2.3-fast", "first_frame_image", 1, "url"),
        ("fal/hailuo-02", "reference_audios", 1, "upload"),
        ("replicate/hailuo-02", "reference_videos", 1, "upload"),
    ],
)
def test_a_file_is_transferred_as_documented(model: str, parameter: str, size: int, expected: str) -> None:
    gateway, _ = connect(model.partition("/")[0])
    assert gateway.transfer(MODELS[model], parameter, size) == expected
