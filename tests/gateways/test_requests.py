"""The exact requests, compared with the samples in the gateways' documentation."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.parameters import IMAGE_PARAMETERS
from hailuo_mcp.core.settings import GatewaySettings
from hailuo_mcp.gateways.client import GatewayClient
from tests.gateways.wire import A_MODEL_OF, GATEWAYS, IMAGE, KEY, MODELS, body_of, connect, says, spec

ACCEPTED = says(200, {"request_id": "r1", "data": {"taskId": "r1"}, "generation_id": "r1", "task_id": "r1"})
SEGMIND_KEY = ("x-api-key", KEY)
BEARER = ("authorization", f"Bearer {KEY}")
STILL = "https://segmind-resources.s3.amazonaws.com/input/still.jpeg"


@dataclass(frozen=True)
class Sample:
    """A call, and the documented request for it."""

    name: str
    model: str
    arguments: dict[str, Any]
    url: str
    key: tuple[str, str]
    body: dict[str, Any]


SAMPLES = [
    Sample(
        "hailuo-02-fast as printed, with an integer duration",
        "segmind/hailuo-02-fast",
        {
            "prompt": "A boy sings.",
            "go_fast": True,
            "duration": "6",
            "prompt_optimizer": True,
            "first_frame_image": STILL,
        },
        "https://api.segmind.com/v2/hailuo-02-fast",
        SEGMIND_KEY,
        {
            "prompt": "A boy sings.",
            "go_fast": True,
            "duration": 6,
            "prompt_optimizer": True,
            "first_frame_image": STILL,
            "last_frame_image": None,
        },
    ),
    Sample(
        "hailuo-02-fast with its defaults and a last frame",
        "segmind/hailuo-02-fast",
        {"prompt": "x", "first_frame_image": STILL, "last_frame_image": STILL + "?2", "duration": 10},
        "https://api.segmind.com/v2/hailuo-02-fast",
        SEGMIND_KEY,
        {
            "prompt": "x",
            "go_fast": False,
            "duration": 10,
            "prompt_optimizer": True,
            "first_frame_image": STILL,
            "last_frame_image": STILL + "?2",
        },
    ),
    Sample(
        "hailuo-2.3-fast as printed",
        "segmind/hailuo-2.3-fast",
        {"prompt": "A woman, sweater’s pattern.", "first_frame_image": STILL},
        "https://api.segmind.com/v2/hailuo-2.3-fast",
        SEGMIND_KEY,
        {
            "prompt": "A woman, sweater’s pattern.",
            "duration": 6,
            "resolution": "1080p",
            "prompt_optimizer": True,
            "first_frame_image": STILL,
        },
    ),
    Sample(
        "minimax-hailuo-2 as printed",
        "segmind/minimax-hailuo-2",
        {"prompt": "Man wandered into a desert canyon.", "first_frame_image": STILL},
        "https://api.segmind.com/v2/minimax-hailuo-2",
        SEGMIND_KEY,
        {
            "prompt": "Man wandered into a desert canyon.",
            "prompt_optimizer": True,
            "image_url": STILL,
            "mode": "standard",
            "last_frame_image": None,
        },
    ),
    Sample(
        "minimax-hailuo-2 from text alone injects no example picture",
        "segmind/minimax-hailuo-2",
        {"prompt": "x", "mode": "PRO", "prompt_optimizer": False},
        "https://api.segmind.com/v2/minimax-hailuo-2",
        SEGMIND_KEY,
        {"prompt": "x", "prompt_optimizer": False, "mode": "pro", "last_frame_image": None},
    ),
    Sample(
        "APIXO standard",
        "apixo/hailuo-2.3-fast",
        {"prompt": "x", "first_frame_image": STILL, "routing": "auto"},
        "https://api.apixo.ai/api/v1/generateTask/hailuo-2-3-fast",
        BEARER,
        {
            "request_type": "async",
            "provider": "auto",
            "input": {"mode": "standard-image-to-video", "prompt": "x", "image_urls": [STILL], "duration": 6},
        },
    ),
    Sample(
        "APIXO pro sends no duration, and no provider unasked",
        "apixo/hailuo-2.3-fast",
        {"prompt": "x", "first_frame_image": STILL, "resolution": "1080p"},
        "https://api.apixo.ai/api/v1/generateTask/hailuo-2-3-fast",
        BEARER,
        {
            "request_type": "async",
            "input": {"mode": "pro-image-to-video", "prompt": "x", "image_urls": [STILL]},
        },
    ),
    Sample(
        "APIXO with a callback",
        "apixo/hailuo-2.3-fast",
        {"prompt": "x", "first_frame_image": STILL, "duration": 10, "callback_url": "https://me.example/hook?a=1"},
        "https://api.apixo.ai/api/v1/generateTask/hailuo-2-3-fast",
        BEARER,
        {
            "request_type": "callback",
            "callback_url": "https://me.example/hook?a=1",
            "input": {"mode": "standard-image-to-video", "prompt": "x", "image_urls": [STILL], "duration": 10},
        },
    ),
    Sample(
        "AI/ML API as printed",
        "aimlapi/hailuo-02",
        {"prompt": "text", "first_frame_image": "https://example.com"},
        "https://api.aimlapi.com/v2/generate/video/minimax/generation",
        BEARER,
        {
            "model": "minimax/hailuo-02",
            "prompt": "text",
            "prompt_optimizer": True,
            "first_frame_image": "https://example.com",
            "duration": 6,
            "resolution": "768P",
        },
    ),
    Sample(
        "AI/ML API from text, with a last frame inside the body",
        "aimlapi/hailuo-02",
        {"prompt": "text", "last_frame_image": "data:image/png;base64,AAAA", "resolution": "1080P"},
        "https://api.aimlapi.com/v2/generate/video/minimax/generation",
        BEARER,
        {
            "model": "minimax/hailuo-02",
            "prompt": "text",
            "prompt_optimizer": True,
            "last_image_url": "data:image/png;base64,AAAA",
            "duration": 6,
            "resolution": "1080P",
        },
    ),
    Sample(
        "AI/ML API, unified route, from text",
        "aimlapi/hailuo-2.3",
        {"prompt": "text"},
        "https://api.aimlapi.com/v2/video/generations",
        BEARER,
        {
            "model": "minimax/hailuo-2.3",
            "prompt": "text",
            "enhance_prompt": True,
            "duration": 6,
            "resolution": "768P",
        },
    ),
    Sample(
        "AI/ML API, unified route, from an image",
        "aimlapi/hailuo-2.3-fast",
        {"prompt": "text", "first_frame_image": STILL, "resolution": "1080p", "prompt_optimizer": False},
        "https://api.aimlapi.com/v2/video/generations",
        BEARER,
        {
            "model": "minimax/hailuo-2.3-fast",
            "prompt": "text",
            "image_url": STILL,
            "enhance_prompt": False,
            "duration": 6,
            "resolution": "1080P",
        },
    ),
    Sample(
        "AI/ML API H3 as printed",
        "aimlapi/h3",
        {"prompt": "Describe.", "first_frame_image": "https://example.com/input.jpg", "duration": 6},
        "https://api.aimlapi.com/v2/video/generations",
        BEARER,
        {
            "model": "minimax/h3",
            "prompt": "Describe.",
            "image_url": "https://example.com/input.jpg",
            "duration": 6,
            "resolution": "2K",
            "ratio": "adaptive",
        },
    ),
    Sample(
        "AI/ML API H3 from references",
        "aimlapi/h3",
        {
            "prompt": "x",
            "reference_images": [STILL],
            "reference_videos": [STILL + "?2"],
            "reference_audios": [STILL + "?3"],
            "aspect_ratio": "9:16",
            "duration": 15,
            "resolution": "2k",
        },
        "https://api.aimlapi.com/v2/video/generations",
        BEARER,
        {
            "model": "minimax/h3",
            "prompt": "x",
            "reference_image_urls": [STILL],
            "video_urls": [STILL + "?2"],
            "audio_urls": [STILL + "?3"],
            "duration": 15,
            "resolution": "2K",
            "ratio": "9:16",
        },
    ),
    Sample(
        "AI/ML API H3 Max from text, in lower case",
        "aimlapi/h3-max",
        {"prompt": "x", "resolution": "480P", "prompt_expansion": "Quality", "seed": 7},
        "https://api.aimlapi.com/v2/video/generations",
        BEARER,
        {
            "model": "minimax/h3-max",
            "prompt": "x",
            "duration": 5,
            "resolution": "480p",
            "ratio": "16:9",
            "prompt_expansion_mode": "quality",
            "seed": 7,
        },
    ),
    Sample(
        "hailuo-2.3 with its defaults, from text",
        "segmind/hailuo-2.3",
        {"prompt": "x"},
        "https://api.segmind.com/v2/hailuo-2.3",
        SEGMIND_KEY,
        {"prompt": "x", "duration": 6, "resolution": "768p", "prompt_optimizer": True},
    ),
    Sample(
        "hailuo-2.3 from an image at 1080p",
        "segmind/hailuo-2.3",
        {"prompt": "x", "first_frame_image": STILL, "resolution": "1080p", "prompt_optimizer": False},
        "https://api.segmind.com/v2/hailuo-2.3",
        SEGMIND_KEY,
        {
            "prompt": "x",
            "first_frame_image": STILL,
            "duration": 6,
            "resolution": "1080p",
            "prompt_optimizer": False,
        },
    ),
    Sample(
        "APIXO hailuo-2.3 from text",
        "apixo/hailuo-2.3",
        {"prompt": "x", "duration": 10},
        "https://api.apixo.ai/api/v1/generateTask/hailuo-2-3",
        BEARER,
        {"request_type": "async", "input": {"mode": "standard-text-to-video", "prompt": "x", "duration": 10}},
    ),
    Sample(
        "APIXO hailuo-2.3 pro from an image, without a duration, told of the end",
        "apixo/hailuo-2.3",
        {"prompt": "x", "first_frame_image": STILL, "mode": "pro", "callback_url": "https://me.example/hook"},
        "https://api.apixo.ai/api/v1/generateTask/hailuo-2-3",
        BEARER,
        {
            "request_type": "callback",
            "callback_url": "https://me.example/hook",
            "input": {"mode": "pro-image-to-video", "prompt": "x", "image_urls": [STILL]},
        },
    ),
    Sample(
        "MiniMax from text, told of the end",
        "minimax/hailuo-2.3",
        {"prompt": "x", "resolution": "1080P", "callback_url": "https://me.example/hook"},
        "https://api.minimax.io/v1/video_generation",
        BEARER,
        {
            "model": "MiniMax-Hailuo-2.3",
            "prompt": "x",
            "prompt_optimizer": True,
            "fast_pretreatment": False,
            "duration": 6,
            "resolution": "1080P",
            "callback_url": "https://me.example/hook",
        },
    ),
    Sample(
        "MiniMax fast, its picture inside the body",
        "minimax/hailuo-2.3-fast",
        {"prompt": "x", "first_frame_image": "data:image/png;base64,AAAA", "duration": 10, "fast_pretreatment": True},
        "https://api.minimax.io/v1/video_generation",
        BEARER,
        {
            "model": "MiniMax-Hailuo-2.3-Fast",
            "prompt": "x",
            "first_frame_image": "data:image/png;base64,AAAA",
            "prompt_optimizer": True,
            "fast_pretreatment": True,
            "duration": 10,
            "resolution": "768P",
        },
    ),
    Sample(
        "MiniMax from an image at 512p",
        "minimax/hailuo-02",
        {"prompt": "x", "first_frame_image": STILL, "resolution": "512p"},
        "https://api.minimax.io/v1/video_generation",
        BEARER,
        {
            "model": "MiniMax-Hailuo-02",
            "prompt": "x",
            "first_frame_image": STILL,
            "prompt_optimizer": True,
            "fast_pretreatment": False,
            "duration": 6,
            "resolution": "512P",
        },
    ),
    Sample(
        "MiniMax between two pictures",
        "minimax/hailuo-02",
        {"prompt": "x", "first_frame_image": STILL, "last_frame_image": STILL + "?2"},
        "https://api.minimax.io/v1/video_generation",
        BEARER,
        {
            "model": "MiniMax-Hailuo-02",
            "prompt": "x",
            "first_frame_image": STILL,
            "last_frame_image": STILL + "?2",
            "prompt_optimizer": True,
            "duration": 6,
            "resolution": "768P",
        },
    ),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
async def test_a_submission_is_exactly_the_documented_request(sample: Sample) -> None:
    gateway, script = connect(sample.model.split("/")[0], ACCEPTED)
    await gateway.submit(MODELS[sample.model].parse(sample.arguments), 5)
    (request,) = script.requests
    assert request.method == "POST"
    assert str(request.url) == sample.url
    body = body_of(request)
    assert body == sample.body
    assert json.dumps(body, sort_keys=True) == json.dumps(sample.body, sort_keys=True), "types are the same too"
    name, value = sample.key
    assert request.headers[name] == value
    other = {"x-api-key", "authorization"} - {name}
    assert not other & set(request.headers)
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_dry_run_shows_the_same_request_without_the_key(sample: Sample) -> None:
    gateway, _ = connect(sample.model.split("/")[0])
    public = gateway.submit_request(MODELS[sample.model].parse(sample.arguments)).public()
    assert (public["method"], public["url"], public["body"]) == ("POST", sample.url, sample.body)
    assert KEY not in repr(public)
    assert "***" in public["headers"].values()


@pytest.mark.parametrize("model_id", sorted(MODELS))
def test_an_image_that_was_not_given_is_not_sent(model_id: str) -> None:
    body = spec(model_id).to_body()
    assert {value for name, value in body.items() if "image" in name} <= {None, IMAGE}


def test_image_parameters_have_canonical_names() -> None:
    names = {n for model in MODELS.values() for n in model.model_fields}
    assert {n for n in names if n.endswith("_image") or n.startswith("subject_")} == set(IMAGE_PARAMETERS)


REMOTE_ID = "a/b:c %2F+é?&#"
ENCODED = "a%2Fb%3Ac%20%252F%2B%C3%A9%3F%26%23"
POLLS = {
    "segmind": [f"/v2/requests/{ENCODED}/status", f"/v2/requests/{ENCODED}"],
    "apixo": [f"/api/v1/statusTask/hailuo-2-3-fast?taskId={ENCODED}"],
    "aimlapi": [f"/v2/generate/video/minimax/generation?generation_id={ENCODED}"],
    "minimax": [f"/v1/query/video_generation?task_id={ENCODED}", f"/v1/files/retrieve?file_id={ENCODED}"],
    "fal": [f"/a/requests/{ENCODED.removeprefix('a%2F')}/status"],
    "replicate": [f"/v1/predictions/{ENCODED}"],
}


@pytest.mark.parametrize("name", sorted(POLLS))
async def test_an_id_with_slash_and_colon_is_sent_as_one_encoded_segment_or_value(name: str) -> None:
    lines: list[str] = []
    state = {"segmind": "COMPLETED", "aimlapi": "completed", "minimax": "Success"}.get(name)
    answer = json.dumps({"status": state, "code": 200, "data": {"state": "success"}, "file_id": REMOTE_ID}).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines.append(head.split(b"\r\n")[0].decode("ascii"))
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(answer), answer))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    kind = GATEWAYS[name]
    client = GatewayClient(kind.title)
    gateway = kind(GatewaySettings(urls=dict.fromkeys(kind.hosts, f"http://127.0.0.1:{port}")), client)
    async with server:
        await gateway.observe(MODELS[A_MODEL_OF[name]], REMOTE_ID)
        await client.close()
    assert lines == [f"GET {path} HTTP/1.1" for path in POLLS[name]]


@pytest.mark.parametrize("name", sorted(GATEWAYS))
async def test_the_key_is_never_sent_to_a_url_from_a_response(name: str) -> None:
    lure = "https://evil.example/steal"
    ids = {"id": "r1", "request_id": "r1", "generation_id": "r1", "data": {"taskId": "r1"}, "task_id": "r1"}
    accepted = {**ids, "status_url": lure, "poll_url": lure}
    redirect = says(302, None, {"location": lure})
    gateway, script = connect(name, says(200, accepted), redirect)
    await gateway.submit(spec(A_MODEL_OF[name]), 5)
    with pytest.raises(HailuoError):
        await gateway.observe(MODELS[A_MODEL_OF[name]], "r1")
    assert {request.url.host for request in script.requests} == {urlsplit(GATEWAYS[name].hosts["base"]).hostname}
