"""The files for operators are valid, as far as this can be tested without a container engine."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hailuo_mcp.core.settings import variables
from hailuo_mcp.gateways import GATEWAYS

ROOT = Path(__file__).parents[2]
SETTINGS = {*variables(), *(f"{gateway.name.upper()}_API_KEY" for gateway in GATEWAYS)}
SECRETS = {name for name in SETTINGS if name.endswith(("_API_KEY", "_DATABASE_URL", "_HTTP_TOKENS"))}
KNOWN = SETTINGS | {f"{name}_FILE" for name in SECRETS}
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
SERVERS = [f"hailuo-{number}" for number in range(1, 6)]


def test_the_dockerfile_passes_its_linter() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    linted = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout


def test_image_copies_existing_files_and_runs_as_an_unprivileged_user() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [name for line in lines if line.startswith("COPY") and "--from" not in line for name in line.split()[1:-1]]
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {*copied} == allowed
    assert all((ROOT / name).exists() for name in copied)
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001"]


@pytest.mark.parametrize("file", ["Dockerfile", "deploy/compose.yaml", "docs/deployment.md"])
def test_every_named_variable_exists(file: str) -> None:
    named = set(re.findall(r"\b(?:HAILUO_MCP_[A-Z_]+|[A-Z]+_API_KEY(?:_FILE)?)\b", (ROOT / file).read_text()))
    assert named <= KNOWN


def test_proxy_lists_the_servers_of_the_compose_file() -> None:
    proxy = (ROOT / "deploy" / "nginx.conf").read_text()
    assert re.findall(r"server (hailuo-\d+):8000", proxy) == SERVERS
    assert [name for name in COMPOSE["services"] if name.startswith("hailuo-")] == SERVERS


def test_every_used_secret_is_declared() -> None:
    used = {secret for service in COMPOSE["services"].values() for secret in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    server = COMPOSE["services"]["hailuo-1"]
    files = {Path(value).name for name, value in server["environment"].items() if name.endswith("_FILE")}
    assert files == set(server["secrets"])


def test_the_proxy_never_sends_a_submission_again() -> None:
    directives = re.sub(r"#.*", "", (ROOT / "deploy" / "nginx.conf").read_text())
    assert "proxy_next_upstream error timeout;" in directives
    assert "non_idempotent" not in directives
