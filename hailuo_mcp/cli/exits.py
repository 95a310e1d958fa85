"""The exit codes. Scripts rely on them; `--help` shows them from here."""

from enum import IntEnum

from hailuo_mcp.core.errors import Problem
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
    UNEXPECTED = 1, "unexpected error"
    WRONG_CALL = 2, "invalid arguments, settings, image or request id; nothing was sent"
    FAILED = 3, "the job failed, expired or was cancelled"
    NOT_ENDED = 4, "the job has not ended yet, or has no clip yet"
    ACCOUNT = 5, "account or budget: key, permission, credits, retired model"
    TROUBLE = 6, "gateway or network error; safe to retry"
    UNCONFIRMED = 7, "no response to a submission: it may be charged, do not retry"
    PROBLEM_FOUND = 8, "doctor found a problem"
    NOT_CANCELLED = 9, "the job could not be cancelled and continues"
    INTERRUPTED = 130, "interrupted; submitted jobs continue"


def exit_of_problem(problem: Problem) -> Exit:
    """The code for a call that failed. Code 6 promises that a retry is safe; a gateway or network error for which it is
    not is unexpected. A job that will never have a clip has failed."""
    match problem.code:
        case "invalid_input" | "unknown_model" | "unknown_request" | "invalid_image":
            return Exit.WRONG_CALL
        case "content_violation" | "expired":
            return Exit.FAILED
        case "not_ready":
            return Exit.NOT_ENDED if problem.safe_to_retry else Exit.FAILED
        case "unauthorized" | "forbidden" | "insufficient_credits" | "model_retired":
            return Exit.ACCOUNT
        case "budget_exceeded" | "not_confirmed":
            return Exit.ACCOUNT
        case "rate_limited" | "gateway_error" | "gateway_timeout" | "network_error":
            return Exit.TROUBLE if problem.safe_to_retry else Exit.UNEXPECTED
        case "unconfirmed":
            return Exit.UNCONFIRMED
        case "internal_error":
            return Exit.UNEXPECTED


def exit_of_state(state: State, *, waited: bool) -> Exit:
    """The code for a job that was looked up. A job that is still running is `NOT_ENDED` only after a wait."""
    match state:
        case State.FAILED | State.EXPIRED | State.CANCELLED:
            return Exit.FAILED
        case State.UNCONFIRMED:
            return Exit.UNCONFIRMED
        case State.QUEUED | State.PROCESSING if waited:
            return Exit.NOT_ENDED
        case _:
            return Exit.DONE
