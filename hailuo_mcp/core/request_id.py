"""The request id, by which a job is polled."""

import re
from dataclasses import dataclass
from typing import Self

from hailuo_mcp.core.errors import InvalidInput
from hailuo_mcp.core.text import has_format_characters

REMOTE_ID_MAX = 256
UNCONFIRMED_PREFIX = "unconfirmed-"
"""Precedes our own id of a job that has no remote id."""
_FIND_ID = "Pass request_id exactly as generate_video returned it; list_jobs shows the ids of recent jobs."
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line separators, and surrogates that no encoding can represent."""


@dataclass(frozen=True, slots=True)
class RequestId:
    """`<gateway>/<name>/<remote id>`: names the gateway and its job, so a poll needs no ledger.

    The remote id is the gateway's own and may hold `/` and `:`; it goes into a URL percent-encoded as one segment or
    value. `.`, `..`, control and format characters, space at either end and more than 256 characters are refused: no
    encoding makes `.` and `..` safe in a path, and the others do not survive a conversation intact.
    """

    model: str
    remote_id: str

    def __str__(self) -> str:
        return f"{self.model}/{self.remote_id}"

    @classmethod
    def parse(cls, text: object) -> Self:
        """Raises InvalidInput, with the expected form, for anything that is not a request id."""
        example = "segmind/hailuo-02-fast/1f2e3d4c"
        if not isinstance(text, str):
            raise InvalidInput(f"request_id must be a string like {example!r}, got {type(text).__name__}", _FIND_ID)
        parts = text.strip().split("/", 2)
        if len(parts) < 3 or not all(parts) or _UNSENDABLE.search(parts[0] + parts[1]):
            raise InvalidInput(
                f"request_id {text!r:.120} is not of the form <model id>/<id>, like {example!r}", _FIND_ID
            )
        return cls(model=f"{parts[0]}/{parts[1]}", remote_id=checked_remote_id(parts[2]))


def checked_remote_id(remote_id: str) -> str:
    """Raises InvalidInput for an id that cannot be polled safely."""
    unsafe = _UNSENDABLE.search(remote_id) or has_format_characters(remote_id)
    if remote_id in ("", ".", "..") or remote_id != remote_id.strip() or unsafe:
        raise InvalidInput(f"request_id ends in {remote_id!r:.80}, which is not a valid gateway id", _FIND_ID)
    if len(remote_id) > REMOTE_ID_MAX:
        raise InvalidInput(
            f"request_id is {len(remote_id)} characters long; at most {REMOTE_ID_MAX} are possible", _FIND_ID
        )
    return remote_id
