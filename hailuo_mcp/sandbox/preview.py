"""Renders a shot as H.264 in an MP4 file. Needs PyAV.

The first frame is moved as the camera commands say and cross-faded to the last frame; every frame is labeled as a
preview. A generated card takes the place of an image that is missing or on another host.
"""

# Some of Pillow's signatures mention NumPy, which is not a dependency, so they are partly unknown; PyAV's packets have
# a type parameter that nothing sets.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
import random
import textwrap
import unicodedata
from array import array
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import av
from PIL import Image, ImageColor, ImageDraw, ImageFilter, ImageFont, ImageOps

from hailuo_mcp.sandbox import camera, images
from hailuo_mcp.sandbox.faults import without_triggers
from hailuo_mcp.sandbox.jobs import Shot

FRAMES_PER_SECOND = 12
"""Half of a real clip's: enough to see the camera move, in half the time."""
_SAMPLES_PER_SECOND, _TONE_HZ, _TONE_LEVEL = 44100, 220, 600
LABEL = "SANDBOX PREVIEW - not made by Hailuo"

_WIDESCREEN = (1366, 768)
_SHORT_SIDE_MAX, _SHORT_SIDE_SCALED = 1080, 768
"""Larger clips, such as 2K, are rendered at this size: they would take a minute."""
_HEADROOM = 1.2
"""How much larger than the clip the image is kept, so that zooming in stays sharp."""
_BT709, _LIMITED_RANGE = 1, 1
"""As H.264 numbers the colors and the range that players assume for HD video."""

Size = tuple[int, int]
Matrix = tuple[float, float, float, float]

_BT709_MATRIX: tuple[Matrix, Matrix, Matrix] = (
    (0.1826, 0.6142, 0.0620, 16),
    (-0.1006, -0.3386, 0.4392, 128),
    (0.4392, -0.3989, -0.0403, 128),
)
"""RGB to luma, blue and red difference, in the limited range."""


def render(shot: Shot, read: Callable[[str], bytes | None], target: Path) -> None:
    """Write the clip to `target`. `read` returns the bytes of a stored image, None for an image on another host."""
    first, last = (_load(source, read) if source else None for source in (shot.first, shot.last))
    text = camera.without_commands(without_triggers(shot.prompt))
    opening = first or last
    shape = _shape(shot.ratio) if shot.ratio else opening.size if opening else _WIDESCREEN
    size = clip_size(shape, shot.short_side if shot.short_side <= _SHORT_SIDE_MAX else _SHORT_SIDE_SCALED)
    boxes = camera.path(camera.commands(shot.prompt), shot.seconds * FRAMES_PER_SECOND)
    tone = shot.seconds if shot.sound else 0
    # Without an image the card shows the prompt, which need not be repeated below.
    moving, caption = (first, text) if first else (card(text, text, clip_size(shape, _WIDESCREEN[1])), "")
    _encode(target, size, _frames(moving, last, boxes, overlay(size, caption)), tone)


def _shape(ratio: str) -> Size:
    width, height = map(int, ratio.split(":"))
    return width, height


def clip_size(image_size: Size, short_side: int) -> Size:
    """The size with the image's aspect ratio and this shorter side, in even numbers as 4:2:0 video requires."""
    scale = short_side / min(image_size)
    width, height = (round(side * scale / 2) * 2 for side in image_size)
    return width, height


def card(text: str, title: str = "", size: Size = _WIDESCREEN) -> Image.Image:
    """A generated image, the same for the same text: soft discs on a gradient, so that camera moves are visible, and
    the title in large letters in the middle, where it stays visible during every move."""
    seeded = random.Random(text)  # noqa: S311  an image, not a secret
    hue, unit = seeded.randrange(256), min(size) / 100
    light = Image.linear_gradient("L").resize(size).point([round(level * 0.45 + 30) for level in range(256)])
    image = Image.merge("HSV", (Image.new("L", size, hue), Image.new("L", size, 130), light)).convert("RGB")
    discs = ImageDraw.Draw(image, "RGBA")
    for _ in range(40):
        center = seeded.randrange(size[0]), seeded.randrange(size[1])
        color = ImageColor.getrgb(f"hsv({(hue * 360 // 256 + seeded.randrange(-40, 40)) % 360},55%,90%)")
        discs.circle(center, unit * seeded.uniform(2, 11), fill=(*color[:3], seeded.randrange(40, 150)))
    image = image.filter(ImageFilter.GaussianBlur(unit * 0.4))
    face = _font(unit * 6.5)
    letters = max(8, int(size[0] * 0.6 / (face.getlength("x" * 10) / 10)))
    ImageDraw.Draw(image).text(
        (size[0] / 2, size[1] / 2),
        "\n".join(textwrap.wrap(_printable(title), letters, max_lines=5, placeholder="...")),
        fill="white",
        font=face,
        anchor="mm",
        align="center",
        spacing=unit * 1.6,
        stroke_width=unit * 0.4,
        stroke_fill=(0, 0, 0),
    )
    return image


