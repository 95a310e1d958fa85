"""The contact sheet: four frames of a clip, small enough for a conversation."""

import io
import random
from pathlib import Path

import pytest
from PIL import Image

from hailuo_mcp.core.errors import NotReady
from hailuo_mcp.media.contact_sheet import BYTES_MAX, WIDTH_MAX, contact_sheet
from tests.media.samples import opened, video

SHADES = (20, 90, 160, 230)


def _plain(size: tuple[int, int]) -> list[Image.Image]:
    return [image for shade in SHADES for image in [Image.new("RGB", size, (shade,) * 3)] * 6]


@pytest.mark.parametrize("size", [(1920, 1080), (720, 1280), (64, 48)])
async def test_the_sheet_shows_the_clip_from_its_first_to_its_last_frame(size: tuple[int, int], tmp_path: Path) -> None:
    sheet = opened(await contact_sheet(video(tmp_path / "clip.mp4", _plain(size), encoder={"preset": "ultrafast"})))
    assert sheet.format == "JPEG"
    assert max(sheet.size) <= WIDTH_MAX
    width, height = sheet.size
    points = [(width * x // 4, height * y // 4) for y in (1, 3) for x in (1, 3)]
    shades = [sheet.convert("L").getpixel(point) for point in points]
    assert shades == pytest.approx(SHADES, abs=12)


async def test_a_sheet_of_noise_is_within_the_size_limit(tmp_path: Path) -> None:
    rng = random.Random(0)
    noise = [Image.frombytes("RGB", (1280, 720), rng.randbytes(1280 * 720 * 3)) for _ in range(4)]
    sheet = await contact_sheet(video(tmp_path / "noise.mp4", noise, encoder={"preset": "ultrafast"}))
    assert len(sheet) <= BYTES_MAX
    assert Image.open(io.BytesIO(sheet)).size[0] <= WIDTH_MAX


async def test_a_clip_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes(b"nothing that moves")
    with pytest.raises(NotReady, match=r"cut.mp4 cannot be read"):
        await contact_sheet(tmp_path / "cut.mp4")
