"""Models that the user adds in TOML files, built as the same specs as the built-in ones."""

from collections.abc import Sequence
from pathlib import Path

from hailuo_mcp.core.setting_values import PREFIX, SettingsError
from hailuo_mcp.core.settings import Settings
from hailuo_mcp.core.spec import ModelSpec
from hailuo_mcp.gateways import Gateway


def own_models(settings: Settings, gateways: Sequence[type[Gateway]]) -> tuple[type[ModelSpec], ...]:
    """The models of the user's files, in file order.

    Raises:
        SettingsError: a file contains an error; one line with the file, the line number and the fix.
    """
    files = _files(settings)
    if not files:
        return ()
    # start-up time: only needed if there is such a file
    from hailuo_mcp.catalog.custom_models.builder import Builder
    from hailuo_mcp.catalog.custom_models.document import Document

    builder = Builder(gateways)
    return tuple(model for file in files for model in builder.models_in(Document.read(file)))


def _files(settings: Settings) -> list[Path]:
    """The file that the setting names, or the files in that directory; by default those in the configuration
    directory."""
    named = settings.catalog
    try:
        if named != Path():
            if not named.exists():
                raise SettingsError(f"{PREFIX}CATALOG={str(named)!r}: there is no such file; correct it or unset it")
            return sorted(named.glob("*.toml")) if named.is_dir() else [named]
        default = settings.config_dir / "models.toml"
        return [*([default] if default.exists() else []), *sorted((settings.config_dir / "models.d").glob("*.toml"))]
    except OSError as error:
        raise SettingsError(f"{PREFIX}CATALOG: {error.filename} cannot be read: {error.strerror}") from None
