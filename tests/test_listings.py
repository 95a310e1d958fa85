"""The listings for plugin systems, stores and catalogs: generated from the code, valid and correct."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bundle import listings
from bundle.manifest import ROOT
from hailuo_mcp.app import load_settings
from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.parameters import CANONICAL
from hailuo_mcp.core.settings import variables
from hailuo_mcp.gateways import GATEWAYS
from hailuo_mcp.mcp.tools import definitions
from tests.support import KEYS as SECRETS

SCHEMAS = Path(__file__).parent / "schemas" / "agent-plugins"
"""Published at https://github.com/agentplugins/agent-plugins-spec (schemas/1.0.0), under the Apache License 2.0."""
SKILLS = sorted((ROOT / "plugin" / "skills").glob("*/SKILL.md"))
VERSIONED = ["plugin/plugin.json", "plugin/.claude-plugin/plugin.json", "gemini-extension.json"]
KEYS = list(SECRETS)
CODE = re.compile(r"`([^`]+)`")


def load(path: str) -> Any:
    return json.loads((ROOT / path).read_text())


@pytest.mark.parametrize("path", listings.listings())
def test_a_file_is_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text() == listings.listings()[path], "run: uv run python -m tests.test_packaging"


@pytest.mark.parametrize("name", ["plugin", "mcp"])
def test_plugin_matches_the_published_schema(name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    jsonschema.validate(load(f"plugin/{name}.json"), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**load(f"plugin/{name}.json"), "unknown": 1}, schema)


@pytest.mark.parametrize("path", VERSIONED)
def test_a_file_has_the_version_of_the_package(path: str) -> None:
    assert load(path)["version"] == listings.project()["version"]


def test_marketplace_refers_to_the_plugin() -> None:
    (entry,) = load(".claude-plugin/marketplace.json")["plugins"]
    manifest = load(f"{entry['source']}/.claude-plugin/plugin.json")
    assert (entry["name"], entry["version"]) == (manifest["name"], manifest["version"])


def test_every_listing_that_asks_for_keys_names_all_of_them() -> None:
    assert list(load("plugin/.claude-plugin/plugin.json")["mcpServers"]["hailuo"]["env"]) == KEYS
    assert [field["envVar"] for field in load("gemini-extension.json")["settings"]] == KEYS
    assert all(field["sensitive"] for field in load("gemini-extension.json")["settings"])
    smithery = yaml.safe_load((ROOT / "smithery.yaml").read_text())
    assert list(smithery["startCommand"]["configSchema"]["properties"]) == KEYS
    docker = yaml.safe_load((ROOT / "deploy/docker-mcp-registry/server.yaml").read_text())
    assert [secret["env"] for secret in docker["config"]["secrets"]] == KEYS


def test_no_listing_contains_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the environment do not get into the listings."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    written = listings.listings()
    assert written
    for path, text in written.items():
        assert not [name for name, value in SECRETS.items() if value in text], path


@pytest.mark.parametrize("path", SKILLS, ids=lambda path: path.parent.name)
def test_skill_names_only_existing_tools_and_parameters(path: Path) -> None:
    _, head, body = path.read_text().split("---\n", 2)
    meta = yaml.safe_load(head)
    assert meta["name"] == path.parent.name
    assert 0 < len(meta["description"]) <= 1024  # the limit of https://agentskills.io/specification
    tools = definitions(Catalog(GATEWAYS, load_settings({})))
    parameters = {name for tool in tools for name in tool.input_schema.get("properties", {})}
    known = {*parameters, *CANONICAL, *variables(), *(tool.name for tool in tools)}
    results = {"next_step", "charged", "unconfirmed", "unknown", "no", "media"}
    for word in CODE.findall(body):
        if word.startswith(("[", "hailuo-mcp ")):
            continue
        assert re.split(r"[:\s]", word)[0] in known | results, word


def test_skills_show_the_camera_commands_of_the_models_page() -> None:
    page = (ROOT / "docs" / "models.md").read_text()
    commands = set(re.findall(r"`(\[[A-Z][^]`]*\])`", (ROOT / "plugin/skills/direct-a-shot/SKILL.md").read_text()))
    assert commands == set(re.findall(r"`(\[[A-Z][^]`]*\])`", page))


def test_release_notes_are_the_section_of_the_changelog() -> None:
    notes = runpy.run_path(str(ROOT / ".ci" / "notes.py"))["notes"]
    changelog = (
        "# Changelog\n\n## [Unreleased]\n\n- new\n\n## [1.0.0] - 2026-01-31\n\n- first\n\n## [0.9.0]\n\n- earlier\n"
    )
    assert notes("1.0.0", changelog) == "- first"
    assert notes("0.9.0", changelog) == "- earlier"
    with pytest.raises(LookupError, match=re.escape("[2.0.0]")):
        notes("2.0.0", changelog)


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_workflow_runs_only_existing_scripts(name: str) -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all("uses" in step or "run" in step for step in steps)
    named = re.findall(r"(?:bash|python) (\.ci/[\w.]+)", "\n".join(step.get("run", "") for step in steps))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_release_publishes_without_a_stored_password() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["pypi"]["permissions"] == {"id-token": "write"}
    secrets = re.findall(r"secrets\.(\w+)", (ROOT / ".github" / "workflows" / "release.yml").read_text())
    assert set(secrets) == {"GITHUB_TOKEN"}
