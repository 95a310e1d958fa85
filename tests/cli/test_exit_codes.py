import json
from typing import get_args

import pytest

from hailuo_mcp.cli.exits import Exit, exit_of_problem, exit_of_state
from hailuo_mcp.core.errors import ErrorCode, Problem
from hailuo_mcp.core.job import State
from tests.cli.conftest import Cli, InProcessCli

REFUSED = {
    "a duration that no model has": (2, ["generate", "kite", "--duration", "60"], "invalid_input"),
    "an unknown model": (2, ["generate", "kite", "--model", "segmind/nope"], "unknown_model"),
    "a picture out of bounds": (
        2,
        ["generate", "kite", "--model", "segmind/hailuo-02-fast", "--first-frame-image", "/etc/passwd"],
        "invalid_image",
    ),
    "no request id": (2, ["status", "nonsense"], "invalid_input"),
    "an unknown request id": (2, ["status", "segmind/hailuo-02-fast/nope"], "unknown_request"),
    "a download of an unknown id": (2, ["download", "segmind/hailuo-02-fast/nope"], "unknown_request"),
    "a call without its argument": (2, ["generate"], "invalid_input"),
    "an unknown option": (2, ["jobs", "--colour"], "invalid_input"),
    "a wait that is no number": (2, ["status", "segmind/hailuo-02-fast/x", "--wait=nan"], "invalid_input"),
    "a price that is no number": (2, ["generate", "kite", "--max-cost-usd", "nan"], "invalid_input"),
    "a budget that is no number": (2, ["batch", "shots.csv", "--max-usd", "nan"], "invalid_input"),
    "a negative budget": (2, ["batch", "shots.csv", "--max-usd", "-1"], "invalid_input"),
    "no credits": (5, ["generate", "sandbox:no_credits kite"], "insufficient_credits"),
    "too many requests": (6, ["generate", "sandbox:rate_limit kite"], "rate_limited"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_has_an_exit_code_one_document_and_two_lines(in_process: InProcessCli, case: str) -> None:
    code, args, error_code = REFUSED[case]
    done = in_process(*args, "--json")
    assert done.returncode == code
    error = json.loads(done.stdout)["error"]
    assert error["code"] == error_code
    assert error["charged"] == "no"
    assert "Traceback" not in done.stderr
    if not done.stderr.startswith("Usage:"):
        assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]


def test_a_failed_job_exits_with_3(cli: Cli, in_process: InProcessCli) -> None:
    submitted = in_process.json("generate", "sandbox:fail kite")
    assert in_process.json("status", submitted["request_id"], "--wait", code=3)["state"] == "failed"
    assert in_process.json("download", submitted["request_id"], code=3)["error"]["code"] == "not_ready"
    waited = cli("generate", "sandbox:fail kite", "--wait")
    assert waited.returncode == 3
    assert waited.stdout == ""


def test_a_running_job_exits_with_4_after_a_wait_and_0_otherwise(in_process: InProcessCli) -> None:
    request_id = in_process.json("generate", "sandbox:never kite")["request_id"]
    assert in_process("status", request_id).returncode == 0
    assert in_process("status", request_id, "--wait", "0.3").returncode == 4
    assert in_process("generate", "sandbox:never kite", "--wait", "0.3").returncode == 4
    assert in_process.json("download", request_id, code=4)["error"]["code"] == "not_ready"


def test_a_submission_without_a_response_exits_with_7_and_may_be_charged(in_process: InProcessCli) -> None:
    shown = in_process("generate", "sandbox:lost_answer kite")
    assert shown.returncode == 7
    assert "charged   unknown" in shown.stdout
    again = in_process.json("generate", "sandbox:lost_answer kite", code=7)
    assert again["duplicate"] is True
    assert again["state"] == "unconfirmed"


def test_without_a_key_or_the_sandbox_the_error_names_the_keys(in_process: InProcessCli) -> None:
    done = in_process("generate", "kite", HAILUO_MCP_SANDBOX="0")
    assert done.returncode == 2
    assert "SEGMIND_API_KEY" in done.stderr


@pytest.mark.parametrize("args", [["jobs", "--json"], ["demo", "--json"]])
def test_a_wrong_setting_is_reported_as_json_too(in_process: InProcessCli, args: list[str]) -> None:
    done = in_process(*args, HAILUO_MCP_LOG_LEVEL="LOUD")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "invalid_input"


@pytest.mark.parametrize("code", get_args(ErrorCode))
def test_every_error_has_an_exit_code_and_6_means_that_a_retry_is_safe(code: ErrorCode) -> None:
    assert exit_of_problem(Problem(code=code, message="x", safe_to_retry=True)) in set(Exit) - {Exit.DONE}
    assert exit_of_problem(Problem(code=code, message="x")) in set(Exit) - {Exit.DONE, Exit.TROUBLE}


def test_every_state_has_an_exit_code() -> None:
    assert {state: exit_of_state(state, waited=True) for state in State} == {
        State.UNCONFIRMED: Exit.UNCONFIRMED,
        State.QUEUED: Exit.NOT_ENDED,
        State.PROCESSING: Exit.NOT_ENDED,
        State.COMPLETED: Exit.DONE,
        State.FAILED: Exit.FAILED,
        State.EXPIRED: Exit.FAILED,
        State.CANCELLED: Exit.FAILED,
    }


@pytest.mark.parametrize("command", ["demo", "sandbox", "generate"])
def test_an_unwritable_directory_is_named_in_the_error(cli: Cli, in_process: InProcessCli, command: str) -> None:
    (cli.home / "clips").write_text("in the way")
    (cli.home / "state").write_text("in the way")
    done = in_process(command, *(["kite"] if command == "generate" else []))
    assert done.returncode in (Exit.WRONG_CALL, Exit.UNEXPECTED)
    assert done.stdout == ""
    assert str(cli.home) in done.stderr
    assert "Traceback" not in done.stderr
