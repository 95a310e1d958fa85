"""The promised performance, measured by the benchmarks."""

from collections.abc import Callable

import pytest

from benchmarks import growth, throughput
from tests.load.size import share, sized

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(1200)]


def test_get_status_is_not_much_slower_than_a_minimal_server(figures: Callable[[str], None]) -> None:
    measured = throughput.run(sized(40), 100)
    figures("\n".join(f"{name}: {row}" for name, row in measured.items()))
    for row in measured.values():  # or the server's CPU time, on a busy machine
        assert max(row["ratio"], row["cpu_ratio"]) >= throughput.AIM


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_large_ledger_does_not_slow_get_status_down(engine: str, figures: Callable[[str], None]) -> None:
    measured = growth.run(engine, sized(growth.MANY), sized(40))
    figures("\n".join(f"{name}: {row}" for name, row in measured.items()))
    get_status = measured["get_status"]
    assert get_status["p50_ratio"] <= growth.AIM
    if share() >= 1:  # fewer calls say little about the slowest ones
        assert get_status["p99_ratio"] <= growth.AIM
