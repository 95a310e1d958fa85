"""`hailuo-mcp generate` asks for confirmation on the terminal if the settings require it."""

import subprocess

import pytest

from tests.cli.conftest import ON_A_TERMINAL, PROGRAM, Cli, InProcessCli

ASK = {"HAILUO_MCP_CONFIRM_ABOVE_USD": "0"}
GENERATE = ["generate", "a red kite", "--model", "minimax/hailuo-2.3"]


def test_without_a_terminal_nothing_is_sent_unless_yes_is_given(cli: Cli, in_process: InProcessCli) -> None:
    refused = cli(*GENERATE, **ASK)
    assert refused.returncode == 5
    assert "there is no terminal" in refused.stderr
    assert "--yes" in refused.stderr
    assert in_process.json("jobs")["total"] == 0
    assert in_process(*GENERATE, "--yes", **ASK).returncode == 0
    assert in_process.json("jobs")["total"] == 1


@pytest.mark.parametrize(("answer", "code", "jobs"), [("y\n", 0, 1), ("n\n", 5, 0)])
def test_on_a_terminal_the_user_decides(answer: str, code: int, jobs: int, cli: Cli, in_process: InProcessCli) -> None:
    done = subprocess.run(
        [*ON_A_TERMINAL, *PROGRAM, *GENERATE],
        env={**cli.environment, **ASK},
        cwd=cli.home,
        input=answer,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done
    assert "Submit one video job to minimax/hailuo-2.3 (6 s, for about $0.28)?" in " ".join(done.stdout.split())
    assert in_process.json("jobs")["total"] == jobs


def test_a_price_above_the_limit_is_refused(in_process: InProcessCli) -> None:
    refused = in_process(*GENERATE, "--max-cost-usd", "0.1")
    assert refused.returncode == 5
    assert "more than max_cost_usd 0.1" in " ".join(refused.stderr.split())
