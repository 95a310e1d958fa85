"""Videos and audio files: what each is by its content, and whether a model's rules take it, before anything is sent.

Without the `media` extra only the format and the size are known, and a warning says so.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.parameters import MediaRule, Medium, Source
from hailuo_mcp.media.files import megabytes
from hailuo_mcp.media.formats import HEADER_BYTES, MEDIA_TYPES, format_in_words, recording_format
from hailuo_mcp.media.images import LoadedImage
from hailuo_mcp.media.measuring import Measure, Measures

_UNDOCUMENTED = Source("inferred", "MiniMax API reference of H3")
ANY_RULE = {
    "video": MediaRule(_UNDOCUMENTED, ("MP4", "MOV"), 50),
    "audio": MediaRule(_UNDOCUMENTED, ("WAV", "MP3"), 15),
}
"""For a model that documents nothing."""
SECONDS_SLACK = 0.1
"""A file ends with whole frames, so that one cut at 15 s is a little longer."""
RATE_SLACK = 0.01


@dataclass(frozen=True, slots=True)
class Recording:
    """A video or audio file that was read, as the caller may see it named."""

    parameter: str
    label: str
    content: bytes


def check_header(parameter: str, label: str, header: bytes, size: int, rule: MediaRule) -> None:
    """Refuse a file by its first bytes and its size.

    Raises:
        InvalidInput: it is in another format, or too large.
    """
    wanted = " or ".join(rule.formats)
    if not header:
        raise InvalidInput(f"{parameter} ({label}) is empty: 0 bytes.", f"Give an {wanted} file.")
    if recording_format(header) not in rule.formats:
        what = format_in_words(header) or "in a format that is not known"
        raise InvalidInput(f"{parameter} ({label}) is {what}; only {wanted} is accepted.", f"Convert it to {wanted}.")
    if size > rule.megabytes * 1024 * 1024:
        raise InvalidInput(
            f"{parameter} ({label}) has {megabytes(size)}; at most {rule.megabytes:g} MB are accepted.",
            "Make it shorter, or encode it with fewer bits.",
        )


def check_recording(recording: Recording, medium: Medium, rule: MediaRule, measure: Measure) -> LoadedImage:
    """Check a file as far as it can be.

    Raises:
        InvalidInput: the model would not take it. The message has the measured value, the hint says how to correct it.
    """
    parameter, label, content = recording.parameter, recording.label, recording.content
    check_header(parameter, label, header := content[:HEADER_BYTES], len(content), rule)
    kind = recording_format(header) or ""
    try:
        measures = measure(content, kind, medium)
    except ValueError:
        raise InvalidInput(
            f"{parameter} ({label}) is a broken or truncated {kind} file of {len(content)} bytes, or has no {medium}.",
            "Save it again.",
        ) from None
    notes: tuple[str, ...] = ()
    if measures:
        for problem, cure in _broken(measures, rule):
            raise InvalidInput(f"{parameter} ({label}) {problem}.", cure)
    elif unknown := _unmeasured(rule):
        notes = (
            f"{parameter} ({label}): its {unknown} could not be checked without the media extra "
            "(pip install 'hailuo-mcp[media]').",
        )
    digest = hashlib.sha256(content).hexdigest()
    return LoadedImage(
        shown=f"{label} (sha256:{digest[:12]})",
        digest=digest,
        content=content,
        media_type=MEDIA_TYPES[kind],
        warnings=notes,
        seconds=measures.seconds if measures else None,
    )


def check_together(parameter: str, files: Sequence[LoadedImage], rule: MediaRule) -> None:
    """Check what all files of a parameter have together; those of unknown length count as nothing.

    Raises:
        InvalidInput: they are too long.
    """
    together = sum(file.seconds or 0 for file in files)
    if rule.total_seconds and together > rule.total_seconds + SECONDS_SLACK:
        raise InvalidInput(
            f"{parameter} last {together:.1f} s together; at most {rule.total_seconds:g} s are accepted.",
            "Give fewer of them, or shorter ones.",
        )


def _broken(found: Measures, rule: MediaRule) -> Sequence[tuple[str, str]]:
    """Every rule that a file breaks, with the cure."""
    broken: list[tuple[str, str]] = []
    if rule.seconds and not _within(found.seconds, rule.seconds, SECONDS_SLACK):
        cure = "Cut it." if found.seconds > rule.seconds[1] else "Give a longer one."
        broken.append((f"lasts {found.seconds:.1f} s; {_span(rule.seconds)} s are accepted", cure))
    if rule.codecs and found.codec not in rule.codecs:
        wanted = " or ".join(rule.codecs)
        broken.append((f"is encoded as {found.codec}; only {wanted} is accepted", f"Convert it to {wanted}."))
    if rule.frame_rate and not _within(found.frame_rate, rule.frame_rate, RATE_SLACK):
        rates = _span(rule.frame_rate)
        broken.append((f"has {found.frame_rate:.4g} frames a second; {rates} are accepted", "Convert it to 24."))
    width, height = found.width, found.height
    if rule.pixels and not rule.pixels[0] <= min(width, height) <= max(width, height) <= rule.pixels[1]:
        sides = _span(rule.pixels)
        broken.append((f"is {width} x {height} px; {sides} px a side are accepted", "Scale it to that size."))
    if rule.ratio and not _within(width / height, rule.ratio, 0):
        ratios = _span(rule.ratio)
        broken.append((f"is {width} x {height} px; a width/height of {ratios} is accepted", "Crop it."))
    return broken


def _unmeasured(rule: MediaRule) -> str:
    facts = {
        "length": rule.seconds,
        "encoding": rule.codecs,
        "frame rate": rule.frame_rate,
        "size in pixels": rule.pixels or rule.ratio,
    }
    *others, last = [name for name, limit in facts.items() if limit] or [""]
    return f"{', '.join(others)} and {last}" if others else last


def _within(value: float, pair: tuple[float, float], slack: float) -> bool:
    return pair[0] - slack <= value <= pair[1] + slack


def _span(pair: tuple[float, float]) -> str:
    return f"{pair[0]:g}–{pair[1]:g}"
