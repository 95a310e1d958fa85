"""What a batch may spend, and what it has spent."""

from dataclasses import dataclass, field

from hailuo_mcp.core.job import Job

AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What a batch may spend in all its runs together, and how many of its jobs run at the same time."""

    max_usd: float | None = None
    max_jobs: int | None = None
    at_once: int = AT_ONCE


@dataclass(slots=True)
class Spending:
    """What each of the batch's own jobs counts in its budget."""

    limits: Limits
    counted: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def usd(self) -> float:
        return sum(self.counted.values())

    def update(self, job: Job) -> None:
        if job.not_charged:
            self.counted.pop(job.id, None)
        else:
            self.counted[job.id] = job.budget_cost

    def refusal(self, estimate: Job) -> str | None:
        """Why one more job does not fit; None if it fits."""
        most, jobs = self.limits.max_jobs, len(self.counted)
        if most is not None and jobs >= most:
            return f"the limit of {most} jobs is reached"
        usd, price = self.limits.max_usd, estimate.budget_cost_usd
        if usd is not None and self.usd + price > usd + 1e-9:
            return (
                f"the budget of ${usd:.2f} does not cover the next shot: ${self.usd:.2f} is spent or reserved, "
                f"and it counts as ${price:.2f}"
            )
        return None
