"""Joins clips into one video. Needs the `media` extra (PyAV)."""

# PyAV's packets and streams have type parameters that nothing sets.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import anyio.to_thread
from anyio import from_thread

from hailuo_mcp.core.errors import InvalidInput

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.filter import Graph
    from av.video.stream import VideoStream

SUFFIX = ".mp4"
TICK = Fraction(1, 90_000)
"""The time base of a re-encoded video: all usual frame rates are whole numbers in it."""
_OPTIONS = {"movflags": "+faststart"}
_ENCODER = {"preset": "veryfast", "crf": "18"}


@dataclass(frozen=True, slots=True)
class JoinedVideo:
    """`notes`: sentences that say how the clips were changed."""

    path: Path
    seconds: float
    notes: tuple[str, ...] = ()


def check_joinable(target: Path) -> None:
    """Check that the video can be written, before money is spent on its clips.

    Raises:
        InvalidInput: the extra is missing, or the target is not valid or writable.
    """
    if find_spec("av") is None:
        raise InvalidInput("Joining clips needs the media extra.", "Install it: pip install 'hailuo-mcp[media]'.")
    if target.suffix.lower() != SUFFIX:
        raise InvalidInput(f"The film is an MP4 file; {target.name!r} is not a name for one.", f"End it in {SUFFIX}.")
    if target.is_dir():
        raise InvalidInput(f"{target} is a directory.", "Name a file in it.")
    if not os.access(target.parent, os.W_OK):
        raise InvalidInput(f"{target.parent} is not writable.", "Name a directory that is writable.")


async def join(clips: Sequence[Path], target: Path) -> JoinedVideo:
    """Join clips, in this order, into one video without sound. It replaces an earlier file atomically.

    Clips with the same encoding are copied as they are; otherwise every frame is re-encoded in the size of the first
    clip, with bars where the aspect ratio differs.

    Raises:
        InvalidInput: as `check_joinable`; or a clip cannot be read, or the video cannot be written.
    """
    check_joinable(target)
    if not clips:
        raise InvalidInput("There are no clips to join.", "Name at least one.")
    return await anyio.to_thread.run_sync(_join, clips, target)


@dataclass(frozen=True, slots=True)
class _Encoding:
    """Clips whose encodings are equal can follow each other in one stream."""

    codec: str
    size: tuple[int, int]
    pixels: str | None
    time_base: Fraction | None
    extradata: bytes | None


