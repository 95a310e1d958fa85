"""The result that a caller must get for each fault at each step. Written by hand from the documentation."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.fault_injection.faults import Fault, Step


@dataclass(frozen=True, slots=True)
class Outcome:
    """The error's code, or the job's state if it has no error; whether it was charged; whether to call again."""

    label: str
    charged: str = "-"
    safe_to_retry: bool | None = None

    def __str__(self) -> str:
        return self.label + ("" if self.safe_to_retry is None else "+" if self.safe_to_retry else "!")


def refused(code: str) -> Outcome:
    return Outcome(code, "no", safe_to_retry=False)


def transient(code: str) -> Outcome:
    return Outcome(code, "no", safe_to_retry=True)


def no_error(state: str) -> Outcome:
    return Outcome(state)


UNKNOWN = Outcome("unconfirmed", "unknown", safe_to_retry=False)
NOT_CHECKED = Outcome("(slow)")
"""The clip is downloaded in the background; a second call would only wait for the same download."""

SUBMIT: Mapping[Fault, Outcome] = {
    Fault.REFUSED: transient("network_error"),
    Fault.NO_NAME: transient("network_error"),
    Fault.RESET_EARLY: UNKNOWN,
    Fault.RESET_LATE: UNKNOWN,
    Fault.SILENCE: UNKNOWN,
    Fault.BAD_REQUEST: refused("invalid_input"),
    Fault.BAD_KEY: refused("unauthorized"),
    Fault.NO_CREDITS: refused("insufficient_credits"),
    Fault.NOT_FOUND: refused("model_retired"),
    Fault.GONE: refused("model_retired"),
    Fault.TOO_MANY: transient("rate_limited"),
    Fault.BROKEN: UNKNOWN,
    Fault.BAD_GATEWAY: UNKNOWN,
    Fault.UNAVAILABLE: UNKNOWN,
    Fault.GATEWAY_TIMEOUT: UNKNOWN,
    Fault.EMPTY: UNKNOWN,
    Fault.HTML: UNKNOWN,
    Fault.BROKEN_JSON: UNKNOWN,
    Fault.OTHER_JSON: UNKNOWN,
    Fault.NUMBER: no_error("queued"),  # the number is not needed
    Fault.BOMB: UNKNOWN,
    Fault.HUGE: UNKNOWN,
    Fault.DRIP: UNKNOWN,
}
POLL: Mapping[Fault, Outcome] = {
    Fault.REFUSED: transient("network_error"),
    Fault.NO_NAME: transient("network_error"),
    Fault.RESET_EARLY: transient("network_error"),
    Fault.RESET_LATE: transient("network_error"),
    Fault.SILENCE: transient("gateway_timeout"),
    Fault.BAD_REQUEST: refused("invalid_input"),
    Fault.BAD_KEY: refused("unauthorized"),
    Fault.NO_CREDITS: refused("insufficient_credits"),
    Fault.NOT_FOUND: no_error("queued"),  # the ledger has the job, and the gateway still keeps it: nothing changes
    Fault.GONE: no_error("queued"),
    Fault.TOO_MANY: transient("rate_limited"),
    Fault.BROKEN: transient("gateway_error"),
    Fault.BAD_GATEWAY: transient("gateway_error"),
    Fault.UNAVAILABLE: transient("gateway_error"),
    Fault.GATEWAY_TIMEOUT: transient("gateway_timeout"),
    Fault.EMPTY: transient("gateway_error"),
    Fault.HTML: transient("gateway_error"),
    Fault.BROKEN_JSON: transient("gateway_error"),
    Fault.OTHER_JSON: no_error("processing"),  # an undocumented state is not an error
    Fault.NUMBER: no_error("completed"),
    Fault.BOMB: transient("gateway_error"),
    Fault.HUGE: transient("gateway_error"),
    Fault.DRIP: transient("gateway_timeout"),
}
UPLOAD: Mapping[Fault, Outcome] = {
    **POLL,
    Fault.BAD_REQUEST: refused("invalid_image"),
    Fault.NOT_FOUND: transient("gateway_error"),
    Fault.GONE: transient("gateway_error"),
    Fault.OTHER_JSON: transient("gateway_error"),
    Fault.NUMBER: no_error("queued"),
}
RESULT: Mapping[Fault, Outcome] = {
    **POLL,
    Fault.OTHER_JSON: no_error("completed"),  # according to the status; the link is requested again
}
DOWNLOAD: Mapping[Fault, Outcome] = {
    Fault.REFUSED: transient("network_error"),
    Fault.NO_NAME: transient("network_error"),
    Fault.RESET_EARLY: transient("network_error"),
    Fault.RESET_LATE: transient("network_error"),
    Fault.SILENCE: NOT_CHECKED,
    # The gateway still gives the link, so the clip is not lost, whatever the link's host responds.
    Fault.BAD_REQUEST: transient("gateway_error"),
    Fault.BAD_KEY: transient("network_error"),
    Fault.NO_CREDITS: transient("gateway_error"),
    Fault.NOT_FOUND: transient("gateway_error"),
    Fault.GONE: transient("gateway_error"),
    Fault.TOO_MANY: transient("network_error"),
    Fault.BROKEN: transient("network_error"),
    Fault.BAD_GATEWAY: transient("network_error"),
    Fault.UNAVAILABLE: transient("network_error"),
    Fault.GATEWAY_TIMEOUT: transient("network_error"),
    Fault.EMPTY: transient("gateway_error"),
    Fault.HTML: transient("network_error"),
    Fault.BROKEN_JSON: transient("gateway_error"),
    Fault.OTHER_JSON: transient("gateway_error"),
    Fault.NUMBER: no_error("completed"),
    Fault.BOMB: transient("gateway_error"),
    Fault.HUGE: refused("gateway_error"),
    Fault.DRIP: NOT_CHECKED,
}
HISTORY: Mapping[Fault, Outcome] = {
    **{fault: no_error("queued") for fault in Fault},  # a failed request proves nothing
    # The history's own state; an explicit get_status queries it again.
    Fault.NOT_FOUND: Outcome("expired", "unknown", safe_to_retry=False),
    Fault.GONE: Outcome("expired", "unknown", safe_to_retry=False),
    Fault.NUMBER: no_error("completed"),
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
    ("fal", Step.HISTORY, Fault.NOT_FOUND): no_error("queued"),  # a missing list proves nothing
    ("fal", Step.HISTORY, Fault.GONE): no_error("queued"),
    ("aimlapi", Step.DOWNLOAD, Fault.NO_CREDITS): transient("network_error"),  # 403, as above
    ("minimax", Step.POLL, Fault.BAD_REQUEST): no_error("queued"),  # its only parameter is wrong: the same as not found
    **{("minimax", Step.RESULT, fault): no_error("completed") for fault in Fault},  # the link is requested again
}


def expected(gateway: str, step: Step, fault: Fault) -> Outcome:
    return EXCEPTIONS.get((gateway, step, fault)) or EXPECTED[step][fault]
