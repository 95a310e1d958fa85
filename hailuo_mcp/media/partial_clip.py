"""A partly downloaded clip, and whether a response continues it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hailuo_mcp.core.unpacking import encodings

if TYPE_CHECKING:
    import httpx


@dataclass(slots=True)
class PartialClip:
    """A partly downloaded clip: its file, how much was received, and of which version."""

    url: str
    path: Path
    received: int = 0
    total: int | None = None
    """Its size in bytes, if the server states it."""
    validator: str = ""
    """Identifies the version (RFC 9110, 13.1.5). Without it, the rest cannot be distinguished from that of another
    file."""

    @property
    def resumable(self) -> bool:
        return self.received > 0 and self.validator != ""

    def reset(self) -> None:
        """Start again. The file is truncated with the next content."""
        self.received, self.total, self.validator = 0, None, ""

    def accept(self, response: "httpx.Response") -> int | None:
        """The offset of this response's content in the file; records its size and version. None if the response does
        not match what was received before, which is then discarded."""
        validator = _validator(response)
        start, total = 0, _number(response.headers.get("content-length", ""))
        if response.status_code == 206:
            match = re.match(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", ""))
            begin = int(match[1]) if match else None
            stated = _number(match[2]) if match else None
            total = self.total if stated is None else stated
            validator = validator or self.validator  # a partial response need not repeat it
            changed = self.total not in (None, total) or (self.received and validator != self.validator)
            if begin is None or begin > self.received or changed or encodings(response):
                self.reset()
                return None
            start = begin
        self.total = None if encodings(response) else total
        self.validator = validator
        return start


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _validator(response: "httpx.Response") -> str:
    """The validator of this version for `If-Range`; empty if there is none. A modification time counts if it is at
    least a second before the response: later changes would have a different time (RFC 9110, 8.8.2.2)."""
    headers = response.headers
    etag = headers.get("etag", "")
    if etag and not etag.startswith("W/"):
        return etag
    modified, sent = _moment(headers.get("last-modified", "")), _moment(headers.get("date", ""))
    is_reliable = modified and sent and sent - modified >= timedelta(seconds=1)
    return headers["last-modified"] if is_reliable else ""


def _moment(text: str) -> datetime | None:
    """An HTTP date; None if it is missing or wrong."""
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)  # HTTP dates are always in GMT
    except (ValueError, OverflowError):
        return None
