"""Images, videos and audio as references, from local files, data URIs and saved clips, as they are sent."""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hailuo_mcp.core.caller import Caller
from hailuo_mcp.core.errors import HailuoError, InvalidImage, InvalidInput, NotReady, UnknownRequest
from hailuo_mcp.service.session import Session
from tests.media.samples import ORIENTATION, data_uri, encoded, film, picture, png, tone
from tests.media.samples import opened as opened_image
from tests.service.h3 import H3, sandboxed, uploads
from tests.support import Wire, arguments_for, body_of, recorded_sandbox, settings_for

SUBMIT = "/v2/video_generation"


def items(wire: Wire) -> list[Mapping[str, Any]]:
    """The inputs of the last submission, besides its text."""
    (*_, last) = (request for request in wire.posts if request.url.path == SUBMIT)
    return [item for item in body_of(last)["content"] if item["type"] != "text"]


def urls(wire: Wire) -> dict[str, str]:
    return {item["role"]: item[item["type"]]["url"] for item in items(wire)}


async def test_local_files_are_uploaded_or_inlined_as_h3_accepts_them(tmp_path: Path) -> None:
    opened, wire = sandboxed(tmp_path)
    pictures = tmp_path / "pictures"
    (pictures / "kite.webp").write_bytes(content := encoded(picture(), "WEBP"))
    film(pictures / "my film.mov", seconds=2.5)
    tone(pictures / "song.mp3")
    async with opened as session:
        job = await session.generate(
            {
                **H3,
                "reference_images": [f"'{pictures}/kite.webp'"],
                "reference_videos": [f"file://{pictures}/my%20film.mov"],
                "reference_audios": [str(pictures / "song.mp3")],
            }
        )
    sent = urls(wire)
    assert sent["reference_image"] == data_uri(content, "image/webp")
    assert re.fullmatch(r"mm_file://\d+", sent["reference_video"])
    assert re.fullmatch(r"mm_file://\d+", sent["reference_audio"])
    assert uploads(wire) == 2
    assert job.job.parameters["reference_videos"][0].startswith("my film.mov (sha256:")
    assert job.job.estimated_cost_usd == pytest.approx(0.08 * (4 + 3))
    assert "mm_file" in json.dumps(job.job.body)


async def test_a_large_image_is_uploaded_and_follows_the_limits_of_h3(tmp_path: Path) -> None:
    opened, wire = sandboxed(tmp_path)
    pictures = tmp_path / "pictures"
    (pictures / "small.png").write_bytes(png(256, 256))
    noise = picture(1400, 1000).effect_spread(400)
    (pictures / "large.png").write_bytes(encoded(noise, "PNG", compress_level=0))
    (pictures / "tiny.png").write_bytes(png(255, 300))
    (pictures / "tall.png").write_bytes(png(300, 800))
    async with opened as session:
        for name, many in (("first_frame_image", False), ("reference_images", True)):
            for file in ("small.png", "large.png"):
                given = str(pictures / file)
                await session.generate({**H3, "prompt": f"{name} {file}", name: [given] if many else given})
        assert uploads(wire) == 1
        for file, message in (("tiny.png", "256–5760 px a side are accepted"), ("tall.png", "0.4–2.5 is accepted")):
            with pytest.raises(InvalidImage, match=rf"reference_images\[1\] \({file}\) .*{message}"):
                await session.generate({**H3, "reference_images": [str(pictures / "small.png"), str(pictures / file)]})
        with pytest.raises(InvalidImage, match="over 300 px"):
            await session.generate(arguments_for("minimax/hailuo-02", first_frame_image=str(pictures / "small.png")))


async def test_location_metadata_of_an_image_is_not_sent(tmp_path: Path) -> None:
    opened, wire = sandboxed(tmp_path)
    exif = Image.Exif()
    exif[ORIENTATION], exif[0x010E] = 3, "in front of my house"
    (tmp_path / "pictures/turned.jpg").write_bytes(content := encoded(picture(), "JPEG", exif=exif))
    async with opened as session:
        job = (await session.generate({**H3, "reference_images": [str(tmp_path / "pictures/turned.jpg")]})).job
    sent = b64decode(urls(wire)["reference_image"].partition(",")[2])
    assert b"my house" in content
    assert b"my house" not in sent
    assert opened_image(sent).getexif() == {ORIENTATION: 3}
    assert any("reference_images[0] is rotated" in warning for warning in job.warnings)


