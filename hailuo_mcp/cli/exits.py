"""The exit codes. Scripts rely on them; `--help` shows them from here."""

from collections.abc import Mapping
from enum import IntEnum

from hailuo_mcp.core.errors import ErrorCode, Problem
from hailuo_mcp.core.job import State


class Exit(IntEnum):
    """The exit codes. A member's `meaning` is what `--help` says of it."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> "Exit":
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    DONE = 0, "done"
    UNFORESEEN = 1, "something unforeseen"
    WRONG_CALL = 2, "wrong call, settings, image or request id; nothing was sent"
    FAILED = 3, "the job failed, expired or was cancelled"
    NOT_ENDED = 4, "the job has not ended yet, or has no clip yet"
    ACCOUNT = 5, "account or budget: key, permission, credits, retired model"
    TROUBLE = 6, "gateway or network trouble; safe to repeat"
    UNCONFIRMED = 7, "no answer to a submission: it may be charged, do not repeat"
    UNSOUND = 8, "doctor found a problem"
    NOT_CANCELLED = 9, "the job could not be cancelled, and is as it was"
    INTERRUPTED = 130, "interrupted; a job that was submitted goes on"


_OF_CODE: Mapping[ErrorCode, Exit] = {
    "invalid_input": Exit.WRONG_CALL,
    "unknown_model": Exit.WRONG_CALL,
    "unknown_request": Exit.WRONG_CALL,
    "invalid_image": Exit.WRONG_CALL,
    "content_violation": Exit.FAILED,
    "expired": Exit.FAILED,
    "not_ready": Exit.NOT_ENDED,
    "unauthorized": Exit.ACCOUNT,
    "forbidden": Exit.ACCOUNT,
    "insufficient_credits": Exit.ACCOUNT,
    "budget_exceeded": Exit.ACCOUNT,
    "not_confirmed": Exit.ACCOUNT,
    "model_retired": Exit.ACCOUNT,
    "rate_limited": Exit.TROUBLE,
    "gateway_error": Exit.TROUBLE,
    "gateway_timeout": Exit.TROUBLE,
    "network_error": Exit.TROUBLE,
    "unconfirmed": Exit.UNCONFIRMED,
    "internal_error": Exit.UNFORESEEN,
}


def exit_of_problem(problem: Problem) -> Exit:
    """The code for a call that failed. Code 6 promises that repeating is safe; otherwise, trouble counts as unforeseen.
    A job that will never have a clip has failed."""
    code = _OF_CODE[problem.code]
    if code is Exit.TROUBLE and not problem.safe_to_retry:
        return Exit.UNFORESEEN
    if code is Exit.NOT_ENDED and not problem.safe_to_retry:
        return Exit.FAILED
    return code


def exit_of_state(state: State, *, waited: bool) -> Exit:
    """The code for a job that was looked up. That it is still running matters only after a wait."""
    match state:
        case State.FAILED | State.EXPIRED | State.CANCELLED:
            return Exit.FAILED
        case State.UNCONFIRMED:
            return Exit.UNCONFIRMED
        case State.QUEUED | State.PROCESSING if waited:
            return Exit.NOT_ENDED
        case _:
            return Exit.DONE
