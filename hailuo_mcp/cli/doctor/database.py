"""The ledger's database. A file is looked at without being changed: no schema is brought up to date, no file is made.
Of another engine, the ledger itself is asked."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from anyio import to_thread

from hailuo_mcp.cli.doctor.finding import Finding, ok, problem, warning
from hailuo_mcp.cli.doctor.places import unwritable
from hailuo_mcp.core.errors import HailuoError
from hailuo_mcp.core.settings import PREFIX, Settings
from hailuo_mcp.ledger.sqlite_schema import MIGRATIONS
from hailuo_mcp.service.session import Session

ABOUT = "database"
VARIABLE = f"{PREFIX}DATABASE_URL"
_BUSY_SECONDS = 2.0


async def check(settings: Settings, session: Session | None) -> list[Finding]:
    """Look at the database of these settings; without a studio, no engine but SQLite can be asked."""
    if settings.database_url and not settings.database_url.startswith("sqlite:"):
        return [await _ask(session)] if session else []
    return await to_thread.run_sync(lambda: list(_file(settings.database_path)))


async def _ask(session: Session) -> Finding:
    try:
        page = await session.ledger.page("", None, 1, frozenset())
    except HailuoError as error:
        return problem(ABOUT, error.problem.message, error.problem.hint)
    return ok(ABOUT, f"answers, and holds {page.total} jobs of this machine's own")


def _file(path: Path) -> Iterator[Finding]:
    if why := unwritable(path.parent):
        yield problem(ABOUT, f"{path}: {why}", f"Make its directory writable, or name another file in {VARIABLE}.")
        return
    if not path.is_absolute():
        what = f"{path} is relative: each directory that a host starts the server in has its own jobs"
        yield warning(ABOUT, what, f"Write an absolute path: {VARIABLE}=sqlite:///{path.absolute()}")
    if not path.exists():
        yield ok(ABOUT, f"{path}: will be made with the first job")
        return
    yield _sound(path)


def _sound(path: Path) -> Finding:
    try:
        with closing(_opened(path)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            verdict = [row for (row,) in db.execute("PRAGMA quick_check(1)")]
    except (sqlite3.Error, OSError) as error:
        return _broken(path, type(error).__name__)
    if verdict != ["ok"]:
        return _broken(path, "its check fails")
    if version > len(MIGRATIONS):
        return problem(
            ABOUT,
            f"{path} has schema version {version}; this hailuo-mcp knows {len(MIGRATIONS)}: a newer one wrote it",
            f"Update: uv tool upgrade hailuo-mcp. Or keep jobs elsewhere: another file in {VARIABLE}.",
        )
    older = "" if version == len(MIGRATIONS) else ", brought up to date at the next use"
    return ok(ABOUT, f"{path}: sound, schema version {version}{older}")


def _opened(path: Path) -> sqlite3.Connection:
    """Read-only. Where no other process has it open, also without the side files that even a reader would make."""
    mode = "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=_BUSY_SECONDS)


def _broken(path: Path, why: str) -> Finding:
    return problem(
        ABOUT,
        f"{path} cannot be read as a job ledger ({why})",
        f"Put a backup in its place, or move it away: a new one is made, and jobs can still be asked for by their "
        f"request ids. {VARIABLE} names another file.",
    )