def overlay(size: Size, prompt: str) -> Image.Image:
    """A transparent sheet with the label at the top and the beginning of the prompt at the bottom."""
    sheet = Image.new("RGBA", size)
    draw = ImageDraw.Draw(sheet)
    # The largest size that fits the narrowest clip (2:5).
    label = _font(min(min(size) * 0.045, size[0] / 22))
    unit = min(size) / 100
    draw.text(
        (3 * unit, 3 * unit), LABEL, fill=(255, 196, 92), font=label, stroke_width=unit * 0.6, stroke_fill="black"
    )
    face = _font(unit * 4.2)
    letters = int((size[0] - 10 * unit) / (face.getlength("x" * 10) / 10 * 1.1))
    lines = textwrap.wrap(_printable(prompt), letters, max_lines=3, placeholder="...")
    place = (5 * unit, size[1] - 5 * unit)
    draw.text(
        place, "\n".join(lines), fill="white", font=face, anchor="ld", stroke_width=unit * 0.5, stroke_fill="black"
    )
    return sheet


def _load(source: str, read: Callable[[str], bytes | None]) -> Image.Image:
    data = read(source)
    return images.decode(data) if data else card(source, f"Image not fetched: {urlsplit(source).hostname}")


def _frames(
    first: Image.Image, last: Image.Image | None, boxes: list[camera.Box], sheet: Image.Image
) -> Iterator[av.VideoFrame]:
    """Each plane of 4:2:0 video is moved separately: that is half the data of RGB, and needs no conversion later."""
    width, height = sheet.size
    planes = [
        _Plane(first, last, sheet, matrix, (width // scale, height // scale))
        for matrix, scale in zip(_BT709_MATRIX, (1, 2, 2), strict=True)
    ]
    for number, box in enumerate(boxes):
        frame = av.VideoFrame(width, height, "yuv420p")
        frame.pts = number
        fade = number / (len(boxes) - 1) * 3 - 2  # over the last third
        for target, plane in zip(frame.planes, planes, strict=True):
            padded = Image.new("L", (target.line_size, target.height))
            padded.paste(plane.at(box, fade))
            target.update(padded.tobytes())
        yield frame


class _Plane:
    """One color component of the video, at its own resolution."""

    def __init__(
        self, first: Image.Image, last: Image.Image | None, sheet: Image.Image, matrix: Matrix, size: Size
    ) -> None:
        self._size = size
        self._moving = ImageOps.fit(first, (round(size[0] * _HEADROOM), round(size[1] * _HEADROOM))).convert(
            "L", matrix
        )
        self._ending = ImageOps.fit(last, size).convert("L", matrix) if last else None
        self._text = sheet.convert("RGB").resize(size).convert("L", matrix)
        self._mask = sheet.getchannel("A").resize(size)

    def at(self, box: camera.Box, fade: float) -> Image.Image:
        """The part of the image in the box. `fade`: the opacity of the last frame, from 0 to 1."""
        sides = self._moving.size * 2
        edges = [min(side, max(0, edge * side)) for edge, side in zip(box, sides, strict=True)]
        image = self._moving.resize(self._size, Image.Resampling.BILINEAR, (edges[0], edges[1], edges[2], edges[3]))
        if self._ending and fade > 0:
            image = Image.blend(image, self._ending, fade)
        image.paste(self._text, mask=self._mask)
        return image


def _encode(target: Path, size: Size, frames: Iterator[av.VideoFrame], tone_seconds: int) -> None:
    with av.open(target, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FRAMES_PER_SECOND)
        stream.options = {"preset": "ultrafast", "crf": "23"}
        context = stream.codec_context
        context.thread_count = 2
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        sound = container.add_stream("aac", rate=_SAMPLES_PER_SECOND, layout="stereo") if tone_seconds else None
        for frame in frames:
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            for wave in _tone(tone_seconds):
                container.mux(sound.encode(wave))
            container.mux(sound.encode())


def _tone(seconds: int) -> Iterator[av.AudioFrame]:
    """A quiet tone, in frames of one second."""
    turns = [math.sin(2 * math.pi * _TONE_HZ * n / _SAMPLES_PER_SECOND) for n in range(_SAMPLES_PER_SECOND)]
    samples = array("h", [round(_TONE_LEVEL * turn) for turn in turns for _ in ("left", "right")]).tobytes()
    for number in range(seconds):
        frame = av.AudioFrame("s16", "stereo", _SAMPLES_PER_SECOND)
        frame.sample_rate = _SAMPLES_PER_SECOND
        frame.pts = number * _SAMPLES_PER_SECOND
        frame.planes[0].update(samples)
        yield frame


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _printable(text: str) -> str:
    """The text in ASCII, because Pillow's own font has nothing else. Empty if most of it would be lost."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return plain if len(plain) > len(text) / 2 else ""
