"""Checks the ledger's database. A SQLite file is only read: no schema is migrated and no file created. With another
database, the ledger itself is queried."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from anyio import to_thread

from hailuo_mcp.cli.doctor.finding import Finding, ok, problem, warning
from hailuo_mcp.cli.doctor.places import unwritable
from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.setting_values import PREFIX
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.ledger import Ledger
from hailuo_mcp.ledger.sqlite_schema import MIGRATIONS

TOPIC = "database"
VARIABLE = f"{PREFIX}DATABASE_URL"
_BUSY_SECONDS = 2.0


async def check(settings: Settings, ledger: Ledger | None) -> list[Finding]:
    """Check the database of these settings. Without a ledger, only SQLite can be checked."""
    if settings.database_url and not settings.database_url.startswith("sqlite:"):
        return [await _query(ledger)] if ledger else []
    return await to_thread.run_sync(lambda: list(_file(settings.database_path)))


async def _query(ledger: Ledger) -> Finding:
    try:
        page = await ledger.page("", None, 1, frozenset())
    except HailuoError as error:
        return problem(TOPIC, error.problem.message, error.problem.hint)
    return ok(TOPIC, f"can be reached, and has {page.total} jobs of the local user")


def _file(path: Path) -> Iterator[Finding]:
    if why := unwritable(path.parent):
        yield problem(TOPIC, f"{path}: {why}", f"Make its directory writable, or name another file in {VARIABLE}.")
        return
    if not path.is_absolute():
        message = f"{path} is relative: each directory that a host starts the server in has its own jobs"
        yield warning(TOPIC, message, f"Write an absolute path: {VARIABLE}=sqlite:///{path.absolute()}")
    if not path.exists():
        yield ok(TOPIC, f"{path}: will be created when the first job is submitted")
        return
    yield _check_file(path)


def _check_file(path: Path) -> Finding:
    try:
        with closing(_open_read_only(path)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            verdict = [row for (row,) in db.execute("PRAGMA quick_check(1)")]
    except (sqlite3.Error, OSError) as error:
        return _broken(path, type(error).__name__)
    if verdict != ["ok"]:
        return _broken(path, "its integrity check fails")
    if version > len(MIGRATIONS):
        return problem(
            TOPIC,
            f"{path} has schema version {version}; this hailuo-mcp knows {len(MIGRATIONS)}: a newer version wrote it",
            f"Update: uv tool upgrade hailuo-mcp. Or keep jobs elsewhere: another file in {VARIABLE}.",
        )
    older = "" if version == len(MIGRATIONS) else ", will be migrated at the next use"
    return ok(TOPIC, f"{path}: intact, schema version {version}{older}")


def _open_read_only(path: Path) -> sqlite3.Connection:
    """Open read-only. If no other process has the file open, as immutable, so that no `-wal` or `-shm` file is
    created."""
    mode = "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=_BUSY_SECONDS)


def _broken(path: Path, why: str) -> Finding:
    return problem(
        TOPIC,
        f"{path} cannot be read as a job ledger ({why})",
        f"Restore a backup, or move the file away: a new one is created, and jobs can still be looked up by their "
        f"request ids. {VARIABLE} names another file.",
    )
