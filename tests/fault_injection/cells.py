"""The cells of the fault matrix, and the table in which they are printed."""

from dataclasses import dataclass, field

from tests.fault_injection.expected import NOT_CHECKED, Outcome
from tests.fault_injection.faults import Fault, Step

STEPS_OF = {
    "segmind": (Step.UPLOAD, Step.SUBMIT, Step.POLL, Step.RESULT, Step.DOWNLOAD, Step.HISTORY),
    "apixo": (Step.SUBMIT, Step.POLL, Step.DOWNLOAD),
    "aimlapi": (Step.SUBMIT, Step.POLL, Step.DOWNLOAD),
    "minimax": (Step.SUBMIT, Step.POLL, Step.RESULT, Step.DOWNLOAD),
    # Downloads and uploads are the same code for all.
    "fal": (Step.SUBMIT, Step.POLL, Step.RESULT, Step.HISTORY),
    "replicate": (Step.SUBMIT, Step.POLL),
    "aimlapi-h3": (Step.SUBMIT, Step.POLL),
    "minimax-h3": (Step.SUBMIT, Step.POLL),
    "fal-h3": (Step.SUBMIT, Step.POLL, Step.RESULT),
}
STEPS = tuple((gateway, step) for gateway, steps in STEPS_OF.items() for step in steps)


@dataclass(slots=True)
class Cell:
    """One fault at one step of one gateway, and the outcome."""

    gateway: str
    """With the model after a dash, where that has an API of its own."""
    step: Step
    fault: Fault
    outcome: Outcome = NOT_CHECKED
    accepted: int = 0
    saved: bool = False
    problems: list[str] = field(default_factory=list[str])
    outputs: list[str] = field(default_factory=list[str])

    @property
    def variable(self) -> str:
        """What the names of the gateway's variables begin with."""
        return self.gateway.partition("-")[0].upper()

    def __str__(self) -> str:
        return f"{self.gateway} {self.step} × {self.fault}"

    def check(self, condition: object, problem: str) -> None:
        if not condition:
            self.problems.append(f"{self}: {problem}")


SHORT = {
    "network_error": "network",
    "gateway_error": "gateway",
    "gateway_timeout": "timeout",
    "insufficient_credits": "credits",
    "invalid_input": "input",
    "invalid_image": "image",
    "model_retired": "retired",
    "rate_limited": "rate",
    "unauthorized": "key",
}


def shortened(outcome: Outcome) -> str:
    return str(outcome).replace(outcome.label, SHORT.get(outcome.label, outcome.label), 1)


def table(cells: list[Cell]) -> str:
    """Faults as rows, steps as columns; `+` means that the same call may be repeated, `!` that it must not be."""
    cell_at = {(cell.gateway, cell.step, cell.fault): cell for cell in cells}
    widths = [max(len(shortened(cell_at[*column, fault].outcome)) for fault in Fault) for column in STEPS]
    heads = [f"{gateway[:2]}{'3' * gateway.endswith('h3')}:{step}" for gateway, step in STEPS]
    widths = [max(width, len(head)) + 2 for width, head in zip(widths, heads, strict=True)]
    lines = [" " * 22 + "".join(f"{head:<{width}}" for head, width in zip(heads, widths, strict=True))]
    for fault in Fault:
        row = [cell_at[*column, fault] for column in STEPS]
        marks = [("?" if cell.problems else "") + shortened(cell.outcome) for cell in row]
        lines.append(f"{fault:<22}" + "".join(f"{m:<{w}}" for m, w in zip(marks, widths, strict=True)))
    twice, saved = sum(cell.accepted > 1 for cell in cells), sum(cell.saved for cell in cells)
    lines.append(
        f"{len(cells)} cells, {sum(cell.accepted for cell in cells)} paid jobs, {twice} cells paid twice, "
        f"{saved} clips saved afterwards, {sum(bool(cell.problems) for cell in cells)} cells with problems"
    )
    return "\n".join(lines)
