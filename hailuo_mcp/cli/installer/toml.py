"""TOML, changed in place. A new entry goes to the end of the file as a table of its own, where it disturbs nothing;
whatever else changes is changed by tomlkit, which keeps comments and layout."""

import tomllib
from collections.abc import MutableMapping, Sequence
from typing import Any, cast

import tomlkit

from hailuo_mcp.cli.installer.values import as_object

Key = str | int
Path = Sequence[Key]


def parse(text: str) -> dict[str, Any]:
    """
    Raises:
        ValueError: it is not TOML; the message says the line and column.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def put(text: str, path: Path, value: Any) -> str:
    """The text with `value` at `path`; tables that are missing on the way are made. `text` is one that `parse` reads.

    Raises:
        ValueError: something on the way is no table.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    keys = [str(key) for key in path]
    table = as_object(value)
    if table is not None and _at(parse(text), keys) is None:
        before = text if not text or text.endswith("\n") else text + newline
        appended = (before + newline if before else "") + _table(keys, table).replace("\n", newline)
        if _holds(appended, keys, value):
            return appended
    document = tomlkit.parse(text)
    _walk(document, keys[:-1], make=True)[keys[-1]] = value
    changed = _dumps(document)
    return changed if newline == "\n" else changed.replace("\r\n", "\n").replace("\n", newline)


def drop(text: str, path: Path) -> str:
    """The text without what is at `path`.

    Raises:
        KeyError: nothing is there.
        ValueError: as `put`.
    """
    document = tomlkit.parse(text)
    keys = [str(key) for key in path]
    del _walk(document, keys[:-1])[keys[-1]]
    return _dumps(document)


def _walk(document: tomlkit.TOMLDocument, keys: Sequence[str], *, make: bool = False) -> MutableMapping[str, Any]:
    here = cast(MutableMapping[str, Any], document)
    for key in keys:
        if make and key not in here:
            here[key] = {}
        if not isinstance(here[key], MutableMapping):
            raise ValueError(f'"{key}" is no table')
        here = cast(MutableMapping[str, Any], here[key])
    return here


def _table(keys: Sequence[str], value: dict[str, Any]) -> str:
    """A table with a heading of its own, and below it the tables that it holds."""
    plain = {key: part for key, part in value.items() if as_object(part) is None}
    tables = {key: table for key, part in value.items() if (table := as_object(part)) is not None}
    heading = ".".join(tomlkit.key(key).as_string() for key in keys)
    return f"[{heading}]\n{_dumps(plain)}" + "".join("\n" + _table([*keys, key], part) for key, part in tables.items())


def _dumps(table: Any) -> str:
    return tomlkit.dumps(table)  # pyright: ignore[reportUnknownMemberType] # its keywords have no types


def _holds(text: str, keys: Sequence[str], value: Any) -> bool:
    """A table cannot be put below one that is written inline."""
    try:
        return _at(parse(text), keys) == value
    except ValueError:
        return False


def _at(data: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        data = (as_object(data) or {}).get(key)
    return data
