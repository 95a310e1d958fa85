"""What the pages for operators show besides our own commands: a token, tenants, a timer, a database."""

import os
import shutil
import subprocess
import uuid
from pathlib import Path

import asyncpg
import pytest

from hailuo_mcp.app import load_settings
from hailuo_mcp.core.tenants import read_tenants
from hailuo_mcp.gateways import GATEWAYS
from tests.docs.blocks import blocks

DEPLOYMENT, POSTGRESQL = "docs/deployment.md", "docs/postgresql.md"
DAY = 86_400


def _block(page: str, head: str) -> str:
    (found,) = (block.text for block in blocks(page) if block.head.startswith(head))
    return found


def _bash(commands: str) -> str:
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the page's command uses openssl")
def test_the_pages_command_makes_a_valid_token() -> None:
    line, token = _bash(f'{_block(DEPLOYMENT, "token=")}\necho "$token"').splitlines()
    settings = load_settings({"HAILUO_MCP_HTTP_TOKENS": line})
    assert settings.http_tokens
    assert line.startswith("studio-a:sha256:")
    assert len(token) == 64


def test_the_pages_tenants_file_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(_block(DEPLOYMENT, "[tenants."))
    (tenant,) = read_tenants(file, [gateway.name for gateway in GATEWAYS]).values()
    assert tenant.max_usd_per_day == 20
    assert set(tenant.keys or ()) == {"segmind"}


def test_the_timer_removes_only_old_clips(tmp_path: Path) -> None:
    for name, days in (("old.mp4", 32), ("new.mp4", 1), ("old.txt", 32)):
        (tmp_path / name).touch()
        modified_at = (tmp_path / name).stat().st_mtime - days * DAY
        os.utime(tmp_path / name, (modified_at, modified_at))
    _bash(_block(DEPLOYMENT, "find ").replace("/clips", str(tmp_path)))
    assert {file.name for file in tmp_path.iterdir()} == {"new.mp4", "old.txt"}


async def test_the_statements_create_a_database_and_its_owner(postgres_url: str) -> None:
    name = f"hailuo_{uuid.uuid4().hex[:8]}"
    statements = _block(POSTGRESQL, "CREATE ROLE").replace("hailuo", name).replace("…", "secret").splitlines()
    connection = await asyncpg.connect(postgres_url)
    try:
        for statement in statements:
            await connection.execute(statement)
        owner = await connection.fetchval("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = $1", name)
        assert owner == name
        can_log_in = await connection.fetchval("SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", name)
        assert can_log_in
    finally:
        await connection.execute(f"DROP DATABASE IF EXISTS {name}")
        await connection.execute(f"DROP ROLE IF EXISTS {name}")
        await connection.close()
