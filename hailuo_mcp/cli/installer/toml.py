"""TOML, edited in place. A new entry is appended to the file as a separate table, which leaves the rest unchanged;
tomlkit makes every other change and keeps comments and layout."""

import tomllib
from collections.abc import MutableMapping, Sequence
from typing import Any, cast

import tomlkit

from hailuo_mcp.cli.installer.values import Key, as_object


def parse(text: str) -> dict[str, Any]:
    """
    Raises:
        ValueError: it is not TOML; the message gives the line and column.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def put(text: str, path: Sequence[Key], value: Any) -> str:
    """The text with `value` at `path`; missing tables on the path are created. `text` must be valid for `parse`.

    Raises:
        ValueError: something on the path is not a table.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    keys = [str(key) for key in path]
    if as_object(value) is not None and _at(parse(text), keys) is None:
        nested = value
        for key in reversed(keys):
            nested = {key: nested}
        before = text if not text or text.endswith("\n") else text + newline
        appended = (before + newline if before else "") + _dump(nested).replace("\n", newline)
        try:
            if _at(parse(appended), keys) == value:
                return appended
        except ValueError:
            pass  # a table cannot be added to an inline table
    document = tomlkit.parse(text)
    _table_at(document, keys[:-1], create=True)[keys[-1]] = value
    changed = _dump(document)
    return changed if newline == "\n" else changed.replace("\r\n", "\n").replace("\n", newline)


def drop(text: str, path: Sequence[Key]) -> str:
    """The text without the item at `path`.

    Raises:
        KeyError: there is none.
        ValueError: as `put`.
    """
    document = tomlkit.parse(text)
    keys = [str(key) for key in path]
    del _table_at(document, keys[:-1])[keys[-1]]
    return _dump(document)


def _table_at(document: tomlkit.TOMLDocument, keys: Sequence[str], *, create: bool = False) -> MutableMapping[str, Any]:
    table = cast(MutableMapping[str, Any], document)
    for key in keys:
        if create and key not in table:
            table[key] = {}
        if not isinstance(table[key], MutableMapping):
            raise ValueError(f'"{key}" is not a table')
        table = cast(MutableMapping[str, Any], table[key])
    return table


def _at(data: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        data = (as_object(data) or {}).get(key)
    return data


def _dump(table: Any) -> str:
    return tomlkit.dumps(table)  # pyright: ignore[reportUnknownMemberType] # its keywords have no types
