"""A measured figure with its floor, which every benchmark returns; and the table of all figures."""

from collections.abc import Iterable
from dataclasses import dataclass

HEAD = ("benchmark", "figure", "floor", "here", "ratio", "target")


@dataclass(frozen=True, slots=True)
class Figure:
    """The measured value and its baseline (`floor`), from one run and in the same unit."""

    benchmark: str
    name: str
    unit: str
    floor: float
    measured: float
    target: str
    """As text; empty where there is no target."""

    @property
    def ratio(self) -> float:
        return self.measured / self.floor

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            f"`{self.benchmark}`",
            self.name,
            self._with_unit(self.floor),
            self._with_unit(self.measured),
            f"{self.ratio:.2f}",
            self.target or "–",
        )

    def _with_unit(self, value: float) -> str:
        return f"{value:{',.3g' if value < 100 else ',.0f'}} {self.unit}".strip()


def table(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = [HEAD, tuple("---" for _ in HEAD), *(figure.cells for figure in figures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