def _join(clips: Sequence[Path], target: Path) -> JoinedVideo:
    from av.error import FFmpegError  # optional, and slow to import

    encodings = [_encoding(clip) for clip in clips]
    alike = all(encoding == encodings[0] for encoding in encodings)
    notes: list[str] = []
    part = target.with_name(f".{uuid4().hex}.part")
    try:
        seconds = _copied(clips, part) if alike else _encoded(clips, part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except (OSError, FFmpegError) as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else type(error).__name__
        raise InvalidInput(f"The film {target} could not be written: {reason}.", "The clips are untouched.") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    if not alike:
        notes.append(
            f"The clips are encoded differently, so the film was re-encoded at {_dimensions(encodings[0].size)}."
        )
    if others := sorted({encoding.size for encoding in encodings} - {encodings[0].size}):
        notes.append(
            f"Clips of {', '.join(map(_dimensions, others))} were scaled to fit, with bars where the shape differs."
        )
    return JoinedVideo(target, float(seconds), tuple(notes))


def _encoding(clip: Path) -> _Encoding:
    with _opened(clip) as (_, stream):
        context = stream.codec_context
        return _Encoding(
            context.name, (context.width, context.height), context.pix_fmt, stream.time_base, context.extradata
        )


@contextmanager
def _opened(clip: Path) -> "Generator[tuple[InputContainer, VideoStream]]":
    """A clip and its video stream.

    Raises:
        InvalidInput: it cannot be read, here or while it is used.
    """
    import av  # as above
    from av.error import FFmpegError, InvalidDataError

    unreadable = InvalidInput(f"The clip {clip} cannot be read.", "Download it again.")
    try:
        # The format is named, so that a file is not read as a playlist, which could open other files.
        container = av.open(str(clip), format="mp4")
    except (FFmpegError, OSError):
        raise unreadable from None
    with container:
        if not container.streams.video:
            raise unreadable
        try:
            yield container, container.streams.video[0]
        except InvalidDataError:
            raise unreadable from None


def _copied(clips: Sequence[Path], part: Path) -> Fraction:
    """The clips' packets one after the other, with their times shifted. Returns the total length in seconds."""
    import av  # as above

    with av.open(str(part), "w", format="mp4", options=_OPTIONS) as output:
        track: VideoStream | None = None
        at = Fraction(0)
        for clip in clips:
            with _opened(clip) as (container, stream):
                track = track or output.add_stream_from_template(stream)
                tick = stream.time_base or TICK
                packets = [packet for packet in container.demux(stream) if packet.pts is not None]
                begin = min((packet.pts or 0 for packet in packets), default=0)
                end = max(
                    ((packet.pts or 0) + (packet.duration or _frame_ticks(stream, tick)) for packet in packets),
                    default=0,
                )
                shift = round(at / tick) - begin
                for packet in packets:
                    from_thread.check_cancelled()
                    packet.pts = (packet.pts or 0) + shift
                    packet.dts = None if packet.dts is None else packet.dts + shift
                    packet.stream = track
                    output.mux(packet)
                at += (end - begin) * tick
        return at


def _encoded(clips: Sequence[Path], part: Path) -> Fraction:
    """Every frame re-encoded, at its own time. Returns the total length in seconds."""
    import av  # as above

    with av.open(str(part), "w", format="mp4", options=_OPTIONS) as output:
        track: VideoStream | None = None
        at = 0
        for clip in clips:
            with _opened(clip) as (container, stream):
                if track is None:
                    track = output.add_stream("libx264", rate=stream.average_rate, options=_ENCODER)
                    track.width, track.height = (side // 2 * 2 for side in (stream.width, stream.height))
                    track.pix_fmt = "yuv420p"
                    track.codec_context.time_base = TICK
                begin, end = None, 0
                for frame in _fitted(container, stream, (track.width, track.height)):
                    from_thread.check_cancelled()
                    time = round((frame.pts or 0) * (frame.time_base or TICK) / TICK)
                    begin = time if begin is None else begin
                    end = time + _frame_ticks(stream, TICK)
                    frame.pts, frame.time_base = time - begin + at, TICK
                    output.mux(track.encode(frame))
                at += end - (begin or 0)
        if track:
            output.mux(track.encode())
    return at * TICK


def _fitted(container: "InputContainer", stream: "VideoStream", size: tuple[int, int]) -> "Iterator[VideoFrame]":
    """The frames in this size, with bars where their aspect ratio differs."""
    from av import VideoFrame  # as above
    from av.video.frame import PictureType

    graph = _fitting(stream, size)
    for frame in container.decode(stream):
        graph.push(frame)
        fitted = graph.pull()
        if isinstance(fitted, VideoFrame):
            fitted.pict_type = PictureType.NONE  # the new encoder decides, not that of the clip
            yield fitted


def _fitting(stream: "VideoStream", size: tuple[int, int]) -> "Graph":
    from av.filter import Graph  # as above

    width, height = size
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(template=stream),
        graph.add("scale", f"{width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2"),
        graph.add("pad", f"{width}:{height}:(ow-iw)/2:(oh-ih)/2"),
        graph.add("setsar", "1"),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _frame_ticks(stream: "VideoStream", tick: Fraction) -> int:
    """How long one frame lasts."""
    return round(1 / ((stream.average_rate or Fraction(24)) * tick))


def _dimensions(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
