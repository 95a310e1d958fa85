"""Measures the length and encoding of a video or audio file. Needs the `media` extra (PyAV).

Only the first frame is decoded; everything else is read from the packets. The pixels of that frame and the number of
packets are limited, because a few bytes can claim billions.
"""

# PyAV's packets and streams have type parameters that nothing sets.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import io
from collections.abc import Iterator
from dataclasses import dataclass

from hailuo_mcp.core.parameters import Medium

FORMATS = {"MP4": "mp4", "MOV": "mp4", "WAV": "wav", "MP3": "mp3"}
"""The formats that can be measured, with FFmpeg's names. The name is always passed, so that a file is not read as a
playlist, which could open other files."""
PIXELS_MAX = 40_000_000
SAMPLES_MAX = 1_000_000
"""More than an hour of audio and video."""
_CODECS = {"h264": "H.264", "hevc": "H.265"}
_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"})
_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Measures:
    """`width`, `height` and `frame_rate` are those of a video."""

    seconds: float
    codec: str
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0


def measure(content: bytes, kind: str, medium: Medium) -> Measures | None:
    """The measures of a file in one of `FORMATS`; None if PyAV is not installed.

    Raises:
        ValueError: it is broken or truncated, has no stream of this medium, or claims too many packets.
    """
    try:
        import av  # optional, and slow to import
    except ImportError:
        return None
    if FORMATS[kind] == "mp4" and _claimed_samples(content) > SAMPLES_MAX:
        raise ValueError("too many samples")
    try:
        with av.open(io.BytesIO(content), "r", format=FORMATS[kind]) as container:
            streams = container.streams.video if medium == "video" else container.streams.audio
            stream = streams[0]
            packets = [packet for packet in container.demux(stream) if packet.pts is not None]
            ends = [(packet.pts or 0) + (packet.duration or 0) for packet in packets]
            seconds = float((max(ends) - min(packet.pts or 0 for packet in packets)) * (stream.time_base or 0))
            if any(packet.is_corrupt for packet in packets):
                raise ValueError("truncated")
            codec = _CODECS.get(stream.codec_context.name, stream.codec_context.name)
            container.seek(0)
            stream.codec_context.options = {"max_pixels": str(PIXELS_MAX)}
            next(container.decode(stream))
            if isinstance(stream, av.VideoStream):
                rate = float(stream.average_rate or 0)
                return Measures(seconds, codec, stream.width, stream.height, rate)
            return Measures(seconds, codec)
    except Exception as error:  # PyAV raises many exception types for broken files; all mean the same here
        raise ValueError(type(error).__name__) from None


def _claimed_samples(content: bytes) -> int:
    """How many samples an MP4 claims to have; an impossible number if its index is compressed."""
    claimed = 0
    for kind, begin in _boxes(content, 0, len(content), _DEPTH):
        if kind == b"cmov":
            return SAMPLES_MAX + 1
        if kind in (b"stsz", b"stz2"):
            claimed += int.from_bytes(content[begin + 8 : begin + 12])
        elif kind == b"trun":
            claimed += int.from_bytes(content[begin + 4 : begin + 8])
    return claimed


def _boxes(content: bytes, position: int, end: int, depth: int) -> Iterator[tuple[bytes, int]]:
    """Each box, including nested ones, with the offset of its content."""
    while position + 8 <= end:
        size, kind, begin = int.from_bytes(content[position : position + 4]), content[position + 4 : position + 8], 8
        if size == 1:  # the real size follows
            size, begin = int.from_bytes(content[position + 8 : position + 16]), 16
        size = size or end - position
        yield kind, position + begin
        if kind in _CONTAINERS and depth:
            yield from _boxes(content, position + begin, min(position + size, end), depth - 1)
        position += max(size, 8)
