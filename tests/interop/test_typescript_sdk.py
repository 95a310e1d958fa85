"""The TypeScript SDK's client, which most hosts are built on. It holds structured content against the output schema,
version 1 of it that of errors too, and throws the answer away if it does not fit.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.interop.calls import REFUSED, TOOLS
from tests.interop.clients import Bridge
from tests.support import MODEL_IDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first test also waits for the installation


def test_it_lists_every_tool_with_an_output_schema_to_check_against(bridge: Bridge) -> None:
    assert tuple(bridge.tools) == TOOLS
    assert all(tool["outputSchema"]["type"] == "object" for tool in bridge.tools.values())


def test_it_reads_every_good_answer(bridge: Bridge) -> None:
    submitted = _good(bridge, "generate_video", {"prompt": "a lighthouse"})
    job = {"request_id": submitted["request_id"]}
    assert _good(bridge, "get_status", {**job, "wait_seconds": 20})["state"] == "completed"
    assert Path(_good(bridge, "download_video", job)["video_path"]).read_bytes()[4:8] == b"ftyp"
    assert _good(bridge, "list_jobs", {"limit": "5"})["total"] == 1
    assert len(_good(bridge, "list_models", {})["models"]) == len(MODEL_IDS)
    for model in _good(bridge, "list_models", {})["models"]:
        assert _good(bridge, "list_models", {"model": model["model"]})["models"][0]["schema"]


def test_it_reads_a_dry_run_and_a_duplicate(bridge: Bridge) -> None:
    rehearsed = _good(bridge, "generate_video", {"prompt": "a lighthouse", "dry_run": True})
    assert (rehearsed["state"], rehearsed["request_id"]) == ("dry_run", None)
    first = _good(bridge, "generate_video", {"prompt": "a lighthouse"})
    again = _good(bridge, "generate_video", {"prompt": "a lighthouse"})
    assert (again["request_id"], again["duplicate"]) == (first["request_id"], True)


@pytest.mark.parametrize("trouble", ["fail", "content_violation", "lost_answer"])
def test_it_reads_a_job_that_went_wrong(bridge: Bridge, trouble: str) -> None:
    """Whether the gateway refuses at once or later, the answer is read, and says what happened."""
    result = bridge.call("generate_video", {"prompt": f"a lighthouse sandbox:{trouble}"})
    if not result.get("isError"):
        request_id = result["structuredContent"]["request_id"]
        result = bridge.call("get_status", {"request_id": request_id, "wait_seconds": 3})
    job = result["structuredContent"]
    assert job["error"] or job["state"] == "completed"


@pytest.mark.parametrize(("tool", "arguments", "code"), REFUSED)
def test_it_reads_every_refusal(bridge: Bridge, tool: str, arguments: dict[str, Any], code: str) -> None:
    result = bridge.call(tool, arguments)
    assert result["isError"] is True
    assert result["structuredContent"]["error"]["code"] == code
    assert result["content"][0]["text"]


def _good(bridge: Bridge, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    result = bridge.call(tool, arguments)
    assert not result.get("isError"), result
    return result["structuredContent"]
