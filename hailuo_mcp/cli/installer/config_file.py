"""Configuration files: read unchanged, replaced atomically, with a backup next to them."""

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hailuo_mcp.core.errors import InvalidInput

BOM = b"\xef\xbb\xbf"
PRIVATE = 0o600
BACKUP = ".before-hailuo-mcp"
"""The suffix of a backup's name."""


class ConfigError(InvalidInput):
    """A configuration that cannot be read, parsed or changed; it was left as it is."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file as it was read. `path` is the file itself, with symbolic links resolved."""

    path: Path
    raw: bytes | None
    """None: there is no such file."""
    mode: int | None

    @property
    def text(self) -> str:
        """The content without a byte order mark; empty if there is no file.

        Raises:
            ConfigError: not UTF-8.
        """
        try:
            return (self.raw or b"").removeprefix(BOM).decode()
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{self.path} is not UTF-8 (byte {error.start})", "Save it as UTF-8, then try again."
            ) from None

    def encoded(self, text: str) -> bytes:
        return (BOM if self.raw and self.raw.startswith(BOM) else b"") + text.encode()

    @property
    def backup(self) -> Path:
        return self.path.with_name(self.path.name + BACKUP)


def read(path: Path) -> ConfigFile:
    """
    Raises:
        ConfigError: it exists and cannot be read.
    """
    try:
        path = path.resolve(strict=False)
        raw = path.read_bytes()
        return ConfigFile(path, raw, stat.S_IMODE(path.stat().st_mode))
    except FileNotFoundError:
        return ConfigFile(path, None, None)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"{path} cannot be read: {_reason(error)}", "Make it a readable file.") from None


def replace(file: ConfigFile, raw: bytes, mode: int | None = None) -> None:
    """Replace the content that was read with `raw`, atomically: readers see either the old or the new content.

    Raises:
        ConfigError: the file cannot be written, or was changed since it was read.
    """
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.path.parent, prefix=f".{file.path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(raw)
                opened.flush()
                os.fsync(opened.fileno())
            _copy_permissions(file, temporary, mode)
            _check_unchanged(file)
            temporary.replace(file.path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{file.path} cannot be written: {_reason(error)}", "Nothing was changed.") from None


def remove(file: ConfigFile) -> None:
    """
    Raises:
        ConfigError: as `replace`.
    """
    _check_unchanged(file)
    try:
        file.path.unlink()
    except OSError as error:
        raise ConfigError(f"{file.path} cannot be removed: {_reason(error)}", "Nothing was changed.") from None


def check_writable(file: ConfigFile) -> None:
    """Replacing a file works even if it is read-only, but it was made read-only for a reason.

    Raises:
        ConfigError: the file is read-only.
    """
    if file.mode is not None and not (file.mode & stat.S_IWUSR and os.access(file.path, os.W_OK)):
        raise ConfigError(f"{file.path} is read-only", "Make it writable, or paste what --print prints.")


def _check_unchanged(file: ConfigFile) -> None:
    if read(file.path).raw != file.raw:
        raise ConfigError(f"{file.path} was changed by another program just now", "Run the command again.")


def _copy_permissions(file: ConfigFile, temporary: Path, mode: int | None) -> None:
    """Keep the owner, and the permissions unless `mode` gives others."""
    mode = mode if mode is not None else file.mode
    if mode is None:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    if file.raw is not None and hasattr(os, "chown"):
        owner = file.path.stat()
        if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(temporary, owner.st_uid, owner.st_gid)
    temporary.chmod(mode)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
