"""Videos and audio files: detects their format and checks them against a model's rules before anything is sent.

Without the `media` extra only the format and the size are known, and a warning says so.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import anyio.to_thread

from hailuo_mcp.core.errors import InvalidImage, InvalidInput
from hailuo_mcp.core.parameters import MediaRule, Medium, Source
from hailuo_mcp.media.files import megabytes
from hailuo_mcp.media.formats import HEADER_BYTES, MEDIA_TYPES, describe_format, recording_format
from hailuo_mcp.media.given import FileRules, LoadedFile, from_url, is_url, read_given
from hailuo_mcp.media.limits import broken_shape, span, within
from hailuo_mcp.media.measuring import Measures, measure

_UNDOCUMENTED = Source("inferred", "MiniMax API reference of H3")
ANY_RULE: Mapping[Medium, MediaRule] = {
    "video": MediaRule(_UNDOCUMENTED, ("MP4", "MOV"), 50),
    "audio": MediaRule(_UNDOCUMENTED, ("WAV", "MP3"), 15),
}
"""For a model without documented rules."""
SECONDS_SLACK = 0.1
"""A file ends with a whole frame, so one cut at 15 s is a little longer."""
RATE_SLACK = 0.01


async def read_recording(parameter: str, given: str, medium: Medium, rules: FileRules) -> LoadedFile:
    """Load the video or audio file that the caller gave for `parameter`.

    Raises:
        InvalidInput: it may not or cannot be read, or the model would not accept it. The message has the measured
            value, the hint says how to correct it.
    """
    try:
        if is_url(given):
            return from_url(parameter, given)
        return await anyio.to_thread.run_sync(_read, parameter, given, medium, rules, limiter=rules.limiter)
    except InvalidImage as refused:  # from the shared file checks: directories, paths, base64
        raise InvalidInput(refused.problem.message, refused.problem.hint) from None


async def recording_at(parameter: str, path: Path, label: str, medium: Medium, rules: FileRules) -> LoadedFile:
    """A saved clip, checked by the same rules. Raises InvalidInput."""

    def read() -> LoadedFile:
        return check_recording(parameter, label, path.read_bytes(), medium, rule_for(medium, rules))

    try:
        return await anyio.to_thread.run_sync(read, limiter=rules.limiter)
    except OSError:
        raise InvalidInput(f"{parameter} ({label}) cannot be read.", "Call download_video again.") from None


def _read(parameter: str, given: str, medium: Medium, rules: FileRules) -> LoadedFile:
    rule = rule_for(medium, rules)
    content, label = read_given(parameter, given, rules, recording_format, partial(check_header, rule=rule))
    return check_recording(parameter, label, content, medium, rule)


def rule_for(medium: Medium, rules: FileRules) -> MediaRule:
    return rules.rule or ANY_RULE[medium]


def check_header(parameter: str, label: str, header: bytes, size: int, rule: MediaRule) -> None:
    """Refuse a file by its first bytes and its size.

    Raises:
        InvalidInput: it is in another format, or too large.
    """
    wanted = " or ".join(rule.formats)
    if not header:
        raise InvalidInput(f"{parameter} ({label}) is empty: 0 bytes.", f"Give an {wanted} file.")
    if recording_format(header) not in rule.formats:
        what = describe_format(header) or "in a format that is not known"
        raise InvalidInput(f"{parameter} ({label}) is {what}; only {wanted} is accepted.", f"Convert it to {wanted}.")
    if size > rule.megabytes * 1024 * 1024:
        raise InvalidInput(
            f"{parameter} ({label}) has {megabytes(size)}; at most {rule.megabytes:g} MB are accepted.",
            "Make it shorter, or encode it with fewer bits.",
        )


def check_recording(parameter: str, label: str, content: bytes, medium: Medium, rule: MediaRule) -> LoadedFile:
    """Check a file as far as possible.

    Raises:
        InvalidInput: the model would not accept it. The message has the measured value, the hint says how to correct
            it.
    """
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
        for problem, fix in _broken(measures, rule):
            raise InvalidInput(f"{parameter} ({label}) {problem}.", fix)
    elif unknown := _unmeasured(rule):
        notes = (
            f"{parameter} ({label}): its {unknown} could not be checked without the media extra "
            "(pip install 'hailuo-mcp[media]').",
        )
    return LoadedFile.of(label, content, MEDIA_TYPES[kind], notes, measures.seconds if measures else None)


def check_together(parameter: str, files: Sequence[LoadedFile], rule: MediaRule) -> None:
    """Check the total length of a parameter's files; files of unknown length count as zero.

    Raises:
        InvalidInput: they are too long.
    """
    together = sum(file.seconds or 0 for file in files)
    if rule.total_seconds and together > rule.total_seconds + SECONDS_SLACK:
        raise InvalidInput(
            f"{parameter} last {together:.1f} s in total; at most {rule.total_seconds:g} s are accepted.",
            "Give fewer of them, or shorter ones.",
        )


def _broken(found: Measures, rule: MediaRule) -> Sequence[tuple[str, str]]:
    """Every rule that a file breaks, with the fix."""
    broken: list[tuple[str, str]] = []
    if rule.seconds and not within(found.seconds, rule.seconds, SECONDS_SLACK):
        fix = "Cut it." if found.seconds > rule.seconds[1] else "Give a longer one."
        broken.append((f"lasts {found.seconds:.1f} s; {span(rule.seconds)} s are accepted", fix))
    if rule.codecs and found.codec not in rule.codecs:
        wanted = " or ".join(rule.codecs)
        broken.append((f"is encoded as {found.codec}; only {wanted} is accepted", f"Convert it to {wanted}."))
    if rule.frame_rate and not within(found.frame_rate, rule.frame_rate, RATE_SLACK):
        rates = span(rule.frame_rate)
        broken.append((f"has {found.frame_rate:.4g} frames a second; {rates} are accepted", "Convert it to 24."))
    return [*broken, *broken_shape(found.width, found.height, rule)]


def _unmeasured(rule: MediaRule) -> str:
    facts = {
        "length": rule.seconds,
        "encoding": rule.codecs,
        "frame rate": rule.frame_rate,
        "size in pixels": rule.pixels or rule.ratio,
    }
    *others, last = [name for name, limit in facts.items() if limit] or [""]
    return f"{', '.join(others)} and {last}" if others else last
