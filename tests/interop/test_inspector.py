"""The Inspector's command line against the server over stdio, in both eras of the protocol."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.interop.calls import PROMPTS, REFUSED, TOOLS
from tests.interop.clients import Inspector
from tests.support import MODEL_IDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the first test also waits for the installation

FAILED = 1
TOOL_ERROR = 5
"""The exit code that the Inspector documents for a result with `isError`."""


def test_it_speaks_the_requested_protocol_era(inspector: Inspector) -> None:
    ran = inspector.run("initialize")
    assert ran.exit_code == 0, ran.stderr
    assert (ran.result["protocolVersion"] >= "2026") is (inspector.era == "modern")
    assert ran.result["serverInfo"]["name"] == "hailuo-mcp"


def test_plain_listing_finds_the_same_tools_and_reports_no_error(inspector: Inspector) -> None:
    ran = inspector.run("tools/list")
    assert ran.exit_code == 0, ran.stderr
    assert [tool["name"] for tool in ran.result["tools"]] == list(TOOLS)
    assert ": 0 errors" in ran.stderr


def test_strict_listing_finds_no_schema_error(inspector: Inspector) -> None:
    ran = inspector.run("tools/list", "--strict")
    assert ran.exit_code == 0, ran.stderr
    assert [tool["name"] for tool in ran.result["tools"]] == list(TOOLS)
    # Nullable output fields are written as ["string", "null"]: every known host accepts that, the Inspector only warns.
    assert "0 errors" in ran.stderr


def test_clip_is_created_listed_and_saved(inspector: Inspector) -> None:
    submitted = _call(inspector, "generate_video", {"prompt": "a lighthouse"})
    assert submitted["sandbox"] is True

    job = {"request_id": submitted["request_id"]}
    assert _call(inspector, "get_status", {**job, "wait_seconds": 20})["state"] == "completed"
    assert [row["request_id"] for row in _call(inspector, "list_jobs", {})["jobs"]] == [submitted["request_id"]]
    saved = Path(_call(inspector, "download_video", job)["video_path"])
    assert saved.read_bytes()[4:8] == b"ftyp"


def test_models_are_listed(inspector: Inspector) -> None:
    assert len(_call(inspector, "list_models", {})["models"]) == len(MODEL_IDS)
    (model,) = _call(inspector, "list_models", {"model": "aimlapi/hailuo-02"})["models"]
    assert model["schema"]["type"] == "object"


def test_failed_job_is_a_normal_result(inspector: Inspector) -> None:
    submitted = _call(inspector, "generate_video", {"prompt": "a lighthouse sandbox:fail"})
    failed = _call(inspector, "get_status", {"request_id": submitted["request_id"], "wait_seconds": 20})
    assert failed["state"] == "failed"
    assert failed["error"]["code"]


@pytest.mark.parametrize(("tool", "arguments", "code"), REFUSED)
def test_a_refusal_exits_as_a_tool_error_with_its_code(
    inspector: Inspector, tool: str, arguments: dict[str, Any], code: str
) -> None:
    ran = inspector.call(tool, arguments)
    assert ran.exit_code == TOOL_ERROR, ran.stderr
    assert ran.result["isError"] is True
    assert ran.result["structuredContent"]["error"]["code"] == code
    assert ran.result["content"][0]["text"]


def test_resources_are_listed_and_read(inspector: Inspector) -> None:
    listed = _list(inspector, "resources/list")["resources"]
    assert [resource["uri"] for resource in listed] == ["hailuo://models", "hailuo://jobs"]
    contents = [json.loads(_read(inspector, resource["uri"])["text"]) for resource in listed]
    assert len(contents[0]["models"]) == len(MODEL_IDS)
    assert contents[1]["jobs"] == []


def test_templates_are_listed_and_each_is_read(inspector: Inspector) -> None:
    templates = _list(inspector, "resources/templates/list")["resourceTemplates"]
    submitted = _call(inspector, "generate_video", {"prompt": "a lighthouse"})
    request_id = submitted["request_id"]
    _call(inspector, "get_status", {"request_id": request_id, "wait_seconds": 20})
    path = _call(inspector, "download_video", {"request_id": request_id})["video_path"]

    values = {"{model}": submitted["model"], "{request_id}": request_id}
    read: dict[str, dict[str, Any]] = {}
    for template in templates:
        address = template["uriTemplate"]
        for variable, value in values.items():
            address = address.replace(variable, quote(value, safe=""))
        read[template["name"]] = _read(inspector, address)
        assert read[template["name"]]["mimeType"] == template["mimeType"]
    assert json.loads(read["model"]["text"])["model"] == submitted["model"]
    assert json.loads(read["job"]["text"])["state"] == "completed"
    assert base64.b64decode(read["video"]["blob"]) == Path(path).read_bytes()


def test_player_is_served_as_a_view(inspector: Inspector) -> None:
    tools = _list(inspector, "tools/list")["tools"]
    (address,) = {tool["_meta"]["ui"]["resourceUri"] for tool in tools if "_meta" in tool}
    assert address == "ui://hailuo/player.html"
    view = _read(inspector, address)
    assert view["mimeType"] == "text/html;profile=mcp-app"
    assert view["text"].lstrip().lower().startswith("<!doctype html>")


def test_an_unknown_uri_fails_with_a_reason(inspector: Inspector) -> None:
    ran = inspector.read("hailuo://jobs/segmind%2Fhailuo-02-fast%2Fnone-such")
    assert (ran.exit_code, ran.output) == (FAILED, {})
    assert "list_jobs" in ran.stderr


def test_prompts_are_listed(inspector: Inspector) -> None:
    assert [prompt["name"] for prompt in _list(inspector, "prompts/list")["prompts"]] == list(PROMPTS)


@pytest.mark.parametrize("name", PROMPTS)
def test_prompt_contains_its_arguments(inspector: Inspector, name: str) -> None:
    ran = inspector.prompt(name, PROMPTS[name])
    assert ran.exit_code == 0, ran.stderr
    (message,) = ran.result["messages"]
    assert message["role"] == "user"
    assert all(value in message["content"]["text"] for value in PROMPTS[name].values())


def _list(inspector: Inspector, method: str) -> dict[str, Any]:
    ran = inspector.run(method)
    assert ran.exit_code == 0, ran.stderr
    return ran.result


def _read(inspector: Inspector, uri: str) -> dict[str, Any]:
    ran = inspector.read(uri)
    assert ran.exit_code == 0, ran.stderr
    (contents,) = ran.result["contents"]
    assert contents["uri"] == uri
    return contents


def _call(inspector: Inspector, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    ran = inspector.call(tool, arguments)
    assert ran.exit_code == 0, ran.stderr
    assert not ran.result.get("isError")
    return ran.result["structuredContent"]
