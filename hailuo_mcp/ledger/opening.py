"""Picks the engine: the only place that reads the scheme of `HAILUO_MCP_DATABASE_URL`."""

from importlib.util import find_spec

from hailuo_mcp.core.setting_values import PREFIX, SettingsError
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.ledger.base import Ledger


def open_ledger(settings: Settings) -> Ledger:
    """The ledger that the settings name; it is opened at its first use.

    Raises:
        SettingsError: the settings name PostgreSQL, and its client is not installed.
    """
    # start-up time: only the engine in use is loaded
    if not settings.on_postgres:
        from hailuo_mcp.ledger.sqlite import SqliteLedger

        path = settings.database_path
        return SqliteLedger(path, own_directory=path.parent == settings.state_dir)
    if find_spec("asyncpg") is None:
        raise SettingsError(
            f"{PREFIX}DATABASE_URL names PostgreSQL, whose client is not installed: pip install 'hailuo-mcp[postgres]'"
        )
    from hailuo_mcp.ledger.postgres import PostgresLedger

    return PostgresLedger(settings.database_url)
