"""Renders a shot as H.264 in an MP4 file.

Everything happens on the three planes of 4:2:0 video instead of on RGB frames: half the numbers to move, and nothing to
convert for the encoder.
"""

# Some of Pillow's signatures mention NumPy, which is no dependency here, so that they are only partly known, and PyAV's
# packets have a type parameter that nothing sets.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

from hailuo_mcp.sandbox.faults import without_rehearsals
from hailuo_mcp.sandbox.jobs import Shot
from hailuo_mcp.sandbox.render import camera, captions, images, scenes

FRAMES_PER_SECOND = 24

_WIDESCREEN = (1366, 768)
_SPARE = 1.2
"""How much larger than the clip its picture is kept, for the camera to come closer to."""

# RGB to the limited range of ITU-R BT.709, which is what players take HD video for.
_LUMA = (0.1826, 0.6142, 0.0620, 16)
_BLUE = (-0.1006, -0.3386, 0.4392, 128)
_RED = (0.4392, -0.3989, -0.0403, 128)
_BT709 = 1
_LIMITED_RANGE = 1

Planes = tuple[Image.Image, Image.Image, Image.Image]


def render(shot: Shot, read: Callable[[str], bytes | None], target: Path) -> None:
    """Writes the clip to `target`. `read` gives the bytes of a picture that may be read, None for any other."""
    first, last = (_picture(source, read) for source in (shot.first, shot.last))
    opening = first or last
    size = images.size_for(opening.size if opening else _WIDESCREEN, shot.short_side)
    wide = (_even(size[0] * _SPARE), _even(size[1] * _SPARE))
    text = camera.without_commands(without_rehearsals(shot.prompt))
    brackets = camera.commands(shot.prompt)
    frames = shot.seconds * FRAMES_PER_SECOND
    sheet = captions.overlay(size, text, [" + ".join(bracket) for bracket in brackets])
    _encode(
        target,
        size,
        frames,
        _Frames(
            size,
            _planes(images.cover(first, wide) if first else scenes.scene(text, wide)),
            _planes(images.cover(last, wide)) if last else None,
            camera.path(brackets, frames),
            sheet,
        ),
    )


class _Frames:
    """The frames of a film, by their number."""

    def __init__(
        self, size: tuple[int, int], first: Planes, last: Planes | None, path: list[camera.Box], sheet: Image.Image
    ) -> None:
        self._sizes = (size, _half(size), _half(size))
        self._first, self._last, self._path = first, last, path
        self._overlays = [_overlay(plane, sheet.resize(to)) for plane, to in zip(range(3), self._sizes, strict=True)]

    def plane(self, number: int, plane: int) -> Image.Image:
        picture = self._seen(self._first[plane], self._path[number], plane)
        # The closing third dissolves onto the last frame, which settles until it fills the picture exactly.
        closing = (number / (len(self._path) - 1) - 2 / 3) * 3
        if self._last and closing > 0:
            margin = 0.02 * (1 - closing)
            ending = self._seen(self._last[plane], (margin, margin, 1 - margin, 1 - margin), plane)
            picture = Image.blend(picture, ending, closing * closing * (3 - 2 * closing))
        for writing, mask, place in self._overlays[plane]:
            picture.paste(writing, place, mask)
        return picture

    def _seen(self, picture: Image.Image, box: camera.Box, plane: int) -> Image.Image:
        width, height = picture.size
        left, top, right, bottom = (min(1.0, max(0.0, edge)) for edge in box)
        seen = (left * width, top * height, right * width, bottom * height)
        return picture.resize(self._sizes[plane], Image.Resampling.BILINEAR, box=seen)


def _encode(target: Path, size: tuple[int, int], frames: int, film: _Frames) -> None:
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
        for number in range(frames):
            frame = av.VideoFrame(*size, "yuv420p")
            for plane, target_plane in enumerate(frame.planes):
                picture = film.plane(number, plane)
                if target_plane.line_size != picture.width:
                    # Rows are padded in memory; Pillow fills the rest.
                    padded = Image.new("L", (target_plane.line_size, picture.height))
                    padded.paste(picture)
                    picture = padded
                target_plane.update(picture.tobytes())
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _picture(source: str | None, read: Callable[[str], bytes | None]) -> Image.Image | None:
    if source is None:
        return None
    data = read(source)
    return images.read(data) if data else scenes.stand_in(source, _WIDESCREEN)


def _planes(picture: Image.Image) -> Planes:
    small = picture.reduce(2)
    return picture.convert("L", _LUMA), small.convert("L", _BLUE), small.convert("L", _RED)


def _overlay(plane: int, sheet: Image.Image) -> list[tuple[Image.Image, Image.Image, tuple[int, int]]]:
    """One plane of what is written over a frame, cut to the parts that hold anything: the top and the bottom."""
    writing, mask = sheet.convert("RGB").convert("L", (_LUMA, _BLUE, _RED)[plane]), sheet.getchannel("A")
    half = sheet.height // 2
    parts: list[tuple[Image.Image, Image.Image, tuple[int, int]]] = []
    for top, bottom in ((0, half), (half, sheet.height)):
        box = mask.crop((0, top, sheet.width, bottom)).getbbox()
        if box:
            cut = (box[0], box[1] + top, box[2], box[3] + top)
            parts.append((writing.crop(cut), mask.crop(cut), (cut[0], cut[1])))
    return parts


def _half(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] // 2, size[1] // 2


def _even(length: float) -> int:
    return round(length / 2) * 2
