"""Renders a shot as H.264 in an MP4 file. Needs PyAV.

The first image is moved as the prompt's camera command says and cross-faded to the last image; every frame is labeled
as a preview. A card with a text takes the place of an image that is missing or on another host.
"""

# Some of Pillow's signatures mention NumPy, which is not a dependency, so they are partly unknown; PyAV's packets have
# a type parameter that nothing sets.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
import re
import textwrap
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageFont, ImageOps

from hailuo_mcp.sandbox import images
from hailuo_mcp.sandbox.faults import without_triggers
from hailuo_mcp.sandbox.jobs import Shot

FRAMES_PER_SECOND = 12
"""Half of a real clip's: enough to see the camera move, in half the time."""
LABEL = "SANDBOX PREVIEW - not made by Hailuo"

_WIDESCREEN = (1366, 768)
_SHORT_SIDE_MAX, _SHORT_SIDE_SCALED = 1080, 768
"""Larger clips, such as 2K, are rendered at this size: they would take a minute."""
_BT709 = 1
"""As H.264 numbers the colors that players assume for HD video. A player guesses each one that is not stated."""
_SAMPLES_PER_SECOND, _SAMPLES_PER_WAVE, _LOUDNESS = 44100, 210, 600

Size = tuple[int, int]
View = tuple[float, float, float, float]
"""Left, top, right and bottom of the visible part, in fractions of the image's sides."""

_WHOLE, _CLOSE = (0.0, 0.0, 1.0, 1.0), (0.1, 0.1, 0.9, 0.9)
_LEFT, _RIGHT = (0.0, 0.1, 0.8, 0.9), (0.2, 0.1, 1.0, 0.9)
_UPPER, _LOWER = (0.1, 0.0, 0.9, 0.8), (0.1, 0.2, 0.9, 1.0)
COMMANDS: Mapping[str, tuple[View, View]] = {
    "push in": (_WHOLE, _CLOSE),
    "pull out": (_CLOSE, _WHOLE),
    "zoom in": (_WHOLE, _CLOSE),
    "zoom out": (_CLOSE, _WHOLE),
    "pan left": (_RIGHT, _LEFT),
    "pan right": (_LEFT, _RIGHT),
    "truck left": (_RIGHT, _LEFT),
    "truck right": (_LEFT, _RIGHT),
    "tracking shot": (_LEFT, _RIGHT),
    "tilt up": (_LOWER, _UPPER),
    "tilt down": (_UPPER, _LOWER),
    "pedestal up": (_LOWER, _UPPER),
    "pedestal down": (_UPPER, _LOWER),
    "shake": (_WHOLE, _WHOLE),  # not shown
    "static shot": (_WHOLE, _WHOLE),
}
"""Each camera command with what it shows first and last."""
_FIRST_COMMAND = re.compile(rf"\[\s*({'|'.join(COMMANDS)})\b", re.IGNORECASE)


def render(shot: Shot, read: Callable[[str], bytes | None], target: Path) -> None:
    """Write the clip to `target`. `read` returns the bytes of a stored image, None for an image on another host."""
    first, last = (_load(source, read) if source else None for source in (shot.first, shot.last))
    opening = first or last
    shape = opening.size if opening else _WIDESCREEN
    if shot.ratio:
        width, height = map(int, shot.ratio.split(":"))
        shape = width, height
    size = clip_size(shape, shot.short_side if shot.short_side <= _SHORT_SIDE_MAX else _SHORT_SIDE_SCALED)
    frames = _frames(first or card(without_triggers(shot.prompt), size), last, size, shot)
    with av.open(target, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options={"preset": "ultrafast", "crf": "23"})
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        context = video.codec_context
        context.thread_count = 2
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        sound = container.add_stream("aac", rate=_SAMPLES_PER_SECOND, layout="stereo") if shot.sound else None
        for frame in frames:
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound is not None:
            container.mux(sound.encode(_tone(shot.seconds)))
            container.mux(sound.encode())


def clip_size(image_size: Size, short_side: int) -> Size:
    """The size with the image's aspect ratio and this shorter side, in even numbers as 4:2:0 video requires."""
    scale = short_side / min(image_size)
    width, height = (round(side * scale / 2) * 2 for side in image_size)
    return width, height


def _load(source: str, read: Callable[[str], bytes | None]) -> Image.Image:
    data = read(source)
    return images.decode(data) if data else card(f"Image not fetched: {source.partition('?')[0]}")


def card(text: str, size: Size = _WIDESCREEN) -> Image.Image:
    """A gradient, whose color depends on the text, with the text in the middle, where it stays visible during every
    move."""
    hue = zlib.crc32(text.encode()) % 256
    light = Image.linear_gradient("L").resize(size).point([round(level * 0.45 + 30) for level in range(256)])
    image = Image.merge("HSV", (Image.new("L", size, hue), Image.new("L", size, 130), light)).convert("RGB")
    font = ImageFont.load_default(min(size) * 0.065)
    letters = max(8, int(size[0] * 0.6 / font.getlength("x")))
    printable = text.encode("ascii", "ignore").decode()  # Pillow's own font has nothing else
    lines = textwrap.wrap(printable, letters, max_lines=5, placeholder="...")
    middle = size[0] / 2, size[1] / 2
    ImageDraw.Draw(image).text(middle, "\n".join(lines), "white", font, anchor="mm", align="center")
    return image


def _frames(first: Image.Image, last: Image.Image | None, size: Size, shot: Shot) -> Iterator[av.VideoFrame]:
    command = _FIRST_COMMAND.search(shot.prompt)
    begin, end = COMMANDS[command[1].lower() if command else "push in"]
    first = ImageOps.fit(first, size)
    last = ImageOps.fit(last, size) if last else None
    label = _label(size)
    count = shot.seconds * FRAMES_PER_SECOND
    for number in range(count):
        done = number / (count - 1)
        left, top, right, bottom = (a + (b - a) * done for a, b in zip(begin, end, strict=True))
        box = (left * size[0], top * size[1], right * size[0], bottom * size[1])
        image = first.resize(size, Image.Resampling.BILINEAR, box)
        if last and done > 2 / 3:
            image = Image.blend(image, last, done * 3 - 2)
        image.paste(label, mask=label)
        yield av.VideoFrame.from_image(image).reformat(format="yuv420p", dst_colorspace=_BT709)


def _label(size: Size) -> Image.Image:
    letter = min(min(size) * 0.045, size[0] / 22)  # fits the narrowest clip (2:5)
    label = Image.new("RGBA", (size[0], round(letter * 2)))
    font, place = ImageFont.load_default(letter), (letter / 2, letter / 2)
    ImageDraw.Draw(label).text(place, LABEL, (255, 196, 92), font, stroke_width=letter / 8, stroke_fill="black")
    return label


def _tone(seconds: int) -> av.AudioFrame:
    """A quiet tone."""
    turns = (math.sin(2 * math.pi * n / _SAMPLES_PER_WAVE) for n in range(_SAMPLES_PER_WAVE))
    wave = array("h", [round(_LOUDNESS * turn) for turn in turns for _ in ("left", "right")])
    samples = seconds * _SAMPLES_PER_SECOND
    frame = av.AudioFrame("s16", "stereo", samples)
    frame.sample_rate = _SAMPLES_PER_SECOND
    frame.pts = 0
    frame.planes[0].update(wave.tobytes() * (samples // _SAMPLES_PER_WAVE))
    return frame
