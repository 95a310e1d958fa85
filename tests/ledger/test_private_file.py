"""The ledger's file and its directory are private to the user, including those of an earlier version."""

import os
import stat
import sys
from pathlib import Path

import pytest

from hailuo_mcp.ledger import open_ledger
from hailuo_mcp.ledger.sqlite import SqliteLedger
from tests.ledger.shared import a_job, create
from tests.support import log_of, server, settings_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="permissions are inherited on Windows")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(directory: Path) -> dict[str, int]:
    return {path.name: mode(path) for path in directory.iterdir()}


@pytest.fixture(autouse=True)
def _everyone_may_read_new_files() -> object:  # pyright: ignore[reportUnusedFunction]  pytest uses it
    before = os.umask(0)
    yield
    os.umask(before)


async def test_a_new_ledger_and_its_directory_are_private_to_the_user(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "state" / "jobs.sqlite3")
    await create(ledger, a_job())
    assert modes(tmp_path / "state") == dict.fromkeys(("jobs.sqlite3", "jobs.sqlite3-wal", "jobs.sqlite3-shm"), 0o600)
    assert mode(tmp_path / "state") == 0o700
    await ledger.close()


async def test_a_ledger_that_others_could_read_is_made_private_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(tmp_path)
    ledger = open_ledger(settings)
    await create(ledger, a_job())
    for path in settings.state_dir.iterdir():
        path.chmod(0o644)
    settings.state_dir.chmod(0o755)
    again = open_ledger(settings)
    await again.get("nothing")
    assert set(modes(settings.state_dir).values()) == {0o600}
    assert mode(settings.state_dir) == 0o700
    (line,) = [record.getMessage() for record in caplog.records if "others could read" in record.getMessage()]
    assert str(settings.database_path) in line
    assert str(settings.state_dir) in line
    await create(ledger, a_job(fingerprint="another"))  # the locks of the first ledger are unchanged
    await again.close()
    await ledger.close()


async def test_a_directory_that_is_not_ours_is_not_changed(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o777)
    (shared / "notes.txt").write_text("for all")
    settings = settings_for(tmp_path, HAILUO_MCP_DATABASE_URL=f"sqlite:///{shared}/jobs.sqlite3")
    ledger = open_ledger(settings)
    await ledger.get("nothing")
    assert mode(shared) == 0o777
    assert mode(shared / "notes.txt") == 0o666
    assert mode(shared / "jobs.sqlite3") == 0o600
    await ledger.close()


@pytest.mark.slow
async def test_the_real_server_makes_its_state_private(tmp_path: Path) -> None:
    async with server(tmp_path, HAILUO_MCP_SANDBOX="1") as client:
        await client.call_tool("list_jobs")
        state = tmp_path / "state" / "hailuo-mcp"
        assert mode(state) == 0o700
        assert {each for name, each in modes(state).items() if name.startswith("jobs.sqlite3")} == {0o600}
    assert "others could read" not in log_of(tmp_path).read_text()
