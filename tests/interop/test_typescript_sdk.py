"""The TypeScript SDK's client, which most hosts are built on. It validates structured content against the output
schema (version 1 also that of errors), and discards a result that does not match.
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


def test_it_reads_every_successful_result(bridge: Bridge) -> None:
    submitted = _call(bridge, "generate_video", {"prompt": "a lighthouse"})
    job = {"request_id": submitted["request_id"]}
    assert _call(bridge, "get_status", {**job, "wait_seconds": 20})["state"] == "completed"
    assert Path(_call(bridge, "download_video", job)["video_path"]).read_bytes()[4:8] == b"ftyp"
    assert _call(bridge, "list_jobs", {"limit": "5"})["total"] == 1
    assert len(_call(bridge, "list_models", {})["models"]) == len(MODEL_IDS)
    for model in _call(bridge, "list_models", {})["models"]:
        assert _call(bridge, "list_models", {"model": model["model"]})["models"][0]["schema"]


def test_it_reads_a_dry_run_and_a_duplicate(bridge: Bridge) -> None:
    preview = _call(bridge, "generate_video", {"prompt": "a lighthouse", "dry_run": True})
    assert (preview["state"], preview["request_id"]) == ("dry_run", None)
    first = _call(bridge, "generate_video", {"prompt": "a lighthouse"})
    again = _call(bridge, "generate_video", {"prompt": "a lighthouse"})
    assert (again["request_id"], again["duplicate"]) == (first["request_id"], True)


@pytest.mark.parametrize("fault", ["fail", "content_violation", "lost_answer"])
def test_it_reads_the_result_of_each_fault(bridge: Bridge, fault: str) -> None:
    """Whether the gateway refuses at once or later, the client accepts the result, which says what happened."""
    result = bridge.call("generate_video", {"prompt": f"a lighthouse sandbox:{fault}"})
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


def _call(bridge: Bridge, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    result = bridge.call(tool, arguments)
    assert not result.get("isError"), result
    return result["structuredContent"]
