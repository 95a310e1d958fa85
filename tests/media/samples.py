"""Generated images and clips, valid and invalid."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# numpy's part of Pillow's types is unknown; PyAV's packets and streams have type parameters that nothing sets.

import base64
import io
import os
import struct
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import av
import pytest
from PIL import Image

from hailuo_mcp.core.errors import InvalidImage
from hailuo_mcp.core.job import Job, State
from hailuo_mcp.media.given import FileRules
from hailuo_mcp.media.images import read_image

ORIENTATION = 0x0112
BOX = struct.Struct(">I4s")


def picture(width: int = 400, height: int = 320, mode: str = "RGB") -> Image.Image:
    """An image with content in every corner, so that rotation or cropping is visible."""
    image = Image.linear_gradient("L").resize((width, height))
    if mode in ("RGBA", "LA"):
        image = image.convert(mode)
        image.putalpha(Image.radial_gradient("L").resize((width, height)))
        return image
    return (
        image.convert("RGB").convert(mode) if mode != "I;16" else image.convert("I").point(_to_16_bits).convert("I;16")
    )


def _to_16_bits(value: Any) -> Any:
    return value * 257


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int = 400, height: int = 320, mode: str = "RGB", **options: Any) -> bytes:
    return encoded(picture(width, height, mode), "PNG", **options)


def jpeg(width: int = 400, height: int = 320, *, orientation: int | None = None, mode: str = "RGB") -> bytes:
    if orientation is None:
        return encoded(picture(width, height, mode), "JPEG")
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(picture(width, height, mode), "JPEG", exif=exif)


def with_profile(image: bytes, size: int) -> bytes:
    """A JPEG with a color profile of this many bytes; the profile is invalid, but the image itself is not."""
    body = b"ICC_PROFILE\x00" + bytes(65_000)
    segment = b"\xff\xe2" + (len(body) + 2).to_bytes(2) + body
    return image[:2] + segment * (size // 65_000 + 1) + image[2:]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(content: bytes, kind: bytes, payload: bytes) -> bytes:
    """A PNG with an extra chunk right after its header."""
    return content[:33] + chunk(kind, payload) + content[33:]


def claiming(width: int, height: int, rows: bytes = zlib.compress(bytes(100_000), 9)) -> bytes:
    """A PNG whose header claims to be this large; `rows`: its compressed pixels, by default too few."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def data_uri(content: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def rules_for(*directories: Path, fix: bool = False) -> FileRules:
    return FileRules(directories=directories, fix=fix)


async def content_of(given: Path | str, rules: FileRules) -> bytes:
    """The content of an image that is accepted."""
    return (await read_image("first_frame_image", str(given), rules)).content


async def refusal_of(given: Path | str, rules: FileRules) -> str:
    """The message and hint for an image that is refused."""
    with pytest.raises(InvalidImage) as refused:
        await content_of(given, rules)
    return f"{refused.value.problem.message} {refused.value.problem.hint}"


def clip(size: int = 300_000, seed: int = 0) -> bytes:
    """Bytes with the boxes of an MP4, filled with random content."""
    index = BOX.pack(24, b"moov") + bytes(16)
    head = BOX.pack(24, b"ftyp") + b"isom\x00\x00\x02\x00isommp41"
    rest = size - len(head) - len(index) - 8
    return head + index + BOX.pack(rest + 8, b"mdat") + Random(seed).randbytes(rest)


def video(
    path: Path,
    frames: Sequence[Image.Image],
    *,
    rate: int = 24,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    kind: str | None = None,
    encoder: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
) -> Path:
    """A video of these frames, in the format of its name, or in `kind`. `encoder`, `container`: FFmpeg's options."""
    with av.open(str(path), "w", format=kind, options=container) as output:
        stream = output.add_stream(codec, rate=rate, options=encoder)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = pixels
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_image(frame)))
        output.mux(stream.encode())
    return path


def film(
    path: Path, *, seconds: float = 3, rate: int = 24, codec: str = "libx264", kind: str | None = None, **options: str
) -> bytes:
    """The content of a video that flickers; `options`: FFmpeg's for the file."""
    frames = [Image.new("RGB", (320, 240), (number * 7 % 256,) * 3) for number in range(round(seconds * rate))]
    encoder = {"preset": "ultrafast"} if codec.startswith("libx26") else {}
    return video(path, frames, rate=rate, codec=codec, kind=kind, encoder=encoder, container=options).read_bytes()


def tone(path: Path, *, seconds: int = 3) -> bytes:
    """A real audio file, which is silent, in the format of its name."""
    codec = {".mp3": "libmp3lame", ".wav": "pcm_s16le", ".m4a": "aac", ".flac": "flac"}[path.suffix]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=44100, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame("s16", "stereo", seconds * 44100)
        frame.sample_rate = 44100
        frame.pts = 0
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


def completed(url: str | None, **fields: Any) -> Job:
    defaults: dict[str, Any] = {
        "model": "segmind/hailuo-02-fast",
        "origin": "https://api.segmind.com",
        "remote_id": "abc-1f2e3d4c",
        "state": State.COMPLETED,
        "parameters": {"prompt": "A red kite rises [Push in]"},
        "video_url": url,
    }
    return Job(**{**defaults, **fields})


@contextmanager
def without_privileges() -> Generator[None]:
    """Run as a user whose permissions are enforced, unlike those of root."""
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions work differently on this system")
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
