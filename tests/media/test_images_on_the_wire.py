"""How a local image is sent: to Segmind as one upload per image, to AI/ML API inline, and to APIXO not at all."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from hailuo_mcp.core.errors import HailuoError
from tests.media.samples import data_uri, encoded, jpeg, picture, png
from tests.support import Opened, Wire, body_of, recorded_sandbox, settings_for, wired

SEGMIND = {"model": "segmind/hailuo-02-fast", "prompt": "a red kite"}
AIMLAPI = {"model": "aimlapi/hailuo-02", "prompt": "a red kite"}
APIXO = {"model": "apixo/hailuo-2.3-fast", "prompt": "a red kite"}


def _uploads(wire: Wire) -> list[str]:
    return [body_of(request)["data_urls"][0] for request in wire.posts if request.url.path == "/upload-asset"]


def _submissions(wire: Wire) -> list[dict[str, Any]]:
    return [body_of(request) for request in wire.posts if request.url.path != "/upload-asset"]


def _sandboxed(directory: Path, **variables: str) -> tuple[Opened, Wire]:
    (directory / "pictures").mkdir(exist_ok=True)
    return recorded_sandbox(settings_for(directory, HAILUO_MCP_SANDBOX="1", **variables))


async def test_segmind_gets_each_image_uploaded_once_even_across_restarts(tmp_path: Path) -> None:
    opened, wire = _sandboxed(tmp_path)
    (tmp_path / "pictures/a.png").write_bytes(png())
    (tmp_path / "pictures/copy.jpg").write_bytes(png())
    given = (str(tmp_path / "pictures/a.png"), str(tmp_path / "pictures/copy.jpg"), data_uri(png()))
    async with opened as session:
        for number, each in enumerate(given):
            await session.generate({**SEGMIND, "prompt": f"kite {number}", "first_frame_image": each})
        await session.generate({**SEGMIND, "first_frame_image": data_uri(jpeg()), "last_frame_image": data_uri(png())})
    assert _uploads(wire) == [data_uri(png()), data_uri(jpeg(), "image/jpeg")]
    addresses = {body["first_frame_image"] for body in _submissions(wire)[:3]}
    assert len(addresses) == 1
    assert _submissions(wire)[3]["last_frame_image"] in addresses

    opened, wire = _sandboxed(tmp_path)
    async with opened as session:
        await session.generate({**SEGMIND, "prompt": "another day", "first_frame_image": data_uri(png())})
    assert not _uploads(wire)
    assert _submissions(wire)[0]["first_frame_image"] in addresses


async def test_a_file_and_the_same_content_inline_are_the_same_request(tmp_path: Path) -> None:
    opened, wire = _sandboxed(tmp_path)
    (tmp_path / "pictures/a.png").write_bytes(png())
    async with opened as session:
        first = await session.generate({**SEGMIND, "first_frame_image": str(tmp_path / "pictures/a.png")})
        again = await session.generate({**SEGMIND, "first_frame_image": data_uri(png())})
        other = await session.generate({**SEGMIND, "first_frame_image": data_uri(png(401))})
    assert (first.duplicate, again.duplicate, other.duplicate) == (False, True, False)
    assert again.job.request_id == first.job.request_id
    assert len(_submissions(wire)) == 2


async def test_an_upload_that_fails_sends_no_submission(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, SEGMIND_API_KEY="sk-test")
    opened, wire = wired(settings, lambda request: httpx.Response(400, json={"error": "no room"}))
    async with opened as session:
        with pytest.raises(HailuoError, match="no room") as failed:
            await session.generate({**SEGMIND, "first_frame_image": data_uri(png())})
    assert failed.value.problem.charged == "no"
    assert [request.url.path for request in wire.requests] == ["/upload-asset"]


async def test_aimlapi_gets_the_original_bytes_in_the_request(tmp_path: Path) -> None:
    opened, wire = _sandboxed(tmp_path)
    (tmp_path / "pictures/mislabelled.png").write_bytes(jpeg())
    async with opened as session:
        await session.generate({**AIMLAPI, "first_frame_image": str(tmp_path / "pictures/mislabelled.png")})
    (body,) = _submissions(wire)
    head, _, payload = body["first_frame_image"].partition(",")
    assert head == "data:image/jpeg;base64"
    assert base64.b64decode(payload) == jpeg()


async def test_only_minimax_gets_a_webp_unchanged(tmp_path: Path) -> None:
    opened, wire = _sandboxed(tmp_path)
    (tmp_path / "pictures/a.webp").write_bytes(content := encoded(picture(), "WEBP"))
    given = {"prompt": "a red kite", "first_frame_image": str(tmp_path / "pictures/a.webp")}
    async with opened as session:
        await session.generate({**given, "model": "minimax/hailuo-2.3-fast"})
        for call in (SEGMIND, AIMLAPI):
            with pytest.raises(HailuoError, match="only JPG and PNG are accepted"):
                await session.generate({**given, "model": call["model"]})
    (body,) = _submissions(wire)
    head, _, payload = body["first_frame_image"].partition(",")
    assert head == "data:image/webp;base64"
    assert base64.b64decode(payload) == content


async def test_apixo_refuses_a_local_image_and_says_what_to_do(tmp_path: Path) -> None:
    opened, wire = _sandboxed(tmp_path)
    (tmp_path / "pictures/a.png").write_bytes(png())
    async with opened as session:
        for given in (str(tmp_path / "pictures/a.png"), data_uri(png()), data_uri(png() + bytes(100_000))):
            with pytest.raises(HailuoError, match=r"first_frame_image must be an http\(s\) URL") as refused:
                await session.generate({**APIXO, "first_frame_image": given})
            assert "web address" in refused.value.problem.hint
            assert "minimax/hailuo-2.3-fast" in refused.value.problem.hint
    assert not wire.requests


async def test_a_url_is_passed_on_to_every_gateway_and_never_fetched(tmp_path: Path) -> None:
    opened, wire = _sandboxed(tmp_path)
    url = "https://pictures.example/kite.png"
    async with opened as session:
        for call in (SEGMIND, AIMLAPI, APIXO):
            await session.generate({**call, "first_frame_image": url})
    assert all(url in request.content.decode() for request in wire.requests)
    assert {request.method for request in wire.requests} == {"POST"}
    assert len(wire.requests) == 3


async def test_a_fixed_image_is_sent_and_the_job_has_a_warning(tmp_path: Path) -> None:
    opened, wire = _sandboxed(tmp_path, HAILUO_MCP_FIX_IMAGES="1")
    (tmp_path / "pictures/a.webp").write_bytes(encoded(picture(), "WEBP"))
    async with opened as session:
        outcome = await session.generate({**SEGMIND, "first_frame_image": str(tmp_path / "pictures/a.webp")})
    assert _uploads(wire)[0].startswith("data:image/jpeg;base64,")
    assert "first_frame_image was fixed before sending: WebP became JPEG." in outcome.job.warnings


async def test_a_dry_run_reads_the_image_and_sends_nothing(tmp_path: Path) -> None:
    opened, wire = _sandboxed(tmp_path)
    async with opened as session:
        shown = await session.generate({**SEGMIND, "first_frame_image": data_uri(png())}, dry_run=True)
    assert shown.request is not None
    assert shown.request.public()["body"]["first_frame_image"] == f"<upload:sha256:{hashlib.sha256(png()).hexdigest()}>"
    assert not wire.requests
