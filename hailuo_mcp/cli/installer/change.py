"""Adding our entry to a host's configuration and removing it: first a plan that can be shown, then the change.

The plan is verified: the new text, when parsed, must contain what the old one contained, plus the change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hailuo_mcp.cli.installer import config_file
from hailuo_mcp.cli.installer.config_file import PRIVATE, ConfigError, ConfigFile
from hailuo_mcp.cli.installer.detect import is_ours, parse, servers_in
from hailuo_mcp.cli.installer.diff import masked_diff
from hailuo_mcp.cli.installer.edits import describe, difference, merged, with_entry, without_entry
from hailuo_mcp.cli.installer.entry import InstallSpec, new_entry, new_inputs
from hailuo_mcp.cli.installer.formats import Edit, apply_edits, parse_text
from hailuo_mcp.cli.installer.hosts import Host, KeyStorage, Place
from hailuo_mcp.cli.installer.values import as_object

Action = Literal["created", "added", "updated", "unchanged", "removed", "restored", "absent"]


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """A planned change of one file."""

    host: Host
    file: ConfigFile
    action: Action
    raw: bytes | None
    """The complete new content; None if the file is removed."""
    mode: int | None = None
    """Its permissions; None to keep them."""
    changes: tuple[str, ...] = ()
    """The changes, as phrases; keys are masked."""
    diff: str = ""
    """The changed lines; every text that is not known to be harmless is masked."""

    @property
    def has_effect(self) -> bool:
        return self.action not in ("unchanged", "absent")

    def apply(self) -> Path | None:
        """Make the change. Returns the path of the backup, if one was made.

        Raises:
            ConfigError: it cannot be made; nothing was changed.
        """
        if not self.has_effect:
            return None
        config_file.check_writable(self.file)
        backup = self._keep_backup()
        if self.raw is None:
            config_file.remove(self.file)
        else:
            config_file.replace(self.file, self.raw, self.mode)
        if self.action == "restored":
            self.file.backup.unlink(missing_ok=True)
        return backup

    def _keep_backup(self) -> Path | None:
        """Keep the file as it was before our entry was added; if that is not known, as it is now."""
        file = self.file
        has_original = self.action == "updated" and file.backup.exists()
        if file.raw is None or has_original or self.action not in ("added", "updated"):
            return None
        # Without our entry, the file has the mode to restore; with it, it may contain our keys.
        mode = file.mode if self.action == "added" else self.mode or file.mode
        config_file.replace(config_file.read(file.backup), file.raw, mode)
        return file.backup


def install(host: Host, place: Place, spec: InstallSpec) -> ConfigChange:
    """Plan adding our entry, or updating the existing one; what the user added to it is kept.

    Raises:
        ConfigError: the configuration cannot be read or parsed, or its server of this name is another one.
    """
    file = config_file.read(place.path)
    data = parse(host, file)
    current = _current_entry(host, data, spec.name)
    entry, inputs = new_entry(host, spec), new_inputs(host, spec)
    target = entry if current is None else merged(host, spec, current, entry)
    edits, text = _edited(host, file, data, with_entry(host, data, spec.name, target, inputs))
    mode = _mode(host, file, place, spec, current)
    changes = tuple(describe(host, spec.name, data, edit) for edit in edits)
    if file.mode is not None and mode not in (None, file.mode):
        changes += ("the file is made readable only by you",)
    action: Action = "unchanged"
    if changes:
        action = "created" if file.raw is None else "added" if current is None else "updated"
    return ConfigChange(
        host,
        file,
        action,
        file.encoded(text),
        mode,
        changes,
        masked_diff(host, file, text, [current or {}, entry, *inputs]),
    )


def uninstall(host: Host, place: Place, name: str) -> ConfigChange:
    """Plan removing our entry. If nothing else has changed since it was added, the file is restored byte for byte, or
    removed if there was none.

    Raises:
        ConfigError: as `install`.
    """
    file = config_file.read(place.path)
    data = parse(host, file)
    current = _current_entry(host, data, name)
    if current is None:
        return ConfigChange(host, file, "absent", file.raw)
    target, inputs = without_entry(host, data, name)
    changes = (f"{host.servers_key}.{name} is removed",)
    if before := _before_install(host, file, name, current, inputs):
        diff = masked_diff(host, file, before.text, [current, *inputs])
        return ConfigChange(host, file, "restored", before.raw, before.mode, changes, diff)
    _, text = _edited(host, file, data, target)
    diff = masked_diff(host, file, text, [current, *inputs])
    return ConfigChange(host, file, "removed", file.encoded(text), None, changes, diff)


def snippet(host: Host, spec: InstallSpec) -> str:
    """A configuration with only our entry, for pasting."""
    return _with_new_entry(host, "", spec.name, new_entry(host, spec), new_inputs(host, spec))


def check_edited(host: Host, text: str, expected: Mapping[str, Any]) -> None:
    """Verify an edited text.

    Raises:
        ValueError: it does not contain what is expected.
    """
    if parse_text(host, text) != expected:
        raise ValueError("this program cannot edit its layout")


def _edited(host: Host, file: ConfigFile, data: dict[str, Any], target: dict[str, Any]) -> tuple[list[Edit], str]:
    edits = list(difference(data, target))
    try:
        text = apply_edits(host, file.text, edits)
        if edits:
            check_edited(host, text, target)
    except (ValueError, LookupError, TypeError) as error:
        raise ConfigError(
            f"{file.path} cannot be changed without harm: {error}",
            "The file was left as it is. Make the change by hand; --print prints the entry.",
        ) from None
    return edits, text


def _with_new_entry(
    host: Host, text: str, name: str, entry: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]]
) -> str:
    data = parse_text(host, text)
    target = with_entry(host, data, name, entry, inputs)
    return apply_edits(host, text, list(difference(data, target)))


def _current_entry(host: Host, data: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    entry = servers_in(host, data).get(name)
    if entry is not None and not is_ours(host, entry):
        raise ConfigError(
            f"the server {name!r} in {host.title}'s configuration is another one",
            "Choose another name with --name, or remove it there.",
        )
    return entry


def _before_install(
    host: Host, file: ConfigFile, name: str, entry: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]]
) -> ConfigFile | None:
    """The file as it was before our entry was added, if nothing else has changed since."""
    backup = config_file.read(file.backup)
    try:
        if name in servers_in(host, parse_text(host, backup.text)):
            return None
        is_unchanged = _with_new_entry(host, backup.text, name, entry, inputs) == file.text
    except (ConfigError, ValueError):
        return None
    return backup if is_unchanged else None


def _mode(
    host: Host, file: ConfigFile, place: Place, spec: InstallSpec, current: Mapping[str, Any] | None
) -> int | None:
    """Private if the file contains our keys, or is a new file of the user, because the host may add secrets to it."""
    if file.raw is None and not place.is_shared:
        return PRIVATE
    if host.key_storage is not KeyStorage.IN_FILE:
        return None
    has_keys = bool(spec.keys) or any(
        v.endswith("_API_KEY") for v in as_object((current or {}).get(host.shape.env)) or ()
    )
    return PRIVATE if has_keys else None
