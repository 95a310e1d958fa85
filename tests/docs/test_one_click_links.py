"""The one-click links contain exactly what `hailuo-mcp install HOST --portable` writes."""

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import links
from tests.cli.conftest import InProcessCli
from tests.support import KEYS as SECRETS

PAGE = Path(__file__).parents[2] / "docs" / "hosts.md"
KEYS = list(SECRETS)
SECRET = "sk-of-the-one-who-installs"


def decoded(link: str) -> dict[str, Any]:
    """Decode the link as the host does: each field of the query is JSON; Cursor's configuration is in Base64."""
    query = {name: value for name, (value,) in parse_qs(urlsplit(link).query, strict_parsing=True).items()}
    config = query["config"]
    if link.startswith(links.CURSOR):
        config = base64.b64decode(config, validate=True).decode()
    return {"name": query["name"], "config": json.loads(config), "inputs": json.loads(query.get("inputs", "[]"))}


@pytest.mark.parametrize("variables", [[], KEYS], ids=["no key", "all keys"])
@pytest.mark.parametrize("host", ["vscode", "cursor"])
def test_a_link_decodes_to_what_the_installer_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str, variables: list[str]
) -> None:
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), **dict.fromkeys(variables, SECRET)}
    done = InProcessCli(environ, capsys)("install", host, "--portable", "--yes")
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.rglob("mcp.json")
    written = json.loads(path.read_text())
    entry = decoded(links.vscode(variables) if host == "vscode" else links.cursor(variables))
    servers = written["servers" if host == "vscode" else "mcpServers"]
    assert servers == {entry["name"]: entry["config"]}
    assert written.get("inputs", []) == entry["inputs"]
    assert SECRET not in path.read_text()


def test_a_vs_code_link_marks_keys_as_secret() -> None:
    entry = decoded(links.vscode(KEYS))
    assert [field["password"] for field in entry["inputs"]] == [True] * len(KEYS)
    assert entry["config"]["env"] == {
        key: f"${{input:{field['id']}}}" for key, field in zip(KEYS, entry["inputs"], strict=True)
    }


def test_the_page_has_every_link_and_each_is_valid() -> None:
    found = re.findall(rf"\((https://[^)]*(?:{re.escape('/mcp/install')}|/install-mcp)\?[^)]*)\)", PAGE.read_text())
    assert len(found) == 2 * (1 + len(KEYS))
    for link in found:
        entry = decoded(link)
        assert (entry["name"], entry["config"]["command"], entry["config"]["args"]) == ("hailuo", "uvx", ["hailuo-mcp"])
    named = {key for link in found for key in decoded(link)["config"].get("env", {})}
    assert named == set(KEYS)
