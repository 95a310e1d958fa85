"""The Inspector's command line against the server over stdio, in both eras of the protocol."""

from pathlib import Path
from typing import Any

import pytest

from tests.interop.calls import REFUSED, TOOLS
from tests.interop.clients import Inspector

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first test also waits for the installation

TOOL_ERROR = 5
"""The exit code that the Inspector documents for a result with `isError`."""


def test_it_speaks_the_era_it_was_told_to(inspector: Inspector) -> None:
    ran = inspector.run("initialize")
    assert ran.exit_code == 0, ran.complaints
    assert (ran.result["protocolVersion"] >= "2026") is (inspector.era == "modern")
    assert ran.result["serverInfo"]["name"] == "hailuo-mcp"


def test_strict_listing_finds_no_schema_error(inspector: Inspector) -> None:
    ran = inspector.run("tools/list", "--strict")
    assert ran.exit_code == 0, ran.complaints
    assert [tool["name"] for tool in ran.result["tools"]] == list(TOOLS)
    # Null-able output fields are written ["string", "null"]: portable to every host known, and only warned of.
    assert "0 errors" in ran.complaints


def test_a_clip_is_made_found_and_saved(inspector: Inspector) -> None:
    submitted = _good(inspector, "generate_video", {"prompt": "a lighthouse"})
    assert submitted["sandbox"] is True

    job = {"request_id": submitted["request_id"]}
    assert _good(inspector, "get_status", {**job, "wait_seconds": 20})["state"] == "completed"
    assert [row["request_id"] for row in _good(inspector, "list_jobs", {})["jobs"]] == [submitted["request_id"]]
    saved = Path(_good(inspector, "download_video", job)["video_path"])
    assert saved.read_bytes()[4:8] == b"ftyp"


def test_models_are_listed(inspector: Inspector) -> None:
    assert len(_good(inspector, "list_models", {})["models"]) == 5
    (model,) = _good(inspector, "list_models", {"model": "aimlapi/hailuo-02"})["models"]
    assert model["schema"]["type"] == "object"


def test_a_failed_job_is_an_ordinary_answer(inspector: Inspector) -> None:
    submitted = _good(inspector, "generate_video", {"prompt": "a lighthouse sandbox:fail"})
    failed = _good(inspector, "get_status", {"request_id": submitted["request_id"], "wait_seconds": 20})
    assert failed["state"] == "failed"
    assert failed["error"]["code"]


@pytest.mark.parametrize(("tool", "arguments", "code"), REFUSED)
def test_a_refusal_exits_as_a_tool_error_with_its_code(
    inspector: Inspector, tool: str, arguments: dict[str, Any], code: str
) -> None:
    ran = inspector.call(tool, arguments)
    assert ran.exit_code == TOOL_ERROR, ran.complaints
    assert ran.result["isError"] is True
    assert ran.result["structuredContent"]["error"]["code"] == code
    assert ran.result["content"][0]["text"]


def _good(inspector: Inspector, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    ran = inspector.call(tool, arguments)
    assert ran.exit_code == 0, ran.complaints
    assert not ran.result.get("isError")
    return ran.result["structuredContent"]
