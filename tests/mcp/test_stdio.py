"""The server on stdio, line by line: an invalid line gets an error, and the server continues."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import PROGRAM
from tests.cli.test_stdio import INITIALIZE
from tests.support import environment

PARSE_ERROR, INVALID_REQUEST = -32700, -32600
BAD_LINES = {
    '{"jsonrpc": "2.0", "id": 7, "method": "tools/list"': (7, PARSE_ERROR),
    '{"jsonrpc": "2.0", "id": "seven", "method": ': ("seven", PARSE_ERROR),
    "hello": (None, PARSE_ERROR),
    '{"id": {': (None, PARSE_ERROR),
    '{"jsonrpc": "2.0", "id": 8}': (8, INVALID_REQUEST),
    '{"id": "nine", "method": "ping"}': ("nine", INVALID_REQUEST),
    '[{"jsonrpc": "2.0", "id": 10, "method": "ping"}]': (None, INVALID_REQUEST),
    "42": (None, INVALID_REQUEST),
    "{}": (None, INVALID_REQUEST),
}


def _answers(lines: list[str], home: Path) -> list[dict[str, Any]]:
    """The server's answers to these lines, of which the last ends with the stream."""
    done = subprocess.run(
        PROGRAM,
        input="\n".join(lines),
        env=environment(home, HAILUO_MCP_SANDBOX="1"),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The answers to all bad lines, and to a good line before and after them."""
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    lines = [json.dumps(INITIALIZE), "", *BAD_LINES, "  ", json.dumps(listing)]
    return _answers(lines, tmp_path_factory.mktemp("home"))


def test_each_bad_line_gets_an_error_with_its_id_if_it_can_be_read(answers: list[dict[str, Any]]) -> None:
    errors = [(answer["id"], answer["error"]["code"]) for answer in answers if "error" in answer]
    assert errors == list(BAD_LINES.values())


def test_the_server_continues_after_bad_lines(answers: list[dict[str, Any]]) -> None:
    assert [answer["id"] for answer in answers if "result" in answer] == [1, 2]


EMPTY: dict[str, dict[str, Any]] = {
    "tools/list": {"cursor": None},
    "resources/list": {"cursor": None},
    "prompts/list": {},
    "prompts/get": {"name": "storyboard", "arguments": {"story": "a kite", "shots": 2, "model": None, "x": None}},
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "animate_picture"},
        "argument": {"name": "duration", "value": ""},
        "context": {"arguments": {"model": "aimlapi/hailuo-02", "resolution": None}},
    },
    "tools/call": {"name": "list_jobs", "arguments": {"state": None, "limit": ""}},
}


def test_null_and_empty_optional_arguments_count_as_absent_everywhere(tmp_path: Path) -> None:
    calls = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(EMPTY.items(), 2)
    ]
    lines = [json.dumps(message) for message in (INITIALIZE, *calls)]
    answers = {answer["id"]: answer for answer in _answers(lines, tmp_path)}
    results = {call["method"]: answers[call["id"]]["result"] for call in calls}
    (message,) = results["prompts/get"]["messages"]
    assert "in 2 shots" in message["content"]["text"]
    assert results["completion/complete"]["completion"]["values"] == ["6", "10"]
    assert not results["tools/call"].get("isError")
