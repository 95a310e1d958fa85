"""Our entry put into a host's configuration and taken out of it: first as a plan that can be looked at, then done.

The plan is checked before it is done: the new text, read again, must hold what the old one held, and the change.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from hailuo_mcp.hosts import entries, files, jsonc, shape, toml
from hailuo_mcp.hosts.diffs import MASK, masked_diff
from hailuo_mcp.hosts.files import PRIVATE, ConfigError, ConfigFile
from hailuo_mcp.hosts.host import Host, Keys, Place
from hailuo_mcp.hosts.shape import Wanted
from hailuo_mcp.hosts.values import as_list, as_object

Action = Literal["created", "added", "updated", "unchanged", "removed", "restored", "absent"]
Key = str | int


@dataclass(frozen=True, slots=True)
class _Edit:
    path: tuple[Key, ...]
    value: Any = None
    drops: bool = False


@dataclass(frozen=True, slots=True)
class Edited:
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


def install(host: Host, place: Place, wanted: Wanted) -> Edited:
    """The plan to put our entry there, or to bring the one that is there up to date: what the user added to it stays.

    Raises:
        ConfigError: the configuration cannot be read or understood, or its server of this name is another one.
    """
    file = files.read(place.path)
    data = entries.parse(host, file)
    held = _ours(host, data, wanted.name)
    entry = shape.entry(host, place, wanted)
    asked = shape.inputs(place, wanted)
    edits = _new_inputs(data, asked)
    edits += [_Edit((host.servers, wanted.name), entry)] if held is None else _updates(host, place, wanted, held, entry)
    text = _edited(host, file, data, edits)
    mode = _mode(file, place, wanted, held)
    changes = tuple(_in_words(host, wanted.name, data, edit) for edit in edits)
    if file.mode is not None and mode not in (None, file.mode):
        changes += ("the file is made readable by you alone",)
    action: Action = "unchanged"
    if changes:
        action = "created" if file.raw is None else "added" if held is None else "updated"
    return Edited(
        host,
        file,
        action,
        file.encoded(text),
        mode,
        changes,
        masked_diff(file, text, host.format, [held or {}, entry, *asked]),
        keeps_backup=file.raw is not None and (action == "added" or (action == "updated" and not file.backup.exists())),
    )


def uninstall(host: Host, place: Place, name: str) -> Edited:
    """The plan to take our entry away. Where nothing else was changed since it was put there, the file becomes what it
    was, to the byte, or goes away if there was none.

    Raises:
        ConfigError: as `install`.
    """
    file = files.read(place.path)
    data = entries.parse(host, file)
    held = _ours(host, data, name)
    if held is None:
        return Edited(host, file, "absent", file.raw, None, (), "")
    asked = _our_inputs(host, data, name, held)
    ours = [data["inputs"][index] for index in asked]
    before, shown = _before(host, file, name, held, ours), [held, *ours]
    changes = (f"{host.servers}.{name} is removed",)
    if before is not None:
        return Edited(
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
    edits = [_Edit(("inputs", index), drops=True) for index in reversed(asked)]
    text = _edited(host, file, data, [*edits, _Edit((host.servers, name), drops=True)])
    return Edited(host, file, "removed", file.encoded(text), None, changes, masked_diff(file, text, host.format, shown))


def printed(host: Host, place: Place, wanted: Wanted) -> str:
    """A configuration with nothing but our entry, to be pasted."""
    return _fresh(host, "", wanted.name, shape.entry(host, place, wanted), shape.inputs(place, wanted))


def _fresh(host: Host, text: str, name: str, entry: dict[str, Any], asked: Sequence[Any]) -> str:
    """The text with an entry that was not there."""
    for edit in [*_new_inputs(_parsed(host, text), asked), _Edit((host.servers, name), entry)]:
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


def _updates(host: Host, place: Place, wanted: Wanted, held: dict[str, Any], entry: dict[str, Any]) -> list[_Edit]:
    here = (host.servers, wanted.name)
    edits: list[_Edit] = []
    env = as_object(held.get("env")) or {}
    for key, value in entry.items():
        now = held.get(key)
        if key == "env" and env:
            edits += [_Edit((*here, key, v), value[v]) for v in value if env.get(v) != value[v]]
        elif key == "env_vars" and (listed := as_list(now)) is not None:
            if missing := [v for v in value if v not in listed and {"name": v} not in listed]:
                edits.append(_Edit((*here, key), [*listed, *missing]))
        elif now != value and not (key in host.when_fetched and key in held):
            edits.append(_Edit((*here, key), value))
    unwanted = wanted.without | (wanted.keys.keys() if place.keys is Keys.FORWARDED else frozenset[str]())
    return [*edits, *(_Edit((*here, "env", v), drops=True) for v in sorted(unwanted) if v in env)]


def _new_inputs(data: dict[str, Any], asked: Sequence[Any]) -> list[_Edit]:
    if not asked:
        return []
    if "inputs" not in data:
        return [_Edit(("inputs",), list(asked))]
    listed = as_list(data["inputs"])
    if listed is None:
        raise ConfigError('"inputs" is no array in the configuration', "Correct it by hand.")
    there = [(as_object(item) or {}).get("id") for item in listed]
    missing = [item for item in asked if item["id"] not in there]
    return [_Edit(("inputs", len(listed) + index), item) for index, item in enumerate(missing)]


def _our_inputs(host: Host, data: dict[str, Any], name: str, held: dict[str, Any]) -> list[int]:
    """Where the inputs stand that our entry alone refers to, and that we put there."""
    others = str([entry for other, entry in data[host.servers].items() if other != name])
    found: list[int] = []
    for index, item in enumerate(as_list(data.get("inputs")) or ()):
        identity = str((as_object(item) or {}).get("id", ""))
        reference = f"${{input:{identity}}}"
        if identity.startswith(f"{name}-") and reference in str(held) and reference not in others:
            found.append(index)
    return found


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


def _mode(file: ConfigFile, place: Place, wanted: Wanted, held: dict[str, Any] | None) -> int | None:
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


def _edited(host: Host, file: ConfigFile, data: dict[str, Any], edits: Sequence[_Edit]) -> str:
    text, expected = file.text, deepcopy(data)
    try:
        for edit in edits:
            text = _drop(host)(text, edit.path) if edit.drops else _put(host)(text, edit.path, edit.value)
            _apply(expected, edit)
        # A table of TOML that only holds others is gone with the last of them.
        if edits and {host.servers: {}, **_parsed(host, text)} != {host.servers: {}, **expected}:
            raise ValueError("its layout is one that this program does not know how to change")
    except (ValueError, LookupError, TypeError) as error:
        raise ConfigError(
            f"{file.path} cannot be changed without harm: {error}",
            "It was left as it is. Make the change by hand; --print prints the entry.",
        ) from None
    return text


def _apply(data: Any, edit: _Edit) -> None:
    *way, last = edit.path
    for key in way:
        data = data.setdefault(key, {}) if as_object(data) is not None else data[key]
    listed = as_list(data)
    if edit.drops:
        del data[last]
    elif listed is not None:
        listed.insert(cast(int, last), edit.value)
    else:
        data[last] = edit.value


def _in_words(host: Host, name: str, data: dict[str, Any], edit: _Edit) -> str:
    if edit.path == (host.servers, name):
        return f"{host.servers}.{name} is added"
    if edit.path[0] == "inputs":
        return "an input is added, for the host to ask for the key"
    where = ".".join(str(part) for part in edit.path[1:])
    if edit.drops:
        return f"{where} is removed"
    now: Any = data
    for key in edit.path:
        now = (as_object(now) or {}).get(str(key))
    if now is None:
        return f"{where} is added"
    if edit.path[-2] != "env":
        return f"{where} was {now} and becomes {edit.value}"
    variable = str(edit.path[-1])
    was, becomes = (str(value) if shape.may_be_shown(variable, str(value)) else MASK for value in (now, edit.value))
    return f"{where} was {was} and becomes {becomes}"
