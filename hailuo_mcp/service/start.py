"""Warns at startup about anything that would make the first call fail."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from hailuo_mcp.catalog.catalog import Catalog
from hailuo_mcp.core.setting_values import PREFIX
from hailuo_mcp.core.settings import Settings

log = logging.getLogger(__name__)


def warn_of_failing_calls(settings: Settings, catalog: Catalog) -> None:
    """Log at most one line. Nothing is created or opened for this."""
    if reasons := " ".join(_reasons(settings, catalog)):
        log.error("generate_video will fail: %s", reasons)


def _reasons(settings: Settings, catalog: Catalog) -> Iterator[str]:
    if not catalog.usable and not settings.callers_have_keys:
        yield f"no model is usable. {catalog.how_to_get_keys()}"
    if not settings.on_postgres and not _can_be_written(settings.database_path.parent):
        yield f"the job ledger cannot be written in {settings.database_path.parent}; set {PREFIX}DATABASE_URL."
    if settings.auto_download and not _can_be_written(settings.output_dir):
        yield f"clips cannot be saved in {settings.output_dir}; set {PREFIX}OUTPUT_DIR."


def _can_be_written(directory: Path) -> bool:
    """Whether the directory is writable or can be created."""
    existing = next((place for place in (directory, *directory.parents) if place.exists()), None)
    return existing is not None and existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
