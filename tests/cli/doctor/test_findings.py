"""What else the doctor names, seen in this process."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hailuo_mcp.cli.doctor import environment
from hailuo_mcp.cli.installer import find_launcher
from hailuo_mcp.core.settings import Settings, SettingsError
from hailuo_mcp.service.session import Session
from tests.cli.doctor.conftest import KEY, Examined, configure


async def test_a_key_in_quotation_marks_is_named(examined: Examined, tmp_path: Path) -> None:
    found = await examined(SEGMIND_API_KEY=f'"{KEY}"')
    assert found.problems == ["segmind key"]
    assert "quotation marks" in found.about("segmind key")["cure"]


async def test_a_key_that_would_travel_in_the_clear_is_named(examined: Examined, tmp_path: Path) -> None:
    found = await examined(SEGMIND_API_KEY=KEY, SEGMIND_BASE_URL="http://proxy.example")
    assert found.about("segmind address")["level"] == "warning"
    assert "https://" in found.about("segmind address")["cure"]


async def test_a_variable_that_is_misspelt_is_named_with_the_right_one(examined: Examined, tmp_path: Path) -> None:
    found = await examined(HAILUO_MCP_OUTPUT_DIRECTORY="/x", SEGMIND_APIKEY=KEY)
    meant = [f["cure"] for f in found.findings if f["about"] == "settings"]
    assert any("SEGMIND_API_KEY" in cure for cure in meant)
    assert len(meant) == 2


async def test_a_field_that_the_host_left_unfilled_is_named(examined: Examined, tmp_path: Path) -> None:
    found = await examined(SEGMIND_API_KEY="${user_config.segmind_api_key}")
    assert "placeholder" in found.about("settings")["what"]
    assert "not set" in found.about("segmind key")["what"]


async def test_an_input_directory_that_is_missing_is_named(examined: Examined, tmp_path: Path) -> None:
    found = await examined(HAILUO_MCP_INPUT_DIRS=str(tmp_path / "gone"))
    assert found.about("input directory")["level"] == "warning"
    assert "does not exist" in found.about("input directory")["what"]
    assert "HAILUO_MCP_INPUT_DIRS" in found.about("input directory")["cure"]


async def test_a_place_that_depends_on_where_the_server_starts_is_named(examined: Examined, tmp_path: Path) -> None:
    found = await examined(HAILUO_MCP_OUTPUT_DIR="clips", HAILUO_MCP_DATABASE_URL="sqlite:///jobs.db")
    for about in ("output directory", "database"):
        assert found.about(about)["level"] == "warning"
        assert str(tmp_path) in found.about(about)["cure"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a directory that not even root can write in")
async def test_a_directory_that_takes_nothing_is_tried_not_believed(examined: Examined, tmp_path: Path) -> None:
    found = await examined(HAILUO_MCP_OUTPUT_DIR="/proc/clips")
    assert found.problems == ["output directory"]
    assert "nothing can be written" in found.about("output directory")["what"]


async def test_a_sound_database_is_looked_at_without_a_change(examined: Examined, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE jobs (key TEXT)")
        db.execute("PRAGMA user_version = 1")
    before = path.read_bytes()
    found = await examined(HAILUO_MCP_DATABASE_URL=f"sqlite:///{path}")
    assert "brought up to date at the next use" in found.about("database")["what"]
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["jobs.db"]


async def test_a_host_that_may_not_find_the_launcher_is_named(examined: Examined, tmp_path: Path) -> None:
    configure(tmp_path, '{"command": "sh", "args": ["-c", "hailuo-mcp"]}')
    assert (await examined()).about("host cursor")["level"] == "warning"
    _ = tmp_path.joinpath(".cursor", "mcp.json").write_text(
        '{"mcpServers": {"hailuo": {"command": "no-such-launcher", "args": ["hailuo-mcp"]}}}'
    )
    assert (await examined()).problems == ["host cursor"]


async def test_a_host_whose_configuration_is_broken_is_named(examined: Examined, tmp_path: Path) -> None:
    path = configure(tmp_path, "{")
    found = await examined()
    assert found.problems == ["host cursor"]
    assert str(path) in found.about("host cursor")["what"]


async def test_a_host_that_starts_this_installation_is_sound(examined: Examined, tmp_path: Path) -> None:
    configure(tmp_path, f'{{"command": "{find_launcher().command}", "env": {{"SEGMIND_API_KEY": "{KEY}"}}}}')
    found = await examined()
    assert found.about("host cursor")["level"] == "ok"
    assert "this installation, with SEGMIND_API_KEY" in found.about("host cursor")["what"]
    assert KEY not in found.output


async def test_a_file_that_keeps_the_server_from_starting_hides_nothing_else(
    examined: Examined, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Settings) -> Session:
        raise SettingsError("/models.toml:3: this is not TOML")

    monkeypatch.setattr(environment, "build_studio", refuse)
    found = await examined(SEGMIND_API_KEY=KEY, HAILUO_MCP_SANDBOX_SECONDS="soon")
    assert found.problems == ["settings", "settings"]
    assert "/models.toml:3: this is not TOML" in found.output
    for about in ("segmind key", "output directory", "database", "hosts"):
        assert found.about(about)["level"] == "ok"
