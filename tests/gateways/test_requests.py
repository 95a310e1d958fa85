"""The exact requests, compared with the samples in the gateways' documentation."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.parameters import IMAGE_PARAMETERS
from hailuo_mcp.core.settings import GatewaySettings
from hailuo_mcp.gateways.client import GatewayClient
from tests.core.models import MODELS
from tests.gateways.samples import SAMPLES, URLS, Sample
from tests.gateways.wire import A_MODEL_OF, EVERY_GATEWAY, GATEWAYS, IMAGE, KEY, body_of, connect, says, spec

ACCEPTED = says(200, {"request_id": "r1", "data": {"taskId": "r1"}, "generation_id": "r1", "task_id": "r1"})


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
async def test_a_submission_is_exactly_the_documented_request(sample: Sample) -> None:
    gateway, script = connect(sample.model.split("/")[0], ACCEPTED)
    await gateway.submit(MODELS[sample.model].parse(sample.arguments), 5)
    (request,) = script.requests
    assert request.method == "POST"
    assert str(request.url) == URLS[sample.model]
    assert json.dumps(body_of(request), sort_keys=True) == json.dumps(sample.body, sort_keys=True), "also in types"
    key = {"x-api-key": KEY} if gateway.name == "segmind" else {"authorization": f"Bearer {KEY}"}
    assert {name: value for name, value in request.headers.items() if name in ("x-api-key", "authorization")} == key
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_dry_run_shows_the_same_request_without_the_key(sample: Sample) -> None:
    gateway, _ = connect(sample.model.split("/")[0])
    public = gateway.submit_request(MODELS[sample.model].parse(sample.arguments)).public()
    assert (public["method"], public["url"], public["body"]) == ("POST", URLS[sample.model], sample.body)
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


@EVERY_GATEWAY
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
