"""Clips joined into one film. Needs the `media` extra (PyAV)."""

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
"""The time base of a film that is encoded anew: every usual frame rate has whole numbers in it."""
_OPTIONS = {"movflags": "+faststart"}
_ENCODER = {"preset": "veryfast", "crf": "18"}


@dataclass(frozen=True, slots=True)
class Film:
    """A joined film. `notes`: what was done to the clips, in sentences."""

    path: Path
    seconds: float
    notes: tuple[str, ...] = ()


def check_joinable(target: Path) -> None:
    """Whether a film could be made here, before money is spent on its clips.

    Raises:
        InvalidInput: the extra is missing, or the place cannot take it.
    """
    if find_spec("av") is None:
        raise InvalidInput("Joining clips needs the media extra.", "Install it: pip install 'hailuo-mcp[media]'.")
    if target.suffix.lower() != SUFFIX:
        raise InvalidInput(f"A film is an MP4 file, and {target.name!r} is no name for one.", f"End it in {SUFFIX}.")
    if target.is_dir():
        raise InvalidInput(f"{target} is a directory.", "Name a file in it.")
    if not os.access(target.parent, os.W_OK):
        raise InvalidInput(f"No film can be written in {target.parent}.", "Name a directory that can be written.")


async def join(clips: Sequence[Path], target: Path) -> Film:
    """Join clips, in this order, into one film without sound; it appears whole, in place of an earlier file.

    Clips that are made alike are put together as they are; else every frame is encoded anew in the size of the first
    clip, with bars where a picture has another shape.

    Raises:
        InvalidInput: as `check_joinable`; or a clip cannot be read, or the film not written.
    """
    check_joinable(target)
    if not clips:
        raise InvalidInput("There are no clips to join.", "Name one at least.")
    return await anyio.to_thread.run_sync(_join, clips, target)


@dataclass(frozen=True, slots=True)
class _Make:
    """How a clip is made. Clips that are equal in this can follow each other in one stream."""

    codec: str
    size: tuple[int, int]
    pixels: str | None
    time_base: Fraction | None
    extradata: bytes | None


def _join(clips: Sequence[Path], target: Path) -> Film:
    from av.error import FFmpegError  # optional, and slow to import

    makes = [_make(clip) for clip in clips]
    alike = all(make == makes[0] for make in makes)
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
        notes.append(f"The clips are not made alike, so the film was encoded anew at {_words(makes[0].size)}.")
    if others := sorted({make.size for make in makes} - {makes[0].size}):
        notes.append(f"Clips of {', '.join(map(_words, others))} were fitted in, with bars where the shape differs.")
    return Film(target, float(seconds), tuple(notes))


def _make(clip: Path) -> _Make:
    with _opened(clip) as (_, stream):
        context = stream.codec_context
        return _Make(
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
        # The format is named, so that a file cannot pass for a playlist, which would have others opened.
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
    """The clips' packets one after the other, with their times shifted. Returns the film's length in seconds."""
    import av  # as above

    with av.open(str(part), "w", format="mp4", options=_OPTIONS) as film:
        track: VideoStream | None = None
        at = Fraction(0)
        for clip in clips:
            with _opened(clip) as (container, stream):
                track = track or film.add_stream_from_template(stream)
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
                    film.mux(packet)
                at += (end - begin) * tick
        return at


def _encoded(clips: Sequence[Path], part: Path) -> Fraction:
    """Every frame encoded anew, at its own time. Returns the film's length in seconds."""
    import av  # as above

    with av.open(str(part), "w", format="mp4", options=_OPTIONS) as film:
        track: VideoStream | None = None
        at = 0
        for clip in clips:
            with _opened(clip) as (container, stream):
                if track is None:
                    track = film.add_stream("libx264", rate=stream.average_rate, options=_ENCODER)
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
                    film.mux(track.encode(frame))
                at += end - (begin or 0)
        if track:
            film.mux(track.encode())
    return at * TICK


def _fitted(container: "InputContainer", stream: "VideoStream", size: tuple[int, int]) -> "Iterator[VideoFrame]":
    """The frames in this size, bars around them where their shape is another."""
    from av import VideoFrame  # as above
    from av.video.frame import PictureType

    graph = _fitting(stream, size)
    for frame in container.decode(stream):
        graph.push(frame)
        fitted = graph.pull()
        if isinstance(fitted, VideoFrame):
            fitted.pict_type = PictureType.NONE  # whatever the clip's encoder made of it: the film's decides anew
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


def _words(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
