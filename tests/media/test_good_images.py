"""Images that are sent unchanged, and the warnings about them."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from hailuo_mcp.media.given import FileRules
from hailuo_mcp.media.images import BYTES_WARN, read_image
from tests.media.samples import (
    ORIENTATION,
    claiming,
    data_uri,
    encoded,
    jpeg,
    opened,
    picture,
    png,
    rules_for,
    with_chunk,
)

ANY = FileRules()


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (png(), "image/png"),
        (jpeg(), "image/jpeg"),
        (png(301, 301), "image/png"),
        (png(401, 1000), "image/png"),
        (jpeg(1000, 401), "image/jpeg"),
        (png(mode="L"), "image/png"),
        (png(mode="1"), "image/png"),
        (png(mode="P"), "image/png"),
        (png(mode="RGBA"), "image/png"),
        (png(mode="LA"), "image/png"),
        (png(mode="I;16"), "image/png"),
        (jpeg(mode="L"), "image/jpeg"),
        (encoded(picture(), "JPEG", progressive=True), "image/jpeg"),
    ],
)
async def test_a_valid_image_is_sent_unchanged(content: bytes, media_type: str) -> None:
    found = await read_image("first_frame_image", data_uri(content), ANY)
    assert (found.content, found.media_type, found.warnings) == (content, media_type, ())
    assert found.data_uri == data_uri(content, media_type)


@pytest.mark.parametrize(
    ("content", "appended"),
    [(png(), b"\r\n"), (png(), bytes(512)), (jpeg(), b"a moving picture that a phone appended")],
)
async def test_data_after_the_end_of_an_image_is_not_sent(content: bytes, appended: bytes) -> None:
    found = await read_image("first_frame_image", data_uri(content + appended), ANY)
    assert (found.content, found.warnings) == (content, ())


async def test_a_phone_photo_with_a_second_image_is_sent_as_a_plain_jpeg() -> None:
    content = encoded(picture(), "MPO", save_all=True, append_images=[picture()])
    found = await read_image("first_frame_image", data_uri(content), ANY)
    assert (found.content, found.media_type, found.warnings) == (encoded(picture(), "JPEG"), "image/jpeg", ())


@pytest.mark.parametrize("media_type", ["image/jpeg", "text/plain", "image/png;charset=utf-8", ""])
async def test_the_actual_media_type_is_sent_whatever_was_declared(media_type: str) -> None:
    found = await read_image("first_frame_image", data_uri(png(), media_type), ANY)
    assert found.data_uri.startswith("data:image/png;base64,")


async def test_base64_may_be_wrapped_or_percent_encoded() -> None:
    text = base64.b64encode(png()).decode()
    for payload in ("\n".join(text[i : i + 76] for i in range(0, len(text), 76)), text.replace("+", "%2B")):
        found = await read_image("first_frame_image", f"DATA:image/png;BASE64,{payload}", ANY)
        assert found.content == png()


async def test_the_same_content_has_the_same_digest_whatever_its_source(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "b.jpg").write_bytes(png())
    rules = rules_for(tmp_path)
    given = (str(tmp_path / "a.png"), str(tmp_path / "b.jpg"), data_uri(png()), data_uri(png(), "image/jpeg"))
    assert len({(await read_image("first_frame_image", each, rules)).digest for each in given}) == 1
    assert (await read_image("first_frame_image", data_uri(png(401)), rules)).digest not in given


async def test_an_image_with_exif_rotation_is_measured_rotated_and_sent_unchanged() -> None:
    # 900 x 400 is accepted in both orientations; 1200 x 310 would be refused in both.
    content = jpeg(900, 400, orientation=6)
    found = await read_image("first_frame_image", data_uri(content), ANY)
    assert opened(found.content).tobytes() == opened(content).tobytes()
    assert opened(found.content).getexif()[ORIENTATION] == 6
    assert found.warnings == (
        "first_frame_image is rotated by its EXIF data, which a gateway may ignore; "
        "HAILUO_MCP_FIX_IMAGES=1 applies it.",
    )


@pytest.mark.parametrize(
    "value",
    [
        b"\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00",
        b"\x03\x00\x01\x00\x00\x00\x09\x00\x00\x00",
        b"\x02\x00\x02\x00\x00\x006\x00\x00\x00",
    ],
    ids=["zero", "nine", "a text"],
)
async def test_an_invalid_orientation_is_ignored(value: bytes) -> None:
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01" + value + bytes(4)
    content = encoded(picture(), "JPEG", exif=exif)
    assert (await read_image("first_frame_image", data_uri(content), ANY)).warnings == ()


@pytest.mark.parametrize("exif", [b"Exif\x00\x00", b"Exif\x00\x00XX*\x00", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b""])
async def test_an_image_with_broken_exif_data_is_accepted(exif: bytes) -> None:
    for content, plain in (
        (encoded(picture(), "JPEG", exif=exif), jpeg()),
        (with_chunk(png(), b"eXIf", exif[6:]), png()),
    ):
        assert (await read_image("first_frame_image", data_uri(content), ANY)).content == plain


async def test_an_image_over_10_mb_is_sent_with_a_warning() -> None:
    content = with_chunk(png(), b"sPLT", bytes(BYTES_WARN))
    found = await read_image("first_frame_image", data_uri(content), ANY)
    assert found.warnings == ("first_frame_image has 10.0 MB; some gateways accept no more than 10 MB.",)


async def test_a_cmyk_image_is_sent_with_a_warning() -> None:
    found = await read_image("first_frame_image", data_uri(jpeg(mode="CMYK")), ANY)
    assert "CMYK" in found.warnings[0]


async def test_an_animated_png_is_sent_with_a_warning() -> None:
    content = png(save_all=True, append_images=[picture().rotate(180)])
    found = await read_image("first_frame_image", data_uri(content), ANY)
    assert "animated" in found.warnings[0]


async def test_a_url_is_passed_on_and_never_fetched() -> None:
    url = "http://127.0.0.1:9/never-asked.png?signature=a%2Fb"
    found = await read_image("first_frame_image", f"  {url} ", ANY)
    assert (found.url, found.content, found.shown) == (url, b"", url)


def test_warnings_of_pillow_never_reach_stderr(tmp_path: Path) -> None:
    code = """
import anyio, sys
from pathlib import Path
from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.images import FileRules, read_image
async def main():
    for path in sorted(Path(sys.argv[1]).iterdir()):
        try:
            await read_image("first_frame_image", str(path), FileRules([Path(sys.argv[1])]))
        except InvalidImage as error:
            print(error.problem.message)
anyio.run(main)
"""
    (tmp_path / "a-bomb.png").write_bytes(claiming(9_800, 9_800))  # above Pillow's warning limit
    (tmp_path / "b-exif.jpg").write_bytes(encoded(picture(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff"))
    (tmp_path / "c-mpo.jpg").write_bytes(
        encoded(picture(), "MPO", save_all=True, append_images=[picture()]).replace(
            b"MPF\x00II*\x00", b"MPF\x00II*\x01"
        )
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=30)
    assert ran.stderr == ""
    assert "9800 x 9800 pixels" in ran.stdout
