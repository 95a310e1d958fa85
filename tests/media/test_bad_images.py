"""Images that must not be sent to any gateway: each is refused with a reason and a hint, and nothing is sent."""

import base64
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import anyio
import pytest

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.media.images import BYTES_MAX, read_image
from tests.media.samples import (
    claiming,
    clip,
    data_uri,
    encoded,
    jpeg,
    picture,
    png,
    rules_for,
    with_chunk,
    with_profile,
)
from tests.support import recorded_sandbox, settings_for

MB = 1024 * 1024
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="400" height="320"/>'


def _zip() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("secret.txt", "of no concern to any gateway")
    return buffer.getvalue()


def _without_end(content: bytes) -> bytes:
    return content[: content.index(b"IEND") - 4]


# File name to content, and texts that the refusal must contain.
FILES: Mapping[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "empty.png": (lambda: b"", ("empty", "0 bytes")),
    "one-byte.jpg": (lambda: b"\xff", ("not an image",)),
    "notes.png": (lambda: b"a shopping list: milk, bread, film", ("not an image",)),
    "begins-with-BM.png": (lambda: b"BMW and other makers, a list of what they cost to run", ("not an image",)),
    "script.jpg": (lambda: b"#!/bin/sh\necho no picture\n", ("not an image",)),
    "zeros.png": (lambda: bytes(5000), ("not an image",)),
    "drawing.svg": (lambda: SVG, ("SVG",)),
    "drawing.png": (lambda: b'<?xml version="1.0"?>' + SVG, ("SVG or other XML",)),
    "page.jpg": (lambda: b"<!DOCTYPE html><html><body>404</body></html>", ("a web page",)),
    "paper.png": (lambda: b"%PDF-1.7\n%...", ("a PDF",)),
    "clip.png": (lambda: clip(2000), ("a video",)),
    "archive.png": (_zip, ("not an image",)),
    "signature-only.png": (lambda: b"\x89PNG\r\n\x1a\n", ("broken or truncated PNG", "8 bytes")),
    "signature-only.jpg": (lambda: b"\xff\xd8\xff\xe0", ("broken or truncated JPEG", "4 bytes")),
    "cut.png": (lambda: png()[:-400], ("broken or truncated PNG",)),
    "cut-at-the-end.png": (lambda: _without_end(png()), ("broken or truncated PNG",)),
    "cut-in-half.jpg": (lambda: jpeg()[: len(jpeg()) // 2], ("broken or truncated JPEG",)),
    "cut-by-two.jpg": (lambda: jpeg()[:-2], ("broken or truncated JPEG",)),
    "cut-progressive.jpg": (lambda: encoded(picture(), "JPEG", progressive=True)[:-300], ("broken or truncated JPEG",)),
    "flipped.png": (lambda: png()[:200] + b"\xff\x00\xff" + png()[203:], ("broken or truncated PNG",)),
    "still.gif": (lambda: encoded(picture(), "GIF"), ("GIF", "only JPG and PNG", "HAILUO_MCP_FIX_IMAGES")),
    "gif-named.png": (lambda: encoded(picture(), "GIF"), ("GIF file",)),
    "animated.gif": (
        lambda: encoded(picture(), "GIF", save_all=True, append_images=[picture().rotate(90)]),
        ("GIF file",),
    ),
    "still.bmp": (lambda: encoded(picture(), "BMP"), ("BMP", "HAILUO_MCP_FIX_IMAGES")),
    "still.tiff": (lambda: encoded(picture(), "TIFF"), ("TIFF", "HAILUO_MCP_FIX_IMAGES")),
    "still.webp": (lambda: encoded(picture(), "WEBP"), ("WebP", "HAILUO_MCP_FIX_IMAGES")),
    "webp-named.jpg": (lambda: encoded(picture(), "WEBP"), ("WebP file",)),
    "animated.webp": (
        lambda: encoded(picture(), "WEBP", save_all=True, append_images=[picture().rotate(90)]),
        ("WebP file",),
    ),
    "header-only.heic": (lambda: b"\x00\x00\x00\x18ftypheic" + bytes(40), ("HEIC", "only JPG and PNG")),
    "header-only.avif": (lambda: b"\x00\x00\x00\x18ftypavif" + bytes(40), ("AVIF", "only JPG and PNG")),
    "icon.png": (lambda: encoded(picture(64, 64), "ICO"), ("an icon",)),
    "too-small-by-one.png": (lambda: png(400, 299), ("400 x 299", "over 300 px")),
    "exactly-300.png": (lambda: png(300, 300), ("300 x 300", "over 300 px")),
    "one-pixel.jpg": (lambda: jpeg(1, 1), ("1 x 1", "over 300 px")),
    "exactly-2-to-5.png": (lambda: png(400, 1000), ("400 x 1000", "0.4", "exclusive")),
    "exactly-5-to-2.jpg": (lambda: jpeg(1000, 400), ("1000 x 400", "2.5", "exclusive")),
    "banner.png": (lambda: png(1200, 310), ("1200 x 310", "3.87", "2.5 (5:2)")),
    # 400 x 1000 as stored would be refused in any case; this one only once it is rotated.
    "tall-once-turned.jpg": (lambda: jpeg(1001, 400, orientation=6), ("400 x 1001", "0.4")),
    "over-20-mb.png": (
        lambda: with_chunk(png(), b"sPLT", bytes(BYTES_MAX)),
        ("20.0 MB", "at most 20 MB", "HAILUO_MCP_FIX_IMAGES"),
    ),
    "over-20-mb.jpg": (lambda: with_profile(jpeg(), BYTES_MAX), ("20.0 MB", "at most 20 MB")),
    "pixel-bomb.png": (lambda: claiming(6_400, 6_400), ("6400 x 6400", "40 million", "8000 on each side")),
    "long-side.png": (lambda: claiming(8_001, 4_000), ("8001 x 4000", "40 million", "8000 on each side")),
    "larger-pixel-bomb.png": (lambda: claiming(60_000, 60_000), ("more than 170 million", "40 million")),
    "bomb-in-a-text.png": (
        lambda: with_chunk(png(), b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(64 * MB), 9)),
        ("broken or truncated PNG",),
    ),
    "bomb-in-a-profile.png": (
        lambda: with_chunk(png(), b"iCCP", b"profile\x00\x00" + zlib.compress(bytes(64 * MB), 9)),
        ("broken or truncated PNG",),
    ),
    "with-an-archive-behind.png": (lambda: png() + _zip(), ("bytes of other data after the end",)),
    "cropped-but-not-cut.png": (lambda: png() + png()[200:], ("bytes of other data after the end",)),
}

# Other values for an image; `{dir}` is the allowed directory.
GIVEN: Mapping[str, tuple[str, ...]] = {
    "data:image/png;base64,": ("empty", "0 bytes"),
    "data:image/png;base64," + base64.b64encode(png()).decode()[:-3]: ("base64 is invalid or truncated",),
    "data:image/png;base64," + base64.b64encode(png()[:-600]).decode(): ("broken or truncated PNG",),
    "data:image/png;base64,not*base64!": ("base64 is invalid or truncated",),
    "data:image/png,%89PNG%0D%0A": ("without base64",),
    "data:image/png": ("without base64",),
    data_uri(SVG, "image/svg+xml"): ("SVG",),
    data_uri(b"hello", "image/png"): ("not an image",),
    data_uri(encoded(picture(), "WEBP"), "image/png"): ("WebP file",),
    data_uri(png(200, 200)): ("200 x 200", "over 300 px"),
    "http://": ("not a valid URL",),
    "https://exa mple.com/a.png": ("not a valid URL",),
    "https://[::1/a.png": ("not a valid URL",),
    "https://example.com/" + "a" * 2100: ("2120 characters", "2048"),
    "ftp://example.com/a.png": ("scheme that is not supported",),
    "s3://bucket/a.png": ("scheme that is not supported",),
    "file://server/share/a.png": ("names a host",),
    "file:///etc/passwd": ("outside the directories",),
    "C:\\Users\\me\\a.png": ("Windows path",),
    "/etc/passwd": ("outside the directories",),
    "/dev/zero": ("outside the directories",),
    "/proc/self/environ": ("outside the directories",),
    "~/.ssh/id.png": ("outside the directories",),
    "~nobody-of-that-name/a.png": ("outside the directories",),
    "{dir}/../elsewhere.png": ("outside the directories",),
    "{dir}/missing.png": ("'missing.png' does not exist",),
    "{dir}": ("is a directory",),
    "{dir}/nul\x00byte.png": ("not a valid path",),
    "{dir}/" + "n" * 300 + ".png": ("cannot be read",),
}


@pytest.mark.parametrize("name", FILES)
async def test_a_bad_file_is_refused_and_nothing_is_sent(name: str, tmp_path: Path) -> None:
    make, words = FILES[name]
    path = tmp_path / "pictures" / name
    path.parent.mkdir()
    path.write_bytes(make())
    await _refused(tmp_path, str(path), words)


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: given[:40].encode("unicode_escape").decode())
async def test_a_value_that_is_not_an_image_is_refused_and_nothing_is_sent(given: str, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    await _refused(tmp_path, given.replace("{dir}", str(tmp_path / "pictures")), GIVEN[given])


async def _refused(directory: Path, given: str, words: tuple[str, ...]) -> None:
    opened, wire = recorded_sandbox(settings_for(directory, HAILUO_MCP_SANDBOX="1"))
    async with opened as session:
        with pytest.raises(InvalidImage) as refusal:
            await session.generate({"model": "segmind/hailuo-02-fast", "prompt": "x", "first_frame_image": given})
        page = await session.jobs()
    problem = refusal.value.problem
    text = f"{problem.message} {problem.hint}"
    assert problem.charged == "no"
    assert problem.hint
    assert "first_frame_image" in text
    for word in words:
        assert word in text
    assert not wire.requests
    assert not page.jobs


async def test_a_bad_last_frame_is_refused_before_the_good_first_one_is_sent(tmp_path: Path) -> None:
    opened, wire = recorded_sandbox(settings_for(tmp_path, HAILUO_MCP_SANDBOX="1"))
    call = {"model": "segmind/hailuo-02-fast", "prompt": "x", "first_frame_image": data_uri(png())}
    async with opened as session:
        with pytest.raises(InvalidImage, match=r"last_frame_image .* 300 x 300"):
            await session.generate({**call, "last_frame_image": data_uri(png(300, 300))})
        with pytest.raises(InvalidImage, match=r"last_frame_image asks for the last frame of .* not saved here"):
            await session.generate({**call, "last_frame_image": "last-frame:segmind/hailuo-02-fast/unknown"})
    assert not wire.requests


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
async def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with anyio.fail_after(2), pytest.raises(InvalidImage, match="is a pipe"):
        await read_image("first_frame_image", str(tmp_path / "pipe.png"), rules_for(tmp_path))


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no device files")
async def test_an_endless_device_is_refused_even_in_an_allowed_directory() -> None:
    with anyio.fail_after(2), pytest.raises(InvalidImage, match="is a device"):
        await read_image("first_frame_image", "/dev/zero", rules_for(Path("/dev")))


async def test_a_file_too_large_to_read_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png())
    os.truncate(path, 5 * 1024 * MB)
    with anyio.fail_after(2), pytest.raises(InvalidImage, match=r"5120\.0 MB; no file over 200\.0 MB is read"):
        await read_image("first_frame_image", str(path), rules_for(tmp_path))


async def test_a_refusal_never_quotes_the_content_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "secrets.png"
    path.write_text("TOKEN=hunter2\n")
    with pytest.raises(InvalidImage) as refusal:
        await read_image("first_frame_image", str(path), rules_for(tmp_path))
    assert "hunter2" not in refusal.value.problem.model_dump_json()
