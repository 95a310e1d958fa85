"""Reading values from a gateway's JSON, which may contain anything: each function accepts any value and returns only
what is valid."""

import json
import logging
import math
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from hailuo_mcp.core.text import has_format_characters

log = logging.getLogger(__name__)

NESTING_MAX = 5
"""How deep a response is searched: no known response needs more than three levels."""
_LINK = re.compile(r"https?://[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+", re.IGNORECASE)
LINK_MAX = 2048
"""The longest link in characters; those of storage services, with all their signatures, are shorter."""
_DIGITS_MAX = 300
"""A number with more digits does not fit in a float."""
_ELEMENTS_MAX = 500_000
"""A response with more elements would take many times its size in memory."""


@dataclass(slots=True)
class Reading:
    """What is noticed about responses while they are read."""

    warnings: list[str] = field(default_factory=list[str])
    """What is doubtful about them, as sentences for the caller."""
    sandbox: bool = False
    """Whether one of them comes from the sandbox."""


_READING: ContextVar[Reading | None] = ContextVar("hailuo_mcp_reading", default=None)


@contextmanager
def reading() -> Generator[Reading]:
    """Collect what is noticed about the responses that are received and read in this block."""
    token = _READING.set(found := Reading())
    try:
        yield found
    finally:
        _READING.reset(token)


def add_warning(sentence: str) -> None:
    log.warning("%s", sentence)
    if (found := _READING.get()) and sentence not in found.warnings:
        found.warnings.append(sentence)


def mark_sandbox() -> None:
    if found := _READING.get():
        found.sandbox = True


def parse_json(raw: str | bytes | bytearray) -> Any:
    """The parsed response; None if it is not JSON. A number that does not fit in a float becomes None; the rest is
    kept."""
    if (raw.count(",") if isinstance(raw, str) else raw.count(b",")) > _ELEMENTS_MAX:
        return None
    try:
        return json.loads(raw, parse_int=_int, parse_float=_float, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


def _int(text: str) -> int | None:
    return int(text) if len(text) <= _DIGITS_MAX else None


def _float(text: str) -> float | None:
    return parsed if math.isfinite(parsed := float(text)) else None


def number(value: object) -> float | None:
    """A finite, non-negative number, or None: gateways omit, null or quote their numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        parsed = float(value)
    except (ValueError, OverflowError):
        return None
    return parsed if 0 <= parsed < float("inf") else None


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one for anything else."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def sequence(value: object) -> Sequence[object]:
    """A JSON array, or an empty one for anything else."""
    return cast("Sequence[object]", value) if isinstance(value, list) else ()


def json_object(value: object) -> Mapping[str, Any]:
    """As `mapping`, for an object that may also come as JSON text."""
    return mapping(parse_json(value) if isinstance(value, str) else value)


def moment(value: object) -> datetime | None:
    """A point in time as ISO 8601; in UTC if it names no time zone."""
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return parsed if parsed is None or parsed.tzinfo else parsed.replace(tzinfo=UTC)


def link_in(value: object, depth: int = NESTING_MAX) -> str | None:
    """The first link in an output: a string, a list of them, or an object with `url`. A clip may come as a `data:`
    URI."""
    if depth == 0:
        return None
    if isinstance(value, str):
        if value[:5].lower() == "data:":
            return "data:" + value[5:]
        if not value[:8].lower().startswith(("http://", "https://")):
            return None
        if len(value) > LINK_MAX:
            add_warning(
                f"The gateway gave a link of {len(value):,} characters, which is too long to be one; it is not used."
            )
            return None
        return value if _LINK.fullmatch(value) and not has_format_characters(value) else None
    for item in sequence(value):
        if link := link_in(item, depth - 1):
            return link
    return link_in(mapping(value).get("url"), depth - 1)


def text_in(value: object, depth: int = NESTING_MAX) -> str:
    """The text of a message at any depth: validation errors come as lists of objects."""
    if isinstance(value, str) or depth == 0:
        return value if isinstance(value, str) else ""
    fields = mapping(value)
    inner = [*sequence(value), *(fields[name] for name in ("message", "msg", "error", "detail") if name in fields)]
    texts = [text for item in inner if (text := text_in(item, depth - 1))]
    return "; ".join(texts if isinstance(value, list) else texts[:1])
