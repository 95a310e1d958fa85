"""The clips themselves: what they show, how long they are, and how they are served."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat

from hailuo_mcp.sandbox import images
from hailuo_mcp.sandbox.context import owner_of
from hailuo_mcp.sandbox.jobs import Shot
from hailuo_mcp.sandbox.preview import FRAMES_PER_SECOND, card, render
from hailuo_mcp.sandbox.store import Store

from .wire import (
    APIXO_GATEWAY,
    SEGMIND_23_BODY,
    SEGMIND_BODY,
    SEGMIND_TEXT_BODY,
    data_url,
    encoded,
    in_process,
    picture,
    segmind_key,
)

RenderFrames = Callable[..., list[Image.Image]]


def brightest(image: Image.Image) -> int:
    return max(image.convert("L").tobytes())


@pytest.fixture
def render_frames(tmp_path: Path) -> RenderFrames:
    """Renders a small clip; returns the frames at these fractions of its length."""

    def render_at(
        prompt: str, *given: Image.Image, at: Sequence[float] = (0, 0.5, 1), short_side: int = 180
    ) -> list[Image.Image]:
        stored = {str(number): encoded(one) for number, one in enumerate(given)}
        first, last, *_ = (*stored, None, None)
        shot = Shot(prompt, 6, short_side, first, last)
        render(shot, stored.get, tmp_path / "clip.mp4")
        with av.open(tmp_path / "clip.mp4") as container:
            frames = list(container.decode(video=0))
        return [to_image(frames[round(share * (len(frames) - 1))]) for share in at]

    return render_at


async def clip_link(client: httpx.AsyncClient, body: dict[str, Any], slug: str = "hailuo-02-fast") -> str:
    """The link to the clip of a completed job."""
    submitted = (await client.post(f"/v2/{slug}", json=body, headers=segmind_key())).json()
    return (await client.get(submitted["response_url"], headers=segmind_key())).json()["output"]


def to_image(frame: av.VideoFrame) -> Image.Image:
    return frame.to_image()  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]  PyAV leaves it open


def difference(one: Image.Image, other: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def middle(image: Image.Image) -> Image.Image:
    """The part of a frame without text."""
    return image.crop((0, round(image.height * 0.2), image.width, round(image.height * 0.55)))


def brightness(image: Image.Image) -> float:
    return ImageStat.Stat(middle(image).convert("L")).mean[0]


def halves(horizontal: bool, size: tuple[int, int] = (640, 360)) -> Image.Image:
    """Dark on the left (or at the top), bright on the right (or at the bottom)."""
    image = Image.new("RGB", size, (20, 20, 20))
    corner = (size[0] // 2, 0) if horizontal else (0, round(size[1] * 0.4))
    ImageDraw.Draw(image).rectangle((*corner, *size), fill=(230, 230, 230))
    return image


@pytest.mark.parametrize(
    ("command", "horizontal", "brighter"),
    [
        ("[Pan right]", True, 1),
        ("[Truck right]", True, 1),
        ("[Pan left]", True, -1),
        ("[Truck left]", True, -1),
        ("[Tilt down]", False, 1),
        ("[Pedestal down]", False, 1),
        ("[Tilt up]", False, -1),
        ("[Pedestal up]", False, -1),
    ],
)
def test_the_frames_move_as_the_command_says(
    render_frames: RenderFrames, command: str, horizontal: bool, brighter: int
) -> None:
    first, half, last = (brightness(frame) for frame in render_frames(command, halves(horizontal)))
    assert (half - first) * brighter > 4
    assert (last - half) * brighter > 4


@pytest.mark.parametrize(
    ("command", "larger"), [("[Push in]", 1), ("[Zoom in]", 1), ("[Pull out]", -1), ("[Zoom out]", -1)]
)
def test_zoom_commands_make_the_middle_larger_or_smaller(
    render_frames: RenderFrames, command: str, larger: int
) -> None:
    image = Image.new("RGB", (640, 360), (20, 20, 20))
    ImageDraw.Draw(image).ellipse((270, 100, 370, 200), fill=(240, 240, 240))
    first, half, last = (brightness(frame) for frame in render_frames(command, image))
    assert (half - first) * larger > 1
    assert (last - half) * larger > 1


def test_a_static_shot_shows_the_first_frame_in_true_colors_and_does_not_move(render_frames: RenderFrames) -> None:
    given = Image.new("RGB", (640, 360), (200, 60, 30))
    first, half, last = render_frames("[Static shot]", given)
    assert ImageStat.Stat(middle(first)).mean == pytest.approx([200, 60, 30], abs=4)
    assert difference(first, half) < 2
    assert difference(half, last) < 2


def test_clip_cross_fades_to_the_last_frame_in_its_final_third(render_frames: RenderFrames) -> None:
    start, end = ImageOps.fit(card("forest"), (640, 360)), halves(horizontal=True)
    early, before, during, last = render_frames("[Static shot]", start, end, at=(0, 0.64, 0.85, 1))
    wanted = ImageOps.fit(end, last.size)
    assert difference(middle(early), middle(before)) < 4
    assert difference(middle(last), middle(wanted)) < 4
    assert difference(middle(before), middle(during)) > 10
    assert difference(middle(during), middle(last)) > 10


def test_the_first_known_command_counts_in_any_letter_case(render_frames: RenderFrames) -> None:
    prompt = "She said [something] [PAN RIGHT, Zoom in], then [Pan left]"
    first, last = (brightness(frame) for frame in render_frames(prompt, halves(horizontal=True), at=(0, 1)))
    assert last - first > 8


def test_without_a_command_the_camera_pushes_in_slowly_from_the_whole_image(render_frames: RenderFrames) -> None:
    start = ImageOps.fit(card("forest"), (640, 360))
    first, half, last = render_frames("a forest", start)
    assert difference(middle(first), middle(ImageOps.fit(start, first.size))) < 4
    assert difference(middle(first), middle(half)) > 1
    assert difference(middle(first), middle(last)) > difference(middle(first), middle(half))


def test_the_label_is_in_every_frame(render_frames: RenderFrames) -> None:
    grey = Image.new("RGB", (640, 360), (120, 120, 120))
    for frame in render_frames("A fox crosses the snow [Pan left]", grey, at=(0, 0.3, 0.6, 1), short_side=360):
        label = frame.convert("L").crop((0, 0, 400, 36))
        darkest, lightest = label.getextrema()
        assert (darkest, lightest) == (pytest.approx(0, abs=40), pytest.approx(200, abs=40))
        assert frame.convert("L").crop((0, 60, 640, 360)).getextrema() == (pytest.approx(120, abs=4),) * 2


def test_without_an_image_the_prompt_without_fault_triggers_is_shown(render_frames: RenderFrames) -> None:
    (plain,) = render_frames("A fox crosses the snow", at=(0,))
    (other,) = render_frames("", at=(0,))
    (trigger,) = render_frames("sandbox:slow A fox crosses the snow", at=(0,))
    assert brightest(plain.crop((60, 70, 260, 110))) > 230
    assert brightest(other.crop((60, 70, 260, 110))) < 150
    assert difference(plain, trigger) < 0.5


@pytest.mark.parametrize(
    "prompt", ["", "x" * 2000, "word " * 400, "一只狮子走过沙漠", "naïve — “café”…", "🦁" * 50, "[" * 300]
)
def test_any_prompt_makes_a_clip(render_frames: RenderFrames, prompt: str) -> None:
    assert render_frames(prompt, at=(0,))[0].size == (320, 180)


@pytest.mark.parametrize("size", [(2000, 805), (805, 2000), (301, 301), (640, 427)])
def test_a_clip_has_the_aspect_ratio_of_its_first_frame_and_even_sides(tmp_path: Path, size: tuple[int, int]) -> None:
    render(Shot("x", 6, 180, "0"), {"0": picture(size)}.get, tmp_path / "c.mp4")
    with av.open(tmp_path / "c.mp4") as container:
        width, height = container.streams.video[0].width, container.streams.video[0].height
    assert min(width, height) == 180
    assert (width % 2, height % 2) == (0, 0)
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)


def test_image_is_rotated_upright_and_transparency_becomes_white() -> None:
    lying = Image.new("RGB", (640, 360))
    exif = lying.getexif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    lying.save(buffer, "JPEG", exif=exif)
    assert images.decode(buffer.getvalue()).size == (360, 640)
    assert images.decode(encoded(Image.new("RGBA", (400, 400)))).getpixel((5, 5)) == (255, 255, 255)


def test_cards_differ_between_prompts_and_are_the_same_for_one_prompt() -> None:
    one, again, other = (card(text) for text in ("a fox", "a fox", "a whale"))
    assert difference(one, again) == 0
    assert difference(one, other) > 8


def test_images_on_other_hosts_are_replaced_by_cards_that_differ(tmp_path: Path) -> None:
    def first_frame(name: str) -> Image.Image:
        shot = Shot("[Static shot]", 6, 180, f"https://cdn.example.com/photos/{name}.jpg")
        render(shot, lambda _: None, tmp_path / f"{name}.mp4")
        with av.open(tmp_path / f"{name}.mp4") as container:
            return to_image(next(container.decode(video=0)))

    assert difference(first_frame("cat"), first_frame("dog")) > 8


CLIPS = [
    ("hailuo-02-fast", SEGMIND_BODY, (910, 512), 6),
    pytest.param("hailuo-2.3-fast", SEGMIND_23_BODY, (1366, 768), 6, marks=pytest.mark.slow),
    pytest.param("hailuo-02-fast", SEGMIND_BODY | {"duration": "10"}, (910, 512), 10, marks=pytest.mark.slow),
    pytest.param("minimax-hailuo-2", SEGMIND_TEXT_BODY | {"mode": "pro"}, (1920, 1080), 6, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("slug", "body", "size", "seconds"), CLIPS)
async def test_clip_is_streamable_h264_of_the_requested_length_and_the_size_of_its_model(
    tmp_path: Path, slug: str, body: dict[str, object], size: tuple[int, int], seconds: int
) -> None:
    async with in_process(tmp_path, render=True, seconds=0) as client:
        data = (await client.get(await clip_link(client, body, slug))).content
    (tmp_path / "c.mp4").write_bytes(data)
    with av.open(tmp_path / "c.mp4") as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        context = stream.codec_context
        assert (context.pix_fmt, context.colorspace, context.color_primaries, context.color_trc) == ("yuv420p", 1, 1, 1)
        assert (stream.width, stream.height) == size
        assert stream.frames == seconds * FRAMES_PER_SECOND
        assert container.duration == seconds * 1_000_000
    assert data.index(b"moov") < data.index(b"mdat")


async def test_clip_is_served_whole_in_ranges_and_for_head_requests(tmp_path: Path) -> None:
    async with in_process(tmp_path, render=False, seconds=0) as client:
        link = await clip_link(client, SEGMIND_BODY)
        head = await client.head(link)
        size = int(head.headers["content-length"])
        assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", "video/mp4")
        whole = await client.get(link)
        assert (len(whole.content), whole.headers["etag"]) == (size, head.headers["etag"])
        part = await client.get(link, headers={"range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, whole.content[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{size}"
        beyond = await client.get(link, headers={"range": f"bytes={size}-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")


async def test_a_clip_that_is_requested_several_times_at_once_is_rendered_once(tmp_path: Path) -> None:
    async with in_process(tmp_path, render=True, seconds=0) as client:
        link = await clip_link(client, SEGMIND_BODY)
        answers = await asyncio.gather(*(client.head(link) for _ in range(4)))
    assert len({answer.headers["etag"] for answer in answers}) == 1
    assert [file.suffix for file in (tmp_path / "clips").iterdir()] == [".mp4"]


async def test_a_job_that_is_not_completed_has_no_clip(tmp_path: Path) -> None:
    async with in_process(tmp_path, render=True, seconds=0) as client:
        for word in ("never", "fail", "expire"):
            await APIXO_GATEWAY.submit(client, f"sandbox:{word}")
        jobs = Store(tmp_path / "sandbox.sqlite3").of("apixo", owner_of("key"))
        assert [(await client.get(f"/sandbox/clips/{job.id}.mp4")).status_code for job in jobs] == [404, 404, 404]


async def test_the_clip_shows_an_uploaded_image(tmp_path: Path) -> None:
    async with in_process(tmp_path, render=True, seconds=0) as client:
        upload = {"data_urls": [data_url(picture(colour=(20, 160, 60)))]}
        (link,) = (await client.post("/upload-asset", json=upload, headers=segmind_key())).json()["file_urls"]
        body = SEGMIND_BODY | {"first_frame_image": link, "prompt": "[Static shot] green"}
        (tmp_path / "c.mp4").write_bytes((await client.get(await clip_link(client, body))).content)
    with av.open(tmp_path / "c.mp4") as container:
        frame = to_image(next(container.decode(video=0)))
    assert ImageStat.Stat(middle(frame)).mean == pytest.approx([20, 160, 60], abs=4)


@pytest.mark.parametrize("seconds", [6, 10])
async def test_without_pyav_a_small_real_clip_of_the_requested_length_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    async with in_process(tmp_path, render=True, seconds=0) as client:
        link = await clip_link(client, SEGMIND_BODY | {"duration": seconds})
        monkeypatch.setitem(sys.modules, "av", None)
        answer: httpx.Response = await client.get(link)
        monkeypatch.undo()
    assert answer.headers["content-type"] == "video/mp4"
    assert len(answer.content) < 60_000
    (tmp_path / "c.mp4").write_bytes(answer.content)
    with av.open(tmp_path / "c.mp4") as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.duration == seconds * 1_000_000
