"""The steps of a job, and the faults that can occur at each."""

from collections.abc import Mapping
from enum import StrEnum

from tests.fault_injection.dialects import DIALECTS


class Step(StrEnum):
    UPLOAD = "upload"
    SUBMIT = "submit"
    POLL = "poll"
    RESULT = "result"
    DOWNLOAD = "download"
    HISTORY = "history"


class Fault(StrEnum):
    REFUSED = "connection refused"
    NO_NAME = "name not found"
    RESET_EARLY = "reset before the body"
    RESET_LATE = "reset after the body"
    SILENCE = "silence"
    BAD_REQUEST = "400"
    BAD_KEY = "401"
    NO_CREDITS = "no credits"
    NOT_FOUND = "404"
    GONE = "410"
    TOO_MANY = "429"
    BROKEN = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    GATEWAY_TIMEOUT = "504"
    EMPTY = "empty body"
    HTML = "HTML body"
    BROKEN_JSON = "broken JSON"
    OTHER_JSON = "JSON of another shape"
    NUMBER = "number of 401 digits"
    BOMB = "gzip twice, 100 MB"
    HUGE = "huge body"
    DRIP = "slow drip"


REFUSALS = {Fault.BAD_REQUEST, Fault.BAD_KEY, Fault.NO_CREDITS, Fault.NOT_FOUND, Fault.GONE, Fault.TOO_MANY}
"""Responses to a submission by which a gateway refuses it."""
BEFORE: Mapping[tuple[str, Step], Step] = {
    **{(name, Step.POLL): Step.SUBMIT for name in DIALECTS},
    ("segmind", Step.RESULT): Step.POLL,
    ("segmind", Step.DOWNLOAD): Step.RESULT,
    ("apixo", Step.DOWNLOAD): Step.POLL,
    ("aimlapi", Step.DOWNLOAD): Step.POLL,
    ("minimax", Step.RESULT): Step.POLL,
    ("minimax", Step.DOWNLOAD): Step.RESULT,
    ("fal", Step.RESULT): Step.POLL,
    ("segmind", Step.HISTORY): Step.POLL,
    ("fal", Step.HISTORY): Step.POLL,
    ("fal-h3", Step.RESULT): Step.POLL,
}
"""The last step that is answered before the host disappears."""
