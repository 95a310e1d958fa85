"""Eight processes on one ledger, all submitting the same clips at the same moment."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fault_injection.stdio import environment
from tests.fault_injection.watched_gateway import WatchedGateway, watched_gateway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

PROCESSES, PROMPTS = 8, 100
MODEL, PRICE_USD = "segmind/minimax-hailuo-2", 0.3875
Answers = dict[str, tuple[str, str]]


async def submit_from_all_processes(gateway: WatchedGateway, home: Path, **variables: str) -> list[Answers]:
    """The result of each process for each prompt."""
    prompts = json.dumps([f"kite number {number}" for number in range(PROMPTS)])
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.fault_injection.submitting", MODEL, prompts),
            env=environment(home, **gateway.environment, **variables),
            cwd=Path(__file__).parents[2],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout
        assert await process.stdout.readline() == b"ready\n"
    outcomes = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert all(process.returncode == 0 for process in processes)
    return [json.loads(output) for output, _ in outcomes]


def count_outcomes(answers: list[Answers]) -> Counter[str]:
    return Counter(outcome for answer in answers for outcome, _ in answer.values())


async def test_same_call_in_eight_processes_is_sent_once(tmp_path: Path, figures: Callable[[str], None]) -> None:
    with watched_gateway(tmp_path / "gateway", seconds=600) as gateway:
        answers = await submit_from_all_processes(gateway, tmp_path)
    figures(
        f"{PROCESSES} × {PROMPTS} calls: {gateway.submissions} submissions, answers {dict(count_outcomes(answers))}"
    )
    assert gateway.submissions == len(gateway.paid()) == PROMPTS
    ids: dict[str, set[str]] = {}
    for answer in answers:
        for prompt, (_, request_id) in answer.items():
            ids.setdefault(prompt, set()).add(request_id)
    assert all(len(same) == 1 for same in ids.values())
    assert len(set[str]().union(*ids.values())) == PROMPTS


@pytest.mark.parametrize(
    ("variables", "limit"),
    [
        ({"HAILUO_MCP_MAX_JOBS_PER_DAY": "50"}, 50),
        ({"HAILUO_MCP_MAX_USD_PER_DAY": "12.50"}, int(12.5 / PRICE_USD)),
    ],
)
async def test_eight_processes_spend_a_budget_fully_and_never_exceed_it(
    tmp_path: Path, figures: Callable[[str], None], variables: dict[str, Any], limit: int
) -> None:
    with watched_gateway(tmp_path / "gateway", seconds=600) as gateway:
        answers = await submit_from_all_processes(gateway, tmp_path, **variables)
    counts = count_outcomes(answers)
    figures(f"{variables}: {gateway.submissions} submissions, answers {dict(counts)}")
    assert gateway.submissions == len(gateway.paid()) == limit
    assert counts["budget_exceeded"] + counts["queued"] == PROCESSES * PROMPTS