async def test_dry_run_checks_everything_and_shows_no_bytes(tmp_path: Path) -> None:
    opened, wire = sandboxed(tmp_path)
    pictures = tmp_path / "pictures"
    film(pictures / "a.mp4", seconds=2)
    call = {**H3, "reference_images": [data_uri(png())], "reference_videos": [str(pictures / "a.mp4")]}
    async with opened as session:
        shown = await session.generate(call, dry_run=True)
        for wrong in ({"reference_videos": [str(tone(pictures / "a.mp3") and pictures / "a.mp3")]}, {"duration": 3}):
            with pytest.raises(HailuoError) as refused:
                await session.generate({**call, **wrong}, dry_run=True)
            assert refused.value.problem.charged == "no"
    assert shown.request is not None
    urls = [item[item["type"]]["url"] for item in shown.request.public()["body"]["content"][1:]]
    assert re.fullmatch(r"data:image/png;base64,<sha256:[0-9a-f]{64}>", urls[0])
    assert re.fullmatch(r"<upload:sha256:[0-9a-f]{64}>", urls[1])
    assert shown.job.estimated_cost_usd == pytest.approx(0.08 * (4 + 2))
    assert not wire.requests


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"reference_videos": ["/etc/hostname"]}, r"reference_videos\[0\].*outside the directories"),
        ({"reference_videos": ["{dir}/missing.mp4"]}, r"reference_videos\[0\].*does not exist"),
        ({"reference_videos": ["{dir}/notes.mp4"]}, r"reference_videos\[0\] \(notes.mp4\) is in a format that is not"),
        ({"reference_videos": ["{dir}/a.png"]}, "is a PNG file; only MP4 or MOV is accepted"),
        ({"reference_images": ["{dir}/a.mp4"]}, r"reference_images\[0\] \(a.mp4\) is not an image"),
        ({"reference_audios": ["{dir}/a.mp4"], "reference_images": [png]}, "is an MP4 file; only WAV or MP3"),
        ({"reference_videos": ["{dir}/a.mp4"] * 3}, r"reference_videos last 18\.0 s in total"),
        ({"reference_videos": ["data:video/mp4;base64,!!"]}, "base64 is invalid"),
        ({"reference_videos": ["last-frame:minimax/h3/x"]}, "does not take 'last-frame"),
        ({"reference_images": ["clip:minimax/h3/x"]}, "does not take 'clip:"),
        ({"reference_images": ["last-frame:minimax/h3/x"]}, "whose clip is not saved here"),
        ({"reference_videos": ["clip:minimax/h3/x"]}, "there is no job minimax/h3/x"),
    ],
)
async def test_unusable_reference_is_refused_before_anything_is_sent(
    given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    opened, wire = sandboxed(tmp_path)
    pictures = tmp_path / "pictures"
    film(pictures / "a.mp4", seconds=6)
    (pictures / "a.png").write_bytes(png())
    (pictures / "notes.mp4").write_text("TOKEN=hunter2" * 100)
    texts = {
        name: [data_uri(png()) if one is png else one.replace("{dir}", str(pictures)) for one in many]
        for name, many in given.items()
    }
    async with opened as session:
        for dry_run in (True, False):
            with pytest.raises(HailuoError, match=message) as refused:
                await session.generate({**H3, **texts}, dry_run=dry_run)
            problem = refused.value.problem
            assert (problem.charged, bool(problem.hint), "hunter2" in problem.message) == ("no", True, False)
        assert not (await session.jobs()).jobs
    assert not wire.requests


async def test_saved_clip_and_its_last_frame_can_be_references(tmp_path: Path) -> None:
    opened, wire = sandboxed(tmp_path, HAILUO_MCP_AUTO_DOWNLOAD="0")
    async with opened as session:
        first = (await session.generate(H3)).job
        request_id = first.request_id
        call = {**H3, "prompt": "it goes on", "reference_videos": [f"clip:{request_id}"]}
        job = (await session.generate(call)).job
        assert urls(wire)["reference_video"].startswith("mm_file://")
        assert job.parameters["reference_videos"][0].startswith(f"clip of {request_id} (sha256:")
        again = {**H3, "prompt": "and on", "reference_images": [f"last-frame:{request_id}", data_uri(png())]}
        job = (await session.generate(again)).job
        assert job.parameters["reference_images"][0].startswith(f"last frame of {request_id} (sha256:")
        other_tenant = Session(session.services, Caller(tenant="someone"))
        for name, given in (
            ("reference_videos", f"clip:{request_id}"),
            ("reference_images", f"last-frame:{request_id}"),
        ):
            with pytest.raises(HailuoError, match=r"there is no job|not saved here"):
                await other_tenant.generate({**H3, "prompt": "mine", name: [given]})


async def test_missing_or_expired_clip_is_named_in_the_error(tmp_path: Path) -> None:
    opened, _ = sandboxed(tmp_path)
    async with opened as session:
        never = (await session.generate({**H3, "prompt": "sandbox:never"})).job
        failed = (await session.generate({**H3, "prompt": "sandbox:fail"})).job
        gone = (await session.generate({**H3, "prompt": "sandbox:expire"})).job
        await session.status(failed.request_id)
        for job, kind, message in (
            (never, NotReady, "has no clip yet"),
            (failed, NotReady, "failed; it has no clip"),
            (gone, HailuoError, "expired|no clip"),
        ):
            with pytest.raises(kind) as refused:
                await session.generate({**H3, "prompt": "x", "reference_videos": [f"clip:{job.request_id}"]})
            assert re.match(rf"reference_videos\[0\]: .*({message})", refused.value.problem.message)
            assert refused.value.problem.charged == "no"
        with pytest.raises(UnknownRequest, match="there is no job"):
            await session.generate({**H3, "prompt": "x", "reference_videos": ["clip:fal/hailuo-02/unknown"]})


async def test_remote_caller_may_not_name_local_files(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    film(tmp_path / "pictures/a.mp4")
    settings = settings_for(tmp_path, HAILUO_MCP_SANDBOX="1")
    opened, wire = recorded_sandbox(settings, local_files=False)
    async with opened as session:
        with pytest.raises(InvalidInput, match="names a local file, which this server cannot read"):
            await session.generate({**H3, "reference_videos": [str(tmp_path / "pictures/a.mp4")]})
        assert not wire.requests
        inline = data_uri((tmp_path / "pictures/a.mp4").read_bytes(), "video/mp4")
        await session.generate({**H3, "reference_videos": [inline]})
    assert uploads(wire) == 1


async def test_local_file_is_refused_with_a_hint_where_only_urls_are_accepted(tmp_path: Path) -> None:
    opened, wire = sandboxed(tmp_path)
    film(tmp_path / "pictures/a.mp4")
    call = {"model": "aimlapi/h3", "prompt": "a red kite"}
    async with opened as session:
        for name, given, hint in (
            ("reference_images", data_uri(png()), "put it on a web address"),
            ("reference_videos", str(tmp_path / "pictures/a.mp4"), "put it on a web address"),
            ("reference_videos", "clip:aimlapi/h3/x", "video_url of get_status"),
        ):
            with pytest.raises(HailuoError, match=rf"{name}\[0\] must be a URL for aimlapi/h3") as refused:
                await session.generate({**call, name: [given]})
            assert hint in refused.value.problem.hint
        assert not wire.requests
        await session.generate({**call, "reference_videos": ["https://videos.example/a.mp4"]})
        await session.generate({**call, "first_frame_image": data_uri(png())})
    first, second = map(body_of, wire.posts)
    assert first["video_urls"] == ["https://videos.example/a.mp4"]
    assert second["image_url"] == data_uri(png())
