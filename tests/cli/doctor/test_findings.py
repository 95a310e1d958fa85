"""Further findings of the doctor, which runs in the test process."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hailuo_mcp.app import load_settings
from hailuo_mcp.cli.doctor import Level, places
from hailuo_mcp.cli.doctor.packages import source
from hailuo_mcp.cli.installer import find_launcher
from tests.cli.doctor.conftest import KEY, RunDoctor, configure
from tests.media.samples import without_privileges


async def test_a_key_in_quotation_marks_is_reported(run_doctor: RunDoctor) -> None:
    found = await run_doctor(SEGMIND_API_KEY=f'"{KEY}')
    assert found.problems == ["segmind key"]
    assert "quotation marks" in found.finding("segmind key")["cure"]
    found = await run_doctor(SEGMIND_API_KEY=f'"{KEY}"')
    assert found.problems == ["settings"]
    assert "SEGMIND_API_KEY: the quotes around it" in found.finding("settings")["what"]


async def test_a_key_sent_without_encryption_is_reported(run_doctor: RunDoctor) -> None:
    found = await run_doctor(SEGMIND_API_KEY=KEY, SEGMIND_BASE_URL="http://proxy.example")
    assert found.finding("segmind address")["level"] == "warning"
    assert "https://" in found.finding("segmind address")["cure"]


async def test_a_misspelled_variable_is_reported_with_the_right_one(run_doctor: RunDoctor) -> None:
    found = await run_doctor(HAILUO_MCP_OUTPUT_DIRECTORY="/x", SEGMIND_APIKEY=KEY)
    fixes = [f["cure"] for f in found.findings if f["about"] == "settings"]
    assert any("SEGMIND_API_KEY" in cure for cure in fixes)
    assert len(fixes) == 2


async def test_a_field_that_the_host_left_unfilled_is_reported(run_doctor: RunDoctor) -> None:
    found = await run_doctor(SEGMIND_API_KEY="${user_config.segmind_api_key}")
    assert "placeholder" in found.finding("settings")["what"]
    assert "not set" in found.finding("segmind key")["what"]


async def test_a_missing_input_directory_is_reported(run_doctor: RunDoctor, tmp_path: Path) -> None:
    found = await run_doctor(HAILUO_MCP_INPUT_DIRS=str(tmp_path / "gone"))
    assert found.finding("input directory")["level"] == "warning"
    assert "does not exist" in found.finding("input directory")["what"]
    assert "HAILUO_MCP_INPUT_DIRS" in found.finding("input directory")["cure"]


def test_an_input_directory_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    images = tmp_path / "locked" / "images"
    settings = load_settings({"HAILUO_MCP_INPUT_DIRS": str(images), "HAILUO_MCP_OUTPUT_DIR": str(tmp_path)})
    with without_privileges():
        *_, found = places.check(settings)
    assert (found.topic, found.level) == ("input directory", Level.WARNING)
    assert f"{images} cannot be read" in found.message


async def test_a_path_that_depends_on_the_working_directory_is_reported(run_doctor: RunDoctor, tmp_path: Path) -> None:
    found = await run_doctor(HAILUO_MCP_OUTPUT_DIR="clips", HAILUO_MCP_DATABASE_URL="sqlite:///jobs.db")
    for topic in ("output directory", "database"):
        assert found.finding(topic)["level"] == "warning"
        assert str(tmp_path) in found.finding(topic)["cure"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a directory that not even root can write in")
async def test_a_directory_is_reported_if_a_trial_write_fails(run_doctor: RunDoctor) -> None:
    found = await run_doctor(HAILUO_MCP_OUTPUT_DIR="/proc/clips")
    assert found.problems == ["output directory"]
    assert "nothing can be written" in found.finding("output directory")["what"]


async def test_a_valid_database_is_checked_without_changing_it(run_doctor: RunDoctor, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE jobs (key TEXT)")
        db.execute("PRAGMA user_version = 1")
    before = path.read_bytes()
    found = await run_doctor(HAILUO_MCP_DATABASE_URL=f"sqlite:///{path}")
    assert "migrated at the next use" in found.finding("database")["what"]
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["jobs.db"]


async def test_a_host_that_may_not_find_the_launcher_is_reported(run_doctor: RunDoctor, tmp_path: Path) -> None:
    configure(tmp_path, '{"command": "sh", "args": ["-c", "hailuo-mcp"]}')
    assert (await run_doctor()).finding("host cursor")["level"] == "warning"
    configure(tmp_path, '{"command": "no-such-launcher", "args": ["hailuo-mcp"]}')
    assert (await run_doctor()).problems == ["host cursor"]


async def test_a_host_with_a_broken_configuration_is_reported(run_doctor: RunDoctor, tmp_path: Path) -> None:
    path = configure(tmp_path, "{")
    found = await run_doctor()
    assert found.problems == ["host cursor"]
    assert str(path) in found.finding("host cursor")["what"]


async def test_a_host_that_starts_this_installation_is_ok(run_doctor: RunDoctor, tmp_path: Path) -> None:
    configure(tmp_path, f'{{"command": "{find_launcher().command}", "env": {{"SEGMIND_API_KEY": "{KEY}"}}}}')
    found = await run_doctor()
    assert found.finding("host cursor")["level"] == "ok"
    assert "this installation, with SEGMIND_API_KEY" in found.finding("host cursor")["what"]
    assert KEY not in found.output


async def test_a_file_that_keeps_the_server_from_starting_hides_no_other_finding(
    run_doctor: RunDoctor, tmp_path: Path
) -> None:
    models = tmp_path / "config" / "hailuo-mcp" / "models.toml"
    models.parent.mkdir(parents=True)
    models.write_text("\n\n[broken\n")
    found = await run_doctor(SEGMIND_API_KEY=KEY, HAILUO_MCP_SANDBOX_SECONDS="soon")
    assert found.problems == ["settings", "settings"]
    assert f"{models}:3: this is not TOML" in found.output
    for topic in ("segmind key", "output directory", "database", "hosts"):
        assert found.finding(topic)["level"] == "ok"


def test_an_extra_is_installed_from_the_source_of_this_installation() -> None:
    """Here that is the checkout; no package of this name need be published."""
    assert (Path(source()) / "pyproject.toml").is_file()
