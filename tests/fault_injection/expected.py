"""The result that a caller must get for each fault at each step. Written by hand from the documentation."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.fault_injection.faults import Fault, Step


@dataclass(frozen=True, slots=True)
class Outcome:
    """The code of an error, or the state of a job that carries none; whether it was charged; whether to call again."""

    word: str
    charged: str = "-"
    safe_to_retry: bool | None = None

    def __str__(self) -> str:
        return self.word + ("" if self.safe_to_retry is None else "+" if self.safe_to_retry else "!")


def refused(code: str) -> Outcome:
    return Outcome(code, "no", safe_to_retry=False)


def passing(code: str) -> Outcome:
    return Outcome(code, "no", safe_to_retry=True)


def ordinary(state: str) -> Outcome:
    return Outcome(state)


UNKNOWN = Outcome("unconfirmed", "unknown", safe_to_retry=False)
NOT_ASKED_FOR = Outcome("(slow)")
"""The clip is fetched in the background: a second call would only wait for the same."""

SUBMIT: Mapping[Fault, Outcome] = {
    Fault.REFUSED: passing("network_error"),
    Fault.NO_NAME: passing("network_error"),
    Fault.RESET_EARLY: UNKNOWN,
    Fault.RESET_LATE: UNKNOWN,
    Fault.SILENCE: UNKNOWN,
    Fault.BAD_REQUEST: refused("invalid_input"),
    Fault.BAD_KEY: refused("unauthorized"),
    Fault.NO_CREDITS: refused("insufficient_credits"),
    Fault.NOT_FOUND: refused("model_retired"),
    Fault.GONE: refused("model_retired"),
    Fault.TOO_MANY: passing("rate_limited"),
    Fault.BROKEN: UNKNOWN,
    Fault.BAD_GATEWAY: UNKNOWN,
    Fault.UNAVAILABLE: UNKNOWN,
    Fault.GATEWAY_TIMEOUT: UNKNOWN,
    Fault.EMPTY: UNKNOWN,
    Fault.HTML: UNKNOWN,
    Fault.BROKEN_JSON: UNKNOWN,
    Fault.OTHER_JSON: UNKNOWN,
    Fault.NUMBER: ordinary("queued"),  # it is not needed
    Fault.BOMB: UNKNOWN,
    Fault.HUGE: UNKNOWN,
    Fault.DRIP: UNKNOWN,
}
UPLOAD: Mapping[Fault, Outcome] = {
    Fault.REFUSED: passing("network_error"),
    Fault.NO_NAME: passing("network_error"),
    Fault.RESET_EARLY: passing("network_error"),
    Fault.RESET_LATE: passing("network_error"),
    Fault.SILENCE: passing("gateway_timeout"),
    Fault.BAD_REQUEST: refused("invalid_image"),
    Fault.BAD_KEY: refused("unauthorized"),
    Fault.NO_CREDITS: refused("insufficient_credits"),
    Fault.NOT_FOUND: passing("gateway_error"),
    Fault.GONE: passing("gateway_error"),
    Fault.TOO_MANY: passing("rate_limited"),
    Fault.BROKEN: passing("gateway_error"),
    Fault.BAD_GATEWAY: passing("gateway_error"),
    Fault.UNAVAILABLE: passing("gateway_error"),
    Fault.GATEWAY_TIMEOUT: passing("gateway_timeout"),
    Fault.EMPTY: passing("gateway_error"),
    Fault.HTML: passing("gateway_error"),
    Fault.BROKEN_JSON: passing("gateway_error"),
    Fault.OTHER_JSON: passing("gateway_error"),
    Fault.NUMBER: ordinary("queued"),
    Fault.BOMB: passing("gateway_error"),
    Fault.HUGE: passing("gateway_error"),
    Fault.DRIP: passing("gateway_timeout"),
}
POLL: Mapping[Fault, Outcome] = {
    Fault.REFUSED: passing("network_error"),
    Fault.NO_NAME: passing("network_error"),
    Fault.RESET_EARLY: passing("network_error"),
    Fault.RESET_LATE: passing("network_error"),
    Fault.SILENCE: passing("gateway_timeout"),
    Fault.BAD_REQUEST: refused("invalid_input"),
    Fault.BAD_KEY: refused("unauthorized"),
    Fault.NO_CREDITS: refused("insufficient_credits"),
    Fault.NOT_FOUND: ordinary("queued"),  # known here, and still kept there: nothing changes
    Fault.GONE: ordinary("queued"),
    Fault.TOO_MANY: passing("rate_limited"),
    Fault.BROKEN: passing("gateway_error"),
    Fault.BAD_GATEWAY: passing("gateway_error"),
    Fault.UNAVAILABLE: passing("gateway_error"),
    Fault.GATEWAY_TIMEOUT: passing("gateway_timeout"),
    Fault.EMPTY: passing("gateway_error"),
    Fault.HTML: passing("gateway_error"),
    Fault.BROKEN_JSON: passing("gateway_error"),
    Fault.OTHER_JSON: ordinary("processing"),  # an undocumented state is not an error
    Fault.NUMBER: ordinary("completed"),
    Fault.BOMB: passing("gateway_error"),
    Fault.HUGE: passing("gateway_error"),
    Fault.DRIP: passing("gateway_timeout"),
}
RESULT: Mapping[Fault, Outcome] = {
    **POLL,
    Fault.OTHER_JSON: ordinary("completed"),  # the status said so; the link is asked for again
}
DOWNLOAD: Mapping[Fault, Outcome] = {
    Fault.REFUSED: passing("network_error"),
    Fault.NO_NAME: passing("network_error"),
    Fault.RESET_EARLY: passing("network_error"),
    Fault.RESET_LATE: passing("network_error"),
    Fault.SILENCE: NOT_ASKED_FOR,
    # The gateway still gives the link, so that the clip is not lost, whatever the link's host says.
    Fault.BAD_REQUEST: passing("gateway_error"),
    Fault.BAD_KEY: passing("network_error"),
    Fault.NO_CREDITS: passing("gateway_error"),
    Fault.NOT_FOUND: passing("gateway_error"),
    Fault.GONE: passing("gateway_error"),
    Fault.TOO_MANY: passing("network_error"),
    Fault.BROKEN: passing("network_error"),
    Fault.BAD_GATEWAY: passing("network_error"),
    Fault.UNAVAILABLE: passing("network_error"),
    Fault.GATEWAY_TIMEOUT: passing("network_error"),
    Fault.EMPTY: passing("gateway_error"),
    Fault.HTML: passing("network_error"),
    Fault.BROKEN_JSON: passing("gateway_error"),
    Fault.OTHER_JSON: passing("gateway_error"),
    Fault.NUMBER: ordinary("completed"),
    Fault.BOMB: passing("gateway_error"),
    Fault.HUGE: refused("gateway_error"),
    Fault.DRIP: NOT_ASKED_FOR,
}
HISTORY: Mapping[Fault, Outcome] = {
    **{fault: ordinary("queued") for fault in Fault},  # a failed request proves nothing
    # The history's own state; an explicit get_status asks it again.
    Fault.NOT_FOUND: Outcome("expired", "unknown", safe_to_retry=False),
    Fault.GONE: Outcome("expired", "unknown", safe_to_retry=False),
    Fault.NUMBER: ordinary("completed"),
}
EXPECTED: Mapping[Step, Mapping[Fault, Outcome]] = {
    Step.UPLOAD: UPLOAD,
    Step.SUBMIT: SUBMIT,
    Step.POLL: POLL,
    Step.RESULT: RESULT,
    Step.DOWNLOAD: DOWNLOAD,
    Step.HISTORY: HISTORY,
}
EXCEPTIONS: Mapping[tuple[str, Step, Fault], Outcome] = {
    ("fal", Step.HISTORY, Fault.NOT_FOUND): ordinary("queued"),  # a missing list is not an answer
    ("fal", Step.HISTORY, Fault.GONE): ordinary("queued"),
    ("aimlapi", Step.DOWNLOAD, Fault.NO_CREDITS): passing("network_error"),  # 403, as above
    ("minimax", Step.POLL, Fault.BAD_REQUEST): ordinary("queued"),  # its one parameter is wrong: as not found
    **{("minimax", Step.RESULT, fault): ordinary("completed") for fault in Fault},  # the link is asked for again
}


def expected(gateway: str, step: Step, fault: Fault) -> Outcome:
    return EXCEPTIONS.get((gateway, step, fault)) or EXPECTED[step][fault]
