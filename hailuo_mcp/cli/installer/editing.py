"""Our entry put into a host's configuration and taken out of it: first as a plan that can be looked at, then done.

The plan is checked before it is done: the new text, read again, must hold what the old one held, and the change.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hailuo_mcp.cli.installer import entries, files, jsonc, shape, toml
from hailuo_mcp.cli.installer.diffs import masked_diff
from hailuo_mcp.cli.installer.edits import Edit, Key, apply_to, in_words, new_inputs, our_inputs, updates
from hailuo_mcp.cli.installer.files import PRIVATE, ConfigError, ConfigFile
from hailuo_mcp.cli.installer.host import Host, Keys, Place
from hailuo_mcp.cli.installer.shape import InstallSpec
from hailuo_mcp.cli.installer.values import as_object

Action = Literal["created", "added", "updated", "unchanged", "removed", "restored", "absent"]


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """A change of one file, not yet made."""

    host: Host
    file: ConfigFile
    action: Action
    raw: bytes | None
    """The whole file as it shall be; None: no file."""
    mode: int | None
    """Its permissions; None: as they are."""
    changes: tuple[str, ...]
    """What changes, in words; no keys."""
    diff: str
    """The lines that change, with every text masked that is not known to be harmless."""
    keeps_backup: bool = False
    ends_backup: bool = False

    @property
    def does_something(self) -> bool:
        return self.action not in ("unchanged", "absent")

    def apply(self) -> Path | None:
        """Make the change. Returns the path of the backup, where one was made.

        Raises:
            ConfigError: it cannot be made; nothing is changed then.
        """
        if not self.does_something:
            return None
        files.check_writable(self.file)
        if self.keeps_backup and self.file.raw is not None:
            mode = self.file.mode if self.action == "added" else self.mode or self.file.mode
            files.replace(files.read(self.file.backup), self.file.raw, mode)
        if self.raw is None:
            files.remove(self.file)
        else:
            files.replace(self.file, self.raw, self.mode)
        if self.ends_backup:
            self.file.backup.unlink(missing_ok=True)
        return self.file.backup if self.keeps_backup else None


def install(host: Host, place: Place, wanted: InstallSpec) -> ConfigChange:
    """The plan to put our entry there, or to bring the one that is there up to date: what the user added to it stays.

    Raises:
        ConfigError: the configuration cannot be read or understood, or its server of this name is another one.
    """
    file = files.read(place.path)
    data = entries.parse(host, file)
    held = _ours(host, data, wanted.name)
    entry = shape.entry(host, place, wanted)
    asked = shape.inputs(place, wanted)
    edits = new_inputs(data, asked)
    edits += [Edit((host.servers, wanted.name), entry)] if held is None else updates(host, place, wanted, held, entry)
    text = _edited(host, file, data, edits)
    mode = _mode(file, place, wanted, held)
    changes = tuple(in_words(host, wanted.name, data, edit) for edit in edits)
    if file.mode is not None and mode not in (None, file.mode):
        changes += ("the file is made readable by you alone",)
    action: Action = "unchanged"
    if changes:
        action = "created" if file.raw is None else "added" if held is None else "updated"
    return ConfigChange(
        host,
        file,
        action,
        file.encoded(text),
        mode,
        changes,
        masked_diff(file, text, host.format, [held or {}, entry, *asked]),
        keeps_backup=file.raw is not None and (action == "added" or (action == "updated" and not file.backup.exists())),
    )


def uninstall(host: Host, place: Place, name: str) -> ConfigChange:
    """The plan to take our entry away. Where nothing else was changed since it was put there, the file becomes what it
    was, to the byte, or goes away if there was none.

    Raises:
        ConfigError: as `install`.
    """
    file = files.read(place.path)
    data = entries.parse(host, file)
    held = _ours(host, data, name)
    if held is None:
        return ConfigChange(host, file, "absent", file.raw, None, (), "")
    asked = our_inputs(host, data, name, held)
    ours = [data["inputs"][index] for index in asked]
    before, shown = _before(host, file, name, held, ours), [held, *ours]
    changes = (f"{host.servers}.{name} is removed",)
    if before is not None:
        return ConfigChange(
            host,
            file,
            "restored",
            before.raw,
            before.mode,
            changes,
            masked_diff(file, before.text, host.format, shown),
            ends_backup=True,
        )
    # From the last to the first, so that the places of the others stay.
    edits = [Edit(("inputs", index), drops=True) for index in reversed(asked)]
    text = _edited(host, file, data, [*edits, Edit((host.servers, name), drops=True)])
    return ConfigChange(
        host, file, "removed", file.encoded(text), None, changes, masked_diff(file, text, host.format, shown)
    )


def printed(host: Host, place: Place, wanted: InstallSpec) -> str:
    """A configuration with nothing but our entry, to be pasted."""
    return _fresh(host, "", wanted.name, shape.entry(host, place, wanted), shape.inputs(place, wanted))


def _fresh(host: Host, text: str, name: str, entry: dict[str, Any], asked: Sequence[Any]) -> str:
    """The text with an entry that was not there."""
    for edit in [*new_inputs(_parsed(host, text), asked), Edit((host.servers, name), entry)]:
        text = _put(host)(text, edit.path, edit.value)
    return text


def _ours(host: Host, data: dict[str, Any], name: str) -> dict[str, Any] | None:
    held = entries.servers_in(host, data).get(name)
    if held is not None and not entries.is_ours(held):
        raise ConfigError(
            f"the server {name!r} in {host.title}'s configuration is another one",
            "Choose another name with --name, or remove it there.",
        )
    return held


def _before(host: Host, file: ConfigFile, name: str, held: dict[str, Any], asked: Sequence[Any]) -> ConfigFile | None:
    """The file as it was before our entry was put there, if nothing else was changed since."""
    backup = files.read(file.backup)
    try:
        before = _parsed(host, backup.text)
        if name in entries.servers_in(host, before):
            return None
        same = _fresh(host, backup.text, name, held, asked) == file.text
    except (ConfigError, ValueError):
        return None
    return backup if same else None


def _mode(file: ConfigFile, place: Place, wanted: InstallSpec, held: dict[str, Any] | None) -> int | None:
    """Private, where the file holds keys of ours."""
    if place.keys is not Keys.WRITTEN:
        return None
    has_keys = bool(wanted.keys) or any(v.endswith("_API_KEY") for v in as_object((held or {}).get("env")) or ())
    return PRIVATE if has_keys or file.raw is None else None


def _put(host: Host) -> Callable[[str, Sequence[Key], Any], str]:
    return toml.put if host.format == "toml" else jsonc.put


def _drop(host: Host) -> Callable[[str, Sequence[Key]], str]:
    return toml.drop if host.format == "toml" else jsonc.drop


def _parsed(host: Host, text: str) -> dict[str, Any]:
    return toml.parse(text) if host.format == "toml" else jsonc.parse(text, comments=host.format == "jsonc")


def _edited(host: Host, file: ConfigFile, data: dict[str, Any], edits: Sequence[Edit]) -> str:
    text, expected = file.text, deepcopy(data)
    try:
        for edit in edits:
            text = _drop(host)(text, edit.path) if edit.drops else _put(host)(text, edit.path, edit.value)
            apply_to(expected, edit)
        # A table of TOML that only holds others is gone with the last of them.
        if edits and {host.servers: {}, **_parsed(host, text)} != {host.servers: {}, **expected}:
            raise ValueError("its layout is one that this program does not know how to change")
    except (ValueError, LookupError, TypeError) as error:
        raise ConfigError(
            f"{file.path} cannot be changed without harm: {error}",
            "It was left as it is. Make the change by hand; --print prints the entry.",
        ) from None
    return text
